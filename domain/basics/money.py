"""Amounts in whole øre: their split over slices, and percentages (rules 4.2, items 4 and 10)."""

from collections.abc import Callable

from domain.basics.cache import Memo
from domain.basics.weeks import slices


def percentage(amount_ore: int, percent: int) -> int:
    """Compute a percentage of an amount in øre, rounded to whole øre, half away from zero.

    Switch ROUND = ROW_ORE.

    >>> percentage(105, 50), percentage(-105, 50)
    (53, -53)
    """
    rounded = (abs(amount_ore) * percent * 2 + 100) // 200
    return rounded if amount_ore >= 0 else -rounded


def percentage_in_kroner(amount_ore: int, percent: int) -> int:
    """Compute a percentage of an amount in øre, rounded to whole kroner, half away from zero.

    Switch ROUND = ROW_KRONE.

    >>> percentage_in_kroner(12_500, 50)
    6300
    """
    rounded = (abs(amount_ore) * percent * 2 + 10_000) // 20_000 * 100
    return rounded if amount_ore >= 0 else -rounded


ROUNDINGS: dict[str, Callable[[int, int], int]] = {
    "ROW_ORE": percentage,
    "ROW_KRONE": percentage_in_kroner,
}
"""The ways to round a row's result, by the values of the switch ROUND."""


def split(amount_ore: int, start: int, end: int) -> list[tuple[int, int, int]]:
    """Split an amount over the slices of its period, by calendar days, as (month, week, øre).

    Each part is rounded down to whole øre; the øre left over go one each to the slices with the
    largest remainders, ties to the earliest. The parts always sum to the amount. From Wednesday
    to Tuesday (weeks 0 and 1 of July 2014):

    >>> [(week, ore) for _, week, ore in split(1000, 735416, 735422)]
    [(0, 714), (1, 286)]
    """
    per_day, rest = divmod(abs(amount_ore), end - start + 1)
    pieces = SHARES[start, end, rest]
    if amount_ore < 0:
        return [(month, week, -per_day * days - extra) for month, week, days, extra in pieces]
    return [(month, week, per_day * days + extra) for month, week, days, extra in pieces]


def _shares(period: tuple[int, int, int]) -> tuple[tuple[int, int, int, int], ...]:
    start, end, rest_ore = period
    pieces = slices(start, end)
    days = end - start + 1
    extras, remainders = zip(
        *(divmod(rest_ore * piece.days, days) for piece in pieces), strict=True
    )
    left_over = rest_ore - sum(extras)
    favoured = set(sorted(range(len(pieces)), key=lambda at: (-remainders[at], at))[:left_over])
    return tuple((*piece, extras[at] + (at in favoured)) for at, piece in enumerate(pieces))


SHARES = Memo(_shares, 1 << 15)
"""The slices of (start, end, øre left over by whole øre a day), as (month, week, days, øre).

There are few of them, so they are kept.
"""
