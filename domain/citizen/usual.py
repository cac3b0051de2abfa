"""The usual payment, straight through: positive money in weeks that nothing behind them hangs on.

It comes for the first time, what it makes of its weeks changes no step of another week, and its
ordinals follow one another or are one. So it moves nothing but its own cells, and no other is
looked at. It gives what the general way of `domain.citizen.aggregate` gives (a property test
compares the two), at a fraction of the cost; whatever is not usual is left to that way.

Most usual of all is money in cells that were not there before: it is not even made into moves. For the cost's sake
`take_in` is one long function with few calls.
"""

from collections.abc import Sequence
from itertools import repeat

from domain.basics.money import SHARES, percentage, split
from domain.citizen.doubts import FUTURE_DAYS, Notice, payment_notices
from domain.citizen.fleksbidrag import may_have_fleksbidrag
from domain.citizen.reports import Payment, made
from domain.citizen.state import CELL_AMOUNT, CELL_ATP, WEEK, Citizen, Group, Head, Known, cell_of
from domain.law.counters import (
    NO_WEEK,
    Counters,
    counters,
    earned_between,
    extend_resets,
    last_reset_before,
    lowest,
    ordinal,
)
from domain.law.old_cases import FLEKSLOENTILSKUD, ORDINARY
from domain.law.staircase import Count, Due, Law, Move

Piece = tuple[int, int, int, int]
"""(month, week, days, extra øre), as `domain.basics.money.SHARES` gives them."""

Numbers = tuple[int, int]
"""The ordinals of a payment's weeks: what week 0 would have, and by how much each week has more than the one before."""

Fresh = tuple[
    Sequence[Piece],
    int,
    Sequence[int],
    dict[int, Group],
    Numbers,
    str,
    Sequence[tuple[int, str | None]],
]
"""Money in cells that are not there yet, as few figures: pieces, øre a day, ATP of each piece (empty where there is
none), groups by month, ordinals, mechanism, and (rate, account) by ordinal; without these there are
no rows.

A piece's amount is the øre of its days and the extra øre, which are positive. A plain tuple, as
`Move`. """

After = tuple[Count, Counters | None, Numbers]
"""The citizen's weeks with a payment, the counters where they moved, and the ordinals of its weeks."""

Usual = tuple[list[Move], list[Due | None], Counters | None, list[Notice], Fresh | None]
"""Moves, what is due for them, counters where they moved, notices; where all cells are fresh there are no moves."""


def take_in(law: Law, citizen: Citizen, payment: Payment, name: str) -> Usual | None:
    """Fold in a payment that was not known, but for the fleksbidrag that may hang on its moves.

    None where it is not usual: then nothing is changed but that its months are open.
    """
    (
        reporter, report_id, code, start, end, amount_ore, atp_ore, paying, financing, channel, outside_act, reported,
    ) = payment  # fmt: skip
    terms = law.usual.get(code)
    head = citizen.head
    if terms is None or outside_act or head.standing is not ORDINARY or head.overpaid.get(code):
        return None
    counts, blocks, mechanism, rates, less_atp, first_day, sure_from, sure_to = terms
    base_ore = amount_ore - atp_ore if less_atp else amount_ore
    days = end - start + 1
    if start < first_day or base_ore < days:  # other rates; some slice may have no money
        return None
    pieces = SHARES[start, end, base_ore % days]
    (month, first, _, _), (last_month, last, _, _) = pieces[0], pieces[-1]
    weeks = ((2 << (last - first)) - 1) << first
    after = (
        _with_benefit(law, head, weeks, first, last)
        if counts
        else _without_benefit(law, head, weeks, first, last, blocks=blocks, has_rows=bool(rates))
    )
    if after is None:
        return None
    if month == last_month:
        parts = [citizen.open_part(month)]
    else:
        parts = [citizen.open_part(each) for each in range(month, last_month + 1)]
    groups: dict[int, Group] = {}
    is_fresh = True
    for part in parts:
        if part.openings:
            return None
        group = groups[part.month] = part.group(code, paying, financing)
        if (cells := group[3]) and cells[-1][WEEK] >= first:
            is_fresh = False
    is_sure = sure_from <= start and end <= sure_to and end <= reported + FUTURE_DAYS
    notices = (
        []
        if is_sure and not (head.facts or parts[0].lines)
        else payment_notices(law, citizen, payment, parts)
    )
    line = [
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
        0,
    ]
    for part in parts:
        part.lines.append(line)
    citizen.know(name, made(Known, ("P", False, str(month))))
    citizen.change_head()
    head.touched[code] = head.touched.get(code, 0) | weeks
    head.count, moved, numbers = after
    head.horizon = max(head.horizon, last)
    atps_ore = [ore for _, _, ore in split(atp_ore, start, end)] if atp_ore and less_atp else ()
    if is_fresh and not (
        code == FLEKSLOENTILSKUD and any(may_have_fleksbidrag(law, part) for part in parts)
    ):
        return (
            [],
            [],
            moved,
            notices,
            (pieces, base_ore // days, atps_ore, groups, numbers, mechanism, rates),
        )
    moves = _moves(pieces, base_ore // days, atps_ore, groups)
    return moves, [_due(numbers, mechanism, rates, move) for move in moves], moved, notices, None


def _with_benefit(law: Law, head: Head, weeks: int, first: int, last: int) -> After | None:
    """What follows where weeks are benefit weeks.

    No reset lies in a run of them, so that their ordinals follow one another; and none behind weeks
    that are new.
    """
    benefit, busy, resets = count = head.count
    new = weeks & ~benefit
    if new:
        if lowest(new) <= head.horizon and not _moves_no_other(law, head, last, new):
            return None
        benefit |= new
        busy |= new
        # self-support since the horizon, maybe with a reset
        if last > head.horizon and (
            first > head.horizon + 1 or not busy >> max(head.horizon, 0) & 1
        ):
            resets = extend_resets(law.window, benefit, busy, [*resets], head.horizon, last)
        count = made(Count, (benefit, busy, resets))
    reset = last_reset_before(resets, first) if resets else NO_WEEK
    since = benefit >> (reset + 1)
    number = (since & ((2 << (last - reset - 1)) - 1)).bit_count()
    if not new:
        return count, None, (number - last, 1)
    began = reset + (since & -since).bit_length()
    latest = busy.bit_length() - 1
    earned = earned_between(law.window, busy, began, latest)
    return count, made(Counters, (latest, since.bit_count(), earned, None)), (number - last, 1)


def _moves_no_other(law: Law, head: Head, last: int, new: int) -> bool:
    """Whether new benefit weeks behind the horizon leave every reset, and the step of every other week, as it is.

    More busy weeks bring no reset, and take none away that was before them. Each later ordinal
    grows.
    """
    if last > head.horizon or not _has_no_reset_from(head, new):
        return False
    benefit, _, resets = head.count
    reset = resets[-1] if resets else NO_WEEK
    since = benefit >> (reset + 1)
    before = (since & ((1 << (lowest(new) - reset - 1)) - 1)).bit_count()
    if not before:  # the first benefit week moves, from which on weeks are earned
        return False
    return law.step(before) == law.step(since.bit_count() + new.bit_count())


def _has_no_reset_from(head: Head, weeks: int) -> bool:
    """Whether all resets were before the first of some weeks."""
    resets = head.count.resets
    return not resets or resets[-1] < lowest(weeks)


def _without_benefit(
    law: Law, head: Head, weeks: int, first: int, last: int, *, blocks: bool, has_rows: bool
) -> After | None:
    """What follows where weeks are busy without benefit (`blocks`), or stay what they were.

    None too where there are rows whose ordinals neither are one nor follow one another.
    """
    was = benefit, busy, resets = head.count
    new = weeks & ~busy if blocks else 0
    if (
        new
        and lowest(new) <= head.horizon
        and not (last <= head.horizon and _has_no_reset_from(head, new))
    ):
        return None
    if last > head.horizon:
        resets = extend_resets(law.window, benefit, busy | new, [*resets], head.horizon, last)
    count = made(Count, (benefit, busy | new, resets))
    inside = benefit & weeks
    if has_rows and ((inside and inside != weeks) or (resets and resets[-1] >= first)):
        return None
    number = ordinal(benefit, resets, last)
    moved = None
    if new:
        moved = counters(law.window, *count)
        if busy >> last and moved == counters(law.window, *was):
            moved = None
    return count, moved, (number - last, 1) if inside else (number, 0)


def _moves(
    pieces: Sequence[Piece], per_day_ore: int, atps_ore: Sequence[int], groups: dict[int, Group]
) -> list[Move]:
    moves: list[Move] = []
    for (month, week, days, extra_ore), atp_ore in zip(pieces, atps_ore or repeat(0), strict=False):
        group = groups[month]
        cell = cell_of(group[3], week)
        total_ore = cell[CELL_AMOUNT] + per_day_ore * days + extra_ore
        moves.append((month, week, group, cell, total_ore, cell[CELL_ATP] + atp_ore, True))
    return moves


def _due(
    numbers: Numbers, mechanism: str, rates: Sequence[tuple[int, str | None]], move: Move
) -> Due | None:
    _, week, _, _, total_ore, _, _ = move
    if not rates or not total_ore:
        return None
    at_zero, rise = numbers
    number = at_zero + rise * week
    rate, account = rates[number]
    return number, mechanism, rate, percentage(total_ore, rate), account
