"""Completeness before a cut: data that are missing, that jump, or that come twice."""

from io import StringIO

import pytest
from rich.console import Console

from domain.basics.weeks import day
from domain.citizen.reports import Reversal, RunMarker
from projections.runs.completeness import Finding, Received, Thresholds, lines
from projections.runs.totals import RunTotals
from streams.cli.run_report import closed_object, show_closed, status_object
from streams.lis.completeness import KEPT, Kept, kept_lines
from streams.lis.control_sums import kept_beside
from streams.operations.run_survey import Survey
from streams.operations.runs import Closed, Status
from tests.support.run_books import JOBCENTRE, KRONE, MILLION, MONTH, UDK, Journal

# --- missing --------------------------------------------------------------------------------------


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


def test_another_benefit_of_the_reporter_does_not_replace_the_one_that_is_missing():
    journal = Journal()
    for month in (-3, -2, -1):
        journal.pay(month, 5_000 * KRONE)
        journal.pay(month, 1_000 * KRONE, benefit="LTS")
    journal.pay(0, 5_000 * KRONE)
    assert [(finding.code, finding.benefit) for finding in journal.in_doubt()] == [
        ("missing", "LTS")
    ]


def test_a_payment_that_was_reversed_did_not_come():
    journal = Journal()
    for month in (-3, -2, -1):
        journal.pay(month, 5_000 * KRONE)
    mistaken = journal.pay(0, 5_000 * KRONE)
    journal.add(Reversal(UDK, "x", mistaken.report_id, day("2024-08-01")))
    assert [finding.code for finding in journal.in_doubt()] == ["missing"]


def test_how_much_must_be_missing_can_be_set():
    journal = Journal()
    for month in (-3, -2, -1):
        journal.pay(month, 5_000 * KRONE)
    assert journal.in_doubt(Thresholds(missing_ore=5_001 * KRONE)) == []


# --- jump -----------------------------------------------------------------------------------------


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
    assert [finding.code for finding in journal.in_doubt()] == jumps


def test_a_new_reporter_beside_known_ones_jumps_from_nothing():
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


# --- duplicates -----------------------------------------------------------------------------------


def test_the_same_payment_from_another_reporter_or_channel_is_added_up_for_the_last_one():
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
def test_half_a_percent_of_a_reporters_money_may_come_twice(others_ore, held):
    journal = Journal()
    journal.pay(0, 300)
    journal.pay(0, 300, reporter=JOBCENTRE)
    journal.pay(0, others_ore, reporter=JOBCENTRE, citizen="b")
    assert bool(journal.in_doubt()) == held


@pytest.mark.parametrize(
    "other",
    [{"citizen": "b"}, {"benefit": "SDP-A"}, {"ore": 301}, {"month": -1}, {"channel": "eindkomst"}],
)
def test_a_payment_that_differs_is_no_duplicate(other):
    journal = Journal()
    journal.pay(0, 300)
    journal.pay(**{"month": 0, "ore": 300, "channel": "direct"} | other)
    assert journal.in_doubt() == []


def test_a_payment_that_comes_the_same_way_under_another_id_is_shown_and_holds_nothing():
    journal = Journal()
    journal.pay(0, 300 * KRONE)
    journal.pay(0, 300 * KRONE)
    journal.pay(0, 300 * KRONE)
    journal.pay(0, 300 * KRONE, citizen="b")
    assert journal.in_doubt() == []
    assert journal.books.repeated == {UDK: [2, 600 * KRONE]}
    survey = Survey(journal.books, RunTotals(), {}, 0, {UDK: "Udbetaling Danmark"})
    finding = Finding("missing", UDK, "KTH", "2024-07", 1)
    closed = Closed(55, "2024-07", survey, [finding], closed_at="now")
    told = closed_object(closed, dry_run=False)
    assert told["findings"] == [finding._asdict() | {"name": "Udbetaling Danmark"}]
    assert told["repeats"] == [
        {
            "reporter": UDK,
            "name": "Udbetaling Danmark",
            "payments": 2,
            "amount_ore": 600 * KRONE,
        }
    ]
    shown = StringIO()
    show_closed(Console(file=shown, width=200), closed, dry_run=False)
    who = f"reporter {UDK} (Udbetaling Danmark)"
    assert f"repeats: {who}: 2 payments over 600.00 kr." in shown.getvalue()
    assert f"missing: {who}, KTH, 2024-07: nothing came" in shown.getvalue()


def test_a_repeat_that_was_reversed_or_is_in_a_closed_run_is_shown_no_more():
    journal = Journal()
    journal.pay(0, 300)
    again = journal.pay(0, 300)
    journal.add(Reversal(UDK, "x", again.report_id, day("2024-08-01")))
    journal.pay(0, 500, citizen="b")
    journal.pay(0, 500, citizen="b")
    journal.add(RunMarker(55, "2024-08-01T08:00:00Z", MONTH))
    journal.closed()
    assert journal.books.repeated == {}


def test_a_payment_reported_anew_is_shown_until_either_is_reversed_and_holds_nothing():
    journal = Journal()
    first = journal.pay(0, 300 * KRONE)
    again = journal.pay(0, 290 * KRONE)
    assert journal.in_doubt() == []
    assert journal.books.awaiting == {UDK: [1, 290 * KRONE]}
    survey = Survey(journal.books, RunTotals(), {}, 0, {UDK: "Udbetaling Danmark"})
    closed = Closed(55, "2024-07", survey, [], closed_at="now")
    told = {"reporter": UDK, "name": "Udbetaling Danmark", "payments": 1, "amount_ore": 29_000}
    assert closed_object(closed, dry_run=True)["awaiting_reversal"] == [told]
    shown = StringIO()
    show_closed(Console(file=shown, width=200), closed, dry_run=True)
    who = f"reporter {UDK} (Udbetaling Danmark)"
    assert f"awaiting reversal: {who}: 1 payments over 290.00 kr." in shown.getvalue()
    for report in (first, again):
        resolved = Journal()
        resolved.pay(0, 300 * KRONE)
        resolved.pay(0, 290 * KRONE)
        resolved.add(Reversal(UDK, "x", report.report_id, day("2024-08-01")))
        assert resolved.in_doubt() == []
        assert resolved.books.awaiting == {}


def test_a_duplicate_that_was_reversed_is_none():
    journal = Journal()
    journal.pay(0, 300)
    again = journal.pay(0, 300, channel="direct")
    journal.add(Reversal(UDK, "x", again.report_id, day("2024-08-01")))
    assert journal.in_doubt() == []


def test_a_duplicate_of_a_payment_in_a_closed_run_is_found_and_one_within_that_run_is_over():
    journal = Journal()
    journal.pay(-1, 300)
    journal.pay(-1, 300, channel="direct")
    journal.pay(-1, 500, citizen="b")
    journal.add(RunMarker(54, "2024-07-06T10:00:00Z", MONTH - 1))
    journal.pay(-1, 500, citizen="b", channel="direct")
    (finding,) = journal.in_doubt()
    assert (finding.code, finding.amount_ore, finding.expected_ore) == ("duplicate", 500, 500)


# --- the two scandals -----------------------------------------------------------------------------


EACH = 2_000
"""Citizens; the scandals had many more, but only the sum counts."""


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
        "missing: reporter 87654321, LTS, 2024-07: nothing came,"
        " about 1,000,000,000.00 kr. was expected"
    )


# --- kept for LIS ---------------------------------------------------------------------------------


def test_every_benefit_of_a_reporter_is_told_with_what_came_and_what_was_expected():
    journal = Journal()
    for month in (-3, -2, -1):
        journal.pay(month, 5_000 * KRONE)
        journal.pay(month, 1_000 * KRONE, benefit="LTS")
    journal.pay(0, 6_000 * KRONE)
    doubts = journal.in_doubt()
    found = lines(journal.books, MONTH, doubts)
    assert found == [
        Received(UDK, "LTS", "2024-07", 0, 0, 1_000 * KRONE, "missing"),
        Received(UDK, "SDP-B", "2024-07", 1, 6_000 * KRONE, 5_000 * KRONE, None),
    ]
    assert kept_lines(55, found, ("the reporter has closed",)) == [
        (55, UDK, "LTS", "2024-07", 0, 0, 1_000 * KRONE, -1_000 * KRONE, "missing",
         "the reporter has closed"),
        (55, UDK, "SDP-B", "2024-07", 1, 6_000 * KRONE, 5_000 * KRONE, 1_000 * KRONE, None, None),
    ]  # fmt: skip


def test_while_too_little_is_known_nothing_is_expected():
    journal = Journal()
    journal.pay(0, 6_000 * KRONE)
    journal.closed()
    (line,) = lines(journal.books, MONTH, [])
    assert (line.received, line.expected_ore, line.hold) == (1, None, None)


def test_a_line_that_is_kept_twice_is_there_once(tmp_path):
    ledger = str(tmp_path / "ledger")
    row = Kept(55, UDK, "LTS", "2024-07", 0, 0, None, None, "missing", None)
    assert kept_beside(ledger) == []
    for _ in range(2):
        KEPT.keep(ledger, 55, [row])
    KEPT.keep(ledger, 56, [row._replace(run=56)])
    assert sorted(kept_beside(ledger)) == [row, row._replace(run=56)]


def test_the_state_of_the_runs_has_the_number_of_the_open_one():
    survey = Survey(Journal().books, RunTotals(), {}, 0)
    assert status_object(Status(None, survey, {}))["run"] is None  # the first may be of any month
    told = status_object(Status(RunMarker(55, "2024-08-01T08:00:00Z", MONTH), survey, {}))
    assert (told["run"], told["last"]["run"], told["next"]["run"]) == (56, 55, 56)
