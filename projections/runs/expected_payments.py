"""Expected payments: what payment systems say they have paid, held against what was received.

They come from another source than the reports (the Ydelsesindeks), and nothing is calculated with
them. In the year 2020 a set-up left a whole subsidy out of the reports; such a list would have
shown it on the first day.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from projections.runs.payment_months import MonthShare

Covered = tuple[str, str, int]
"""Reporter, benefit and month of which payments are expected."""


class ExpectedLine(NamedTuple):
    """A reporter's benefit in a month: what was expected, and what was received of it.

    `citizens` are those of whom something was expected, `differing` those whose amount is another,
    also where nothing was expected of them, `lacking` those of whom nothing came.
    """

    reporter: str
    benefit: str
    month: int
    citizens: int
    expected_ore: int
    received_ore: int
    differing: int
    lacking: int


class ExpectedOfCitizen(NamedTuple):
    """A citizen's month in which another amount was received than was expected."""

    citizen: str
    reporter: str
    benefit: str
    month: int
    expected_ore: int
    received_ore: int


@dataclass
class ExpectedPayments:
    """Expected payments by citizen, reporter, benefit and month, and what was received of them.

    `covered` are the months of which something is expected, by reporter and benefit; `citizens` the
    øre that were expected and received, by citizen. `merged` names for each former citizen whose
    number was merged the one for whom the reports count; payment systems may know the former alone.
    """

    covered: dict[tuple[str, str], set[int]] = field(default_factory=lambda: defaultdict(set))
    citizens: dict[Covered, dict[str, list[int]]] = field(default_factory=lambda: defaultdict(dict))
    merged: dict[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.covered)

    @property
    def first_month(self) -> int | None:
        """The earliest month of which something is expected; None where nothing is."""
        return min((month for _, _, month in self.citizens), default=None)

    def expect(
        self, citizen: str, reporter: str, benefit: str, shares: Iterable[MonthShare]
    ) -> None:
        """Take a payment that a payment system has made."""
        for month, ore, _ in shares:
            self.covered[reporter, benefit].add(month)
            _add(self.citizens[reporter, benefit, month], citizen, 0, ore)

    def covers(self, reporter: str, benefit: str) -> bool:
        """Tell whether anything is expected of a reporter and benefit."""
        return (reporter, benefit) in self.covered

    def receive(
        self, citizen: str, reporter: str, benefit: str, shares: Iterable[MonthShare]
    ) -> None:
        """Take a payment that was received and stands."""
        months = self.covered[reporter, benefit]
        for month, ore, _ in shares:
            if month in months:
                _add(self.citizens[reporter, benefit, month], citizen, 1, ore)

    def of_nobody(self) -> "ExpectedPayments":
        """Return what is to be received of the same benefits and months, with nobody's amounts."""
        return ExpectedPayments(self.covered)

    def add(self, other: "ExpectedPayments") -> None:
        """Add what was received by others, of the same benefits and months."""
        for place, citizens in other.citizens.items():
            for citizen, ores in citizens.items():
                for at, ore in enumerate(ores):
                    _add(self.citizens[place], citizen, at, ore)
        self.merged |= other.merged

    def lines(self) -> list[ExpectedLine]:
        """Hold the sums against each other, in order."""
        return [
            ExpectedLine(
                *place,
                sum(expected != 0 for expected, _ in citizens.values()),
                sum(expected for expected, _ in citizens.values()),
                sum(received for _, received in citizens.values()),
                sum(expected != received for expected, received in citizens.values()),
                sum(expected != 0 and not received for expected, received in citizens.values()),
            )
            for place, citizens in sorted(self._persons().items())
        ]

    def of_citizens(self) -> list[ExpectedOfCitizen]:
        """List the citizens' months whose amounts differ, the largest differences first."""
        found = [
            ExpectedOfCitizen(citizen, *place, expected, received)
            for place, citizens in self._persons().items()
            for citizen, (expected, received) in citizens.items()
            if expected != received
        ]
        return sorted(found, key=lambda each: (-abs(each.expected_ore - each.received_ore), each))

    def _persons(self) -> dict[Covered, dict[str, list[int]]]:
        """Add up the numbers of one person, under the one for which the reports count."""
        if not self.merged:
            return self.citizens
        persons: dict[Covered, dict[str, list[int]]] = defaultdict(dict)
        for place, citizens in self.citizens.items():
            for citizen, ores in citizens.items():
                for at, ore in enumerate(ores):
                    _add(persons[place], self._person(citizen), at, ore)
        return persons

    def _person(self, citizen: str) -> str:
        met = set[str]()
        while citizen in self.merged and citizen not in met:
            met.add(citizen)
            citizen = self.merged[citizen]
        return citizen


def _add(citizens: dict[str, list[int]], citizen: str, at: int, ore: int) -> None:
    citizens.setdefault(citizen, [0, 0])[at] += ore
