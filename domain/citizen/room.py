"""The bound on what one month of one citizen may hold (`too_many`, contract section 2).

A month's payments and incomes are one entry of the state, which grows with each of them, and so
does the work on the next. Nobody is paid five thousand times a month: so many come from a defect of
whoever sends them. The bound is on what was accepted in the order of the journal, reversed or not.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from domain.basics.weeks import month_of
from domain.citizen.reports import Report

MOST_REPORTS: Final = 5_000
"""Payments and incomes that one month of a citizen takes. With the longest ids they are 3 MB; an
entry of the state may have 8 MiB."""


class TooManyError(Exception):
    """A month of the citizen has no room for the report; nothing was changed."""


class Room:
    """Counts the reports of one citizen by month, as they are accepted in their order."""

    def __init__(self, first_month: int) -> None:
        """`first_month` is the first that has an entry in the state."""
        self._first_month = first_month
        self._held: Counter[int] = Counter()

    def takes(self, report: Report) -> bool:
        """Return whether there is room for a report that comes first here, and count it if so."""
        start, end = getattr(report, "start", None), getattr(report, "end", None)
        if start is None or end is None:
            return True
        return self.takes_months(range(max(month_of(start), self._first_month), month_of(end) + 1))

    def takes_months(self, months: Iterable[int]) -> bool:
        """Return whether there is room in each of these months, and count one more in each if so.

        >>> room = Room(0)
        >>> all(room.takes_months([7]) for _ in range(MOST_REPORTS)), room.takes_months([7, 8])
        (True, False)
        """
        own = list(months)
        if any(self._held[month] >= MOST_REPORTS for month in own):
            return False
        self._held.update(own)
        return True
