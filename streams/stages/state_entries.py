"""Marks the entries of a partition's state in the changelog, and tells which of them are ours.

An entry's type has the position of its transaction in the journal, and its MAC covers that. So a
copy of an entry of before, which is as genuine as any, is told from the latest: positions only
grow. Compaction keeps the last record of a key, whoever wrote it. So what was passed over is
written again with the next transaction, as the disk has it.
"""

import logging
from collections.abc import Sequence
from typing import Final

from streams.citizens.store import RocksStore
from streams.engine.ports import Changelog, Events, Headers, Kafka, Record
from streams.kit.errors import UnworkableError, UserError
from streams.kit.foreign import Foreign
from streams.privacy.macs import EVENT_TYPE, MacKeys, event_type_of
from streams.wire.belief import is_marked
from streams.wire.journal_checks import Beginning, beginning

Change = tuple[bytes, bytes]

_TYPE: Final = b"refusion.state/"
_DIGITS: Final = b"0123456789"
_LETTERS: Final = b"ghijkmnpqr"
_AS_LETTERS: Final = bytes.maketrans(_DIGITS, _LETTERS)
"""Positions are written in letters, so that nobody takes one for a CPR number."""
_AS_DIGITS: Final = bytes.maketrans(_LETTERS, _DIGITS)
UNNUMBERED: Final = -1
MARKER: Final = 1
"""Offsets that the end of a transaction takes."""
OWN: Final = b"_"
"""Keys of a partition's own entries begin with it: one is written in every transaction anyway."""
MOST_AGAIN: Final = 10_000
"""Keys that are written again, at most."""

log = logging.getLogger("refusion")


class TakenOverError(UserError):
    """Another worker has gone on with the partition while this one restored it."""


def entry_type(position: int) -> bytes:
    """Return the type of the entries of the transaction that reaches a position in the journal.

    >>> entry_type(17), position_of(b"refusion.state/hp"), position_of(b"")
    (b'refusion.state/hp', 17, -1)
    """
    return _TYPE + str(position).encode().translate(_AS_LETTERS)


def position_of(event_type: bytes) -> int:
    """Return the position that a type has; UNNUMBERED for entries of earlier versions."""
    if not event_type.startswith(_TYPE):
        return UNNUMBERED
    return int(event_type.removeprefix(_TYPE).translate(_AS_DIGITS))


class StateEntries:
    """The entries of one partition, as they are written and as they are read back."""

    def __init__(
        self, name: str, topic: str, partition: int, macs: MacKeys, events: Events
    ) -> None:
        """`name` is that of the work in the log; `events` counts what is passed over."""
        self._events = events
        self._name = name
        self._topic = topic
        self._partition = partition
        self._macs = macs
        self._mac = macs.at("citizens", partition)
        self._is_checked: bool | None = None
        self._position = UNNUMBERED
        self._foreign: dict[bytes, None] = {}
        self.following = 0
        """Where the next transaction begins in the changelog, if nobody else writes to it."""

    # --- writing ----------------------------------------------------------------------------------

    def messages(
        self, changes: Sequence[Change], position: int
    ) -> list[tuple[bytes | None, bytes | None, Headers]]:
        """Mark the changes of the transaction that reaches a position."""
        kind = EVENT_TYPE, entry_type(position)
        self.reached(position)
        macs = self._mac.headers_of(kind[1], changes)
        return [(key, value, [kind, mac]) for (key, value), mac in zip(changes, macs, strict=True)]

    def reached(self, position: int) -> None:
        """Note the position that the state reflects: entries of earlier ones are copies."""
        self._position = max(position, self._position)

    async def check_own(self, changelog: Changelog, *, is_there: bool) -> None:
        """Raise UnworkableError where there are entries, but not the partition's own.

        Or TakenOverError, where another worker has fenced us while we restored: its own entry lies
        behind the end that we read to, and compaction has taken the one before it.

        Each transaction writes it last. Where it is gone, all that it says of what was settled is
        gone too: rule set, closed month, and which control records were carried out. One of the
        former version says no position, and is one all the same.
        """
        if is_there:
            return
        if not await changelog.is_whole():
            raise TakenOverError(f"{self._name}: another worker has gone on with it; begins anew")
        if self._position > UNNUMBERED:
            raise UnworkableError(
                f"{self._name}: the partition's own entry in {self._topic} is gone, while others"
                " are there: somebody else wrote to the topic, and compaction took ours: make state"
                " and postings anew (docs/rebuild.md), and take that right away"
            )

    # --- reading ----------------------------------------------------------------------------------

    async def look_at_journal(self, kafka: Kafka, journal: str) -> None:
        """Find out whether entries must have a MAC: where the journal begins with its keys."""
        if self._is_checked is None:
            how = await beginning_of(kafka, journal, self._partition, self._macs)
            self._is_checked = how != "other"

    async def ended(self, kafka: Kafka, journal: str, start: int, end: int) -> None:
        """Look at what others have written before a transaction that has these offsets.

        Its offsets follow from those of the one before, if nobody else writes to the changelog.
        """
        expected, self.following = self.following, end + MARKER
        if start <= expected:
            return
        await self.look_at_journal(kafka, journal)
        async with kafka.changelog(self._topic, self._partition) as changelog:
            async for batch in changelog.read(expected):
                self.ours([record for record in batch.records if record.offset < end])

    def ours(self, records: Sequence[Record]) -> list[tuple[int, Change]]:
        """Return the entries that count, with their offsets; pass over the others, aloud."""
        ours: list[tuple[int, Change]] = []
        foreign: list[int] = []
        for record in records:
            if record.key and self._counts(record):
                ours.append((record.offset, (record.key, record.value or b"")))
                continue
            foreign.append(record.offset)
            if record.key and record.key[:1] != OWN and len(self._foreign) < MOST_AGAIN:
                self._foreign[record.key] = None
        self._events["foreign_entries"] += len(foreign)
        if foreign:
            first = Foreign(self._topic, self._partition, foreign[0])
            what = "that nobody of ours wrote"
            log.error(
                "%s: passed over %d records %s, first %s", self._name, len(foreign), what, first
            )
        return ours

    def _counts(self, record: Record) -> bool:
        """Tell whether an entry is of ours, and no copy of one of before."""
        if not self._is_checked:
            return True
        if not is_marked(self._mac, record):
            return False
        position = position_of(event_type_of(record.headers))
        if position == UNNUMBERED:
            return True
        is_newest = position >= self._position
        self.reached(position)
        return is_newest

    def again(self, store: RocksStore) -> list[Change]:
        """Return the entries to be written again: those whose keys were passed over since."""
        found = [(key, store.get(key)) for key in self._foreign]
        self._foreign.clear()
        return [(key, value) for key, value in found if value is not None]


async def beginning_of(kafka: Kafka, journal: str, partition: int, macs: MacKeys) -> Beginning:
    """Tell how a partition of the journal begins."""
    async with kafka.changelog(journal, partition) as log_of_journal:
        batches = log_of_journal.read(0)
        records = (record async for batch in batches for record in batch.records)
        how, _ = await beginning(macs.at("reports", partition), records)
    return how
