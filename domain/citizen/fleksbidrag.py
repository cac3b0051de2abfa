"""Det særlige fleksbidrag: a month's amount beside fleksløntilskud on the 20 % step (LBK 221/2021 § 7).

Rules 1.4 and 4.2, item 16:

    F = (min(share × (B − R), CAP) − reduction × W) × d4 / d, to the nearest krone, not below 0

The switches FB_READING and FB_PRORATION replace share × (B − R) and d4 / d. The wages are always
split by calendar days.

It hangs on a month's fleksløntilskud, its wages and the ordinals of its weeks, so that it is worked
out anew for every month in which one of them moved, and may move to another cell.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from domain.basics.money import split
from domain.basics.weeks import first_day, monday, sunday
from domain.citizen.state import (
    AMOUNT,
    CELL_AMOUNT,
    CELL_ORDINAL,
    CELL_RATE,
    CODE,
    END,
    INCOME_REVERSED,
    KIND,
    REVERSED,
    START,
    UNPOSTED,
    WEEK,
    Citizen,
    Part,
    cell_of,
)
from domain.law.old_cases import FLEKSLOENTILSKUD
from domain.law.staircase import LETTER, Due, Law, Move, Reading

FLEKSBIDRAG = "FB"
WAGES = frozenset({"wage", "flex_job_wage"})
WITH_WAGES = frozenset({FLEKSLOENTILSKUD, FLEKSBIDRAG})
"""In a month with neither, wages settle nothing."""
WHOLE = 100
"""The state pays all of it: percent of the amount."""


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
"""The part of a month's amount that is due, as a fraction of d and d4, by the values of the switch FB_PRORATION."""


class Entitling(NamedTuple):
    """A cell of fleksløntilskud on the step that gives a right to fleksbidrag; in the order of rule 16."""

    week: int
    paying: str
    financing: str
    refusion_ore: int


class Working(NamedTuple):
    """What F is worked out from, and F itself in øre; 0 where the year's B is not known, or no wage is.

    `share_hundredths` is that before the cap, in hundredths of an øre; `fraction` is the part of it
    that is due.
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
    """What follows for a month's fleksbidrag: the cells that change, and whether B is newly missing for it."""

    settled: list[tuple[Move, Due | None]]
    basis_missing: bool


Moved = Mapping[int, tuple[int, Due | None]]
"""The new amounts of the cells that a report moves, with what is due for them, by the cells' identity.

Every other cell stands as it should."""


def may_have_fleksbidrag(law: Law, part: Part) -> bool:
    """Whether fleksløntilskud in a month gives more to settle: there is no F without wages, but B may be missing."""
    return bool(part.incomes) or part.month // 12 not in law.rules.flex_basis


def fleksbidrag(
    law: Law, reading: Reading, citizen: Citizen, month: int, moved: Moved, *, own: bool
) -> Bidrag | None:
    """The cells of a month's fleksbidrag to settle; None where it neither had nor has any.

    `own` tells whether the report itself has money or wages in the month.
    """
    part = citizen.part(month)
    if part is None or month < law.rates_from_month:
        return None
    entitling = entitling_cells(law, reading, part, moved)
    ore = worked_out(law, reading, part, entitling).ore if entitling else 0
    settled: list[tuple[Move, Due | None]] = []
    if ore:
        last = entitling[-1]
        settled.append(
            _due_now(
                law, reading, part, (entitling[0].week, last.paying, last.financing), ore, own=own
            )
        )
    kept = settled[0][0][3] if settled else None
    for group in part.groups:
        if group[0] == FLEKSBIDRAG:
            gone = [cell for cell in group[3] if cell is not kept]
            settled += [((month, cell[WEEK], group, cell, 0, 0, own), None) for cell in gone]
    if settled:
        citizen.open_part(month)
    missing = bool(entitling) and month // 12 not in law.rules.flex_basis
    return Bidrag(settled, missing and not _had_entitling(law, part))


def _due_now(
    law: Law, reading: Reading, part: Part, place: tuple[int, str, str], ore: int, *, own: bool
) -> tuple[Move, Due | None]:
    week, paying, financing = place
    group = part.group(FLEKSBIDRAG, paying or None, financing or None)
    account = law.rules.accounts.get((FLEKSBIDRAG, "refusion", WHOLE))
    due = (law.ordinal(reading, week), LETTER["refusion"], WHOLE, ore, account)
    return (part.month, week, group, cell_of(group[3], week), ore, 0, own), due


def entitling_cells(law: Law, reading: Reading, part: Part, moved: Moved) -> list[Entitling]:
    """The month's cells of fleksløntilskud that are on the staircase, on the step for it, and positive."""
    if FLEKSLOENTILSKUD not in law.on_staircase:
        return []
    step_rate = law.rules.fleksbidrag.only_at_refusion
    found = []
    for code, paying, financing, cells in part.groups:
        if code == FLEKSLOENTILSKUD:
            for cell in cells:
                amount_ore, due = moved.get(id(cell)) or (cell[CELL_AMOUNT], cell[CELL_ORDINAL:])
                if (
                    due
                    and due[2] == step_rate
                    and amount_ore > 0
                    and not reading.standing.is_old(code, cell[WEEK])
                ):
                    found.append(Entitling(cell[WEEK], paying or "", financing or "", due[3]))
    return sorted(found)


def _had_entitling(law: Law, part: Part) -> bool:
    """Whether a cell on that step stood before the report."""
    return any(
        len(cell) > UNPOSTED
        and cell[CELL_AMOUNT] > 0
        and cell[CELL_RATE] == law.rules.fleksbidrag.only_at_refusion
        for cell in part.cells_of(FLEKSLOENTILSKUD)
    )


def worked_out(law: Law, reading: Reading, part: Part, entitling: Sequence[Entitling]) -> Working:
    """F of a month with entitling cells."""
    rules = law.rules.fleksbidrag
    basis = law.rules.flex_basis.get(part.month // 12)
    wages_ore = _wages_ore(part)
    refusion_ore = sum(cell.refusion_ore for cell in entitling)
    days, entitling_days = _days(reading, part, {cell.week for cell in entitling})
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
    """W: the month's share of the wages without pension; None where none is reported, not even 0."""
    wages = [line for line in part.incomes if line[KIND] in WAGES and not line[INCOME_REVERSED]]
    if not wages:
        return None
    return sum(
        amount_ore
        for line in wages
        for month, _, amount_ore in split(line[AMOUNT], line[START], line[END])
        if month == part.month
    )


def _days(reading: Reading, part: Part, weeks: Iterable[int]) -> tuple[int, int]:
    """The month's days with fleksløntilskud on the staircase (d), and those of them in the entitling weeks (d4)."""
    paid = 0
    for line in part.lines:
        if line[CODE] == FLEKSLOENTILSKUD and line[AMOUNT] > 0 and not line[REVERSED]:
            paid |= _days_of_month(part.month, line[START], line[END])
    if reading.standing.transfer:
        paid &= ~_days_of_month(
            part.month, first_day(part.month), sunday(reading.standing.transfer - 1)
        )
    entitling = 0
    for week in weeks:
        entitling |= _days_of_month(part.month, monday(week), sunday(week))
    return paid.bit_count(), (paid & entitling).bit_count()


def _days_of_month(month: int, start: int, end: int) -> int:
    """The days of a period that lie in a month, as a set of bits."""
    begins = first_day(month)
    first, last = max(start, begins), min(end, first_day(month + 1) - 1)
    return ((1 << (last - first + 1)) - 1) << (first - begins) if last >= first else 0
