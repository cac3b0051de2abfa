"""A change of the law is a change of data: no number of it is hidden in the code."""

import random
from dataclasses import replace
from datetime import date, timedelta

import pytest

from domain.law.staircase import Law
from domain.oracle import reference
from domain.ruledata.ruleset import Band, RuleSet
from tests.support import product
from tests.support.lives import RULES, THEMES, life


def other_bands(rng: random.Random) -> RuleSet:
    """One to seven steps, at other ordinals and percentages."""
    return _with_bands(RULES, rng)


def another_reset(rng: random.Random) -> RuleSet:
    """Weeks from one of self-support in a year to more than the window holds."""
    needed, years = rng.choice((1, 2, 13, 26, 51, 53, 104, 300)), rng.choice((1, 2, 4, 5))
    return replace(RULES, reset=replace(RULES.reset, self_support_weeks=needed, within_years=years))


def other_dates(rng: random.Random) -> RuleSet:
    """Counting and rates begin later; the turn of the year that looks ahead is another."""
    year = rng.choice((2017, 2018, 2020, 2021))
    first_monday = date.fromisocalendar(year, 1, 1)
    turn = date.fromordinal(first_monday.toordinal() - 7)
    counting_from = date(rng.randint(2014, year - 1), rng.randint(7, 12), 1)
    dates = replace(
        RULES.dates,
        counting_from=counting_from,
        rates_from_month=f"{year}-01",
        turn_of_year_week=turn,
        turn_of_year_rate_from=first_monday,
    )
    staircases = tuple(replace(stairs, valid_from=first_monday) for stairs in RULES.staircases)
    return replace(RULES, dates=dates, staircases=staircases)


def another_catalogue(rng: random.Random) -> RuleSet:
    """Other benefits count, block, bear ATP and have percentages of their own; other accounts."""
    benefits = {
        code: replace(
            benefit,
            counts=rng.random() < 0.5,
            blocks=rng.random() < 0.5,
            atp_deducted=rng.random() < 0.3,
            turn_of_year_weekly=rng.random() < 0.3,
            rate=rng.choice(("staircase", "staircase", 37, 3)) if benefit.mechanism else None,
            state_points=rng.choice((0, 0, 15, -7)),
        )
        for code, benefit in RULES.benefits.items()
    }
    accounts = {
        (code, benefit.mechanism, 37): f"9.{code}"
        for code, benefit in benefits.items()
        if benefit.mechanism
    }
    return replace(RULES, benefits=benefits, accounts=dict(RULES.accounts) | accounts)


def other_old_cases(rng: random.Random) -> RuleSet:
    """Other dates and percentage of old cases, another fleksbidrag, and years without B."""
    days = sorted(date(2013, 6, 1) + timedelta(days=rng.randrange(900)) for _ in range(3))
    legacy = replace(
        RULES.legacy,
        flex_transition_from=days[0],
        flex_transition_to=days[1],
        flex_referred_from=days[1] + timedelta(days=rng.choice((1, 1, 200))),
        disability_pension_awarded_from=days[2],
        flex_refusion=rng.choice((20, 65, 73)),
    )
    fleksbidrag = replace(
        RULES.fleksbidrag,
        only_at_refusion=rng.choice((20, 20, 30, 40)),
        share_percent=rng.choice((20, 30, 50)),
        cap_percent=rng.choice((10, 24, 33)),
        wage_reduction_percent=rng.choice((10, 20, 45)),
    )
    known = {year: basis for year, basis in RULES.flex_basis.items() if rng.random() < 0.9}
    return replace(RULES, legacy=legacy, fleksbidrag=fleksbidrag, flex_basis=known)


def everything(rng: random.Random) -> RuleSet:
    """All of it at once."""
    dates, reset, catalogue = other_dates(rng), another_reset(rng), another_catalogue(rng)
    old = other_old_cases(rng)
    rules = replace(
        dates, reset=reset.reset, benefits=catalogue.benefits, accounts=catalogue.accounts
    )
    rules = replace(
        rules, legacy=old.legacy, fleksbidrag=old.fleksbidrag, flex_basis=old.flex_basis
    )
    return _with_bands(rules, rng)


def _with_bands(rules: RuleSet, rng: random.Random) -> RuleSet:
    starts = sorted(
        {1, *rng.choices((2, 3, 4, 6, 10, 20, 26, 28, 51, 52, 54, 80, 110), k=rng.randint(0, 6))}
    )
    ends = [start - 1 for start in starts[1:]]
    refusions = [rng.randint(0, 100) for _ in starts]
    bands = [
        Band(start, end, refusion, 100 - refusion)
        for start, end, refusion in zip(starts, [*ends, None], refusions, strict=True)
    ]
    return replace(
        rules, staircases=tuple(replace(stairs, bands=tuple(bands)) for stairs in rules.staircases)
    )


CHANGES = {
    change.__name__: change
    for change in (
        other_bands,
        another_reset,
        other_dates,
        another_catalogue,
        other_old_cases,
        everything,
    )
}
CONCERNED = {"other_old_cases": ["late_wages", "old_cases"]}
"""The themes that a change is tried on; all where it is not named."""


def test_rates_begin_with_their_month_even_in_a_week_that_begins_before_it():
    """2020-W01 begins on 30 December 2019: its first two days have no row."""
    first_monday = date(2019, 12, 30)
    dates = replace(
        RULES.dates,
        rates_from_month="2020-01",
        turn_of_year_week=date(2019, 12, 23),
        turn_of_year_rate_from=first_monday,
    )
    staircases = tuple(replace(stairs, valid_from=first_monday) for stairs in RULES.staircases)
    rules = replace(RULES, dates=dates, staircases=staircases)
    payment = {
        "schema": 1, "type": "benefit_payment", "report_id": "P1", "reporter": "12345678",
        "cpr": "6101000000", "reported_at": "2020-02-01T08:00:00Z", "benefit": "KTH",
        "period_start": "2019-12-30", "period_end": "2020-01-05", "amount_ore": 700_000,
        "paying_municipality": "730", "channel": "direct",
    }  # fmt: skip
    (row,) = product.settle_all([payment], settled_by=Law(rules)).rows
    assert (row["month"], row["amount_ore"]) == ("2020-01", 500_000)


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_rule_set_settles_as_the_reference_reads_it(change):
    themes = CONCERNED.get(change, sorted(THEMES))
    differing_from_today = 0
    for seed in range(8000, 8060):
        rules = CHANGES[change](random.Random(seed))
        reports = life(themes[seed % len(themes)], seed)
        books = product.settle_all(reports, batch=6, settled_by=Law(rules))
        rows, counters = reference.settle(reports, rules)
        assert product.true_now(books.rows) == product.true_now(rows), (seed, rules)
        assert books.counters == counters, (seed, rules)
        differing_from_today += rows != reference.settle(reports, RULES).rows
    assert differing_from_today > 15, "the change hardly changed anything"


def test_each_week_has_the_staircase_that_holds_for_it():
    """A new first step from 8 January 2024 on: the week before keeps the old one."""
    (today,) = RULES.staircases
    change = date(2024, 1, 8)
    first, *others = today.bands
    later = replace(
        today, valid_from=change, bands=(replace(first, refusion=75, medfinansiering=25), *others)
    )
    payment = {
        "schema": 1, "type": "benefit_payment", "report_id": "P1", "reporter": "12345678",
        "cpr": "6101000000", "reported_at": "2024-02-01T08:00:00Z", "benefit": "KTH",
        "period_start": "2024-01-01", "period_end": "2024-01-14", "amount_ore": 1_400_000,
        "paying_municipality": "730", "channel": "direct",
    }  # fmt: skip
    earlier = replace(today, valid_to=change - timedelta(days=1))
    for staircases in ((earlier, later), (later, earlier)):
        rows = product.settle_all(
            [payment], settled_by=Law(replace(RULES, staircases=staircases))
        ).rows
        assert [row["rate"] for row in rows] == [80, 75]
