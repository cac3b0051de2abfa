"""The aggregate: one citizen, folded report by report, read from top to bottom.

    change = enter(report)         the lines of the months, and what was seen
    own    = own_changes(line)     the report's own cells
    weeks  = count_weeks(own)      which weeks are touched, which make a new start
    cells  = own + affected        cells in other weeks whose step has moved
    rows   = entitle(weeks, cells) what the law gives for each; fleksbidrag follows from it

`domain.citizen.posting` then posts what differs from what is posted. Any order, any number of
deliveries, and reversals before the report that they reverse give the same truth (contract section
2); only of conflicting duplicates the first is kept.

A report at the frontier moves its own cells alone. One that changes the state of an earlier week
keeps the resets before that week, searches on from there, and settles the cells in spans of weeks
whose step of the staircase differs, and no others. `domain.citizen.recalculation` is the second
opinion: it takes the lines alone.
"""

from collections.abc import Mapping, Sequence

from domain.basics.named import made
from domain.citizen.changes import (
    CellChange,
    affected_changes,
    cells_between,
    entitle,
    entitle_own,
    own_changes,
)
from domain.citizen.consequences import (
    UNCHANGED,
    Settling,
    line_in_parts,
    moved_counters,
    with_fleksbidrag,
)
from domain.citizen.doubts import (
    Notice,
    contradicted,
    contradiction_notices,
    death_notices,
    net_notices,
    payment_notices,
    reversed_before,
)
from domain.citizen.early_reversals import await_report, overdue_notices
from domain.citizen.fleksbidrag import WAGES, has_fleksbidrag
from domain.citizen.fresh import fresh_cells
from domain.citizen.group_reversals import take_back_several
from domain.citizen.groups import enter_group, members_taken_back
from domain.citizen.openings import take_over
from domain.citizen.records import (
    CAME_AGAIN,
    FREED,
    NOTICED,
    WAITING,
    Part,
    SeenReport,
    StateError,
    group_in_state,
)
from domain.citizen.reports import (
    CaseFact,
    ConflictingDuplicateError,
    Income,
    IncomeLine,
    Line,
    Payment,
    Report,
    Reversal,
    content_digest,
    income_line_of,
    line_digest,
    line_of,
)
from domain.citizen.room import MOST_REPORTS
from domain.citizen.state import Citizen
from domain.citizen.touch import count_weeks
from domain.law.old_cases import DECIDING_FACTS, FLEKSLOENTILSKUD
from domain.law.staircase import Law, count_anew
from domain.law.week_counts import WeekCounts

WITH_PERIOD = (Payment, Income)
"""Reports that have a line in each month of their period."""


def apply_report(law: Law, citizen: Citizen, report: Report, name: str) -> Settling:
    """Fold a report into the citizen; `name` is its `domain.citizen.reports.cause`.

    Raises ConflictingDuplicateError and TooManyError; nothing is changed then.
    """
    seen = citizen.seen(name)
    if seen is not None and seen.type != WAITING.type:
        if seen.type != FREED or is_what_was_freed(seen, report):
            return _come_again(citizen, seen, report, name)
        seen = None
    parts: list[Part] = []
    if isinstance(report, WITH_PERIOD):
        parts = citizen.open_period(report.start, report.end, MOST_REPORTS)
    is_reversed = seen is not None
    if report.group and not isinstance(report, Reversal):
        is_reversed |= enter_group(citizen, report.reporter, report.report_id, report.group)
    if isinstance(report, Payment):
        settling = _pay(law, citizen, report, name, parts, is_reversed)
    elif isinstance(report, Income):
        settling = _earn(law, citizen, report, name, parts, is_reversed)
    elif isinstance(report, Reversal):
        citizen.remember(name, SeenReport("R", is_reversed, _named_by(report), report.group))
        settling = (_reverse_group if report.reverses_group else _reverse)(law, citizen, report)
    else:
        place = f"{report.fact}:{report.date}"
        citizen.remember(name, SeenReport("C", is_reversed, place, report.group))
        settling = UNCHANGED if is_reversed else _establish(law, citizen, report)
    if citizen.head.waiting and (overdue := overdue_notices(citizen, report)):
        return settling._replace(notices=[*settling.notices, *overdue])
    return settling


_TYPES: Mapping[type[Report], str] = {Payment: "P", Income: "I", CaseFact: "C", Reversal: "R"}


# --- what came before ---------------------------------------------------------------------------


def _come_again(citizen: Citizen, seen: SeenReport, report: Report, name: str) -> Settling:
    """Give what follows from a report whose id is taken: at most a notice."""
    if seen.type == FREED:
        return UNCHANGED
    if not _is_same(citizen, seen, report):
        raise ConflictingDuplicateError(name)
    return _notice_once(citizen, report, name) if seen.reversed else UNCHANGED


def _notice_once(citizen: Citizen, report: Report, name: str) -> Settling:
    """Notice, the first time, that a report comes again after it was reversed."""
    if isinstance(report, Reversal) or citizen.seen(CAME_AGAIN + name) is not None:
        return UNCHANGED
    citizen.remember(CAME_AGAIN + name, NOTICED)
    return Settling([], None, [reversed_before(report)], False)


def _is_same(citizen: Citizen, seen: SeenReport, report: Report) -> bool:
    """Tell if a report that came before under the same id has the same content."""
    if seen.type != _TYPES[type(report)] or seen.group != report.group:
        return False
    if isinstance(report, Reversal):
        return seen.place == _named_by(report)
    if isinstance(report, CaseFact):
        return seen.place == f"{report.fact}:{report.date}"
    if not seen.place.isdecimal():
        return seen.place == content_digest(report)
    part = citizen.part(int(seen.place))
    if part is None:
        raise StateError(
            f"the state of citizen {citizen.id} lacks month {seen.place}, in which a report lies"
        )
    for line in part.lines_of(seen.type, report.reporter, report.report_id):
        is_reversed = bool(line.reversed)
        if isinstance(report, Payment):
            return line == line_of(report, is_reversed)
        return line == income_line_of(report, is_reversed)
    return False


def _remember_line(
    law: Law, citizen: Citizen, report: Payment | Income, name: str, parts: Sequence[Part],
    is_reversed: bool,
) -> None:  # fmt: skip
    """Remember a report whose line is in the first of its parts.

    A report of the time before counting began has no line, so its content's digest is kept.
    """
    counts = report.end >= law.counting_from
    place = str(parts[0].month) if counts else content_digest(report)
    seen = _TYPES[type(report)], is_reversed, place, report.group
    citizen.remember(name, made(SeenReport, seen))


def is_what_was_freed(seen: SeenReport, report: Report) -> bool:
    """Tell if a report is the one whose id was freed, come again: it is not believed."""
    if isinstance(report, Reversal) or seen.group != report.group:
        return False
    if isinstance(report, CaseFact):
        return seen.place == f"{report.fact}:{report.date}"
    line = line_of(report, False) if isinstance(report, Payment) else income_line_of(report, False)
    return seen.place in (line_digest(line), content_digest(report))


# --- payments in and out ------------------------------------------------------------------------


def _pay(
    law: Law, citizen: Citizen, payment: Payment, name: str, parts: list[Part], is_reversed: bool
) -> Settling:
    line = line_of(payment, is_reversed)
    _remember_line(law, citizen, payment, name, parts, is_reversed)
    notices = [] if is_reversed else payment_notices(law, citizen, payment, parts)
    for part in parts:
        part.lines.append(line)
    was = citizen.head.weeks
    if not is_reversed and (fresh := fresh_cells(law, citizen, line, parts)):
        counters = moved_counters(law, was, citizen.head.weeks)
        return made(Settling, ([], counters, notices, False, fresh))
    settling = UNCHANGED if is_reversed else _settle(law, citizen, line, parts, 1, notices)
    if any(part.openings for part in parts):
        taken = take_over(citizen, parts, line.start, line.end, settling.changes)
        if taken:
            changes = sorted([*settling.changes, *taken], key=CellChange.place)
            return settling._replace(changes=changes)
    return settling


def _settle(
    law: Law, citizen: Citizen, line: Line, parts: Sequence[Part], sign: int, notices: list[Notice]
) -> Settling:
    """Move the money of a line in (sign 1) or out (-1), and settle all that this changes."""
    own = own_changes(law, line, parts, sign)
    if not own and not (law.any_report_touches and line.end >= law.counting_from):
        return Settling([], None, notices, sign < 0) if notices else UNCHANGED
    if sign < 0 or line.amount_ore < 0 or line.amount_ore < line.atp_ore:
        notices += net_notices(line.code, parts, own)
    head = citizen.head
    was = head.weeks
    moved_from = count_weeks(law, citizen, line, own, sign)
    now = head.weeks
    entitle_own(law, now, own)
    changes = own
    if moved_from is not None:
        affected = [*affected_changes(law, citizen, (was, now), moved_from, own)]
        entitle(law, now, affected)
        changes = sorted([*own, *affected], key=CellChange.place)
    settling = made(Settling, (changes, moved_counters(law, was, now), notices, sign < 0, None))
    if line.code == FLEKSLOENTILSKUD or moved_from is not None:
        months = {part.month for part in parts} if line.code == FLEKSLOENTILSKUD else set()
        return with_fleksbidrag(law, citizen, settling, months)
    return settling


def _reverse(law: Law, citizen: Citizen, reversal: Reversal) -> Settling:
    """Take back the report that a reversal names; one that is not there yet is awaited."""
    name = f"{reversal.reporter}/{reversal.reverses}"
    seen = citizen.seen(name)
    if seen is None or seen.type == FREED:
        citizen.remember(name, WAITING)
        await_report(citizen, reversal)
        return UNCHANGED
    if seen.reversed or seen.type == "R":
        return UNCHANGED
    citizen.remember(name, seen._replace(reversed=True))
    return take_back(law, citizen, seen, reversal.reporter, reversal.reverses)


def _named_by(reversal: Reversal) -> str:
    """Give what a reversal names, as the state has it."""
    return reversal.reverses or group_in_state(reversal.reverses_group)


def _reverse_group(law: Law, citizen: Citizen, reversal: Reversal) -> Settling:
    """Take back all reports of a group; one of which none is there yet is awaited."""
    reporter = reversal.reporter
    members = members_taken_back(citizen, reporter, reversal.reverses_group)
    if members is None:
        await_report(citizen, reversal)
    if not members:
        return UNCHANGED
    if len(members) > 1:
        return take_back_several(law, citizen, reporter, members)
    ((report_id, seen),) = members.items()
    return take_back(law, citizen, seen, reporter, report_id)


def take_back(
    law: Law, citizen: Citizen, seen: SeenReport, reporter: str, report_id: str
) -> Settling:
    """Take a report's money or fact out, and mark all copies of its line as reversed."""
    if seen.type == "C":
        fact, date = seen.place.split(":")
        return _count_fact(law, citizen, fact, int(date), -1)
    if not seen.place.isdecimal():
        return UNCHANGED
    line, parts = line_in_parts(citizen, seen, reporter, report_id)
    for part in parts:
        for copy in part.lines_of(seen.type, reporter, report_id):
            copy.reversed = 1
    if isinstance(line, Line):
        return _settle(law, citizen, line, parts, -1, [])
    return _settle_wages(law, citizen, line, parts, is_reversal=True)


# --- incomes, and the fleksbidrag that depends on them --------------------------------------------


def _earn(
    law: Law, citizen: Citizen, income: Income, name: str, parts: list[Part], is_reversed: bool
) -> Settling:
    line = income_line_of(income, is_reversed)
    _remember_line(law, citizen, income, name, parts, is_reversed)
    for part in parts:
        part.incomes.append(line)
    return UNCHANGED if is_reversed else _settle_wages(law, citizen, line, parts, is_reversal=False)


def _settle_wages(
    law: Law, citizen: Citizen, income: IncomeLine, parts: Sequence[Part], *, is_reversal: bool
) -> Settling:
    """Settle the fleksbidrag of an income's months: an income moves nothing else."""
    if income.kind not in WAGES or not any(has_fleksbidrag(part) for part in parts):
        return UNCHANGED
    months = {part.month for part in parts}
    return with_fleksbidrag(law, citizen, Settling([], None, [], is_reversal), months)


# --- facts of the case --------------------------------------------------------------------------


def _establish(law: Law, citizen: Citizen, fact: CaseFact) -> Settling:
    settling = _count_fact(law, citizen, fact.fact, fact.date, 1)
    if fact.fact != "death":
        return settling
    notices = death_notices(citizen, fact.date)
    return Settling([], None, notices, False) if notices else UNCHANGED


def _count_fact(law: Law, citizen: Citizen, fact: str, date: int, times: int) -> Settling:
    """Add or remove a fact; where it changes the status of the case, settle the whole life anew."""
    head = citizen.change_head()
    before = contradicted(law, citizen) if fact in DECIDING_FACTS else {}
    dates = head.facts.setdefault(fact, {})
    dates[date] = dates.get(date, 0) + times
    if not dates[date]:
        del dates[date]
    if fact not in DECIDING_FACTS:
        return UNCHANGED
    was, status = head.weeks, law.status(head.facts)
    head.weeks = was._replace(status=status)
    notices = contradiction_notices(head.facts, before, contradicted(law, citizen))
    if was.status != status:
        return _settle_status(law, citizen, was, notices, is_reversal=times < 0)
    return Settling([], None, notices, times < 0) if notices else UNCHANGED


def _settle_status(
    law: Law, citizen: Citizen, was: WeekCounts, notices: list[Notice], *, is_reversal: bool
) -> Settling:
    """Settle every cell that depends on the status of the case, or on an ordinal."""
    head = citizen.head
    last = head.last_week_with_money
    head.weeks = now = count_anew(law, head.touched, head.weeks.status, last)
    changes = sorted(cells_between(law, citizen, 0, max(last, 0)), key=CellChange.place)
    entitle(law, now, changes)
    settling = Settling(changes, moved_counters(law, was, now), notices, is_reversal)
    return with_fleksbidrag(law, citizen, settling, set())
