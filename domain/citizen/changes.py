"""Changes of cells: the weeks whose money or rate a report moves, before rows are posted."""

from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from domain.citizen.records import Cell, Group, Part
from domain.citizen.reports import Line
from domain.citizen.state import Citizen
from domain.law.counters import differing
from domain.law.staircase import Entitlement, Law
from domain.law.week_counts import WeekCounts

Place = tuple[int, int, str, str, str]
"""Month, week, money code, paying and financing municipality ("" where there is none)."""


class CellChange(Struct, gc=False):
    """A cell to settle: the cell as it is (None where there is none yet), and its new money.

    `is_own` tells if the report itself has money in it. `entitlement` is the row that the law gives
    for the new money, or None.
    """

    month: int
    week: int
    group: Group
    old: Cell | None
    amount_ore: int
    atp_ore: int
    is_own: bool
    entitlement: Entitlement | None = None

    def delta_ore(self) -> int:
        """Give the øre that are added to the cell's amount."""
        return self.amount_ore if self.old is None else self.amount_ore - self.old.amount_ore

    def place(self) -> Place:
        """Give the cell's place, by which the cells of a message are in order."""
        group = self.group
        return self.month, self.week, group.code, group.paying or "", group.financing or ""

    def keeps_the_row(self) -> bool:
        """Tell if the posted row says what is due; its ordinal may differ (contract section 3)."""
        old, due = self.old, self.entitlement
        return (
            old is not None
            and due is not None
            and old.amount_ore == self.amount_ore
            and old.atp_ore == self.atp_ore
            and old.mechanism == due.mechanism
            and old.rate == due.rate
            and old.result_ore == due.result_ore
            and old.account == due.account
        )


def own_changes(law: Law, line: Line, parts: Sequence[Part], sign: int) -> list[CellChange]:
    """Add a line's money to its cells (sign 1), or take it out (-1), in the order of weeks.

    A cell that is not there yet begins with nothing. Days before counting began have no cells:
    their share is lost (item 3).
    """
    start, end, code = line.start, line.end, line.code
    groups = {part.month: part.group(code, line.paying, line.financing) for part in parts}
    base_ore, total_atp_ore = law.base(code, sign * line.amount_ore, sign * line.atp_ore)
    atps = iter(law.split(total_atp_ore, start, end)) if total_atp_ore else None
    changes: list[CellChange] = []
    atp_ore, at, group, last = 0, -1, None, 0
    for month, week, amount_ore in law.split(base_ore, start, end):
        if atps is not None:
            _, _, atp_ore = next(atps)
        if month != at:
            at, group = month, groups.get(month)
            last = group.cells[-1].week if group is not None and group.cells else -1
        if group is None or not (amount_ore or atp_ore):
            continue
        if week > last or (old := group.cell(week)) is None:
            changes.append(CellChange(month, week, group, None, amount_ore, atp_ore, True))
        else:
            new_ore, new_atp_ore = old.amount_ore + amount_ore, old.atp_ore + atp_ore
            changes.append(CellChange(month, week, group, old, new_ore, new_atp_ore, True))
    return changes


def affected_changes(
    law: Law,
    citizen: Citizen,
    weeks: tuple[WeekCounts, WeekCounts],
    moved_from: int,
    own: Iterable[CellChange],
) -> Iterator[CellChange]:
    """Give the cells, other than the report's own, in weeks whose step is another than before.

    `weeks` are as they were and as they are; no step before the week `moved_from` has changed.
    """
    was, now = weeks
    last = citizen.head.last_week_with_money
    spans = differing(law.profile(was, moved_from), law.profile(now, moved_from), last)
    turn_week = law.turn_week
    if moved_from <= turn_week + 1 and law.turn_of_year_step(was) != law.turn_of_year_step(now):
        spans.append((turn_week, turn_week))
    taken = {change.place() for change in own}
    for first, last in spans:
        for change in cells_between(law, citizen, first, last):
            if change.place() not in taken:
                taken.add(change.place())
                yield change


def cells_between(law: Law, citizen: Citizen, first: int, last: int) -> Iterator[CellChange]:
    """Give every cell in the weeks first..last whose rate may move, its money as it is."""
    for part in citizen.parts_between(first, last):
        for group in part.groups:
            if group.code in law.movable:
                for cell in group.cells:
                    if first <= cell.week <= last:
                        citizen.open_part(part.month)
                        yield unmoved(part.month, group, cell)


def unmoved(month: int, group: Group, cell: Cell) -> CellChange:
    """Give a cell to settle whose money stays as it is."""
    return CellChange(month, cell.week, group, cell, cell.amount_ore, cell.atp_ore, False)


def entitle(law: Law, weeks: WeekCounts, changes: Iterable[CellChange]) -> None:
    """Ask the law for the row of each changed cell."""
    for change in changes:
        change.entitlement = law.entitlement(
            weeks, change.month, change.week, change.group.code, change.amount_ore
        )


def entitle_own(law: Law, weeks: WeekCounts, changes: Sequence[CellChange]) -> None:
    """Ask the law for the rows of a report's own cells, which are of one code and in order.

    Where the ordinals of the weeks follow one another, one question answers for all.
    """
    if not changes:
        return
    first, last = changes[0], changes[-1]
    run = law.run_of_weeks(weeks, first.group.code, first.week, last.week)
    if run is None:
        if law.gives_rows(first.group.code):
            entitle(law, weeks, changes)
        return
    at_zero, rise, mechanism, by_ordinal = run
    percentage = law.percentage
    for change in changes:
        if amount_ore := change.amount_ore:
            number = at_zero + rise * change.week
            rate, account = by_ordinal[number]
            result_ore = percentage(amount_ore, rate)
            change.entitlement = Entitlement(number, mechanism, rate, result_ore, account)
