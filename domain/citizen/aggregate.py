"""The aggregate: one citizen, folded report by report, read from top to bottom.

`evolve` takes a report in; `Settling.moves` are the cells it makes dirty, each with what is
now due. Any order, any number of deliveries and reversals before what they reverse
give the same truth (contract section 2); only of conflicting duplicates the first stands.

Incremental: a report at the frontier moves its own cells alone. One that changes the state of
an earlier week keeps the resets before that week, searches on from there, and settles the
cells in spans of weeks whose step of the staircase differs, and no others.

`settle_anew` does without what was kept up report by report: it takes the lines alone, for a
citizen whom another law or an earlier version has settled.
"""

from collections.abc import Iterable, Mapping
from functools import reduce
from operator import or_
from typing import NamedTuple

from domain.basics.weeks import slices, week_of
from domain.citizen.doubts import (
    Notice,
    basis_notice,
    contradicted,
    contradiction_notices,
    death_notices,
    net_notices,
    payment_notices,
)
from domain.citizen.fleksbidrag import FLEKSBIDRAG, WAGES, WITH_WAGES, fleksbidrag
from domain.citizen.openings import take_over
from domain.citizen.reports import (
    CaseFact,
    ConflictingDuplicateError,
    Income,
    Payment,
    Report,
    Reversal,
    cause,
    content_digest,
    made,
)
from domain.citizen.state import (
    AMOUNT,
    ATP,
    CELL_AMOUNT,
    CELL_ATP,
    CELL_MECHANISM,
    CODE,
    END,
    FINANCING,
    INCOME_REVERSED,
    KIND,
    PAYING,
    REVERSED,
    START,
    WAITING,
    WEEK,
    Cell,
    Citizen,
    Group,
    Head,
    Known,
    Line,
    Part,
    StateError,
    cell_of,
)
from domain.citizen.usual import Fresh, Usual, take_in
from domain.law.counters import Counters, differing, highest, lowest
from domain.law.old_cases import DECIDING_FACTS, FLEKSLOENTILSKUD
from domain.law.staircase import Count, Due, Law, Move, Reading, cell_order, entering, money_code


class Settling(NamedTuple):
    """What a report did: moved cells, what is due for each; `counters` is None where neither counter moved.

    Where `fresh` is given it says all of that in short: no cell is there yet, and there are no
    moves.
    """

    moves: list[Move]
    dues: list[Due | None]
    counters: Counters | None
    notices: list[Notice]
    reversal: bool
    fresh: Fresh | None = None


def evolve(law: Law, citizen: Citizen, report: Report, name: str) -> Settling | None:
    """Fold a report, named by its `domain.citizen.reports.cause`, into the citizen. None where it changes nothing to be seen.

    Raises ConflictingDuplicateError.
    """
    known = citizen.known(name)
    if known is not None and known.type != WAITING.type:
        if not _is_same(citizen, known, report):
            raise ConflictingDuplicateError(name)
        return None
    is_reversed = known is not None
    if isinstance(report, Payment):
        if not is_reversed and (usual := take_in(law, citizen, report, name)):
            return _usual(law, citizen, report, usual)
        return _pay(law, citizen, report, name, is_reversed=is_reversed)
    if isinstance(report, Income):
        return _earn(law, citizen, report, name, is_reversed=is_reversed)
    citizen.know(name, Known(_TYPES[type(report)], is_reversed, _content(report)))
    if isinstance(report, Reversal):
        return _reverse(law, citizen, report)
    return _establish(law, citizen, report, is_reversed=is_reversed)


def _usual(law: Law, citizen: Citizen, payment: Payment, usual: Usual) -> Settling:
    moves, dues, counters, notices, fresh = usual
    settling = made(Settling, (moves, dues, counters, notices, False, fresh))
    if moves and payment.benefit == FLEKSLOENTILSKUD:
        return _with_fleksbidrag(
            law, citizen, settling, citizen.head.reading(), {move[0] for move in moves}
        )
    return settling


_TYPES: Mapping[type[Report], str] = {Payment: "P", Income: "I", CaseFact: "C", Reversal: "R"}


def _content(report: Reversal | CaseFact) -> str:
    """All that a report without a line says."""
    return report.reverses if isinstance(report, Reversal) else f"{report.fact}:{report.date}"


def _know_line(
    law: Law,
    citizen: Citizen,
    report: Payment | Income,
    name: str,
    parts: list[Part],
    *,
    is_reversed: bool,
) -> None:
    """Remember a report whose line is found again in the first of its parts, or nowhere: before counting began."""
    place = str(parts[0].month) if report.end >= law.counting_from else content_digest(report)
    citizen.know(name, made(Known, (_TYPES[type(report)], is_reversed, place)))


def _is_same(citizen: Citizen, known: Known, report: Report) -> bool:
    """Whether a report that came before under the same id has the same content."""
    if known.type != _TYPES[type(report)]:
        return False
    if isinstance(report, (Reversal, CaseFact)):
        return known.place == _content(report)
    if not known.place.isdecimal():
        return known.place == content_digest(report)
    part = citizen.part(int(known.place))
    if part is None:
        raise StateError(
            f"the state of citizen {citizen.id} lacks month {known.place}, in which a report lies"
        )
    if isinstance(report, Payment):
        before, line = (
            part.line(report.reporter, report.report_id),
            _line(report, is_reversed=False),
        )
    else:
        before, line = part.income(report.reporter, report.report_id), _income_line(report)
    return (
        before is not None and before[:-1] == line[:-1]
    )  # the last field tells whether it was reversed


def _pay(
    law: Law, citizen: Citizen, payment: Payment, name: str, *, is_reversed: bool
) -> Settling | None:
    line = _line(payment, is_reversed=is_reversed)
    parts = _parts_of_period(law, citizen, line[START], line[END])
    _know_line(law, citizen, payment, name, parts, is_reversed=is_reversed)
    notices = [] if is_reversed else payment_notices(law, citizen, payment, parts)
    is_opened = False
    for part in parts:
        part.lines.append(line)
        if part.openings:
            is_opened = True
    settling = None
    if not is_reversed:
        settling = _settle(law, citizen, line, parts, sign=1, notices=notices)
    return _answer_for_openings(citizen, settling, line, parts) if is_opened else settling


def _answer_for_openings(
    citizen: Citizen, settling: Settling | None, line: Line, parts: list[Part]
) -> Settling | None:
    """Settle the opening rows too that stood in the line's weeks."""
    settled = [*zip(settling.moves, settling.dues, strict=True)] if settling else []
    if not take_over(citizen, parts, line[START], line[END], settled):
        return settling
    settled.sort(key=lambda each: cell_order(each[0]))
    moves, dues = zip(*settled, strict=True)
    whole = settling or Settling([], [], None, [], reversal=False)
    return whole._replace(moves=[*moves], dues=[*dues])


def _line(payment: Payment, *, is_reversed: bool) -> Line:
    (
        reporter, report_id, benefit, start, end, amount_ore, atp_ore, paying, financing, channel, outside_act, _,
    ) = payment  # fmt: skip
    code = money_code(benefit, outside_act) if outside_act else benefit
    return [
        reporter,
        report_id,
        code,
        start,
        end,
        amount_ore,
        atp_ore,
        paying,
        financing,
        channel,
        int(is_reversed),
    ]


def _income_line(income: Income) -> Line:
    return [*income[:7], 0]


def _parts_of_period(law: Law, citizen: Citizen, start: int, end: int) -> list[Part]:
    """The parts of a period's months, opened; days before counting began have none."""
    pieces = slices(start, end)
    first, last = max(pieces[0].month, law.counting_from_month), pieces[-1].month
    return [citizen.open_part(month) for month in range(first, last + 1)]


def _reverse(law: Law, citizen: Citizen, reversal: Reversal) -> Settling | None:
    name = f"{reversal.reporter}/{reversal.reverses}"
    target = citizen.known(name)
    if target is None:
        citizen.know(name, WAITING)
        return None
    if target.reversed or target.type == "R":
        return None
    citizen.know(name, target._replace(reversed=True))
    if target.type == "C":
        fact, date = target.place.split(":")
        return _count_fact(law, citizen, fact, int(date), -1)
    if target.place.isdecimal() and target.type == "P":
        return _unpay(law, citizen, reversal, int(target.place))
    if target.place.isdecimal():
        return _unearn(law, citizen, reversal, int(target.place))
    return None


def _unpay(law: Law, citizen: Citizen, reversal: Reversal, month: int) -> Settling | None:
    line = citizen.open_part(month).line(reversal.reporter, reversal.reverses)
    if line is None:
        raise StateError(f"the state of citizen {citizen.id} lacks a line in month {month}")
    parts = _parts_of_period(law, citizen, line[START], line[END])
    for part in parts:
        if copy := part.line(reversal.reporter, reversal.reverses):
            copy[REVERSED] = 1
    return _settle(law, citizen, line, parts, sign=-1, notices=[])


def _earn(
    law: Law, citizen: Citizen, income: Income, name: str, *, is_reversed: bool
) -> Settling | None:
    line = _income_line(income)
    line[INCOME_REVERSED] = int(is_reversed)
    parts = _parts_of_period(law, citizen, income.start, income.end)
    _know_line(law, citizen, income, name, parts, is_reversed=is_reversed)
    for part in parts:
        part.incomes.append(line)
    return None if is_reversed else _resettle_fleksbidrag(law, citizen, line, parts, reversal=False)


def _unearn(law: Law, citizen: Citizen, reversal: Reversal, month: int) -> Settling | None:
    line = citizen.open_part(month).income(reversal.reporter, reversal.reverses)
    if line is None:
        raise StateError(f"the state of citizen {citizen.id} lacks an income in month {month}")
    parts = _parts_of_period(law, citizen, line[START], line[END])
    for part in parts:
        if copy := part.income(reversal.reporter, reversal.reverses):
            copy[INCOME_REVERSED] = 1
    return _resettle_fleksbidrag(law, citizen, line, parts, reversal=True)


def _resettle_fleksbidrag(
    law: Law, citizen: Citizen, income: Line, parts: list[Part], *, reversal: bool
) -> Settling | None:
    """An income moves nothing but the fleksbidrag of its months."""
    if income[KIND] not in WAGES or not any(
        group[0] in WITH_WAGES for part in parts for group in part.groups
    ):
        return None
    reading = citizen.head.reading()
    months = {part.month for part in parts}
    settling = _with_fleksbidrag(
        law, citizen, Settling([], [], None, [], reversal), reading, months
    )
    return settling if settling.moves or settling.notices else None


def _establish(law: Law, citizen: Citizen, fact: CaseFact, *, is_reversed: bool) -> Settling | None:
    if is_reversed:
        return None
    settling = _count_fact(law, citizen, fact.fact, fact.date, 1)
    notices = death_notices(citizen, fact.date) if fact.fact == "death" else []
    return Settling([], [], None, notices, reversal=False) if notices else settling


def _count_fact(law: Law, citizen: Citizen, fact: str, date: int, times: int) -> Settling | None:
    """Take a fact in or out. Where it decides where a case stands, the citizen's whole life is settled anew."""
    head = citizen.change_head()
    before = contradicted(law, citizen) if fact in DECIDING_FACTS else {}
    dates = head.facts.setdefault(fact, {})
    dates[date] = dates.get(date, 0) + times
    if not dates[date]:
        del dates[date]
    if fact not in DECIDING_FACTS:
        return None
    was, head.standing = head.reading(), law.standing(head.facts)
    notices = contradiction_notices(head.facts, before, contradicted(law, citizen))
    if was.standing != head.standing:
        return _settle_standing(law, citizen, was, notices, reversal=times < 0)
    return Settling([], [], None, notices, reversal=times < 0) if notices else None


def _settle_standing(
    law: Law, citizen: Citizen, was: Reading, notices: list[Notice], *, reversal: bool
) -> Settling:
    """Settle every cell that the standing of the case or an ordinal has a part in."""
    head = citizen.head
    head.count = Count(0, 0, ())
    head.second = Count(0, 0, ()) if head.standing.enters else None
    _recount(law, head, head.reading(), head.horizon)
    moves = [*_moves_in(law, citizen, (0, max(head.horizon, 0)), set())]
    return _settle_moves(
        law, citizen, (was, head.reading()), moves, set(), notices, reversal=reversal
    )


def _settle(
    law: Law, citizen: Citizen, line: Line, parts: list[Part], *, sign: int, notices: list[Notice]
) -> Settling | None:
    """Move the money of a line in or out, and settle what that changes."""
    groups = _groups(line, parts)
    months = set(groups) if line[CODE] == FLEKSLOENTILSKUD else set()
    moves = _own_moves(law, line, groups, sign)
    reported = _weeks_with_days(law, line) if law.any_report_touches else 0
    if not moves and not reported:
        return Settling([], [], None, notices, reversal=sign < 0) if notices else None
    if any(amount_ore < cell[CELL_AMOUNT] for _, _, _, cell, amount_ore, _, _ in moves):
        notices += net_notices(line[CODE], parts, moves)
    head = citizen.head
    was, horizon = head.reading(), head.horizon
    if law.any_report_touches:
        _touch_as_reported(law, citizen, line[CODE], reported, sign)
    else:
        _touch(citizen, line[CODE], moves)
    first_changed = _recount(law, head, was, highest(reported) if reported else moves[-1][1])
    now = head.reading()
    if first_changed is not None and first_changed <= horizon:
        moves += _stale_moves(law, citizen, was, now, first_changed, moves)
    return _settle_moves(law, citizen, (was, now), moves, months, notices, reversal=sign < 0)


def _groups(line: Line, parts: list[Part]) -> dict[int, Group]:
    """The groups of a line's money in its months."""
    return {part.month: part.group(line[CODE], line[PAYING], line[FINANCING]) for part in parts}


def _settle_moves(
    law: Law,
    citizen: Citizen,
    readings: tuple[Reading, Reading],
    moves: list[Move],
    own_months: set[int],
    notices: list[Notice],
    *,
    reversal: bool,
) -> Settling:
    """Settle moved cells, given the weeks as they were and are, and the fleksbidrag that hangs on them."""
    was, now = readings
    moves.sort(key=cell_order)
    settling = Settling(
        moves, law.settle(now, moves), _moved_counters(law, was, now), notices, reversal
    )
    if own_months or FLEKSLOENTILSKUD in [move[2][0] for move in moves]:
        return _with_fleksbidrag(law, citizen, settling, now, own_months)
    return settling


def _with_fleksbidrag(
    law: Law, citizen: Citizen, settling: Settling, reading: Reading, own_months: set[int]
) -> Settling:
    """Add the fleksbidrag of the report's own months and of those in which fleksløntilskud moved."""
    moved = {
        id(move[3]): (move[4], due) for move, due in zip(settling.moves, settling.dues, strict=True)
    }
    moved_months = {move[0] for move in settling.moves if move[2][0] == FLEKSLOENTILSKUD}
    settled = [*zip(settling.moves, settling.dues, strict=True)]
    number, missing = len(settled), []
    for month in sorted(own_months | moved_months):
        if bidrag := fleksbidrag(law, reading, citizen, month, moved, own=month in own_months):
            settled += bidrag.settled
            missing += [month] * bidrag.basis_missing
    notices = settling.notices + basis_notice(citizen, missing)
    if len(settled) == number:
        return settling._replace(notices=notices)
    settled.sort(key=lambda each: cell_order(each[0]))
    moves, dues = zip(*settled, strict=True)
    return settling._replace(moves=[*moves], dues=[*dues], notices=notices)


def _own_moves(law: Law, line: Line, groups: dict[int, Group], sign: int) -> list[Move]:
    """The cells that a line's slices lie in, with the slices added (sign 1) or taken out (-1), in their order."""
    start, end = line[START], line[END]
    base_ore, total_atp_ore = law.base(line[CODE], sign * line[AMOUNT], sign * line[ATP])
    moves = []
    for (month, week, amount_ore), (_, _, atp_ore) in zip(
        law.split(base_ore, start, end), law.split(total_atp_ore, start, end), strict=True
    ):
        group = groups.get(
            month
        )  # days before counting began have none: their share is lost (item 3)
        if group is not None and (amount_ore or atp_ore):
            cell = cell_of(group[3], week)
            moves.append(
                (
                    month,
                    week,
                    group,
                    cell,
                    cell[CELL_AMOUNT] + amount_ore,
                    cell[CELL_ATP] + atp_ore,
                    True,
                )
            )
    return moves


def _touch(citizen: Citizen, code: str, moves: list[Move]) -> None:
    """Mark the weeks whose net is now positive or negative.

    A week's old sign mostly decides the new one; else the net is summed, over both its months.
    """
    head = citizen.change_head()
    positive, negative = head.touched.get(code, 0), head.overpaid.get(code, 0)
    deltas: dict[int, int] = {}
    for _, week, _, cell, amount_ore, _, _ in moves:
        deltas[week] = deltas.get(week, 0) + amount_ore - cell[CELL_AMOUNT]
    for week, delta_ore in deltas.items():
        bit = 1 << week
        if not delta_ore or (positive if delta_ore > 0 else negative) & bit:
            continue
        owed = (negative if delta_ore > 0 else positive) & bit
        net_ore = citizen.net(code, week) + delta_ore if owed else delta_ore
        positive = positive | bit if net_ore > 0 else positive & ~bit
        negative = negative | bit if net_ore < 0 else negative & ~bit
    head.touched[code] = positive
    if negative or code in head.overpaid:
        head.overpaid[code] = negative


def _weeks_with_days(law: Law, line: Line) -> int:
    """The weeks in which a line's period has days that count."""
    first, last = week_of(max(line[START], law.counting_from)), week_of(line[END])
    return (1 << (last + 1)) - (1 << first) if line[END] >= law.counting_from else 0


def _touch_as_reported(law: Law, citizen: Citizen, code: str, weeks: int, sign: int) -> None:
    """Mark the weeks in which a report that stands has days, whatever its amount (switch TOUCH = ANY_REPORT)."""
    touched = citizen.change_head().touched
    standing = weeks
    if sign < 0:
        parts = citizen.parts_between(lowest(weeks), highest(weeks))
        lines = [
            line
            for part in parts
            for line in part.lines
            if line[CODE] == code and not line[REVERSED]
        ]
        standing = reduce(or_, [_weeks_with_days(law, line) for line in lines], 0)
    touched[code] = touched.get(code, 0) & ~weeks | standing & weeks


def _recount(law: Law, head: Head, was: Reading, last_week: int) -> int | None:
    """Bring states, horizon and resets up to date. Returns the first week whose state changed."""
    (first, standing, second), old_horizon = was, head.horizon
    benefit, busy = law.states(head.touched, standing)
    changed = (benefit ^ first.benefit) | (busy ^ first.busy)
    if second is not None:
        benefit_after = benefit | entering(head.touched, standing)
        changed |= benefit_after ^ second.benefit
    head.horizon = max(old_horizon, law.decided_by(last_week))
    first_changed = lowest(changed) if changed else None
    if first_changed is None and head.horizon == old_horizon:
        return None
    start = old_horizon if first_changed is None else min(first_changed, old_horizon)
    head.count = _counted(law, benefit, busy, first.resets, start, head.horizon)
    if second is not None:
        head.second = _counted(law, benefit_after, busy, second.resets, start, head.horizon)
    return first_changed


def _counted(
    law: Law, benefit: int, busy: int, resets: Iterable[int], start: int, horizon: int
) -> Count:
    """A count in which nothing before the week `start` has changed: the resets that it cannot move stand."""
    start -= law.new_start.ahead
    kept = [reset for reset in resets if reset < start]
    return Count(
        benefit, busy, law.new_start.extend(law.window, benefit, busy, kept, start, horizon)
    )


def _stale_moves(
    law: Law, citizen: Citizen, was: Reading, now: Reading, first_changed: int, own: list[Move]
) -> list[Move]:
    """The cells, other than the report's own, in weeks whose step differs from what it was."""
    spans = differing(
        law.profile(was, first_changed), law.profile(now, first_changed), citizen.head.horizon
    )
    turn_week = law.turn_week
    if first_changed <= turn_week + 1 and law.turn_of_year_step(was) != law.turn_of_year_step(now):
        spans.append((turn_week, turn_week))
    taken = {id(cell) for _, _, _, cell, *_ in own}
    return [move for span in spans for move in _moves_in(law, citizen, span, taken)]


def _moves_in(law: Law, citizen: Citizen, span: tuple[int, int], taken: set[int]) -> Iterable[Move]:
    first, last = span
    for part in citizen.parts_between(first, last):
        for group in part.groups:
            if group[0] not in law.movable:
                continue
            for cell in group[3]:
                if first <= cell[WEEK] <= last and id(cell) not in taken:
                    taken.add(id(cell))
                    citizen.open_part(part.month)
                    yield (
                        part.month,
                        cell[WEEK],
                        group,
                        cell,
                        cell[CELL_AMOUNT],
                        cell[CELL_ATP],
                        False,
                    )


def _moved_counters(law: Law, was: Reading, now: Reading) -> Counters | None:
    """Both counters, or None where no report since has moved them."""
    (first, standing, second), (first_now, standing_now, second_now) = was, now
    same_weeks = first.busy == first_now.busy and first.benefit == first_now.benefit
    if (
        same_weeks
        and standing == standing_now
        and (second and second.benefit) == (second_now and second_now.benefit)
    ):
        return None
    after = law.counters(now)
    if (
        first.busy.bit_length() != first_now.busy.bit_length()
    ):  # another latest week: no need to count what was
        return after
    return after if after != law.counters(was) else None


# --- from the lines alone
# ---------------------------------------------------------------------------


def settle_anew(law: Law, citizen: Citizen) -> Settling:
    """Settle a citizen's whole life, whatever law or version has settled it until now.

    The cells get what the lines add up to under this law; what stands posted for them is left as it
    is, for the projection to compare with. Only cells are moved that are not right as they stand.
    The counters are always given.
    """
    head = citizen.head
    was = head.law, head.reading()
    moves = [move for part in citizen.all_parts() for move in _cells_anew(law, part)]
    head.touched, head.overpaid = (
        _reported_weeks(law, citizen) if law.any_report_touches else _signs_of_weeks(moves)
    )
    head.standing = law.standing(head.facts)
    head.count = Count(0, 0, ())
    head.second = Count(0, 0, ()) if head.standing.enters else None
    _recount(law, head, head.reading(), max([head.horizon, *map(highest, head.touched.values())]))
    head.settled_by(law)
    now = head.reading()
    settling = Settling(moves, law.settle(now, moves), law.counters(now), [], reversal=False)
    settling = _with_fleksbidrag(
        law, citizen, settling, now, _months_with_fleksbidrag(moves, citizen)
    )
    wrong = [
        each for each in zip(settling.moves, settling.dues, strict=True) if not _is_right(*each)
    ]
    for month in {move[0] for move, _ in wrong}:
        citizen.open_part(month)
    if was != (law, now):
        citizen.change_head()
    wrong.sort(key=lambda each: cell_order(each[0]))
    return settling._replace(
        moves=[move for move, _ in wrong], dues=[due for _, due in wrong], notices=[]
    )


def _cells_anew(law: Law, part: Part) -> list[Move]:
    """All cells of a month but those of fleksbidrag, with what its lines add up to."""
    sums: dict[tuple[str, str | None, str | None], dict[int, list[int]]] = {}
    for code, paying, financing, cells in part.groups:
        if code != FLEKSBIDRAG:
            sums[code, paying, financing] = {cell[WEEK]: [0, 0] for cell in cells}
    for line in part.lines:
        if not line[REVERSED]:
            weeks = sums.setdefault((line[CODE], line[PAYING], line[FINANCING]), {})
            for week, amount_ore, atp_ore in _slices_in(law, line, part.month):
                before = weeks.setdefault(week, [0, 0])
                before[0] += amount_ore
                before[1] += atp_ore
    return [
        (part.month, week, group, cell, ore[0], ore[1], False)
        for place, weeks in sums.items()
        if (group := part.group(*place))
        for week, ore in weeks.items()
        if (cell := _cell_with(group, week, ore))
    ]


def _slices_in(law: Law, line: Line, month: int) -> Iterable[tuple[int, int, int]]:
    """The weeks of a line in a month, with its amount and ATP in each."""
    start, end = line[START], line[END]
    base_ore, total_atp_ore = law.base(line[CODE], line[AMOUNT], line[ATP])
    atps = law.split(total_atp_ore, start, end) if total_atp_ore else ()
    for at, (of_month, week, amount_ore) in enumerate(law.split(base_ore, start, end)):
        if of_month == month:
            yield week, amount_ore, atps[at][2] if atps else 0


def _cell_with(group: Group, week: int, ore: list[int]) -> Cell | None:
    """The cell of a week; none is made for nothing."""
    cells = group[3]
    if any(ore) or any(cell[WEEK] == week for cell in cells):
        return cell_of(cells, week)
    return None


def _signs_of_weeks(moves: Iterable[Move]) -> tuple[dict[str, int], dict[str, int]]:
    """The weeks with a positive and with a negative net, by money code."""
    nets: dict[tuple[str, int], int] = {}
    for _, week, (code, *_), _, amount_ore, _, _ in moves:
        nets[code, week] = nets.get((code, week), 0) + amount_ore
    touched: dict[str, int] = {}
    overpaid: dict[str, int] = {}
    for (code, week), net_ore in nets.items():
        if net_ore:
            signs = touched if net_ore > 0 else overpaid
            signs[code] = signs.get(code, 0) | 1 << week
    return touched, overpaid


def _reported_weeks(law: Law, citizen: Citizen) -> tuple[dict[str, int], dict[str, int]]:
    """The weeks in which a standing report has days, by money code; what is owed back has no part in that."""
    touched: dict[str, int] = {}
    for part in citizen.all_parts():
        for line in part.lines:
            if not line[REVERSED]:
                touched[line[CODE]] = touched.get(line[CODE], 0) | _weeks_with_days(law, line)
    return touched, {}


def _months_with_fleksbidrag(moves: Iterable[Move], citizen: Citizen) -> set[int]:
    """The months that may have fleksbidrag, or have it."""
    paid = {part.month for part in citizen.all_parts() if any(part.cells_of(FLEKSBIDRAG))}
    return paid | {move[0] for move in moves if move[2][0] == FLEKSLOENTILSKUD}


def _is_right(move: Move, due: Due | None) -> bool:
    """Whether a cell and the row that stands for it are what they should be."""
    _, _, _, cell, amount_ore, atp_ore, _ = move
    if cell[CELL_AMOUNT] != amount_ore or cell[CELL_ATP] != atp_ore:
        return False
    return cell[CELL_MECHANISM:] == ([] if due is None else [*due[1:]])


def fold_lines(law: Law, citizen: Citizen, reports: Iterable[Report]) -> None:
    """Take a citizen's whole journal into a new state at once, without settling anything: `settle_anew` does that.

    What `evolve` would know of it in the end: the first of one id stands, and a reversal holds
    wherever it comes.
    """
    accepted: dict[str, Report] = {}
    reversed_: set[str] = set()
    for report in reports:
        if accepted.setdefault(cause(report), report) is report and isinstance(report, Reversal):
            reversed_.add(f"{report.reporter}/{report.reverses}")
    head = citizen.head
    for name, report in accepted.items():
        is_reversed = name in reversed_
        if isinstance(report, Payment):
            line = _line(report, is_reversed=is_reversed)
            for part in _parts_of_period(law, citizen, report.start, report.end):
                part.lines.append(line)
                head.horizon = max(head.horizon, law.decided_by(week_of(report.end)))
        elif isinstance(report, Income):
            line = _income_line(report)
            line[INCOME_REVERSED] = int(is_reversed)
            for part in _parts_of_period(law, citizen, report.start, report.end):
                part.incomes.append(line)
        elif isinstance(report, CaseFact) and not is_reversed:
            dates = head.facts.setdefault(report.fact, {})
            dates[report.date] = dates.get(report.date, 0) + 1
