"""Whole øre: splitting an amount over its slices, and percentages of it (rules 4.2, items 4 and 10)."""

from collections.abc import Callable

from domain.basics.cache import Memo
from domain.basics.weeks import slices


def percentage(amount_ore: int, percent: int) -> int:
    """`percent` % of an amount in øre, rounded to whole øre, half away from zero (switch ROUND = ROW_ORE)."""
    rounded = (abs(amount_ore) * percent * 2 + 100) // 200
    return rounded if amount_ore >= 0 else -rounded


def percentage_in_kroner(amount_ore: int, percent: int) -> int:
    """`percent` % of an amount in øre, rounded to whole kroner, half away from zero (switch ROUND = ROW_KRONE)."""
    rounded = (abs(amount_ore) * percent * 2 + 10_000) // 20_000 * 100
    return rounded if amount_ore >= 0 else -rounded


ROUNDINGS: dict[str, Callable[[int, int], int]] = {
    "ROW_ORE": percentage,
    "ROW_KRONE": percentage_in_kroner,
}
"""How a row's result is rounded, by the values of the switch ROUND."""


def split(amount_ore: int, start: int, end: int) -> list[tuple[int, int, int]]:
    """An amount over the slices of its period, by calendar days (switch SPLIT), as (month, week, øre).

    Rounded down to whole øre each; the øre left over go one each to the slices with the
    largest remainders, ties to the earliest. The parts always sum to the amount.
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
"""By (start, end, øre that do not divide by the days): each slice as (month, week, days, what it gets of those øre).

Few enough to be worth keeping."""
