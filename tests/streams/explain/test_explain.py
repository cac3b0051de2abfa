"""The reasons for a week, as plain values: arithmetic, counters, rules, reports, old cases."""

import random
from typing import Any

import pytest

from domain.citizen.reports import Freeing
from domain.explain.fates import fates
from tests.support.told import CITIZEN, HEAD, JANUARY, fact, paid, taken_back, told, week

# --- the arithmetic -----------------------------------------------------------------------------


def test_the_fifth_week_of_the_readme_is_explained_to_the_ore():
    reason = week("2024-01-29", JANUARY)
    assert (reason.state, reason.iso_week, reason.count.reached) == ("B", "2024-W05", 5)
    (row,) = reason.rows
    (share,) = row.shares
    assert (share.cause, share.amount_ore, share.days, share.days_of_period, share.share_ore) == (
        *("12345678/january", 1_200_000),
        *(3, 31, 116_129),
    )
    assert (row.ordinal, row.mechanism, row.rate, row.unrounded, row.result_ore) == (
        5,
        "refusion",
        40,
        "46451.60",
        46_452,
    )
    assert (reason.band.step, reason.band.from_week, reason.band.to_week) == (2, 5, 26)
    rule = reason.rules[row.rule]
    assert (rule.reference, rule.evidence) == (
        "lov 994/2015 § 5, stk. 2, nr. 2 og stk. 3",
        "verified",
    )
    assert reason.rules["switches.SPLIT"].evidence == "assumed"
    assert reason.ahead.sentences[0] == "22 more benefit weeks until 30 % (medfinansiering 70 %)."


def test_atp_is_taken_from_the_base_before_it_is_split():
    reason = week(
        "2024-01-01", paid("a", "2024-01-01", "2024-01-14", 1_000_000, "ADP", atp_ore=10_000)
    )
    (row,) = reason.rows
    (share,) = row.shares
    assert (share.amount_ore, share.base_ore, share.share_ore, share.atp_ore) == (
        1_000_000,
        990_000,
        495_000,
        5_000,
    )
    assert (row.mechanism, row.rate, row.result_ore) == ("medfinansiering", 20, 99_000)


def test_two_benefits_in_one_week_are_counted_once():
    reason = week(
        "2024-01-01",
        JANUARY,
        paid("s", "2024-01-03", "2024-01-05", 261_300, "SDP-B"),
        paid("su", "2024-01-01", "2024-01-31", benefit="SU"),
    )
    assert [(touch.benefit, touch.role, touch.touches) for touch in reason.touches] == [
        ("KTH", "counts", True),
        ("SDP-B", "counts", True),
        ("SU", "blocks", True),
    ]
    assert reason.because.startswith("KTH, SDP-B make it a benefit week, counted once")
    assert [row.why_none for row in reason.rows] == ["", "", "not financed under the Act"]


def test_a_week_that_was_repaid_is_self_support_and_says_so():
    repaid = paid("back", "2024-01-22", "2024-01-28", -270_967)
    reason = week("2024-01-22", JANUARY, repaid)
    assert (reason.state, reason.count.reached, reason.earned.earned) == ("S", 3, 1)
    assert (
        reason.because
        == "a whole week of self-support, for none of what it has comes to more than nothing; it"
        " is earned"
    )
    assert [(touch.net_ore, touch.touches) for touch in reason.touches] == [(0, False)]
    assert reason.rows[0].why_none == "what was paid and what was taken back come to nothing"


def test_self_support_before_the_first_benefit_week_earns_nothing():
    reason = week("2023-12-25", JANUARY)
    assert (reason.state, reason.earned.earned, reason.rows) == ("S", 0, [])
    assert reason.because.endswith("nothing is earned before the first benefit week")
    assert reason.ahead.sentences == [
        (
            "The next benefit week is the first: 80 % (medfinansiering 20 %)."
            " Until then no self-support is earned."
        )
    ]


def test_the_turn_of_2015_16_takes_the_rate_of_the_week_after():
    """X10: 3 days of January 2016 lie in a week whose fifth week is the next one."""
    reason = week(
        "2015-12-28",
        paid("d", "2015-12-07", "2015-12-31"),
        paid("j", "2016-01-01", "2016-01-31", 1_084_900),
    )
    turn = reason.turn_of_year
    assert (turn.rate_of_week, turn.week_after_has_benefits, turn.ordinal) == (
        "2016-01-04",
        True,
        5,
    )
    assert [(row.month, row.result_ore, row.why_none) for row in reason.rows] == [
        ("2015-12", None, "months before 2016-01 have no rates"),
        ("2016-01", 41_996, ""),
    ]
    assert "§ 29, stk. 3" in reason.rules[turn.rule].reference


def test_the_fleksbidrag_of_a_month_is_worked_out():
    """X17: the cap binds, and 5,000 kr. of wages take 1,000 from it."""
    before = [
        paid("y", "2020-12-28", "2021-12-26", benefit="RFY"),
        paid("z", "2021-12-27", "2022-04-30", benefit="RFY"),
    ]
    month = paid("may", "2022-05-01", "2022-05-31", 1_746_400, "FLT")
    wage = HEAD | {
        "type": "income",
        "report_id": "w",
        "kind": "flex_job_wage",
        "amount_ore": 500_000,
        "pension_ore": 0,
    }
    wage |= {"period_start": "2022-05-01", "period_end": "2022-05-31"}
    (bidrag,) = week("2022-05-09", *before, month, wage).fleksbidrag
    assert (bidrag.basis_ore, bidrag.cap_ore, bidrag.wages_ore) == (1_896_400, 455_100, 500_000)
    assert (bidrag.reduction_ore, bidrag.due, bidrag.amount_ore, bidrag.week) == (
        "100000.00",
        "31/31",
        355_100,
        "2022-04-25",
    )
    assert bidrag.refusion_ore == pytest.approx(349_280, abs=6)
    (without,) = week("2022-05-09", *before, month).fleksbidrag
    assert without.why_none == "no wage is reported for the month, not even of 0"
    assert week("2022-04-18", *before, month, wage).fleksbidrag == []


# --- reports ------------------------------------------------------------------------------------


def test_each_report_has_its_fate_and_who_made_it_so():
    reports = [
        taken_back("late", "R0"),
        *(JANUARY, JANUARY | {"reported_at": "2024-04-01T08:00:00Z"}, JANUARY | {"amount_ore": 5}),
        *(
            paid("late", "2024-01-01", "2024-01-31"),
            paid("gone", "2024-01-01", "2024-01-31", benefit="UDH"),
        ),
        *(
            taken_back("gone"),
            taken_back("gone", "R2"),
            taken_back("never", "R3"),
            taken_back("R3", "R4"),
        ),
    ]
    assert [
        (told.fate, told.by.removeprefix("12345678/")) for told in fates(told(*reports)[2])
    ] == [
        ("reverses", "late"),
        *(("counts", ""), ("delivered_again", "january"), ("conflicting_duplicate", "january")),
        *(("reversed", "R0"), ("reversed", "R1")),
        *(
            ("reverses", "gone"),
            ("reverses_again", "R1"),
            ("waits", "never"),
            ("never_matches", "R3"),
        ),
    ]


def freed(report_id):
    return Freeing("f", CITIZEN, "12345678", report_id)


def test_a_freed_id_leads_to_the_true_report_and_its_money():
    reports = [
        paid("january", "2024-01-01", "2024-01-31", amount_ore=100),
        taken_back("other", "R9"),
        freed("january"),
        freed("other"),
        JANUARY,
        paid("january", "2024-01-01", "2024-01-31", amount_ore=100),
        paid("other", "2024-01-01", "2024-01-31", benefit="UDH"),
    ]
    reason = week("2024-01-15", *reports)
    assert [(report.what, report.fate) for report in reason.reports] == [
        ("KTH", "freed"),
        ("other", "freed"),
        ("KTH", "counts"),
        ("KTH", "conflicting_duplicate"),
        ("UDH", "counts"),
    ]
    assert {row.benefit for row in reason.rows} == {"KTH", "UDH"}
    assert reason.rows[0] == week("2024-01-15", JANUARY).rows[0]


@pytest.mark.parametrize("seed", range(60))
def test_what_counts_by_its_fate_is_what_stands_in_the_state(seed):
    choose = random.Random(seed)
    reports: list[Any] = []
    for number in range(choose.randint(2, 12)):
        name = choose.choice("ab")
        match choose.choice(["paid", "paid", "taken back", "freed", "freed"]):
            case "paid":
                amount = choose.choice([310, 620])
                reports.append(paid(name, "2024-01-01", "2024-01-31", amount_ore=amount))
            case "taken back":
                reports.append(taken_back(name, f"R{number}"))
            case "freed":
                reports.append(freed(name))
    _, citizen, known = told(*reports)
    counting: list[Any] = [each.report for each in fates(known) if each.fate == "counts"]
    part = citizen.part(2024 * 12)
    standing = [] if part is None else [line for line in part.lines if not line.reversed]
    assert sorted(line.amount_ore for line in standing) == sorted(
        report.amount_ore for report in counting
    )


def test_a_week_lists_its_own_reports_what_took_them_back_and_every_fact():
    reports = [
        JANUARY,
        paid("f", "2024-02-05", "2024-02-29"),
        taken_back("january"),
        taken_back("f", "R2"),
        fact("death", "2030-01-01"),
    ]
    reason = week("2024-01-15", *reports)
    assert [(report.what, report.fate) for report in reason.reports] == [
        ("KTH", "reversed"),
        ("january", "reverses"),
        ("death", "counts"),
    ]


# --- old cases ----------------------------------------------------------------------------------


def test_an_old_flex_case_is_outside_until_its_transfer_and_its_weeks_enter_then():
    """X18, with ledighedsydelse beside it."""
    flex = [
        paid("f1", "2016-12-26", "2017-04-30", benefit="FLT"),
        paid("f2", "2017-05-01", "2017-05-07", benefit="FLT"),
        paid("l1", "2017-04-17", "2017-04-23", benefit="LY"),
    ]
    facts = [fact("flex_referral", "2013-03-01"), fact("flex_job_start", "2017-05-01", "F2")]
    before = week("2017-04-17", *flex, *facts)
    assert (before.state, before.old_case.flex, before.old_case.on_staircase_from) == (
        "O",
        "from",
        "2017-05-01",
    )
    assert before.old_case.old_weeks_enter
    assert {row.benefit: (row.rate, row.rule, row.why_none[:31]) for row in before.rows} == {
        "FLT": (65, "legacy.flex_refusion", ""),
        "LY": (None, "catalogue.LY", "an old case of ledighedsydelse,"),
    }
    assert (
        before.ahead.sentences[-1]
        == "From the week of 2017-05-01 the old weeks enter the count, which moves it up."
    )
    after = week("2017-05-01", *flex, *facts)
    assert (after.state, after.count.reached, after.rows[0].rate) == ("B", 19, 40)


def test_an_old_pension_gives_no_row_and_the_explanation_says_why():
    pension = paid("p", "2024-01-01", "2024-01-31", benefit="FPN")
    reason = week("2024-01-01", pension, fact("disability_pension_award", "2014-06-30"))
    assert (reason.state, reason.old_case.old_pension) == ("O", True)
    assert reason.rows[0].why_none.startswith(
        "an old case of førtidspension, whose percentage is not established"
    )
