"""An explanation says what the reference computes from scratch, week by week and row by row, by
any rule set.
"""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from domain.basics.weeks import week_of
from domain.explain.life import explain_life
from domain.explain.week import explain_week
from domain.law.staircase import Law
from domain.oracle import reference
from domain.oracle.payments import money_of_slices
from domain.oracle.reports import facts_of, payments_of, valid_reports
from domain.oracle.weeks import runs, states_of_weeks, weeks_of
from domain.ruledata.switches import IMPLEMENTED
from streams.explain.find import folded
from tests.support import product
from tests.support.answers import answering
from tests.support.lives import RULES, THEMES, life

SEEDS = range(5000, 5004)
OTHER = replace(
    RULES,
    name="other",
    reset=replace(RULES.reset, self_support_weeks=39),
    staircases=tuple(
        replace(
            stairs, bands=tuple(replace(band, refusion=band.refusion - 10) for band in stairs.bands)
        )
        for stairs in RULES.staircases
    ),
)
"""A rule set that nobody has posted anything with."""
ROW = (
    "month",
    "benefit",
    "paying",
    "financing",
    "amount_ore",
    "ordinal",
    "mechanism",
    "rate",
    "account",
)
ANSWERED = answering(
    **{switch: values[-1] for switch, values in IMPLEMENTED.items() if switch != "RESET_AT"}
)
"""Every open question answered otherwise, where it can be, but when a new start comes: that is
what these laws ask.
"""
of_any_rule_set = pytest.mark.parametrize(
    "rules", [RULES, OTHER, ANSWERED], ids=lambda rules: rules.name
)


def lives_of(theme):
    return [reports for seed in SEEDS if (reports := life(theme, seed))]


def told(reports, rules=RULES):
    """The law, the citizen and the reports as an explanation takes them."""
    law = Law(rules)
    records: list[Any] = [product.record_of(report) for report in reports]
    known = [report for _, _, report in records]
    return law, folded(law, records[0][0], known), known


def life_of(reports, rules):
    return explain_life(*told(reports, rules))


def week_of_life(citizen, monday):
    law, state, known = citizen
    return explain_week(law, state, known, numbered(monday))


def numbered(monday):
    return week_of(date.fromisoformat(monday).toordinal())


@of_any_rule_set
@pytest.mark.parametrize("theme", THEMES)
def test_the_weeks_of_a_life_are_those_of_the_reference(theme, rules):
    for reports in lives_of(theme):
        standing = valid_reports(reports)
        facts = facts_of(standing, rules)
        lines = money_of_slices(payments_of(standing), rules, facts)
        explained = life_of(reports, rules)
        if not explained.weeks:
            assert set(states_of_weeks(lines, rules).values()) <= {"S"}
            continue
        last = date.fromisoformat(explained.weeks[-1].week)
        weeks = weeks_of(lines, last, facts, rules)
        for week in explained.weeks:
            end = weeks.ends[date.fromisoformat(week.week)]
            expected = (
                weeks.states.get(end.week, "S"),
                end.ordinal,
                end.ordinal > 0 == end.seniority,
            )
            assert (week.state, week.reached, week.new_start) == expected, (week, reports)
        assert not end.seniority or end.seniority == explained.count.reached
        assert [[each.first, each.number] for each in explained.earned.weeks] == runs(end.earned)


@of_any_rule_set
@pytest.mark.parametrize("theme", THEMES)
def test_the_rows_of_a_week_are_those_of_the_reference(theme, rules):
    bidrags = 0
    for reports in lives_of(theme):
        whole = reference.settle(reports, rules).rows
        rows = [row for row in whole if row["benefit"] != "FB"]
        of_bidrag = {row["week"] for row in whole if row["benefit"] == "FB"}
        weeks = sorted({row["week"] for row in rows})
        citizen = told(reports, rules)
        bidrags += len(of_bidrag)
        for week in {*weeks[:: max(1, len(weeks) // 10)], *sorted(of_bidrag)[:5]}:
            reason = week_of_life(citizen, week)
            due = [row for row in reason.rows if row.result_ore is not None]
            expected = [row for row in rows if row["week"] == week]
            assert [[getattr(row, name) for name in ROW] for row in due] == [
                [row[name] for name in ROW] for row in expected
            ]
            results = [row["refusion_ore"] + row["medfinansiering_ore"] for row in expected]
            assert [row.result_ore for row in due] == results
            assert [row.atp_ore for row in due] == [row.get("atp_ore", 0) for row in expected]
            assert all(row.why_none for row in reason.rows if row not in due)
            bidrag = [each for each in reason.fleksbidrag if each.week == week and each.amount_ore]
            of_reference = [row for row in whole if row["benefit"] == "FB" and row["week"] == week]
            assert [(each.month, each.amount_ore, each.paying or None) for each in bidrag] == [
                (row["month"], row["amount_ore"], row["paying"]) for row in of_reference
            ]
            by_staircase = {row.rate for row in due if row.rule.startswith("staircase")}
            assert by_staircase <= {reason.band.refusion, reason.band.medfinansiering}
    assert bidrags or rules is not RULES or theme != "late_wages"


@of_any_rule_set
def test_what_is_told_of_the_weeks_ahead_comes_true(rules):
    steps = new_starts = 0
    for reports in [reports for theme in THEMES for reports in lives_of(theme)]:
        ahead = life_of(reports, rules).ahead
        if (
            ahead is None or len(ahead.sentences) > 2
        ):  # no support at all, or a transfer that is still to come
            continue
        last = date.fromisoformat(ahead.week)
        if ahead.new_start:
            at = date.fromisoformat(ahead.new_start)
            assert reference.counters_at(reports, rules, at) == (0, 0)
            assert reference.counters_at(reports, rules, at - timedelta(days=7))[0] > 0
            new_starts += 1
        if ahead.benefit_weeks and last.year > 2016:
            paid = [
                resource_scheme(reports[0], last, number)
                for number in range(1, ahead.benefit_weeks + 1)
            ]
            rows = reference.settle([*reports, *paid], rules).rows
            rates = {row["week"]: row["rate"] for row in rows if row["benefit"] == "RFY"}
            before, then = (rates[each["period_start"]] for each in [*paid, *paid][-2:])
            assert then == ahead.next_refusion, (ahead, reports)
            assert ahead.benefit_weeks == 1 or before != then
            steps += 1
    assert min(steps, new_starts) > 15


def resource_scheme(like, last, number):
    """Ressourceforløbsydelse for the whole of a week after the last one."""
    monday = last + timedelta(days=7 * number)
    body = {
        "type": "benefit_payment",
        "report_id": f"ahead {number}",
        "benefit": "RFY",
        "amount_ore": 70_000,
    }
    period = {"period_start": str(monday), "period_end": str(monday + timedelta(days=6))}
    common = {name: like[name] for name in ("schema", "reporter", "reported_at", "cpr")}
    return common | body | period | {"paying_municipality": "730", "channel": "eindkomst"}
