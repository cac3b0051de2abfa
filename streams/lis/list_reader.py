"""Reads a list of citizens from the marts a page at a time."""

from collections.abc import Sequence
from typing import Any

from projections.lis.citizen_lists import CitizenList, page_statement
from streams.lis.marts import Marts


class ListReader:
    """Reads the rows of one page of a list, and counts all of them.

    The counts name nobody, so they are kept: another page of the list is quicker.
    """

    def __init__(self, marts: Marts, citizens: CitizenList, shown: range) -> None:
        self.need_run = marts.need_run
        self.remembered = marts.remembered
        self.ledger_version = marts.ledger_version
        self.totals = citizens.nothing()
        """The totals of all rows, as soon as they were asked for."""
        self._marts = marts
        self._citizens = citizens
        self._shown = shown

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Read the rows of the page; none where the list ends before it."""
        (counts,) = self._marts.remembered(self._citizens.totals_statement(query), values)
        self.totals = self._citizens.totals(counts)
        if self._shown.start >= self.totals.rows:
            return []
        return self._marts.rows(page_statement(query, self._shown), values)
