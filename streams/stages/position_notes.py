"""Proves that one of us committed a group's offset, by a note with a MAC beside it.

Whoever may commit offsets of a group whose members are away can have records passed over: of what
the stage writes nothing says that they are missing, but `refusion verify`, which compares both
topics. So a stage that believes its group's offset writes a note beside it that nobody else can
make, and says at once where an offset without one is gone on from. It goes on all the same: workers
of former versions made no notes, and a person may have set the offset with Kafka's own tools. A
note that is copied beside its own offset is believed; then records are read again, which changes
nothing.
"""

import logging
from typing import Final

from streams.engine.ports import Events
from streams.privacy.macs import MAC, MacKeys

log = logging.getLogger("refusion")

UNPROVED: Final = "position_unproved"
"""The event of an offset that nobody of ours is known to have committed."""


class PositionNotes:
    """The notes beside the offsets of one partition in a group."""

    def __init__(
        self, stage: str, macs: MacKeys, group: str, topic: str, partition: int, events: Events
    ) -> None:
        self._place = f"{stage}/{partition}"
        self._mac = macs.at("offsets", partition)
        self._key = f"{group}\n{topic}".encode()
        self._events = events

    def of(self, position: int) -> str:
        """Return the note for an offset."""
        _, mac = self._mac.header(self._key, b"", b"%d" % position)
        return mac.decode()

    def look_at(self, position: int, note: str) -> None:
        """Say and count an offset whose note is not ours."""
        if self._mac.is_of(self._key, b"%d" % position, [(MAC, note.encode())]):
            return
        self._events[UNPROVED] += 1
        log.warning(
            "%s: goes on at %d, an offset that no worker of this version committed",
            self._place,
            position,
        )
