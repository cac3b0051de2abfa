"""The weeks that a citizen's money touches, and their count, kept up with each report."""

from collections.abc import Iterable, Sequence
from functools import reduce
from operator import or_

from domain.basics.weeks import slices, week_of
from domain.citizen.changes import CellChange
from domain.citizen.reports import Line
from domain.citizen.state import Citizen
from domain.law.counters import highest, lowest
from domain.law.recount import TouchedWeeks, recount
from domain.law.staircase import Law


def count_weeks(
    law: Law, citizen: Citizen, line: Line, changes: Sequence[CellChange], sign: int
) -> int | None:
    """Mark the weeks of a line that came in (sign 1) or was taken out (-1), and count all anew.

    Gives the first week from which steps of other cells may have moved, or None.
    """
    head, code = citizen.change_head(), line.code
    before = head.touched.get(code, 0)
    if law.any_report_touches:
        reported = weeks_with_days(law, line)
        touched = _touched_by_days(law, citizen, code, reported, sign)
        last = highest(reported)
    else:
        touched = _touched_by_net(citizen, line, before, changes)
        last = changes[-1].week
    head.touched[code] = touched
    old_end = head.last_week_with_money
    end = max(old_end, law.decided_by(last))
    change = TouchedWeeks(code, touched & ~before, before & ~touched)
    head.weeks, moved_from = recount(law, head.weeks, head.touched, change, old_end, end)
    head.last_week_with_money = end
    return moved_from


def _touched_by_net(
    citizen: Citizen, line: Line, positive: int, changes: Sequence[CellChange]
) -> int:
    """Give the weeks whose net is positive now, and note those whose net is negative.

    A week's old sign mostly decides the new one; else the net is summed, over both its months.
    """
    head, code = citizen.head, line.code
    negative = head.overpaid.get(code, 0)
    if not negative and _all_weeks_gain(line, changes):
        first, last = changes[0].week, changes[-1].week
        return positive | ((2 << (last - first)) - 1) << first
    deltas: dict[int, int] = {}
    for change in changes:
        deltas[change.week] = deltas.get(change.week, 0) + change.delta_ore()
    for week, delta_ore in deltas.items():
        bit = 1 << week
        if not delta_ore or (positive if delta_ore > 0 else negative) & bit:
            continue
        owed = (negative if delta_ore > 0 else positive) & bit
        net_ore = citizen.net(code, week) + delta_ore if owed else delta_ore
        positive = positive | bit if net_ore > 0 else positive & ~bit
        negative = negative | bit if net_ore < 0 else negative & ~bit
    if negative or code in head.overpaid:
        head.overpaid[code] = negative
    return positive


def _all_weeks_gain(line: Line, changes: Sequence[CellChange]) -> bool:
    """Tell if a line adds money to each slice of its period."""
    if len(changes) != len(slices(line.start, line.end)):
        return False
    for change in changes:
        old = change.old
        if change.amount_ore <= (0 if old is None else old.amount_ore):
            return False
    return True


def weeks_with_days(law: Law, line: Line) -> int:
    """Give the weeks in which a line's period has days that count."""
    if line.end < law.counting_from:
        return 0
    first, last = week_of(max(line.start, law.counting_from)), week_of(line.end)
    return (1 << (last + 1)) - (1 << first)


def _touched_by_days(law: Law, citizen: Citizen, code: str, weeks: int, sign: int) -> int:
    """Give the weeks in which a report that stands has days, of any amount (TOUCH = ANY_REPORT)."""
    before = citizen.head.touched.get(code, 0)
    if sign > 0:
        return before | weeks
    parts = citizen.parts_between(lowest(weeks), highest(weeks))
    lines = [line for part in parts for line in part.lines if line.code == code]
    standing = [weeks_with_days(law, line) for line in lines if not line.reversed]
    return before & ~weeks | reduce(or_, standing, 0) & weeks


def signs_of_weeks(changes: Iterable[CellChange]) -> tuple[dict[str, int], dict[str, int]]:
    """Give the weeks with a positive and with a negative net by money code, given all cells."""
    nets: dict[tuple[str, int], int] = {}
    for change in changes:
        place = change.group.code, change.week
        nets[place] = nets.get(place, 0) + change.amount_ore
    touched: dict[str, int] = {}
    overpaid: dict[str, int] = {}
    for (code, week), net_ore in nets.items():
        if net_ore:
            signs = touched if net_ore > 0 else overpaid
            signs[code] = signs.get(code, 0) | 1 << week
    return touched, overpaid


def reported_weeks(law: Law, citizen: Citizen) -> dict[str, int]:
    """Give the weeks in which a report that stands has days, by money code."""
    touched: dict[str, int] = {}
    for part in citizen.all_parts():
        for line in part.lines:
            if not line.reversed:
                touched[line.code] = touched.get(line.code, 0) | weeks_with_days(law, line)
    return touched
