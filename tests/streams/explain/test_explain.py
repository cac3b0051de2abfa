"""The reasons for a week, as plain values: arithmetic, counters, rules, reports, old cases."""

import random
from dataclasses import replace
from typing import Any

import pytest

from domain.basics.weeks import day, week_of
from domain.citizen.reports import Freeing
from domain.explain.fates import fates
from domain.explain.life import explain_life
from domain.explain.week import explain_week
from domain.law.staircase import Law
from streams.citizens.rule_sets import load_rule_set
from streams.explain.find import folded
from tests.support import product

RULES = load_rule_set()
CITIZEN = product.IDENTITY.of("6101801234")[0]
HEAD = {
    "schema": 1,
    "cpr": "6101801234",
    "reporter": "12345678",
    "reported_at": "2024-03-01T08:00:00Z",
}


def paid(report_id, start, end, amount_ore=1_200_000, benefit="KTH", **others):
    body = {
        "type": "benefit_payment",
        "report_id": report_id,
        "benefit": benefit,
        "amount_ore": amount_ore,
    }
    place = {
        "period_start": start,
        "period_end": end,
        "paying_municipality": "730",
        "financing_municipality": "730",
    }
    return HEAD | body | place | {"channel": "eindkomst"} | others


def taken_back(reverses, report_id="R1", **others):
    return HEAD | {"type": "reversal", "report_id": report_id, "reverses": reverses} | others


def fact(name, date, report_id="F1"):
    return HEAD | {"type": "case_fact", "report_id": report_id, "fact": name, "date": date}


def report_of(published) -> Any:
    if isinstance(published, Freeing):
        return published
    return tuple(product.record_of(published))[2]


def told(*reports, rules=RULES):
    known = [report_of(report) for report in reports]
    law = Law(rules)
    return law, folded(law, CITIZEN, known), known


def week(monday, *reports, rules=RULES):
    law, citizen, known = told(*reports, rules=rules)
    return explain_week(law, citizen, known, week_of(day(monday)))


def life_of(*reports, rules=RULES):
    return explain_life(*told(*reports, rules=rules))


JANUARY = paid("january", "2024-01-01", "2024-01-31")

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


# --- counters -----------------------------------------------------------------------------------

X1 = [
    *(paid("b0", "2016-01-04", "2016-12-31"), paid("b1", "2017-01-01", "2017-01-15")),
    paid("b2", "2017-07-03", "2017-10-08"),
    paid("b3", "2018-04-23", "2018-04-29"),
]
"""54 weeks, 24 of self-support, 14 weeks, 28 of self-support, and a week after the new start."""


def test_a_new_start_names_the_weeks_that_made_it():
    life = life_of(*X1)
    (new_start,) = life.new_starts
    assert new_start.at_end_of == "2018-04-16"
    assert [(each.first, each.number) for each in new_start.weeks] == [
        ("2017-01-16", 24),
        ("2017-10-09", 28),
    ]
    assert week("2018-04-16", *X1).new_start_here == new_start
    after = week("2018-04-23", *X1)
    assert (after.count.reached, after.last_new_start, after.band.refusion) == (1, new_start, 80)


def test_a_week_long_after_all_money_knows_the_new_start_since():
    """Nobody has ranked a week there yet, so the state does not know of it."""
    last_reported = X1[:3]
    after = week("2018-04-23", *last_reported)
    assert after.last_new_start.at_end_of == "2018-04-16"
    assert (after.count.reached, after.band.refusion) == (0, 80)
    assert week("2018-04-16", *last_reported).band.refusion == 20


def test_the_count_and_the_earned_weeks_are_named():
    reason = week("2017-10-09", *X1)
    assert [(each.first, each.number) for each in reason.count.weeks] == [
        ("2016-01-04", 54),
        ("2017-07-03", 14),
    ]
    assert [(each.first, each.number) for each in reason.earned.weeks] == [
        ("2017-01-16", 24),
        ("2017-10-09", 1),
    ]
    assert (reason.earned.earned, reason.earned.needed) == (25, 52)


def test_what_is_missing_and_what_drops_out_first():
    """45 weeks are earned; the first of them, of 6 March 2023, leaves the window in the week of
    2 March 2026.
    """
    periods = [
        ("2023-02-27", "2023-03-05"),
        ("2024-01-15", "2025-01-12"),
        ("2025-01-13", "2026-01-11"),
    ]
    reports = [
        paid(start, start, end, benefit="RFY")
        for start, end in [*periods, ("2026-01-12", "2026-02-22")]
    ]
    ahead = life_of(*reports).ahead
    assert ahead.week == "2026-02-16"
    assert ahead.sentences[1] == (
        "7 whole weeks of self-support until a new start, unless earned ones drop out first: the"
        " next on 2026-03-02."
        " If nothing but self-support follows, it comes at the end of the week of 2027-02-15."
    )


def test_one_of_a_thing_is_said_in_the_singular():
    ahead = week("2024-01-22", JANUARY).ahead
    assert ahead.sentences[0] == "1 more benefit week until 40 % (medfinansiering 60 %)."
    assert (ahead.benefit_weeks, ahead.next_refusion, ahead.self_support_weeks) == (1, 40, 52)


# --- rules change, explanations follow ----------------------------------------------------------


def test_another_staircase_gives_another_step_rate_and_distance():
    (stairs,) = RULES.staircases
    first, second, *others = stairs.bands
    bands = (
        replace(first, to_week=2, refusion=75, medfinansiering=25),
        replace(second, from_week=3),
        *others,
    )
    rules = replace(RULES, name="what-if", staircases=(replace(stairs, bands=bands),))
    reason = week("2024-01-01", JANUARY, rules=rules)
    assert (reason.rule_set, reason.rows[0].rate, reason.rows[0].result_ore) == (
        "what-if",
        75,
        203_226,
    )
    assert (
        reason.rules["staircase.1"].says == "benefit weeks 1-2: refusion 75 %, medfinansiering 25 %"
    )
    assert reason.ahead.benefit_weeks == 2
    assert week("2024-01-15", JANUARY, rules=rules).rows[0].rate == 40


def test_a_rule_that_is_not_equally_sure_in_all_of_it_says_so():
    reason = week("2025-07-07", paid("k", "2025-07-01", "2025-07-31", benefit="KTH25"))
    rule = reason.rules["catalogue.KTH25"]
    assert (rule.evidence, rule.evidence_of["rate"]) == ("verified", "inferred")


def test_another_reset_gives_another_new_start():
    rules = replace(RULES, reset=replace(RULES.reset, self_support_weeks=24))
    life = life_of(*X1, rules=rules)
    assert [each.at_end_of for each in life.new_starts] == ["2017-06-26", "2018-03-19"]
    assert (
        life.rules["reset.self_support_weeks"].says
        == "24 whole weeks of self-support make a new start"
    )


def test_another_catalogue_gives_another_state():
    benefit = replace(RULES.benefits["SU"], counts=True)
    rules = replace(RULES, benefits=dict(RULES.benefits) | {"SU": benefit})
    su = paid("su", "2024-01-01", "2024-01-07", benefit="SU")
    assert week("2024-01-01", su).state == "O"
    assert week("2024-01-01", su).rules["switches.OTHER_LIST"].evidence == "expert"
    assert week("2024-01-01", su, rules=rules).state == "B"


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
