"""The reports that describe a life: weekly and monthly payments, wages, case facts."""

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from domain.basics.weeks import day, first_day, sunday, week_of
from streams.simulation.chance import below, between, happens
from streams.simulation.drafts import Draft, month_at, month_end, parties
from streams.simulation.lives import Home, SimulatedDays, Spell
from streams.simulation.population import SIDES, SideBenefit
from streams.simulation.reporters import Office

CUTOFF = day("2014-07-01")
"""The day from which referrals and awards are on the staircase (§ 30)."""

FLEX = {"fleksjob", "fleks_selvstaendig", "ledighedsydelse"}
_SIDES_BESIDE = {
    side.beside: tuple(other for other in SIDES if other.beside == side.beside) for side in SIDES
}


class ReportedDays(NamedTuple):
    """Days of a spell that one report covers: within one week or month, and in one home."""

    start: int
    end: int
    municipality: str


def plan(draft: Draft, rng: Random, window: SimulatedDays) -> None:
    """Plan every report of an ordinary life."""
    _plan_case_facts(draft, rng, window)
    for spell in draft.life.spells:
        if spell.kind.codes:
            _plan_payments(draft, rng, spell)
        else:
            _plan_wages(draft, rng, spell)


def pieces(spell: Spell, homes: list[Home]) -> Iterator[ReportedDays]:
    """Divide a spell into the periods in which it is reported, in order of time."""
    start, home = spell.start, iter(homes)
    current = next(home)
    while start <= spell.end:
        while current.until < start:
            current = next(home)
        border = sunday(week_of(start)) if spell.kind.weekly else month_end(start)
        end = min(spell.end, border, current.until)
        yield ReportedDays(start, end, current.municipality)
        start = end + 1


def amount_of(monthly_ore: int, start: int, end: int, *, weekly: bool) -> int:
    """Convert a monthly amount at the level of 2020 to days within one week or month.

    It rises by 2 % a year.
    """
    month = month_at(start)
    regulated = monthly_ore * (100 + 2 * (month // 12 - 2020)) // 100
    if weekly:
        return regulated * 12 // 52 * (end - start + 1) // 7
    return regulated * (end - start + 1) // (month_end(start) + 1 - first_day(month))


def _plan_payments(draft: Draft, rng: Random, spell: Spell) -> None:
    kind, homes = spell.kind, draft.life.homes
    for piece in pieces(spell, homes):
        start, end, municipality = piece
        benefit = kind.benefit_in(month_at(start))
        amount_ore, atp_ore = _amounts(rng, spell, start, end, benefit)
        due = _due(rng, end, weekly=kind.weekly)
        who = parties(
            draft.life.fund, municipality, kind.payer, kind.office, financed=kind.financed
        )
        report = draft.payment(
            who, benefit, start, end, amount_ore, atp_ore, due=due, channel=kind.channel
        )
        draft.planned.append(report)
        for side in _SIDES_BESIDE.get(benefit, ()):
            _plan_side(draft, rng, side, piece)
        if kind.name in FLEX:
            _plan_flex_income(draft, rng, kind.name, start, end)


def _due(rng: Random, end: int, *, weekly: bool) -> int:
    """Draw the day of a report on time: after the week, or in the last days of the month."""
    return end + between(rng, 1, 5) if weekly else month_end(end) - below(rng, 7)


def _amounts(rng: Random, spell: Spell, start: int, end: int, benefit: str) -> tuple[int, int]:
    """Draw an amount and the ATP in it.

    Unemployment benefit is sometimes supplementary, and it alone has ATP.
    """
    amount_ore = amount_of(spell.monthly_ore, start, end, weekly=spell.kind.weekly)
    if spell.kind.payer != "a-kasse":
        return amount_ore, 0
    if happens(rng, 15):
        amount_ore = amount_ore * between(rng, 30, 90) // 100
    return amount_ore, amount_ore * 3 // 200 if benefit in ("ADP", "AMY") else 0


def _plan_side(draft: Draft, rng: Random, side: SideBenefit, piece: ReportedDays) -> None:
    if not happens(rng, side.percent) or not side.first <= month_at(piece.start) <= side.last:
        return
    amount_ore = amount_of(side.monthly_kr * 100, piece.start, piece.end, weekly=False)
    office = Office.SUPPORT if side.payer == "municipality" else Office.FAMILY
    who = parties(draft.life.fund, piece.municipality, side.payer, office)
    due = _due(rng, piece.end, weekly=False)
    draft.planned.append(
        draft.payment(who, side.benefit, piece.start, piece.end, amount_ore, due=due)
    )


def _plan_flex_income(draft: Draft, rng: Random, kind: str, start: int, end: int) -> None:
    """Plan the wage in a fleksjob, in most months; the fleksbidrag waits for it."""
    if kind == "ledighedsydelse" or happens(rng, 8):
        return
    what = "flex_job_wage" if kind == "fleksjob" else "self_employed"
    draft.plan_income(what, start, end, 1_000 * between(rng, 0, 900), _due(rng, end, weekly=False))


def _plan_wages(draft: Draft, rng: Random, spell: Spell) -> None:
    """Plan ordinary wages for a few: they change nothing but explanations."""
    if not happens(rng, 10):
        return
    for start, end, _ in pieces(spell, draft.life.homes):
        amount_ore = amount_of(spell.monthly_ore, start, end, weekly=False)
        draft.plan_income("wage", start, end, amount_ore, _due(rng, end, weekly=False))


def _plan_case_facts(draft: Draft, rng: Random, window: SimulatedDays) -> None:
    spells = draft.life.spells
    flex = next((spell for spell in spells if spell.kind.name in FLEX), None)
    if flex and happens(rng, 40):
        _plan_referral(draft, rng, flex, window)
    pension = next((spell for spell in spells if spell.kind.name == "foertidspension"), None)
    if pension and happens(rng, 30):
        date = max(CUTOFF, pension.start - _days_before(rng, pension.start, window))
        draft.plan_fact("disability_pension_award", date, _soon_after(rng, pension.start, window))
    if draft.life.death is not None:
        draft.plan_fact("death", draft.life.death, _soon_after(rng, draft.life.death, window))


def _plan_referral(draft: Draft, rng: Random, flex: Spell, window: SimulatedDays) -> None:
    """Plan the referral to a fleksjob.

    One in thirty is before the cut-off, and half of these have a new start.
    """
    due = _soon_after(rng, flex.start, window)
    if not happens(rng, 3):
        date = max(CUTOFF, flex.start - _days_before(rng, flex.start, window))
        draft.plan_fact("flex_referral", date, due)
        return
    draft.plan_fact("flex_referral", CUTOFF - between(rng, 1, 900), due)
    if happens(rng, 50):
        start = between(rng, flex.start, flex.end)
        draft.plan_fact("flex_job_start", start, _soon_after(rng, start, window))


def _days_before(rng: Random, start: int, window: SimulatedDays) -> int:
    """Draw how many days before its spell a decision was made.

    It is years for a spell that has begun before the first day.
    """
    return below(rng, 3000) if start == window.first else between(rng, 1, 60)


def _soon_after(rng: Random, date: int, window: SimulatedDays) -> int:
    return min(date + between(rng, 1, 20), window.last)
