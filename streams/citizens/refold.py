"""A partition's journal folded from its first record: the exact bytes of its `postings`."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from domain.citizen.reports import Freeing, Recalculation
from streams.citizens.rule_sets import DEFAULT, LawBook
from streams.citizens.settler import CONTROLS, OF_CITIZENS, Partition, Settleable
from streams.citizens.store_port import MemoryStore, Store
from streams.wire.journal import JournalEntry

LOOKED_AT = 1_000
"""Citizens of a recalculation whose changes are written at once."""


class Refolding:
    """A fold with its state in a store that was empty: in memory, or on disk for much state."""

    def __init__(self, laws: LawBook, store: Store) -> None:
        self._keep = store.write
        self._partition = Partition(laws.law(DEFAULT), store, laws=laws)

    def fold(self, entries: Iterable[tuple[int, JournalEntry]]) -> Iterator[tuple[int, bytes]]:
        """Give the messages that follow from the next records, each with its record's offset.

        Control records are carried out where they are. Take all of the messages before you go on.
        """
        for is_recalculation, part in groupby(
            entries, lambda numbered: isinstance(numbered[1].report, OF_CITIZENS)
        ):
            if is_recalculation:
                for offset, entry in part:
                    assert isinstance(entry.report, OF_CITIZENS)
                    yield from ((offset, posting) for posting in self._recalculated(entry.report))
            else:
                yield from self._settled(list(part))

    def _settled(self, entries: list[tuple[int, JournalEntry]]) -> Iterator[tuple[int, bytes]]:
        outcomes = self._partition.settle_batch([_settleable(entry) for _, entry in entries])
        self._keep(self._partition.changes())
        for (offset, _), outcome in zip(entries, outcomes, strict=True):
            yield from ((offset, posting) for posting in outcome.postings)

    def _recalculated(self, record: Recalculation | Freeing) -> Iterator[bytes]:
        after, is_over = "", False
        while not is_over:
            chunk = self._partition.recalculate(record, after, LOOKED_AT)
            self._keep(self._partition.changes())
            for _, posting in chunk.postings:
                yield posting
            after, is_over = chunk.after, not chunk.after


def postings_again(entries: Iterable[JournalEntry], laws: LawBook) -> list[bytes]:
    """Give the messages that follow from a whole journal, all in memory."""
    return [message for _, message in Refolding(laws, MemoryStore()).fold(enumerate(entries))]


def _settleable(entry: JournalEntry) -> Settleable:
    assert not isinstance(entry.report, OF_CITIZENS)
    return (
        entry.report
        if isinstance(entry.report, CONTROLS)
        else (entry.citizen, entry.cpr_sealed, entry.report)
    )
