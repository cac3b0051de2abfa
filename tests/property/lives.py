"""Lives for the properties: the nasty histories, and themes that aim them at one rule each."""

import random
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from streams.rulefiles import load_rule_set
from tests import product, reference
from tests.histories import Fault, Plan, Spell, plan_of, reports_of

JsonObject = dict[str, Any]
RULES = load_rule_set()

ONE_DAY_IN_TWO_WEEKS = "one_day_in_two_weeks"


def resets(rng: random.Random) -> Plan:
    """Gaps around the 52 weeks that make a new start, and far beyond."""
    return _with_spells(rng, gaps=(49, 50, 51, 52, 53, 60, 104, 160, 300), weeks=(1, 2, 4, 5, 6, 27))


def the_window(rng: random.Random) -> Plan:
    """Self-support in pieces that the three years hold together, just and just not."""
    plan = _with_spells(rng, gaps=(0, 1, 2, 10, 13, 24, 26, 28), weeks=(1, 5, 26, 30, 53, 60))
    spells = [spell._replace(rhythm=rng.choice((spell.rhythm, ONE_DAY_IN_TWO_WEEKS))) for spell in plan.spells]
    return plan._replace(spells=spells)


def the_turn_of_2015_16(rng: random.Random) -> Plan:
    """Weeks just before and after the rates begin, sickness benefit and others, with and without the week after."""
    plan = _with_spells(rng, gaps=(0, 0, 1, 2, -1, -2), weeks=(1, 1, 2, 3, 4, 5, 8))
    benefits = ("SDP-B", "KTH", "ADP", "SDP-A", "SU", "LTS")
    spells = [spell._replace(benefit=rng.choice(benefits)) for spell in plan.spells]
    return plan._replace(start=_near(rng, date(2015, 11, 30), 40), spells=spells)


def the_29th_of_february(rng: random.Random) -> Plan:
    """Windows that begin or end on or beside 29 February (2020 and 2032 have it on a Saturday and a Sunday)."""
    start = rng.choice((date(2017, 2, 20), date(2020, 2, 17), date(2029, 2, 19), date(2032, 2, 16)))
    plan = _with_spells(rng, gaps=(25, 26, 27, 50, 51, 52, 53), weeks=(1, 1, 50, 51, 52, 77, 104))
    return plan._replace(start=_near(rng, start, 10))


def years_of_53_weeks(rng: random.Random) -> Plan:
    """2015, 2020 and 2026 have 53 weeks; a week straddles the year."""
    start = rng.choice((date(2015, 11, 23), date(2020, 11, 23), date(2026, 11, 23)))
    plan = _with_spells(rng, gaps=(0, 0, 1, 2, 51, 52), weeks=(1, 2, 3, 5, 10, 52))
    return plan._replace(start=_near(rng, start, 20))


def a_faulty_upstream(rng: random.Random) -> Plan:
    """A short life in any order, with as many faults as payments."""
    plan = _with_spells(rng, gaps=(0, 1, 2, 52), weeks=(1, 2, 3, 5))
    kinds = ("reversed", "reported_anew", "week_repaid", "repaid", "delivered_again", "conflicting_amount")
    shares = (50, 100, 150)
    faults = [Fault(rng.choice(kinds), rng.randrange(50), rng.choice(shares), rng.randint(0, 100)) for _ in range(25)]
    return plan._replace(faults=faults, order_seed=rng.randrange(2**16))


def crowded_weeks(rng: random.Random) -> Plan:
    """A few weeks with several benefits and money back and forth, so that a net passes through every sign."""
    plan = _with_spells(rng, gaps=(0, -1, -1, -2, -3), weeks=(1, 2, 3))
    amounts_ore, benefits = (280_000, 100_000, -60_000, -150_000, -280_000), ("KTH", "KTH", "SDP-B", "SU")
    spells = [
        spell._replace(benefit=rng.choice(benefits), amount_ore=rng.choice(amounts_ore), rhythm="weekly")
        for spell in (*plan.spells, *plan.spells)
    ]
    kinds = ("reversed", "reported_anew", "repaid")
    faults = [Fault(rng.choice(kinds), rng.randrange(50), rng.choice((50, 100)), 100) for _ in range(5)]
    return plan._replace(start=_near(rng, date(2024, 1, 29), 10), spells=spells, faults=faults)


def backwards(rng: random.Random) -> Plan:
    """A long dense life, of which every report comes in random order: each changes the past."""
    return _with_spells(rng, gaps=(0, 1, 3, 20, 52), weeks=(5, 22, 26, 53))._replace(order_seed=rng.randrange(2**16))


THEMES: dict[str, Callable[[random.Random], Plan]] = {
    theme.__name__: theme
    for theme in (
        plan_of,
        resets,
        the_window,
        the_turn_of_2015_16,
        the_29th_of_february,
        years_of_53_weeks,
        a_faulty_upstream,
        crowded_weeks,
        backwards,
    )
}


def life(theme: str, seed: int, citizen: int = 0) -> list[JsonObject]:
    """A citizen's reports under a theme: the same for the same seed."""
    return reports_of(THEMES[theme](random.Random(f"{theme} {seed}")), RULES, citizen)


def in_order_of_time(theme: str, seed: int) -> list[JsonObject]:
    """A life as it would be without late reports: each as its period ends."""
    plan = THEMES[theme](random.Random(f"{theme} {seed}"))._replace(order_seed=None)
    return sorted(reports_of(plan, RULES), key=lambda report: report.get("period_end", ""))


def short_life(seed: int, citizen: int = 0) -> list[JsonObject]:
    """At most some thirty reports, for laws that are tried after every one of them."""
    themes = sorted(THEMES)
    theme = themes[seed % len(themes)]
    rng = random.Random(f"short {seed}")
    while len(reports := reports_of(THEMES[theme](rng), RULES, citizen)) > 35:
        pass
    return reports


def differs(reports: Sequence[JsonObject]) -> bool:
    """Whether the product and the reference disagree on a history."""
    books = product.settle_all(reports, batch=len(reports) + 1)
    return (product.true_now(books.rows), books.counters) != truth_of(reports)


def truth_of(reports: Sequence[JsonObject]) -> tuple[list[JsonObject], JsonObject]:
    """Rows and counters by the reference, the rows as `product.true_now` leaves them."""
    rows, counters = reference.settle(reports, RULES)
    return product.true_now(rows), counters


def smallest(reports: list[JsonObject], fails: Callable[[list[JsonObject]], bool]) -> list[JsonObject]:
    """A failing history without any report that it fails without: what to show in a failure."""
    shrinking = True
    while shrinking:
        shrinking = False
        for at in range(len(reports) - 1, -1, -1):
            fewer = reports[:at] + reports[at + 1 :]
            if fails(fewer):
                reports, shrinking = fewer, True
    return reports


def _with_spells(rng: random.Random, gaps: Sequence[int], weeks: Sequence[int]) -> Plan:
    """A plan whose spells have gaps and lengths from these."""
    plan = plan_of(rng)
    spells = [spell._replace(gap_weeks=rng.choice(gaps), weeks=rng.choice(weeks)) for spell in plan.spells]
    return plan._replace(spells=[_ordinary(spell, rng) for spell in spells])


def _ordinary(spell: Spell, rng: random.Random) -> Spell:
    """Mostly money that touches its weeks, so that the theme is reached."""
    if spell.amount_ore > 0 or rng.random() < 0.2:
        return spell
    return spell._replace(amount_ore=280_000)


def _near(rng: random.Random, day: date, days: int) -> date:
    return date.fromordinal(day.toordinal() + rng.randint(-days, days))
