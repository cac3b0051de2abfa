"""The calendar as the reference computation needs it: months, Mondays and years before a day."""

from datetime import date, timedelta
from typing import Final

WEEK: Final = timedelta(days=7)


def month_of(day: date) -> str:
    """The calendar month of a day, `YYYY-MM`."""
    return f"{day.year:04d}-{day.month:02d}"


def monday_of(day: date) -> date:
    """The Monday of the ISO week that a day lies in.

    >>> monday_of(date(2016, 1, 3))
    datetime.date(2015, 12, 28)
    """
    return day - timedelta(days=day.weekday())


def days_from(start: date, end: date) -> list[date]:
    """All days of a period, its first and its last day among them."""
    return [start + timedelta(days=number) for number in range((end - start).days + 1)]


def years_before(day: date, years: int) -> date:
    """The same date some years earlier; 29 February becomes 28 February (rules 3.2).

    >>> years_before(date(2032, 2, 29), 3)
    datetime.date(2029, 2, 28)
    """
    if (day.month, day.day) == (2, 29):
        day = date(day.year, 2, 28)
    return date(day.year - years, day.month, day.day)
