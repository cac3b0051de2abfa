"""The books of a run follow merges: nothing counts twice, and no merge looks at everybody."""

from domain.basics.weeks import first_day, week_of
from domain.citizen.reports import Copy, Move, Opening, Reversal
from projections.runs.books import Books
from projections.runs.expected_payments import ExpectedPayments
from projections.runs.late_copies import LateCopies
from projections.runs.partition_books import PartitionBooks
from projections.runs.payment_months import PaymentMonths
from projections.runs.run_books import RunBooks
from tests.support.run_books import LAW, MONTH, UDK, payment

OPENING = Opening(
    MONTH, week_of(first_day(MONTH) + 7), "SDP-B", "730", "730", 500, 0, "refusion", 80, 400, 0
)


def test_a_late_report_is_expected_of_one_number_and_received_once_of_the_other():
    """The copy is met after the partition of its source was closed; the merge is older."""
    late = payment(MONTH, 700, report_id="P1")
    expected = ExpectedPayments()
    shares = PaymentMonths(LAW).shares(late.benefit, late.start, late.end, 700, 0, False)
    expected.expect("a", UDK, late.benefit, shares)
    books = RunBooks()

    def read(partition):
        merges = LateCopies({0: 3, 1: 3}, {partition: books.gone_on(partition)})
        fold = PartitionBooks(LAW, 10, (), 0, expected.of_nobody(), merges, partition)
        if partition:
            fold.take(4, "b", Copy(late, "m"), (0, 5))
            fold.take(6, "b", Copy(late._replace(report_id="old"), "m"), (0, 2))
        else:
            fold.take(5, "a", late)
        books.put(partition, fold.closed())

    for partition in (0, 1):
        read(partition)
    assert books.wrong() == [0]
    read(0)
    assert books.wrong() == []
    assert books.whole(expected).control[UDK, late.benefit, MONTH].reported == 700
    (line,) = expected.lines()
    assert (line.expected_ore, line.received_ore, line.differing) == (700, 700, 0)


class NeverReadThrough(dict):
    def __iter__(self):
        raise AssertionError("all were looked at")

    keys = items = values = __iter__


def taken(fold, *records):
    for offset, (citizen, record) in enumerate(records):
        fold.take(offset, citizen, record)
    books = Books()
    fold.close(books)
    return books


def test_an_opening_row_that_comes_again_after_a_merge_is_answered_once():
    paid = payment(MONTH, 700, report_id="P1")
    books = taken(
        PartitionBooks(LAW, 10**9, (), 0),
        ("a", OPENING),
        ("a", Move("m", "b", "s")),
        ("a", Move("u", "b", "s", "m")),
        ("a", OPENING),
        ("a", paid),
    )
    assert books.control[UDK, "SDP-B", MONTH].opened == 500


def test_an_opening_row_of_a_week_that_was_paid_before_a_merge_is_answered_by_what_comes_again():
    paid = payment(MONTH, 700, report_id="P1")
    merged = [("a", Move("m", "b", "s")), ("a", Move("u", "b", "s", "m"))]
    books = taken(
        PartitionBooks(LAW, 10**9, (), 0),
        *[("a", OPENING), ("a", paid)],
        *merged,
        *[("a", OPENING), ("a", paid)],
    )
    assert books.control[UDK, "SDP-B", MONTH].opened == 2 * 500, "as it was posted twice"


def test_no_merge_but_the_first_looks_at_the_groups_of_everybody():
    fold = PartitionBooks(LAW, 10**9, (), 0)
    records = [
        (citizen, payment(MONTH, 700, report_id=f"P{citizen}")._replace(group=f"G{citizen}"))
        for citizen in "abcd"
    ]
    for offset, (citizen, record) in enumerate(records):
        fold.take(offset, citizen, record)
    fold.take(10, "a", Move("m", "z", "s"))
    fold._grouped = NeverReadThrough(fold._grouped)
    fold.take(11, "e", records[0][1])
    fold.take(12, "e", Reversal(UDK, "R", "", 0, "", "Ga"))
    for offset, citizen in enumerate("be", 13):
        fold.take(offset, citizen, Move(f"m{citizen}", "z", "s"))
    assert {name.partition("/")[0] for name in dict.keys(fold._grouped)} == {"c", "d"}
