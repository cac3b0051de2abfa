"""Det særlige fleksbidrag: a month's amount beside fleksløntilskud on the 20 % step.

LBK 221/2021 § 7, rules 1.4 and 4.2, item 16:

    F = (min(share × (B − R), CAP) − reduction × W) × d4 / d, to the nearest krone, not below 0

The switches FB_READING and FB_PRORATION replace share × (B − R) and d4 / d. The wages are always
split by calendar days.

It depends on a month's fleksløntilskud, its wages and the ordinals of its weeks. It is computed
anew for every month in which one of them moved, and may then move to another cell.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from domain.basics.money import split
from domain.basics.weeks import first_day, monday, sunday
from domain.citizen.changes import CellChange
from domain.citizen.records import Part
from domain.law.old_cases import FLEKSLOENTILSKUD
from domain.law.rates import LETTER
from domain.law.staircase import Entitlement, Law
from domain.law.week_counts import WeekCounts

FLEKSBIDRAG = "FB"
WAGES = frozenset({"wage", "flex_job_wage"})
WITH_WAGES = frozenset({FLEKSLOENTILSKUD, FLEKSBIDRAG})
"""Codes whose months have, or may have, fleksbidrag: wages settle nothing in other months."""
WHOLE = 100
"""The rate of fleksbidrag in percent: the State pays all of it."""


READINGS: Mapping[str, Callable[[int, int, int], int]] = {
    "B": lambda percent, basis_ore, refusion_ore: percent * (basis_ore - refusion_ore),
    "A": lambda percent, basis_ore, refusion_ore: percent * basis_ore - 100 * refusion_ore,
}
"""The share before the cap, in hundredths of an øre, by the values of the switch FB_READING."""

PRORATIONS: Mapping[str, Callable[[int, int], tuple[int, int]]] = {
    "BY_DAYS": lambda days, entitling_days: (entitling_days, days),
    "WHOLE_MONTH": lambda _days, _entitling_days: (1, 1),
    "NONE": lambda days, entitling_days: (int(entitling_days == days), 1),
}
"""The fraction of a month's amount that is due, given d and d4, by the values of FB_PRORATION."""


class Entitling(NamedTuple):
    """A cell of fleksløntilskud on the step that entitles, in the order of item 16."""

    week: int
    paying: str
    financing: str
    refusion_ore: int


class Working(NamedTuple):
    """The computation of F, and F itself in øre.

    F is 0 where the year's B is not known, or no wage is. `share_hundredths` is the share before
    the cap, in hundredths of an øre; `fraction` is the part that is due.
    """

    basis_kroner: int | None
    refusion_ore: int
    share_hundredths: int
    cap_kroner: int
    wages_ore: int | None
    days: int
    entitling_days: int
    fraction: tuple[int, int]
    ore: int


class Bidrag(NamedTuple):
    """A month's cells of fleksbidrag to settle, and if B is newly missing for the month."""

    changes: list[CellChange]
    basis_missing: bool


def has_fleksbidrag(part: Part) -> bool:
    """Tell if a month has fleksløntilskud or fleksbidrag."""
    return any(group.code in WITH_WAGES for group in part.groups)


def may_have_fleksbidrag(law: Law, part: Part) -> bool:
    """Tell if a month may have fleksbidrag to settle.

    Without wages there is no F, but B may be missing, or an earlier system's row may be there.
    """
    if part.month < law.rates_from_month:
        return False
    return (
        bool(part.incomes)
        or part.month // 12 not in law.rules.flex_basis
        or any(group.code == FLEKSBIDRAG for group in part.groups)
    )


def fleksbidrag(
    law: Law, weeks: WeekCounts, part: Part, changes: Sequence[CellChange], *, own: bool
) -> Bidrag:
    """Compute a month's fleksbidrag anew, given the cells that a report changes.

    `own` tells if the report itself has money or wages in the month.
    """
    entitling = entitling_cells(law, weeks, part, changes)
    ore = worked_out(law, weeks, part, entitling).ore if entitling else 0
    bidrag = [_due_now(law, weeks, part, entitling, ore, own=own)] if ore else []
    kept = {change.place() for change in bidrag}
    for group in part.groups:
        if group.code == FLEKSBIDRAG:
            cells = [
                CellChange(part.month, cell.week, group, cell, 0, 0, own) for cell in group.cells
            ]
            bidrag += [change for change in cells if change.place() not in kept]
    missing = bool(entitling) and part.month // 12 not in law.rules.flex_basis
    return Bidrag(bidrag, missing and not _had_entitling(law, part))


def _due_now(
    law: Law, weeks: WeekCounts, part: Part, entitling: Sequence[Entitling], ore: int, *, own: bool
) -> CellChange:
    """Give the cell of a month's fleksbidrag: the first entitling week, the last one's place."""
    week, last = entitling[0].week, entitling[-1]
    group = part.group(FLEKSBIDRAG, last.paying or None, last.financing or None)
    account = law.rules.accounts.get((FLEKSBIDRAG, "refusion", WHOLE))
    due = Entitlement(law.ordinal(weeks, week), LETTER["refusion"], WHOLE, ore, account)
    return CellChange(part.month, week, group, group.cell(week), ore, 0, own, due)


def entitling_cells(
    law: Law, weeks: WeekCounts, part: Part, changes: Iterable[CellChange] = ()
) -> list[Entitling]:
    """Give the month's positive cells of fleksløntilskud on the step that entitles.

    They are on the staircase. `changes` come before the cells as they are.
    """
    if FLEKSLOENTILSKUD not in law.on_staircase:
        return []
    changed = {
        change.place(): change
        for change in changes
        if change.month == part.month and change.group.code == FLEKSLOENTILSKUD
    }
    for group in part.groups:
        if group.code == FLEKSLOENTILSKUD:
            for cell in group.cells:
                change = CellChange(
                    part.month, cell.week, group, cell, cell.amount_ore, cell.atp_ore, False,
                    Entitlement(cell.ordinal, cell.mechanism, cell.rate, cell.result_ore, None),
                )  # fmt: skip
                changed.setdefault(change.place(), change)
    step_rate = law.rules.fleksbidrag.only_at_refusion
    return sorted(
        Entitling(week, paying, financing, change.entitlement.result_ore)
        for (_, week, code, paying, financing), change in changed.items()
        if change.entitlement
        and change.entitlement.rate == step_rate
        and change.amount_ore > 0
        and not weeks.status.is_old(code, week)
    )


def _had_entitling(law: Law, part: Part) -> bool:
    """Tell if a cell on that step was posted before the report."""
    return any(
        cell.revision
        and cell.amount_ore > 0
        and cell.rate == law.rules.fleksbidrag.only_at_refusion
        for cell in part.cells_of(FLEKSLOENTILSKUD)
    )


def worked_out(law: Law, weeks: WeekCounts, part: Part, entitling: Sequence[Entitling]) -> Working:
    """Compute F of a month with entitling cells."""
    rules = law.rules.fleksbidrag
    basis = law.rules.flex_basis.get(part.month // 12)
    wages_ore = _wages_ore(part)
    refusion_ore = sum(cell.refusion_ore for cell in entitling)
    days, entitling_days = _days(weeks, part, {cell.week for cell in entitling})
    if basis is None:
        return Working(None, refusion_ore, 0, 0, wages_ore, days, entitling_days, (0, 1), 0)
    cap_kroner = (basis.kroner * rules.cap_percent * 2 + 100) // 200
    share = READINGS[law.rules.switches["FB_READING"]](
        rules.share_percent, basis.kroner * 100, refusion_ore
    )
    known = (basis.kroner, refusion_ore, share, cap_kroner, wages_ore, days, entitling_days)
    if wages_ore is None or not days:
        return Working(*known, (0, 1), 0)
    most = min(share, cap_kroner * 100 * 100)
    hundredths_ore = most - rules.wage_reduction_percent * wages_ore  # of an øre, for the percent
    part_due, parts = PRORATIONS[law.rules.switches["FB_PRORATION"]](days, entitling_days)
    kroner = (2 * hundredths_ore * part_due + 10_000 * parts) // (20_000 * parts)  # half up
    return Working(*known, (part_due, parts), max(0, kroner) * 100)


def _wages_ore(part: Part) -> int | None:
    """Sum the month's share of the wages without pension (W); None where no wage is reported."""
    wages = [line for line in part.incomes if line.kind in WAGES and not line.reversed]
    if not wages:
        return None
    return sum(
        amount_ore
        for line in wages
        for month, _, amount_ore in split(line.amount_ore, line.start, line.end)
        if month == part.month
    )


def _days(counts: WeekCounts, part: Part, weeks: Iterable[int]) -> tuple[int, int]:
    """Count the month's days with fleksløntilskud on the staircase (d), and entitling ones (d4)."""
    paid = 0
    for line in part.lines:
        if line.code == FLEKSLOENTILSKUD and line.amount_ore > 0 and not line.reversed:
            paid |= _days_of_month(part.month, line.start, line.end)
    if counts.status.transfer:
        paid &= ~_days_of_month(
            part.month, first_day(part.month), sunday(counts.status.transfer - 1)
        )
    entitling = 0
    for week in weeks:
        entitling |= _days_of_month(part.month, monday(week), sunday(week))
    return paid.bit_count(), (paid & entitling).bit_count()


def _days_of_month(month: int, start: int, end: int) -> int:
    """Give the days of a period that lie in a month, as a set of bits (bit 0 is its first day)."""
    begins = first_day(month)
    first, last = max(start, begins), min(end, first_day(month + 1) - 1)
    return ((1 << (last - first + 1)) - 1) << (first - begins) if last >= first else 0
