"""Lives for the properties: the nasty histories, and themes that aim them at one rule each."""

import random
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from domain.oracle import reference
from streams.citizens.rule_sets import load_rule_set
from tests.support import product
from tests.support.histories import plan_of, reports_of
from tests.support.history_plans import FACTS, Fault, Plan, Spell

JsonObject = dict[str, Any]
RULES = load_rule_set()

ONE_DAY_IN_TWO_WEEKS = "one_day_in_two_weeks"


def resets(rng: random.Random) -> Plan:
    """Gaps around the 52 weeks that make a new start, and far beyond."""
    return plan_in_spells(
        rng, gaps=(49, 50, 51, 52, 53, 60, 104, 160, 300), weeks=(1, 2, 4, 5, 6, 27)
    )


def the_window(rng: random.Random) -> Plan:
    """Self-support in pieces that the three years hold together, just and just not."""
    plan = plan_in_spells(rng, gaps=(0, 1, 2, 10, 13, 24, 26, 28), weeks=(1, 5, 26, 30, 53, 60))
    spells = [
        spell._replace(rhythm=rng.choice((spell.rhythm, ONE_DAY_IN_TWO_WEEKS)))
        for spell in plan.spells
    ]
    return plan._replace(spells=spells)


def the_turn_of_2015_16(rng: random.Random) -> Plan:
    """Weeks just before and after the rates begin, sickness benefit and others, with and without
    the week after.
    """
    plan = plan_in_spells(rng, gaps=(0, 0, 1, 2, -1, -2), weeks=(1, 1, 2, 3, 4, 5, 8))
    benefits = ("SDP-B", "KTH", "ADP", "SDP-A", "SU", "LTS")
    spells = [spell._replace(benefit=rng.choice(benefits)) for spell in plan.spells]
    return plan._replace(start=_near(rng, date(2015, 11, 30), 40), spells=spells)


def the_29th_of_february(rng: random.Random) -> Plan:
    """Windows that begin or end on or beside 29 February (2020 and 2032 have it on a Saturday
    and a Sunday).
    """
    start = rng.choice((date(2017, 2, 20), date(2020, 2, 17), date(2029, 2, 19), date(2032, 2, 16)))
    plan = plan_in_spells(rng, gaps=(25, 26, 27, 50, 51, 52, 53), weeks=(1, 1, 50, 51, 52, 77, 104))
    return plan._replace(start=_near(rng, start, 10))


def years_of_53_weeks(rng: random.Random) -> Plan:
    """2015, 2020 and 2026 have 53 weeks; a week straddles the year."""
    start = rng.choice((date(2015, 11, 23), date(2020, 11, 23), date(2026, 11, 23)))
    plan = plan_in_spells(rng, gaps=(0, 0, 1, 2, 51, 52), weeks=(1, 2, 3, 5, 10, 52))
    return plan._replace(start=_near(rng, start, 20))


def a_faulty_upstream(rng: random.Random) -> Plan:
    """A short life in any order, with as many faults as payments."""
    plan = plan_in_spells(rng, gaps=(0, 1, 2, 52), weeks=(1, 2, 3, 5))
    kinds = (
        "reversed",
        "reported_anew",
        "week_repaid",
        "repaid",
        "delivered_again",
        "conflicting_amount",
    )
    shares = (50, 100, 150)
    faults = [
        Fault(rng.choice(kinds), rng.randrange(50), rng.choice(shares), rng.randint(0, 100))
        for _ in range(25)
    ]
    return plan._replace(faults=faults, order_seed=rng.randrange(2**16))


def crowded_weeks(rng: random.Random) -> Plan:
    """A few weeks with several benefits and money back and forth, so that a net passes through
    every sign.
    """
    plan = plan_in_spells(rng, gaps=(0, -1, -1, -2, -3), weeks=(1, 2, 3))
    amounts_ore, benefits = (
        (280_000, 100_000, -60_000, -150_000, -280_000),
        ("KTH", "KTH", "SDP-B", "SU"),
    )
    spells = [
        spell._replace(
            benefit=rng.choice(benefits), amount_ore=rng.choice(amounts_ore), rhythm="weekly"
        )
        for spell in (*plan.spells, *plan.spells)
    ]
    kinds = ("reversed", "reported_anew", "repaid")
    faults = [
        Fault(rng.choice(kinds), rng.randrange(50), rng.choice((50, 100)), 100) for _ in range(5)
    ]
    return plan._replace(start=_near(rng, date(2024, 1, 29), 10), spells=spells, faults=faults)


def backwards(rng: random.Random) -> Plan:
    """A long dense life, of which every report comes in random order: each changes the past."""
    return plan_in_spells(rng, gaps=(0, 1, 3, 20, 52), weeks=(5, 22, 26, 53))._replace(
        order_seed=rng.randrange(2**16)
    )


def old_cases(rng: random.Random) -> Plan:
    """Flex benefits and pensions, and facts about them from both sides of the law's dates, at
    any time.
    """
    plan = plan_in_spells(
        rng, gaps=(0, 0, 1, -2, 10, 26, 50, 52, 53, 104), weeks=(1, 2, 5, 22, 26, 53, 60)
    )
    benefits = ("FLT",) * 6 + ("LY",) * 3 + ("FLS", "FPN", "SDP-B", "SU", "LYG", "FPG", "FJG")
    spells = [
        spell._replace(benefit=rng.choice(benefits), outside_act=rng.random() < 0.05)
        for spell in (*plan.spells, *plan.spells)
    ]
    referral, job_start, rereferral, left, award, _ = range(len(FACTS))
    faults = [*plan.faults, fact_of(rng, referral, rng.choice((1, 50, 75, 75, 75, 75, 150, 1000)))]
    faults += [
        fact_of(rng, rng.choice((job_start, rereferral)), rng.choice((99, 100, 300)))
        for _ in range(rng.choice((0, 1, 1, 2)))
    ]
    if rng.random() < 0.3:
        faults += [fact_of(rng, left, rng.choice((75, 100))), fact_of(rng, referral, 100)]
    if rng.random() < 0.3:
        faults.append(fact_of(rng, award, rng.choice((100, 150, 1000))))
    order_seed = rng.choice((None, rng.randrange(2**16)))
    start = _near(
        rng,
        rng.choice((date(2014, 1, 6), date(2014, 9, 1), date(2015, 9, 7), date(2018, 1, 1))),
        60,
    )
    return plan._replace(start=start, spells=spells, faults=faults, order_seed=order_seed)


def late_wages(rng: random.Random) -> Plan:
    """Fleksløntilskud across the last step, with wages, repayments and reversals in any order."""
    plan = plan_in_spells(rng, gaps=(0, 0, 0, 0, -1, -3, 1, 2, 52), weeks=(1, 2, 5, 10, 22))
    spells = [_flex_spell(rng, spell) for spell in plan.spells]
    before = spells[0]._replace(
        benefit=rng.choice(("LY", "SDP-B", "FLT")),
        weeks=rng.choice((47, 50, 52, 52, 60)),
        rhythm=rng.choice(("whole", "whole", "monthly")),
        amount_ore=12_000_000,
        outside_act=False,
    )
    kinds = (
        "income",
        "income",
        "income",
        "income_reversed",
        "repaid",
        "week_repaid",
        "reversed",
        "reported_anew",
    )
    shares = (0, 1, 99, 150, 300, 1000, -150)
    faults = [
        Fault(rng.choice(kinds), rng.randrange(2000), rng.choice(shares), rng.randint(0, 100))
        for _ in range(rng.choice((3, 10, 20)))
    ]
    faults += [
        fact_of(rng, rng.choice((0, 1, 3)), rng.choice((75, 100, 150)))
        for _ in range(rng.choice((0, 0, 0, 1, 3)))
    ]
    start = _near(
        rng,
        rng.choice((date(2015, 1, 5), date(2018, 1, 1), date(2020, 8, 3), date(2023, 12, 25))),
        30,
    )
    return plan._replace(start=start, spells=[before._replace(gap_weeks=0), *spells], faults=faults)


def _flex_spell(rng: random.Random, spell: Spell) -> Spell:
    benefit = rng.choice(("FLT", "FLT", "FLT", "FLS", "LY", "SDP-B"))
    amount_ore = rng.choice((280_000, 1_800_000, 1_800_000, 100_003, 5, 1, -60_000))
    return spell._replace(benefit=benefit, amount_ore=amount_ore, outside_act=rng.random() < 0.1)


def fact_of(rng: random.Random, number: int, share_percent: int) -> Fault:
    """A case fact by its number in `FACTS`, now and then taken back."""
    kind = rng.choice(("case_fact", "case_fact", "case_fact", "fact_reversed"))
    return Fault(kind, len(FACTS) * rng.randrange(50) + number, share_percent, rng.randint(0, 100))


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
        old_cases,
        late_wages,
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
    """Lives of at most some thirty reports, for laws that are tried after every one of them."""
    themes = sorted(THEMES)
    theme = themes[seed % len(themes)]
    rng = random.Random(f"short {seed}")
    while len(reports := reports_of(THEMES[theme](rng), RULES, citizen)) > 35:
        pass
    return reports


def differs(reports: Sequence[JsonObject]) -> bool:
    """Tell if the product and the reference disagree on a history."""
    books = product.settle_all(reports, batch=len(reports) + 1)
    return (product.true_now(books.rows), books.counters) != truth_of(reports)


def truth_of(reports: Sequence[JsonObject]) -> tuple[list[JsonObject], JsonObject]:
    """Rows and counters by the reference, the rows as `product.true_now` leaves them."""
    rows, counters = reference.settle(reports, RULES)
    return product.true_now(rows), counters


def smallest(
    reports: list[JsonObject], fails: Callable[[list[JsonObject]], bool]
) -> list[JsonObject]:
    """A failing history without any report that it fails without: what to show in a failure."""
    shrinking = True
    while shrinking:
        shrinking = False
        for at in range(len(reports) - 1, -1, -1):
            fewer = reports[:at] + reports[at + 1 :]
            if fails(fewer):
                reports, shrinking = fewer, True
    return reports


def plan_in_spells(rng: random.Random, gaps: Sequence[int], weeks: Sequence[int]) -> Plan:
    """A plan whose spells have gaps and lengths from these."""
    plan = plan_of(rng)
    spells = [
        spell._replace(gap_weeks=rng.choice(gaps), weeks=rng.choice(weeks)) for spell in plan.spells
    ]
    return plan._replace(spells=[_ordinary(spell, rng) for spell in spells])


def _ordinary(spell: Spell, rng: random.Random) -> Spell:
    """Mostly money that touches its weeks, so that the theme is reached."""
    if spell.amount_ore > 0 or rng.random() < 0.2:
        return spell
    return spell._replace(amount_ore=280_000)


def _near(rng: random.Random, day: date, days: int) -> date:
    return date.fromordinal(day.toordinal() + rng.randint(-days, days))
