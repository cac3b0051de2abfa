"""A partition's journal folded in memory from its first record: what must stand in `postings`, to the byte."""

from collections.abc import Iterable, Iterator
from itertools import groupby

from domain.reports import Recalculation
from streams.citizens import CONTROLS, Partition, Settleable
from streams.journal import Entry
from streams.rulefiles import DEFAULT, LawBook

LOOKED_AT = 1_000


def postings_again(entries: Iterable[Entry], laws: LawBook) -> Iterator[bytes]:
    """The messages that follow from a journal, its control records carried out where they stand."""
    store: dict[bytes, bytes] = {}
    partition = Partition(laws.law(DEFAULT), store, laws=laws)
    for is_recalculation, part in groupby(entries, lambda entry: isinstance(entry.report, Recalculation)):
        if not is_recalculation:
            for outcome in partition.settle_batch([_settleable(entry) for entry in part]):
                yield from outcome.postings
            store.update(partition.changes())
            continue
        for entry in part:
            assert isinstance(entry.report, Recalculation)
            yield from _recalculated(partition, store, entry.report)


def _settleable(entry: Entry) -> Settleable:
    assert not isinstance(entry.report, Recalculation)
    return entry.report if isinstance(entry.report, CONTROLS) else (entry.citizen, entry.cpr_sealed, entry.report)


def _recalculated(partition: Partition, store: dict[bytes, bytes], record: Recalculation) -> Iterator[bytes]:
    after, is_over = "", False
    while not is_over:
        chunk = partition.recalculate(record, after, LOOKED_AT)
        store.update(partition.changes())
        for _, posting in chunk.postings:
            yield posting
        after, is_over = chunk.after, not chunk.after
