"""A citizen settled anew from the lines alone, without what was kept up report by report.

It is for a citizen whom another law or an earlier version has settled, and it is a second opinion
on `domain.citizen.aggregate`.
"""

from collections.abc import Iterable, Iterator

from domain.basics.weeks import week_of
from domain.citizen.changes import CellChange, entitle
from domain.citizen.consequences import Settling, with_fleksbidrag
from domain.citizen.fleksbidrag import FLEKSBIDRAG
from domain.citizen.records import Part
from domain.citizen.reports import (
    CaseFact,
    Freeing,
    Income,
    Line,
    Payment,
    Report,
    Reversal,
    cause,
    income_line_of,
    line_of,
    says_the_same,
)
from domain.citizen.room import Room
from domain.citizen.state import Citizen
from domain.citizen.touch import reported_weeks, signs_of_weeks
from domain.law.counters import highest
from domain.law.staircase import Law, count_anew


def settle_anew(law: Law, citizen: Citizen) -> Settling:
    """Settle a citizen's whole life, whatever law or version has settled it until now.

    The cells get the sums of the lines under this law; the rows posted for them are left as they
    are, for posting to compare with. Only cells that are not right as they are are changed. The
    counters are always given; notices never, since no report has come.
    """
    return settle_all_lines(law, citizen)._replace(notices=[])


def settle_all_lines(law: Law, citizen: Citizen) -> Settling:
    """Settle anew, with the notices of months that lack a value since these lines are what stands.

    A report that moves much is settled in this way.
    """
    head = citizen.head
    was = head.law, head.weeks
    changes = [change for part in citizen.all_parts() for change in _cells_anew(law, part)]
    if law.any_report_touches:
        head.touched, head.overpaid = reported_weeks(law, citizen), {}
    else:
        head.touched, head.overpaid = signs_of_weeks(changes)
    last = max([head.last_week_with_money, *map(highest, head.touched.values())])
    head.last_week_with_money = end = max(head.last_week_with_money, law.decided_by(last))
    head.weeks = now = count_anew(law, head.touched, law.status(head.facts), end)
    head.settled_by(law)
    entitle(law, now, changes)
    months = {part.month for part in citizen.all_parts() if any(part.cells_of(FLEKSBIDRAG))}
    settling = with_fleksbidrag(
        law, citizen, Settling(changes, law.counters(now), [], False), months
    )
    wrong = [change for change in settling.changes if not _is_right(change)]
    for change in wrong:
        citizen.open_part(change.month)
    if was != (law, now):
        citizen.change_head()
    wrong.sort(key=CellChange.place)
    return settling._replace(changes=wrong)


def _cells_anew(law: Law, part: Part) -> Iterator[CellChange]:
    """Give all cells of a month but those of fleksbidrag, with the sums of its lines."""
    sums: dict[tuple[str, str | None, str | None], dict[int, tuple[int, int]]] = {}
    for group in part.groups:
        if group.code != FLEKSBIDRAG:
            weeks = {cell.week: (0, 0) for cell in group.cells}
            sums[group.code, group.paying, group.financing] = weeks
    for line in part.lines:
        if not line.reversed:
            weeks = sums.setdefault((line.code, line.paying, line.financing), {})
            for week, amount_ore, atp_ore in _slices_in(law, line, part.month):
                before_ore, before_atp_ore = weeks.get(week, (0, 0))
                weeks[week] = before_ore + amount_ore, before_atp_ore + atp_ore
    for place, weeks in sums.items():
        group = part.group(*place)
        for week, (amount_ore, atp_ore) in weeks.items():
            old = group.cell(week)
            if old is not None or amount_ore or atp_ore:
                yield CellChange(part.month, week, group, old, amount_ore, atp_ore, False)


def _slices_in(law: Law, line: Line, month: int) -> Iterator[tuple[int, int, int]]:
    """Give the weeks of a line in a month, with its amount and ATP in each."""
    base_ore, total_atp_ore = law.base(line.code, line.amount_ore, line.atp_ore)
    amounts = law.split(base_ore, line.start, line.end)
    atps = law.split(total_atp_ore, line.start, line.end)
    for (of_month, week, amount_ore), (_, _, atp_ore) in zip(amounts, atps, strict=True):
        if of_month == month:
            yield week, amount_ore, atp_ore


def _is_right(change: CellChange) -> bool:
    """Tell if a cell, and the row posted for it, are as they should be."""
    old = change.old
    if old is None or old.amount_ore != change.amount_ore or old.atp_ore != change.atp_ore:
        return False
    return change.keeps_the_row() if old.revision else change.entitlement is None


def _accepted(reports: Iterable[Report | Freeing], room: Room) -> list[tuple[Report, bool]]:
    """Give the first report of each id, with those whose id was freed, and which are reversed."""
    accepted: dict[str, Report] = {}
    reversed_: set[str] = set()
    reversed_groups: set[tuple[str, str]] = set()
    freed: dict[str, Report | None] = {}
    put_aside: list[tuple[Report, bool]] = []
    for report in reports:
        if isinstance(report, Freeing):
            former = accepted.get(report.name)
            if isinstance(former, Reversal):
                continue
            if former is not None:
                put_aside.append((accepted.pop(report.name), True))
            if former is not None or report.name in reversed_:
                freed[report.name] = former
            reversed_.discard(report.name)
            continue
        name = cause(report)
        if name in accepted or _was_freed(freed.get(name), report) or not room.takes(report):
            continue
        accepted[name] = report
        if isinstance(report, Reversal) and report.reverses_group:
            reversed_groups.add((report.reporter, report.reverses_group))
        elif isinstance(report, Reversal):
            reverses = f"{report.reporter}/{report.reverses}"
            reversed_.add(reverses)
            if reverses not in accepted:
                freed.pop(reverses, None)
    standing = (
        (report, name in reversed_ or (report.reporter, report.group) in reversed_groups)
        for name, report in accepted.items()
    )
    return [*put_aside, *standing]


def _was_freed(freed: Report | None, report: Report) -> bool:
    return freed is not None and says_the_same(freed, report)


def fold_lines(law: Law, citizen: Citizen, reports: Iterable[Report | Freeing]) -> None:
    """Take a citizen's whole journal into a new state at once, for `settle_anew` to settle.

    It gives the lines that report by report would: the first of one id is kept, if its months have
    room, and a reversal holds wherever it comes.
    """
    head = citizen.head
    for report, is_reversed in _accepted(reports, Room(law.counting_from_month)):
        if isinstance(report, Payment):
            end = law.decided_by(week_of(report.end))
            for part in citizen.open_period(report.start, report.end):
                part.lines.append(line_of(report, is_reversed))
                head.last_week_with_money = max(head.last_week_with_money, end)
        elif isinstance(report, Income):
            for part in citizen.open_period(report.start, report.end):
                part.incomes.append(income_line_of(report, is_reversed))
        elif isinstance(report, CaseFact) and not is_reversed:
            dates = head.facts.setdefault(report.fact, {})
            dates[report.date] = dates.get(report.date, 0) + 1
