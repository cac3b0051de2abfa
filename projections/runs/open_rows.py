"""Opening rows that the journal has no report for yet, for the control sums.

The rule is that of `domain.citizen.openings`, written a second time in a few lines.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from domain.citizen.openings import has_days_in
from domain.citizen.reports import Opening, cause

CitizenPeriod = tuple[str, int, int]
"""A citizen, and the first and last day of a payment to them."""


class AnsweredRow(NamedTuple):
    """An opening row whose week a payment has days in: from then on the payment counts."""

    benefit: str
    month: int
    amount_ore: int


class UnansweredRows:
    """The opening rows of a partition, taken in the order of the journal.

    Payments before the first opening row are given at once, all others one by one.
    """

    def __init__(self, before: Iterable[CitizenPeriod]) -> None:
        self._periods: defaultdict[str, set[tuple[int, int]]] = defaultdict(set)
        for citizen, start, end in before:
            self._periods[citizen].add((start, end))
        self._standing: defaultdict[str, list[Opening]] = defaultdict(list)
        self._known: set[str] = set()

    def enter(self, citizen: str, opening: Opening) -> None:
        """Take an opening row, the next record."""
        name = f"{citizen}/{cause(opening)}"
        if name in self._known:
            return
        self._known.add(name)
        if not any(has_days_in(start, end, opening.week) for start, end in self._periods[citizen]):
            self._standing[citizen].append(opening)

    def leave(self, citizen: str) -> None:
        """Forget a citizen, whose rows and payments come again where they count."""
        for rows in (self._periods, self._standing):
            rows.pop(citizen, None)
        self._known = {name for name in self._known if not name.startswith(f"{citizen}/")}

    def answer(self, citizen: str, start: int, end: int) -> Iterator[AnsweredRow]:
        """Take a payment, reversed or not, the next record; gives the rows that it answers."""
        self._periods[citizen].add((start, end))
        if standing := self._standing.get(citizen):
            kept = []
            for opening in standing:
                if has_days_in(start, end, opening.week):
                    yield AnsweredRow(opening.benefit, opening.month, opening.amount_ore)
                else:
                    kept.append(opening)
            self._standing[citizen] = kept
