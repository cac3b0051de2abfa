"""The ways to share an amount among the slices of its period: switch SPLIT.

Rules 4.2 item 4, section 11 Q1.

Each is the largest-remainder method with other weights, so the parts are whole øre that sum to the
amount. The default is `domain.basics.money.split`, which is made for speed.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache

from domain.basics.money import split
from domain.basics.weeks import Slice, first_day, monday, slices

Splitter = Callable[[int, int, int], list[tuple[int, int, int]]]
"""Amount in øre, first and last day -> (month, week, øre) for each slice of the period."""

WEEKEND = 5
"""The days of a week before its Saturday."""


def split_evenly(amount_ore: int, start: int, end: int) -> list[tuple[int, int, int]]:
    """Give each week of the period the same; share it in a week's slices by calendar days."""
    return _apportioned(amount_ore, slices(start, end), _even_weights(start, end))


def split_by_weekdays(amount_ore: int, start: int, end: int) -> list[tuple[int, int, int]]:
    """Split by the days from Monday to Friday; a period without any by calendar days."""
    weights = _weekday_weights(start, end)
    return (
        _apportioned(amount_ore, slices(start, end), weights)
        if any(weights)
        else split(amount_ore, start, end)
    )


SPLITS: Mapping[str, Splitter] = {
    "CALENDAR_DAYS": split,
    "EQUAL_PER_TOUCHED_WEEK": split_evenly,
    "WEEKDAYS": split_by_weekdays,
}
"""The splitters by the values of the switch."""


@lru_cache(maxsize=1 << 12)
def _even_weights(start: int, end: int) -> tuple[Fraction, ...]:
    """Give weights of which those of a week sum to 1."""
    pieces = slices(start, end)
    days: Counter[int] = Counter()
    for piece in pieces:
        days[piece.week] += piece.days
    return tuple(Fraction(piece.days, days[piece.week]) for piece in pieces)


@lru_cache(maxsize=1 << 12)
def _weekday_weights(start: int, end: int) -> tuple[Fraction, ...]:
    """Count the weekdays of each slice."""
    return tuple(Fraction(_weekdays(piece, start)) for piece in slices(start, end))


def _weekdays(piece: Slice, start: int) -> int:
    first = max(start, monday(piece.week), first_day(piece.month))
    return sum(
        1 for day in range(first, first + piece.days) if (day - monday(piece.week)) < WEEKEND
    )


def _apportioned(
    amount_ore: int, pieces: tuple[Slice, ...], weights: tuple[Fraction, ...]
) -> list[tuple[int, int, int]]:
    """Share by weights: rounded down, the øre left over one each to the largest remainders."""
    total, size_ore = sum(weights), abs(amount_ore)
    exact = [size_ore * weight / total for weight in weights]
    parts = [int(share) for share in exact]
    favoured = sorted(range(len(parts)), key=lambda at: (parts[at] - exact[at], at))[
        : size_ore - sum(parts)
    ]
    for at in favoured:
        parts[at] += 1
    sign = -1 if amount_ore < 0 else 1
    return [
        (piece.month, piece.week, sign * part) for piece, part in zip(pieces, parts, strict=True)
    ]
