"""Whole øre: splitting an amount over its slices, and percentages of it (rules 4.2, items 4 and 10)."""

from functools import lru_cache

from domain.weeks import slices


def percentage(amount_ore: int, percent: int) -> int:
    """`percent` % of an amount in øre, rounded to whole øre, half away from zero (switch ROUND = ROW_ORE)."""
    rounded = (abs(amount_ore) * percent * 2 + 100) // 200
    return rounded if amount_ore >= 0 else -rounded


def split(amount_ore: int, start: int, end: int) -> list[int]:
    """An amount over the slices of its period, in their order, by calendar days (switch SPLIT).

    Rounded down to whole øre each; the øre left over go one each to the slices with the
    largest remainders, ties to the earliest. The parts always sum to the amount.
    """
    per_day, rest = divmod(abs(amount_ore), end - start + 1)
    extras = _extras(start, end, rest)
    parts = [per_day * part.days + extra for part, extra in zip(slices(start, end), extras, strict=True)]
    return parts if amount_ore >= 0 else [-part for part in parts]


@lru_cache(maxsize=1 << 16)
def _extras(start: int, end: int, rest_ore: int) -> tuple[int, ...]:
    """What each slice gets of the øre that do not divide by the days. Few enough to be worth keeping."""
    days = end - start + 1
    parts = [divmod(rest_ore * part.days, days) for part in slices(start, end)]
    extras = [whole for whole, _ in parts]
    largest_first = sorted(range(len(parts)), key=lambda at: (-parts[at][1], at))
    for at in largest_first[: rest_ore - sum(extras)]:
        extras[at] += 1
    return tuple(extras)
