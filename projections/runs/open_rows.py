"""Which opening rows the journal does not answer for yet, for the control sums: `domain.citizen.openings` in a few lines."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from domain.citizen.openings import has_days_in
from domain.citizen.reports import Opening, cause

Period = tuple[str, int, int]
"""A citizen, and the first and last day of a payment to them."""


class Stood(NamedTuple):
    """An opening row that a payment answers for."""

    benefit: str
    month: int
    amount_ore: int


class Unanswered:
    """The opening rows of a partition, taken in the order of the journal.

    Payments that come before the first opening row are given at once, all others one by one.
    """

    def __init__(self, before: Iterable[Period]) -> None:
        self._periods: defaultdict[str, set[tuple[int, int]]] = defaultdict(set)
        for citizen, start, end in before:
            self._periods[citizen].add((start, end))
        self._standing: defaultdict[str, list[Opening]] = defaultdict(list)
        self._known: set[str] = set()

    def enter(self, citizen: str, opening: Opening) -> None:
        """The next record is an opening row."""
        name = f"{citizen}/{cause(opening)}"
        if name in self._known:
            return
        self._known.add(name)
        if not any(has_days_in(start, end, opening.week) for start, end in self._periods[citizen]):
            self._standing[citizen].append(opening)

    def answer(self, citizen: str, start: int, end: int) -> Iterator[Stood]:
        """The next record is a payment, reversed or not. Gives the opening rows that stood till now."""
        self._periods[citizen].add((start, end))
        if standing := self._standing.get(citizen):
            kept = []
            for opening in standing:
                if has_days_in(start, end, opening.week):
                    yield Stood(opening.benefit, opening.month, opening.amount_ore)
                else:
                    kept.append(opening)
            self._standing[citizen] = kept
