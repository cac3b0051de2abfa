"""The difference in money between two rule sets, A and B, for the same reports.

Money is summed over all rows of the posting messages, corrections included, so it is the final
amount. A refusion row belongs to the municipality that paid, a medfinansiering row to the one that
finances (contract section 4).
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from domain.basics.municipalities import municipality_of_row

JsonObject = Mapping[str, Any]
Side = Literal["a", "b"]

BREAKDOWNS = ("benefit", "municipality", "band", "month")
"""The ways to break down the money; a band is a mechanism and its rate."""


class Money(NamedTuple):
    """The State's refusion to municipalities, and their medfinansiering to the State, in øre."""

    refusion_ore: int
    medfinansiering_ore: int

    @property
    def state_cost_ore(self) -> int:
        """Compute what the State pays in the end."""
        return self.refusion_ore - self.medfinansiering_ore


class ComparisonLine(NamedTuple):
    """One line of a breakdown, such as a benefit, with its money under each rule set."""

    name: str
    a: Money
    b: Money

    @property
    def difference(self) -> Money:
        """Subtract A from B."""
        return Money(
            self.b.refusion_ore - self.a.refusion_ore,
            self.b.medfinansiering_ore - self.a.medfinansiering_ore,
        )


class Comparison:
    """Sums of the posting messages of two rule sets. It keeps only citizens whose money differs."""

    def __init__(self) -> None:
        # (benefit, municipality, band, month) -> refusion and medfinansiering under A, then under B
        self._sums: dict[tuple[str, str, str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        self._citizens: dict[str, int] = {}
        self._exact_difference = 0

    def add(self, side: Side, message: JsonObject) -> None:
        """Add a message of `postings`; a run marker has no rows."""
        at, sign = (0, -1) if side == "a" else (2, 1)
        cost_ore = 0
        for row in message.get("rows", ()):
            refusion_ore, medfinansiering_ore = row["refusion_ore"], row["medfinansiering_ore"]
            sums = self._sums[_place(row)]
            sums[at] += refusion_ore
            sums[at + 1] += medfinansiering_ore
            cost_ore += refusion_ore - medfinansiering_ore
            self._exact_difference += sign * _exact_cost(row)
        if cost_ore:
            self._add_to_citizen(message["citizen"], sign * cost_ore)

    def _add_to_citizen(self, citizen: str, cost_ore: int) -> None:
        difference_ore = self._citizens.pop(citizen, 0) + cost_ore
        if difference_ore:
            self._citizens[citizen] = difference_ore

    def total(self) -> ComparisonLine:
        """Return the sum of all the money."""
        return _line("", self._sums.values())

    def exact_difference(self) -> int:
        """Return the difference of the State's cost before rows were rounded.

        It is in hundredths of an øre: 15 % of 101 øre is 1515. An opening row is as it came.
        """
        return self._exact_difference

    def lines(self, breakdown: str, municipality: str | None = None) -> list[ComparisonLine]:
        """Return the lines of a breakdown, one of BREAKDOWNS, in the order of their names.

        They are of one municipality's money, or of all. A line without money under both rule sets
        is left out.
        """
        at, of_place = BREAKDOWNS.index(breakdown), BREAKDOWNS.index("municipality")
        grouped: dict[str, list[list[int]]] = defaultdict(list)
        for place, sums in self._sums.items():
            if municipality in (None, place[of_place]):
                grouped[place[at]].append(sums)
        lines = [_line(name, grouped[name]) for name in sorted(grouped)]
        return [line for line in lines if any(line.a) or any(line.b)]

    def citizens(self) -> int:
        """Count the citizens for whom the State's cost differs."""
        return len(self._citizens)

    def most_affected(self, number: int) -> list[tuple[str, int]]:
        """Return the citizens (pseudonyms) with the largest differences of the State's cost.

        A difference is B less A, in øre.
        """
        return sorted(self._citizens.items(), key=lambda entry: (-abs(entry[1]), entry[0]))[:number]


def _exact_cost(row: JsonObject) -> int:
    """The State's cost of a row in hundredths of an øre, before it was rounded to whole øre."""
    if row["kind"] == "opening":
        return 100 * int(row["refusion_ore"] - row["medfinansiering_ore"])
    cost = int(row["amount_ore"]) * int(row["rate"])
    return cost if row["mechanism"] == "refusion" else -cost


def _place(row: JsonObject) -> tuple[str, str, str, str]:
    municipality = municipality_of_row(row["mechanism"], row["paying"], row["financing"])
    return row["benefit"], municipality or "-", f"{row['mechanism']} {row['rate']} %", row["month"]


def _line(name: str, sums: Any) -> ComparisonLine:
    refusion_a, medfinansiering_a, refusion_b, medfinansiering_b = (
        map(sum, zip(*sums, strict=True)) if sums else 4 * (0,)
    )
    return ComparisonLine(
        name, Money(refusion_a, medfinansiering_a), Money(refusion_b, medfinansiering_b)
    )
