"""Adds the books of the open run up from those of each partition of the journal.

    books = RunBooks()
    for partition in partitions:    books.put(partition, <it is read>)
    for partition in books.wrong(): books.put(partition, <it is read with books.gone_on(partition)>)
    books.whole(expected)

Partitions are read in any order, and in several processes. One is read again where another one had
a copy of what was counted there, since its number was merged before the books begin
(`projections.runs.late_copies`). Where nobody is merged, none is.
"""

from collections import defaultdict
from collections.abc import Mapping

from projections.runs.books import Books
from projections.runs.expected_payments import ExpectedPayments
from projections.runs.partition_books import ClosedBooks


class RunBooks:
    """Keeps the books of all partitions that were read."""

    def __init__(self) -> None:
        self._closed: dict[int, ClosedBooks] = {}
        self._gone_on: defaultdict[int, dict[int, str]] = defaultdict(dict)

    def put(self, partition: int, closed: ClosedBooks) -> None:
        """Take the books of a partition, in place of those of an earlier reading."""
        self._closed[partition] = closed
        for other, citizens in closed.copies.items():
            self._gone_on[other] |= citizens

    def gone_on(self, partition: int) -> Mapping[int, str]:
        """Give the offsets of a partition's records that went on to others, with the citizen."""
        return self._gone_on[partition]

    def wrong(self) -> list[int]:
        """Name the partitions that are to be read again."""
        return [
            partition
            for partition, closed in sorted(self._closed.items())
            if not self._gone_on[partition].keys() <= closed.passed_over
        ]

    def whole(self, expected: ExpectedPayments) -> Books:
        """Add the partitions up, and what was received of the expected payments to these."""
        books = Books()
        for closed in self._closed.values():
            books.add(closed.books)
            expected.add(closed.received)
        return books
