"""Completeness before a cut: what is missing, jumps, comes twice, or is unaccounted for."""

from collections import defaultdict
from io import BytesIO

import orjson
import pytest

from domain.basics.weeks import day, first_day, month_number, month_text
from domain.citizen.reports import Payment, Reversal, RunMarker, cause
from domain.law.staircase import Law
from projections.runs.books import Books
from projections.runs.completeness import THRESHOLDS, Finding, Thresholds, findings
from projections.runs.partition_books import PartitionBooks
from projections.runs.totals import RunTotals
from streams.citizens.rule_sets import load_rule_set
from streams.citizens.settler import Partition
from streams.privacy.identity import Identity
from streams.simulation import FAULTS, SimulationOptions, simulate
from streams.wire.outcomes import Accepted
from streams.wire.validator import Validator

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
        """What is found when the month is closed."""
        self._fold.close(self.books)
        return findings(self.books, MONTH, thresholds)

    def in_doubt(self, thresholds=THRESHOLDS):
        """The same without control sums: nothing was settled here."""
        return [finding for finding in self.closed(thresholds) if finding.code != "control_sum"]


def payment(
    month, ore, reporter=UDK, report_id="1", benefit="SDP-B", channel="eindkomst", outside_act=False
):
    start, end = first_day(month), first_day(month + 1) - 1
    return Payment(
        reporter, report_id, benefit, start, end, ore, 0, "730", "730", channel, outside_act, end
    )


# --- missing
# ----------------------------------------------------------------------------------------


def test_a_reporter_that_came_three_months_running_is_missed():
    journal = Journal()
    for month in (-3, -2, -1):
        journal.pay(month, 5_000 * KRONE)
    assert journal.in_doubt() == [Finding("missing", UDK, "SDP-B", "2024-07", 5_000 * KRONE)]


@pytest.mark.parametrize("months", [(-2, -1), (-4, -3, -1), (-5, -4, -3, -2)])
def test_a_reporter_that_came_now_and_then_is_not(months):
    journal = Journal()
    for month in range(-6, 1):
        journal.pay(month, 5_000 * KRONE, reporter=JOBCENTRE, citizen="b")
    for month in months:
        journal.pay(month, 5_000 * KRONE)
    assert journal.in_doubt() == []


def test_another_benefit_of_the_reporter_does_not_stand_for_the_one_that_is_missing():
    journal = Journal()
    for month in (-3, -2, -1):
        journal.pay(month, 5_000 * KRONE)
        journal.pay(month, 1_000 * KRONE, benefit="LTS")
    journal.pay(0, 5_000 * KRONE)
    assert [(each.code, each.benefit) for each in journal.in_doubt()] == [("missing", "LTS")]


def test_what_was_reversed_did_not_come():
    journal = Journal()
    for month in (-3, -2, -1):
        journal.pay(month, 5_000 * KRONE)
    mistaken = journal.pay(0, 5_000 * KRONE)
    journal.add(Reversal(UDK, "x", mistaken.report_id, day("2024-08-01")))
    assert [each.code for each in journal.in_doubt()] == ["missing"]


def test_how_much_must_be_missing_can_be_set():
    journal = Journal()
    for month in (-3, -2, -1):
        journal.pay(month, 5_000 * KRONE)
    assert journal.in_doubt(Thresholds(missing_ore=5_001 * KRONE)) == []


# --- jump
# -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "jumps"),
    [
        (3_000_001 * KRONE, True),
        (3_000_000 * KRONE, False),  # half of it, not more
        (2_999_999 * KRONE, False),
        (1_000_000 * KRONE, False),
        (999_999 * KRONE, True),
    ],
)
def test_a_jump_is_more_than_half_of_the_median(now, jumps):
    journal = Journal()
    for month, millions in zip(range(-6, 0), (2, 2, 90, 2, 1, 2), strict=True):
        journal.pay(month, millions * MILLION, citizen=str(month))
    journal.pay(0, now)
    expected = (
        [Finding("jump", UDK, "SDP-B", "2024-07", now, 2 * MILLION)]
        if jumps and abs(now - 2 * MILLION) > MILLION
        else []
    )
    assert journal.in_doubt() == expected


@pytest.mark.parametrize(("more_ore", "jumps"), [(0, []), (1, ["jump"])])
def test_a_jump_is_more_than_a_million(more_ore, jumps):
    journal = Journal()
    for month in range(-6, 0):
        journal.pay(month, MILLION)
    journal.pay(0, 2 * MILLION + more_ore)
    assert [each.code for each in journal.in_doubt()] == jumps


def test_who_is_new_beside_others_that_are_known_jumps_from_nothing():
    journal = Journal()
    for month in range(-6, 1):
        journal.pay(month, MILLION)
    journal.pay(0, 2 * MILLION, reporter=JOBCENTRE, citizen="b")
    assert journal.in_doubt() == [Finding("jump", JOBCENTRE, "SDP-B", "2024-07", 2 * MILLION, 0)]


def test_nothing_is_expected_in_a_systems_first_months():
    journal = Journal()
    for month in (-2, -1, 0):
        journal.pay(month, 10 ** (11 + month))
    assert journal.in_doubt() == []


# --- duplicates
# -------------------------------------------------------------------------------------


def test_the_same_from_another_reporter_or_channel_is_added_up_for_who_came_last():
    journal = Journal()
    journal.pay(0, 300 * KRONE)
    journal.pay(0, 300 * KRONE, channel="direct")
    journal.pay(0, 300 * KRONE, reporter=JOBCENTRE)
    assert journal.in_doubt() == [
        Finding("duplicate", UDK, "", "2024-07", 300 * KRONE, 600 * KRONE, f"{UDK} (eindkomst)"),
        Finding(
            "duplicate", JOBCENTRE, "", "2024-07", 300 * KRONE, 300 * KRONE, f"{UDK} (eindkomst)"
        ),
    ]


@pytest.mark.parametrize(("others_ore", "held"), [(199 * 300 - 1, True), (199 * 300, False)])
def test_half_a_percent_of_a_reporters_money_is_borne(others_ore, held):
    journal = Journal()
    journal.pay(0, 300)
    journal.pay(0, 300, reporter=JOBCENTRE)
    journal.pay(0, others_ore, reporter=JOBCENTRE, citizen="b")
    assert bool(journal.in_doubt()) == held


@pytest.mark.parametrize(
    "other",
    [{"citizen": "b"}, {"benefit": "SDP-A"}, {"ore": 301}, {"month": -1}, {"channel": "eindkomst"}],
)
def test_what_differs_is_no_duplicate(other):
    journal = Journal()
    journal.pay(0, 300)
    journal.pay(**{"month": 0, "ore": 300, "channel": "direct"} | other)
    assert journal.in_doubt() == []


def test_a_duplicate_that_was_reversed_is_none():
    journal = Journal()
    journal.pay(0, 300)
    again = journal.pay(0, 300, channel="direct")
    journal.add(Reversal(UDK, "x", again.report_id, day("2024-08-01")))
    assert journal.in_doubt() == []


def test_a_duplicate_of_a_closed_run_is_found_and_one_within_it_is_over():
    journal = Journal()
    journal.pay(-1, 300)
    journal.pay(-1, 300, channel="direct")
    journal.pay(-1, 500, citizen="b")
    journal.add(RunMarker(54, "2024-07-06T10:00:00Z", MONTH - 1))
    journal.pay(-1, 500, citizen="b", channel="direct")
    (found,) = journal.in_doubt()
    assert (found.code, found.amount_ore, found.expected_ore) == ("duplicate", 500, 500)


# --- the two scandals
# -------------------------------------------------------------------------------


EACH = 2_000
"""Citizens, who stand for many more: what counts is the sum."""


def known_months(journal):
    """Six months of sickness benefit and of wage subsidies, closed."""
    for month in range(-6, 0):
        sickness_benefit(journal, month)
        wage_subsidies(journal, month)
    journal.add(RunMarker(54, "2024-07-06T10:00:00Z", MONTH - 1))


def sickness_benefit(journal, month, **fields):
    for citizen in range(EACH):
        journal.pay(month, 1_200 * MILLION // EACH, citizen=str(citizen), benefit="SDP-B", **fields)


def wage_subsidies(journal, month):
    for citizen in range(EACH):
        journal.pay(
            month, 1_000 * MILLION // EACH, citizen=str(citizen), benefit="LTS", reporter=JOBCENTRE
        )


def test_the_scandal_of_the_money_that_came_twice_is_stopped():
    """Sickness benefit of 1.2 bn kr. came through eIndkomst and directly."""
    journal = Journal()
    known_months(journal)
    wage_subsidies(journal, 0)
    sickness_benefit(journal, 0)
    sickness_benefit(journal, 0, channel="direct")
    jump, doubled = journal.in_doubt()
    assert jump == Finding("jump", UDK, "SDP-B", "2024-07", 2_400 * MILLION, 1_200 * MILLION)
    assert doubled == Finding(
        "duplicate", UDK, "", "2024-07", 1_200 * MILLION, 2_400 * MILLION, f"{UDK} (eindkomst)"
    )


def test_the_scandal_of_the_money_that_was_left_out_is_stopped():
    """A system's set-up left out wage subsidies of 1 bn kr."""
    journal = Journal()
    known_months(journal)
    sickness_benefit(journal, 0)
    (missing,) = journal.in_doubt()
    assert missing == Finding("missing", JOBCENTRE, "LTS", "2024-07", 1_000 * MILLION)
    assert missing.sentence() == (
        "missing: reporter 87654321, LTS, 2024-07: nothing came, about 1,000,000,000.00 kr. was expected"
    )


# --- control sums
# -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def settled():
    """Lives with all that goes wrong upstream, settled: records, refused offsets, posting messages."""
    written = BytesIO()
    months = month_number("2023-01"), month_number("2023-12")
    simulate(
        SimulationOptions(60, *months, seed=9, late=None, faults=FAULTS, jobs=1),
        written,
        lambda _: None,
    )
    validator, partition = Validator(load_rule_set(), demo=True), Partition(LAW, {})
    identity = Identity(bytes(32), (bytes(32),))
    records: list = []
    messages: list = []
    refused: set = set()
    for line in written.getvalue().splitlines():
        if isinstance(accepted := validator.parse(line), Accepted):
            citizen, sealed = identity.of(accepted.cpr)
            (outcome,) = partition.settle_batch([(citizen, sealed, accepted.report)])
            if outcome.refused:
                refused.add(len(records))
            if outcome.posting:
                messages.append(orjson.loads(outcome.posting))
            records.append((citizen, accepted.report))
    return records, refused, messages


def control(records, refused, messages, first_month=0):
    """Books with control sums, by the way of the product."""
    journal = Journal(refused=refused, first_month=first_month)
    for citizen, report in records:
        journal.add(report, citizen)
    totals = RunTotals()
    for message in messages:
        totals.post(message, frozenset({"FB"}))
    journal.closed()
    journal.books.settle(totals.settled, first_month)
    return journal.books


def test_what_was_reported_is_settled_outside_or_rejected_to_the_ore(settled):
    records, refused, messages = settled
    books = control(records, refused, messages)
    assert [finding for finding in findings(books, MONTH) if finding.code == "control_sum"] == []
    sums: defaultdict = defaultdict(int)
    for entry in books.control.values():
        for name in ("reported", "settled", "outside"):
            sums[name] += abs(getattr(entry, name))
    assert min(sums.values()) > 100_000 * KRONE
    assert sum(isinstance(report, Reversal) for _, report in records) > 5


def test_a_posting_that_is_lost_is_named(settled):
    records, refused, messages = settled
    lost = next(message for message in messages if message["reason"] == "report")
    books = control(records, refused, [message for message in messages if message is not lost])
    found = [finding for finding in findings(books, MONTH) if finding.code == "control_sum"]
    assert sum(each.amount_ore for each in found) == sum(row["amount_ore"] for row in lost["rows"])
    assert {each.reporter for each in found} == {lost["cause"].partition("/")[0]}
    assert {each.month for each in found} <= {row["month"] for row in lost["rows"]}


def test_a_report_that_is_lost_is_named(settled):
    records, refused, messages = settled
    caused = {message["cause"] for message in messages if message["reason"] == "report"}
    at = next(
        at
        for at, (_, report) in enumerate(records)
        if cause(report) in caused and at not in refused
    )
    books = control(
        [*records[:at], (records[at][0], Reversal("0", "0", "0", 0)), *records[at + 1 :]],
        refused,
        messages,
    )
    (reporter,) = {each.reporter for each in findings(books, MONTH) if each.code == "control_sum"}
    assert reporter == records[at][1].reporter


def test_months_before_the_first_are_left_out(settled):
    records, refused, messages = settled
    first = month_number("2023-06")
    books = control(records, refused, messages, first_month=first)
    assert min(month for _, _, month in books.control) == first
    assert [finding for finding in findings(books, MONTH) if finding.code == "control_sum"] == []


def test_what_was_refused_is_rejected_and_what_should_have_been_is_found():
    conflict = [payment(MONTH, 300), payment(MONTH, 500)]
    for refused, expected in (({1}, 0), (set(), 500)):
        journal = Journal(refused=refused)
        for report in conflict:
            journal.add(report)
        journal.closed()
        journal.books.settle({(UDK, "SDP-B", MONTH): 300}, 0)
        assert journal.books.control[UDK, "SDP-B", MONTH].difference == expected


def test_what_hangs_on_facts_is_outside_where_it_is_not_settled():
    journal = Journal()
    journal.add(payment(MONTH, 500, benefit="LY"))
    journal.closed()
    journal.books.settle({(UDK, "LY", MONTH): 300, (JOBCENTRE, "LY", MONTH): -100}, 0)
    assert findings(journal.books, MONTH) == []
    assert journal.books.control[UDK, "LY", MONTH].outside == 200


def test_what_is_not_settled_yet_waits():
    journal = Journal(settled_to=1)
    first = payment(MONTH, 300)
    journal.add(first).add(payment(MONTH, 500, report_id="2"))
    journal.closed()
    assert journal.books.waiting == 1
    assert journal.books.control[UDK, "SDP-B", MONTH].reported == 300
    assert journal.books.received[UDK, "SDP-B"] == {MONTH: [2, 800]}


def test_a_marker_begins_the_books_anew():
    journal = Journal()
    journal.pay(-1, 700)
    journal.add(RunMarker(54, "2024-07-06T10:00:00Z", MONTH - 1))
    journal.pay(0, 300)
    journal.closed()
    assert {month_text(month) for _, _, month in journal.books.control} == {"2024-07"}
    assert journal.books.months == {MONTH: [1, 300]}
    assert journal.books.received[UDK, "SDP-B"] == {MONTH - 1: [1, 700], MONTH: [1, 300]}
