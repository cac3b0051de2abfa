"""Calendar arithmetic in whole numbers: days, ISO weeks and months.

A *day* is a proleptic ordinal (`datetime.date.toordinal`), a *week* is the
number of ISO weeks since 2014-W27 (week 0, the week counting starts in,
lov 994/2015 § 30, stk. 1), a *month* is `year * 12 + month - 1`.
Weeks run Monday to Sunday (rules 3.1).
"""

from datetime import date
from functools import cache, lru_cache
from typing import NamedTuple

WEEK_ZERO = date(2014, 6, 30).toordinal()
"""The Monday of 2014-W27."""


MOST_WEEKS = (date(2100, 12, 31).toordinal() - WEEK_ZERO) // 7
"""More weeks than a citizen can have: periods end in 2099 (contract section 2)."""


class Slice(NamedTuple):
    """The days that a period has in one calendar month and one week (rules 4.2, item 3)."""

    month: int
    week: int
    days: int


@lru_cache(maxsize=1 << 16)
def day(text: str) -> int:
    """Give the day of an ISO date; ValueError where there is no such date.

    >>> day("2014-06-30")
    735414
    """
    if len(text) != 10 or text[4] != "-" or text[7] != "-":  # fromisoformat reads week dates too
        raise ValueError("not a date of the form YYYY-MM-DD")
    return date.fromisoformat(text).toordinal()


@cache
def day_text(number: int) -> str:
    """Write a day as an ISO date."""
    return date.fromordinal(number).isoformat()


def week_of(number: int) -> int:
    """Give the week that a day lies in; negative before 2014-W27.

    >>> week_of(day("2014-07-07"))
    1
    """
    return (number - WEEK_ZERO) // 7


def monday(week: int) -> int:
    """Give the first day of a week."""
    return WEEK_ZERO + 7 * week


def sunday(week: int) -> int:
    """Give the last day of a week."""
    return WEEK_ZERO + 7 * week + 6


@cache
def week_text(week: int) -> str:
    """Write a week as the ISO date of its Monday, as it is written outside.

    >>> week_text(1)
    '2014-07-07'
    """
    return day_text(monday(week))


def month_of(number: int) -> int:
    """Give the calendar month that a day lies in."""
    then = date.fromordinal(number)
    return then.year * 12 + then.month - 1


@cache
def month_text(month: int) -> str:
    """Write a month as `YYYY-MM`.

    >>> month_text(2024 * 12)
    '2024-01'
    """
    return f"{month // 12:04d}-{month % 12 + 1:02d}"


@cache
def month_number(text: str) -> int:
    """Read a month from `YYYY-MM`; ValueError where there is none."""
    if len(text) != 7:
        raise ValueError("not a month of the form YYYY-MM")
    return month_of(day(text + "-01"))


@cache
def first_day(month: int) -> int:
    """Give the first day of a month."""
    return date(month // 12, month % 12 + 1, 1).toordinal()


def years_before(number: int, years: int) -> int:
    """Give the same date some years earlier; 29 February becomes 28 February (rules 3.2).

    >>> day_text(years_before(day("2024-02-29"), 3))
    '2021-02-28'
    """
    then = date.fromordinal(number)
    if then.month == 2 and then.day == 29:
        then = then.replace(day=28)
    return then.replace(year=then.year - years).toordinal()


@lru_cache(maxsize=1 << 15)
def slices(start: int, end: int) -> tuple[Slice, ...]:
    """Give the slices of an inclusive period, in order of time. Their days sum to the period's.

    >>> [(piece.week, piece.days) for piece in slices(day("2014-07-02"), day("2014-07-08"))]
    [(0, 5), (1, 2)]
    """
    pieces = []
    at = start
    while at <= end:
        month, week = month_of(at), week_of(at)
        last = min(end, sunday(week), first_day(month + 1) - 1)
        pieces.append(Slice(month, week, last - at + 1))
        at = last + 1
    return tuple(pieces)
