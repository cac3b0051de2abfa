"""What a run holds: its posting messages added up, for people and for the control sums."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from domain.basics.weeks import month_number
from projections.runs.completeness import Item

NO_REPORT = frozenset({"rule_change", "recalculation", "opening"})
"""The reasons of messages that no report caused."""


@dataclass
class RunTotals:
    """Messages, rows, and rows with øre (amount, result) by mechanism and rate, month, and municipality.

    A municipality has the refusion rows it paid and the medfinansiering rows it finances (contract section 4).
    `settled` is the amount by the reporter whose report caused it, benefit and month; what other rules or a
    recalculation move is nobody's report.
    """

    messages: int = 0
    rows: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    money: dict[tuple[str, int], list[int]] = field(
        default_factory=lambda: defaultdict(lambda: [0, 0, 0])
    )
    months: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0, 0]))
    municipalities: dict[str, list[int]] = field(
        default_factory=lambda: defaultdict(lambda: [0, 0, 0])
    )
    settled: dict[Item, int] = field(default_factory=lambda: defaultdict(int))

    def post(self, message: Mapping[str, Any], computed: frozenset[str]) -> None:
        """Add a posting message; rows of `computed` benefits are nobody's report, and opening rows are in no run."""
        self.messages += 1
        self.reasons[message["reason"]] += 1
        reporter = message["cause"].partition("/")[0]
        for row in message["rows"]:
            if row["kind"] == "opening":
                continue
            amount, result = row["amount_ore"], row["refusion_ore"] + row["medfinansiering_ore"]
            whose = row["paying" if row["mechanism"] == "refusion" else "financing"]
            self._add(row, whose or "", amount, result)
            if row["benefit"] not in computed and message["reason"] not in NO_REPORT:
                self.settled[reporter, row["benefit"], month_number(row["month"])] += amount

    def _add(self, row: Mapping[str, Any], municipality: str, amount: int, result: int) -> None:
        self.rows += 1
        for entry in (
            self.money[row["mechanism"], row["rate"]],
            self.months[row["month"]],
            self.municipalities[municipality],
        ):
            entry[0] += 1
            entry[1] += amount
            entry[2] += result
