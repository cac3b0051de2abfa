"""The bands in which counters are shown: weeks of seniority, and weeks earned for a new start."""

from bisect import bisect_right
from itertools import pairwise
from typing import Final

SENIORITY_FROM: Final = (0, 1, 5, 27, 53, 105, 157)
"""The first week of each band of seniority; 5, 27 and 53 are where a step of § 5 begins."""
EARNED_FROM: Final = (0, 1, 13, 26, 39, 52)
"""The first week of each band of earned weeks; 52 make a new start (§ 6, stk. 1)."""


def ends(firsts: tuple[int, ...]) -> list[tuple[int, int | None]]:
    """List the bands as (first week, last week); the last band is open.

    >>> ends((0, 1, 5))
    [(0, 0), (1, 4), (5, None)]
    """
    return [
        *((first, after - 1) for first, after in pairwise(firsts)),
        (firsts[-1], None),
    ]


def first_of(firsts: tuple[int, ...], week: int) -> int:
    """Give the first week of the band that a week lies in.

    >>> first_of((0, 1, 5), 4)
    1
    """
    return firsts[bisect_right(firsts, week) - 1]
