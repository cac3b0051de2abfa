"""Reports of a citizen who was merged with another one go on to that one, as copies.

They are written into the journal in the transaction that settles the report's own record, so each
goes on exactly once, and in its order.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from streams.citizens.merges import PassedOn
from streams.citizens.outcomes import PASSED_ON, Outcome
from streams.engine.ports import Headers, Message, Output, Record
from streams.privacy.macs import EVENT_TYPE, MAC, MacKeys
from streams.wire.merge_records import copy_of
from streams.wire.partitioner import partition_of

MOVED_FROM: Final = "moved-from"
"""The header of a copy: the place in the journal of the record that it copies."""
_PLACE: Final = re.compile(rb"([A-Za-z0-9._-]+)/([0-9]{1,9})/([0-9]{1,18})")
_OF_THE_PLACE: Final = frozenset({MAC, MOVED_FROM, "raw", "origin", "origin_raw", "origin_time"})
"""Headers that tell where a record came from; a copy has its own."""


def source_of(headers: Headers, journal: str) -> tuple[int, int] | None:
    """Return partition and offset of what a copy is of; None where it is of another journal.

    >>> source_of([("moved-from", b"refusion.reports/3/812")], "refusion.reports")
    (3, 812)
    """
    for name, text in headers:
        if name == MOVED_FROM and (match := _PLACE.fullmatch(text or b"")):
            return (int(match[2]), int(match[3])) if match[1].decode() == journal else None
    return None


class JournalCopies:
    """Copies of records of the journal, for other citizens."""

    def __init__(self, journal: str, partitions: int, macs: MacKeys) -> None:
        self._journal = journal
        self._partitions = partitions
        self._macs = macs

    def copy(self, value: bytes, headers: Headers, place: str, to: PassedOn) -> tuple[int, Message]:
        """Copy a record that is at a place of the journal, as in `refusion.reports/3/812`.

        Returns the partition of the copy and its message.
        """
        key = to.to.encode()
        partition = partition_of(key, self._partitions)
        copied = copy_of(value, to.to_sealed, to.move)
        kept = [(name, text) for name, text in headers if name not in _OF_THE_PLACE and text]
        event_type = dict(kept).get(EVENT_TYPE, b"")
        mac = self._macs.at("reports", partition).header(key, event_type, copied)
        return partition, (key, copied, [*kept, (MOVED_FROM, place.encode()), mac])

    def outputs(
        self,
        place: str,
        records: Iterable[Record],
        outcomes: Iterable[Outcome],
        to: Sequence[PassedOn],
    ) -> list[Output]:
        """Copy those of a partition's records that go on, `to` whom it says, in their order."""
        if not to:  # as a rule
            return []
        going = (
            record
            for record, outcome in zip(records, outcomes, strict=True)
            if outcome is PASSED_ON
        )
        messages: defaultdict[int, list[Message]] = defaultdict(list)
        for record, other in zip(going, to, strict=True):
            at, message = self.copy(
                record.value or b"", [*record.headers], f"{place}{record.offset}", other
            )
            messages[at].append(message)
        return [Output(self._journal, at, copies) for at, copies in messages.items()]
