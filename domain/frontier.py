"""The usual report, straight through: positive money at the frontier.

Nothing behind it moves. Its weeks are all in one state: B, where their ordinals follow one
another, or O without a row (SU, folkepension ...); no cell but its own is looked at. It gives what
the general way of `domain.citizen` gives (a property test compares the two), at a fraction of the
cost; whatever is not usual is left to that way.
"""

from itertools import repeat

from domain.counters import Counters, counters, extend_resets, lowest, ordinal
from domain.money import percentage, shares, split
from domain.settlement import Count, Due, Law, Move
from domain.state import AMOUNT, ATP, CELL_AMOUNT, CELL_ATP, CODE, END, START, WEEK, Citizen, Group, Head, Line, cell_of


def settle_at_frontier(
    law: Law, citizen: Citizen, line: Line, groups: dict[int, Group]
) -> tuple[list[Move], list[Due | None], Counters | None] | None:
    """Settle a payment line that has come in; `groups` are those of its months. None where it is not usual."""
    start, end, code = line[START], line[END], line[CODE]
    base_ore, total_atp_ore = law.base(code, line[AMOUNT], line[ATP])
    if base_ore <= end - start:  # some slice may have no money
        return None
    per_day_ore, rest_ore = divmod(base_ore, end - start + 1)
    pieces = shares(start, end, rest_ore)
    first, last = pieces[0][1], pieces[-1][1]
    terms = law.frontier_terms(code, first)
    if terms is None:
        return None
    weeks = ((2 << (last - first)) - 1) << first
    new = weeks & ~(citizen.head.count.benefit if terms.state == "B" else citizen.head.count.busy)
    if citizen.head.overpaid.get(code) or (new and lowest(new) <= citizen.head.horizon):
        return None  # money is owed back, or a week behind the horizon changes its state
    head = citizen.change_head()
    head.touched[code] = head.touched.get(code, 0) | weeks
    if new:
        _extend(law, head, new, first, last, terms.state)
    count = head.count
    before = ordinal(count.benefit, count.resets, first) - first  # in state B the ordinal of a week is `before` + week
    mechanism, rates = terms.mechanism, terms.rates
    atps = [atp_ore for _, _, atp_ore in split(total_atp_ore, start, end)] if total_atp_ore else repeat(0)
    moves: list[Move] = []
    dues: list[Due | None] = []
    for (month, week, days, extra_ore), atp_ore in zip(pieces, atps, strict=False):
        group = groups[month]
        cells = group[3]
        if not cells or cells[-1][WEEK] < week:  # `cell_of`, without the call where the week is new
            cells.append(cell := [week, 0, 0])
        else:
            cell = cell_of(cells, week)
        total_ore = cell[CELL_AMOUNT] + per_day_ore * days + extra_ore
        moves.append((month, week, group, cell, total_ore, cell[CELL_ATP] + atp_ore, True))
        if not rates:
            dues.append(None)
            continue
        number = before + week
        rate, account = rates[number]
        # `percentage`, without the call where the amount is positive
        result_ore = (total_ore * rate * 2 + 100) // 200 if total_ore > 0 else percentage(total_ore, rate)
        dues.append((number, mechanism, rate, result_ore, account) if total_ore else None)
    return moves, dues, counters(law.window, *count) if new else None


def _extend(law: Law, head: Head, new: int, first: int, last: int, state: str) -> None:
    """Put new weeks into their state."""
    benefit, busy, resets = head.count
    if state == "B":
        benefit |= new
    busy |= new
    if first > head.horizon + 1 or not busy >> max(head.horizon, 0) & 1:  # self-support since: a reset may lie there
        resets = extend_resets(law.window, benefit, busy, [*resets], head.horizon, last)
    head.count = Count(benefit, busy, resets)
    head.horizon = last
