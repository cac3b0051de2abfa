"""The same reports under two rule sets -> what the second costs more or less than the first.

Money is summed over all rows of the posting messages, corrections included, so that it is what is true
in the end. A refusion row belongs to the municipality that paid, a medfinansiering row to the one that
finances (contract section 4).
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

JsonObject = Mapping[str, Any]
Side = Literal["a", "b"]

BREAKDOWNS = ("benefit", "municipality", "band", "month")
"""What the money is broken down by; a band is a mechanism and its rate."""


class Money(NamedTuple):
    """Øre: what the State pays municipalities, and what they pay the State."""

    refusion_ore: int
    medfinansiering_ore: int

    @property
    def state_cost_ore(self) -> int:
        """What the State pays in the end."""
        return self.refusion_ore - self.medfinansiering_ore


class Line(NamedTuple):
    """One line of a breakdown: what it is about, and its money under each rule set."""

    name: str
    a: Money
    b: Money

    @property
    def difference(self) -> Money:
        """B less A."""
        return Money(
            self.b.refusion_ore - self.a.refusion_ore,
            self.b.medfinansiering_ore - self.a.medfinansiering_ore,
        )


class Comparison:
    """Adds up posting messages of two rule sets. Of citizens only those whose money differs are kept."""

    def __init__(self) -> None:
        # (benefit, municipality, band, month) -> refusion and medfinansiering under A, then under B
        self._sums: dict[tuple[str, str, str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        self._citizens: dict[str, int] = {}

    def add(self, side: Side, message: JsonObject) -> None:
        """Take in a message of `postings`; a run marker has no rows."""
        at = 0 if side == "a" else 2
        cost_ore = 0
        for row in message.get("rows", ()):
            refusion_ore, medfinansiering_ore = row["refusion_ore"], row["medfinansiering_ore"]
            sums = self._sums[_place(row)]
            sums[at] += refusion_ore
            sums[at + 1] += medfinansiering_ore
            cost_ore += refusion_ore - medfinansiering_ore
        if cost_ore:
            self._add_to_citizen(message["citizen"], cost_ore if side == "b" else -cost_ore)

    def _add_to_citizen(self, citizen: str, cost_ore: int) -> None:
        difference_ore = self._citizens.pop(citizen, 0) + cost_ore
        if difference_ore:
            self._citizens[citizen] = difference_ore

    def total(self) -> Line:
        """All the money."""
        return _line("", self._sums.values())

    def lines(self, breakdown: str) -> list[Line]:
        """The lines of a breakdown, one of BREAKDOWNS, by name; those without money under either are left out."""
        at = BREAKDOWNS.index(breakdown)
        grouped: dict[str, list[list[int]]] = defaultdict(list)
        for place, sums in self._sums.items():
            grouped[place[at]].append(sums)
        lines = [_line(name, grouped[name]) for name in sorted(grouped)]
        return [line for line in lines if any(line.a) or any(line.b)]

    def citizens(self) -> int:
        """For how many the State's cost differs."""
        return len(self._citizens)

    def most_affected(self, number: int) -> list[tuple[str, int]]:
        """The citizens (pseudonyms) for whom the State's cost differs most, and by how many øre (B less A)."""
        return sorted(self._citizens.items(), key=lambda each: (-abs(each[1]), each[0]))[:number]


def _place(row: JsonObject) -> tuple[str, str, str, str]:
    municipality = row["paying"] if row["mechanism"] == "refusion" else row["financing"]
    return row["benefit"], municipality or "-", f"{row['mechanism']} {row['rate']} %", row["month"]


def _line(name: str, sums: Any) -> Line:
    refusion_a, medfinansiering_a, refusion_b, medfinansiering_b = (
        map(sum, zip(*sums, strict=True)) if sums else 4 * (0,)
    )
    return Line(name, Money(refusion_a, medfinansiering_a), Money(refusion_b, medfinansiering_b))
