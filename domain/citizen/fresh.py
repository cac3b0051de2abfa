"""The one fast path: a payment whose weeks have no cells yet makes no change for each cell.

More than eight reports of ten are such payments, those that give no rows (SU and the like) among
them. All else of the law is shared: the weeks are counted by `domain.law.recount`, the ordinals
come from `Law.run_of_weeks`. What is repeated here is
that a positive amount is split by days and a percentage of it is rounded. Decision 7 has the
figure, and `python -m bench law` measures it at each run.
"""

from collections.abc import Sequence
from typing import NamedTuple

from domain.basics.money import SHARES
from domain.basics.named import made
from domain.citizen.fleksbidrag import may_have_fleksbidrag
from domain.citizen.records import Group, Part
from domain.citizen.reports import Line
from domain.citizen.state import Citizen
from domain.law.old_cases import FLEKSLOENTILSKUD
from domain.law.recount import TouchedWeeks, recount
from domain.law.staircase import Law, RunOfWeeks

Piece = tuple[int, int, int, int]
"""Month, week, days, and extra øre of a slice, as `domain.basics.money.SHARES` gives them."""


class FreshCells(NamedTuple):
    """The cells that a payment makes: each slice has the øre of its days and its extra øre.

    `atps_ore` is the ATP of each slice, or empty where there is none. `run` is None where the
    money gives no rows.
    """

    pieces: Sequence[Piece]
    per_day_ore: int
    atps_ore: Sequence[int]
    groups: dict[int, Group]
    run: RunOfWeeks | None


def fresh_cells(law: Law, citizen: Citizen, line: Line, parts: Sequence[Part]) -> FreshCells | None:
    """Count a payment's weeks and give its cells, if all are new and no other week moves.

    None where that is not so: then nothing is changed, and the weeks are counted by those of the
    report's own changes.
    """
    head, code = citizen.head, line.code
    start, end = line.start, line.end
    base_ore, atp_ore = line.amount_ore, line.atp_ore
    if atp_ore:
        base_ore, atp_ore = law.base(code, base_ore, atp_ore)
    days = end - start + 1
    if base_ore < days or not law.is_plain or head.overpaid.get(code):
        return None
    pieces = SHARES[start, end, base_ore % days]
    (_, first, _, _), (_, last, _, _) = pieces[0], pieces[-1]
    if first < law.plain_from:
        return None
    groups: dict[int, Group] = {}
    for part in parts:
        group = groups[part.month] = part.group(code, line.paying, line.financing)
        if part.openings or ((cells := group.cells) and cells[-1].week >= first):
            return None
    if code == FLEKSLOENTILSKUD and any(may_have_fleksbidrag(law, part) for part in parts):
        return None
    before = head.touched.get(code, 0)
    touched = before | ((2 << (last - first)) - 1) << first
    old_end = head.last_week_with_money
    end_week = max(old_end, last)
    change = made(TouchedWeeks, (code, touched & ~before, 0))
    head.touched[code] = touched
    weeks, moved_from = recount(law, head.weeks, head.touched, change, old_end, end_week)
    run = None if moved_from is not None else law.run_of_weeks(weeks, code, first, last)
    if moved_from is not None or (run is None and law.gives_rows(code)):
        head.touched[code] = before
        return None
    atps_ore = [ore for _, _, ore in law.split(atp_ore, start, end)] if atp_ore else ()
    citizen.change_head()
    head.weeks, head.last_week_with_money = weeks, end_week
    return made(FreshCells, (pieces, base_ore // days, atps_ore, groups, run))
