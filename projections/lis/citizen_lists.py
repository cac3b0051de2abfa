"""Lists of citizens, page by page: a statement for the rows of a page, and one for all rows.

The largest municipality has 100,000 citizens, and a page shows a hundred. Both statements are made
around the view's own, which has an order that leaves no two rows equal.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from projections.lis.answers import AnswerRow, Figure, ListTotals
from projections.lis.views import VIEWS

SOON_WEEKS: Final = 4
"""Weeks that are soon: a case has time to be looked at."""
_SOON: Final = f"FILTER (WHERE weeks_to_next <> 0 AND weeks_to_next <= {SOON_WEEKS})"
COUNTED: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "personer": {},
        "anciennitet": {},
        "genoptjening": {},
        "paa-vej-ned": {"soon": f"count(*) {_SOON}", "soon_ore": f"sum(week_cost_ore) {_SOON}"},
        "fleksbidrag": {"awaited": "count(*) FILTER (WHERE fleksbidrag_ore = 0)"},
    }
)
"""The views whose citizens are listed so, with what is said of all rows, by the view's columns."""


class CitizenList(NamedTuple):
    """The columns of a list, and what is counted over all its rows, as SQL by name."""

    figures: tuple[Figure, ...]
    counted: Mapping[str, str]

    @property
    def _adding(self) -> list[str]:
        return [figure.name for figure in self.figures if figure.adds]

    def totals_statement(self, statement: str) -> str:
        """Write the statement that counts and sums all rows of a list."""
        sums = [f"sum({name})" for name in self._adding]
        # A view may make its last columns of the others, but none that adds.
        last = max((at for at, each in enumerate(self.figures, 1) if each.adds), default=0)
        names = ", ".join(figure.name for figure in self.figures[:last])
        return (
            f"SELECT {', '.join(['count(*)', *sums, *self.counted.values()])}"
            f" FROM ({statement}) AS listed{f'({names})' if names else ''}"
        )

    def totals(self, row: AnswerRow) -> ListTotals:
        """Return what the row of that statement says."""
        names, (rows, *numbers) = self._adding, [int(value or 0) for value in row]
        return ListTotals(
            rows,
            dict(zip(names, numbers, strict=False)),
            dict(zip(self.counted, numbers[len(names) :], strict=True)),
        )

    def nothing(self) -> ListTotals:
        """Return what is true of a list without rows."""
        return self.totals((0,) * (1 + len(self._adding) + len(self.counted)))


def list_of(view: str, *, persons: bool) -> CitizenList | None:
    """Return the list that a view is, or has behind its counts; None where it is none."""
    known, counted = VIEWS.get(view), COUNTED.get(view)
    if known is None or counted is None:
        return None
    if persons:
        return CitizenList(known.behind[0], counted) if known.behind else None
    return CitizenList(known.figures, counted) if known.names_citizens else None


def page_statement(statement: str, shown: range) -> str:
    """Write the statement of some rows of a list, in its order."""
    return f"{statement} LIMIT {len(shown)} OFFSET {shown.start}"
