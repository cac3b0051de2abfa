"""Adds the books of the open run up from those of each partition of the journal.

    books = RunBooks(...)
    for partition in partitions:    read(books.begin(partition)); books.close(partition)
    for partition in books.wrong(): the same once more
    books.whole()

A partition is read again where another one had a copy of what was counted there, since its number
was merged before the books begin (`projections.runs.late_copies`). Where nobody is merged, none is.
"""

from collections.abc import Callable, Collection, Mapping

from domain.law.staircase import Law
from projections.runs.books import Books
from projections.runs.expected_payments import ExpectedPayments
from projections.runs.late_copies import LateCopies
from projections.runs.partition_books import PartitionBooks


class RunBooks:
    """Keeps the books of all partitions, one of which is open at a time.

    The arguments are those of `PartitionBooks`, by partition. `starts` are the offsets at which the
    books begin, None where that is the start of the journal.
    """

    def __init__(
        self,
        law: Law,
        settled_to: Mapping[int, int],
        refused: Mapping[int, Collection[int]],
        first_month: int,
        expected: ExpectedPayments,
        starts: Mapping[int, int] | None,
    ) -> None:
        self._law = law
        self._settled_to = settled_to
        self._refused = refused
        self._first_month = first_month
        self._expected = expected
        self._late = None if starts is None else LateCopies(starts)
        self._passed_over: dict[int, set[int]] = {}
        self._closed: dict[int, Books] = {}

    def begin(self, partition: int) -> PartitionBooks:
        """Begin the books of a partition."""
        return PartitionBooks(
            self._law,
            self._settled_to.get(partition, 0),
            self._refused.get(partition, ()),
            self._first_month,
            self._expected,
            self._late,
            partition,
        )

    def close(self, partition: int, fold: PartitionBooks) -> None:
        """Close the books of a partition, and keep their sums."""
        self._closed[partition] = Books()
        self._passed_over[partition] = fold.passed_over
        fold.close(self._closed[partition])

    def wrong(self, partition_of: Callable[[str], int]) -> list[int]:
        """Name the partitions that are to be read again, and forget what was received in them."""
        late = self._late
        if late is None:
            return []
        again = [at for at, known in self._passed_over.items() if not late.of(at).keys() <= known]
        if again:
            self._expected.take_back(lambda citizen: partition_of(citizen) in again)
        return again

    def whole(self) -> Books:
        """Add the partitions up."""
        books = Books()
        for each in self._closed.values():
            books.add(each)
        return books
