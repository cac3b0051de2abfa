"""A partition of the journal, written by a test and folded into the books of a run."""

from domain.basics.weeks import first_day, month_number
from domain.citizen.reports import Payment
from domain.law.staircase import Law
from projections.runs.books import Books
from projections.runs.completeness import THRESHOLDS, findings
from projections.runs.partition_books import PartitionBooks
from projections.runs.totals import RunTotals
from streams.citizens.rule_sets import load_rule_set

UDK = "12345678"
JOBCENTRE = "87654321"
MONTH = month_number("2024-07")
KRONE = 100
MILLION = 1_000_000 * KRONE
LAW = Law(load_rule_set())


class Journal:
    """A partition of the journal, written by a test."""

    def __init__(self, settled_to=10**9, refused=(), first_month=0):
        self._fold = PartitionBooks(LAW, settled_to, refused, first_month)
        self._offset = -1
        self.books = Books()

    def add(self, report, citizen="a"):
        """Append a record."""
        self._offset += 1
        self._fold.take(self._offset, citizen, report)
        return self

    def pay(self, month, ore, *, reporter=UDK, citizen="a", **fields):
        """Append a payment for a month before (negative) or after the one that is closed."""
        report = payment(MONTH + month, ore, reporter, f"{self._offset}", **fields)
        self.add(report, citizen)
        return report

    def closed(self, thresholds=THRESHOLDS):
        """The findings when the month is closed."""
        self._fold.close(self.books)
        return findings(self.books, MONTH, thresholds)

    def in_doubt(self, thresholds=THRESHOLDS):
        """The same without control sums, since nothing was settled here."""
        return [finding for finding in self.closed(thresholds) if finding.code != "control_sum"]


def payment(
    month, ore, reporter=UDK, report_id="1", benefit="SDP-B", channel="eindkomst", outside_act=False
):
    start, end = first_day(month), first_day(month + 1) - 1
    return Payment(
        reporter, report_id, benefit, start, end, ore, 0, "730", "730", channel, outside_act, end
    )


def control(records, refused, messages, first_month=0):
    """The books with control sums, made as the product makes them."""
    journal = Journal(refused=refused, first_month=first_month)
    for citizen, report in records:
        journal.add(report, citizen)
    totals = RunTotals()
    for message in messages:
        totals.post(message, frozenset({"FB"}))
    journal.closed()
    journal.books.settle(totals.settled, first_month)
    return journal.books
