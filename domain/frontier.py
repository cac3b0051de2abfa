"""The usual report, straight through: positive money at the frontier.

Nothing behind it moves. Its weeks are all in one state: B, where their ordinals follow one
another, or O without a row (SU, folkepension ...); no cell but its own is looked at. It gives what
the general way of `domain.citizen` gives (a property test compares the two), at a fraction of the
cost; whatever is not usual is left to that way.

Most usual of all is money in cells that were not there before: it is not even made into moves.
"""

from collections.abc import Sequence
from itertools import repeat

from domain.counters import Counters, counters, earned_between, extend_resets, last_reset_before, lowest
from domain.money import percentage, shares, split
from domain.reports import made
from domain.settlement import Count, Due, Law, Move
from domain.state import AMOUNT, ATP, CELL_AMOUNT, CELL_ATP, CODE, END, START, WEEK, Citizen, Group, Head, Line, cell_of

Piece = tuple[int, int, int, int]
"""(month, week, days, extra øre), as `domain.money.shares` gives them."""

Fresh = tuple[Sequence[Piece], int, Sequence[int], dict[int, Group], int, str, Sequence[tuple[int, str | None]]]
"""Money in cells that are not there yet, as few figures: pieces, øre a day, ATP of each piece (empty where there is
none), groups by month, before, mechanism, and rates.

A piece's amount is the øre of its days and the extra øre, which are positive. Its ordinal is `before` + week, for which
`rates` has the rate and the account; no rates, no rows. A plain tuple, as `Move`.
"""

Usual = tuple[list[Move], list[Due | None], Counters | None, Fresh | None]
"""Moves, what is due for them, counters where they moved; where all rows are fresh there are no moves."""


def settle_at_frontier(
    law: Law, citizen: Citizen, line: Line, groups: dict[int, Group], *, may_be_fresh: bool
) -> Usual | None:
    """Settle a payment line that has come in; `groups` are those of its months. None where it is not usual."""
    start, end, code = line[START], line[END], line[CODE]
    base_ore, total_atp_ore = law.base(code, line[AMOUNT], line[ATP])
    days = end - start + 1
    if base_ore < days:  # some slice may have no money
        return None
    pieces = shares(start, end, base_ore % days)
    first, last = pieces[0][1], pieces[-1][1]
    terms = law.frontier_terms(code, first)
    if terms is None:
        return None
    head = citizen.head
    state, mechanism, rates = terms
    weeks = ((2 << (last - first)) - 1) << first
    new = weeks & ~(head.count.benefit if state == "B" else head.count.busy)
    if head.overpaid.get(code) or (new and lowest(new) <= head.horizon):
        return None  # money is owed back, or a week behind the horizon changes its state
    citizen.change_head()
    head.touched[code] = head.touched.get(code, 0) | weeks
    if new:
        _extend(law, head, new, first, last, state)
    found, before = None, 0
    if state == "B":
        found, before = _ranked(law, head, first, last, moved=bool(new))
    elif new:
        found = counters(law.window, *head.count)
    per_day_ore = base_ore // days
    atps_ore = [atp_ore for _, _, atp_ore in split(total_atp_ore, start, end)] if total_atp_ore else ()
    if may_be_fresh and _are_new(pieces, groups):
        return [], [], found, (pieces, per_day_ore, atps_ore, groups, before, mechanism, rates)
    moves = _moves(pieces, per_day_ore, atps_ore, groups)
    return moves, [_due(before, mechanism, rates, move) for move in moves], found, None


def _ranked(law: Law, head: Head, first: int, last: int, *, moved: bool) -> tuple[Counters | None, int]:
    """The counters at the end of a run of benefit weeks, where they moved; and what a week's ordinal is more than it.

    No reset lies in such a run, so that its ordinals follow one another.
    """
    benefit, busy, resets = head.count
    reset = last_reset_before(resets, first)
    since = benefit >> (reset + 1)
    number = (since & ((2 << (last - reset - 1)) - 1)).bit_count()
    if not moved:
        return None, number - last
    earned = earned_between(law.window, busy, reset + 1 + lowest(since), last)
    return made(Counters, (last, number, earned, None)), number - last


def _are_new(pieces: Sequence[Piece], groups: dict[int, Group]) -> bool:
    """Whether no group has a cell in its month's weeks, or one after them."""
    at = -1
    for month, week, _, _ in pieces:
        if month != at:
            at = month
            cells = groups[month][3]
            if cells and cells[-1][WEEK] >= week:
                return False
    return True


def _moves(
    pieces: Sequence[Piece],
    per_day_ore: int,
    atps_ore: Sequence[int],
    groups: dict[int, Group],
) -> list[Move]:
    moves: list[Move] = []
    for (month, week, days, extra_ore), atp_ore in zip(pieces, atps_ore or repeat(0), strict=False):
        group = groups[month]
        cell = cell_of(group[3], week)
        total_ore = cell[CELL_AMOUNT] + per_day_ore * days + extra_ore
        moves.append((month, week, group, cell, total_ore, cell[CELL_ATP] + atp_ore, True))
    return moves


def _due(before: int, mechanism: str, rates: Sequence[tuple[int, str | None]], move: Move) -> Due | None:
    _, week, _, _, total_ore, _, _ = move
    if not rates or not total_ore:
        return None
    rate, account = rates[before + week]
    return before + week, mechanism, rate, percentage(total_ore, rate), account


def _extend(law: Law, head: Head, new: int, first: int, last: int, state: str) -> None:
    """Put new weeks into their state."""
    benefit, busy, resets = head.count
    if state == "B":
        benefit |= new
    busy |= new
    if first > head.horizon + 1 or not busy >> max(head.horizon, 0) & 1:  # self-support since: a reset may lie there
        resets = extend_resets(law.window, benefit, busy, [*resets], head.horizon, last)
    head.count = made(Count, (benefit, busy, resets))
    head.horizon = last
