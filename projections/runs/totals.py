"""Adds up the posting messages of a run, for people and for the control sums."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from domain.basics.municipalities import municipality_of_row
from domain.basics.weeks import month_number
from projections.runs.books import Item

Key = TypeVar("Key")

NO_REPORT: Final = frozenset({"rule_change", "recalculation", "opening", "moved"})
"""The reasons of messages that no report caused."""


def _nothing() -> list[int]:
    """Number of rows, øre of amounts, øre of results."""
    return [0, 0, 0]


@dataclass
class RunTotals:
    """Messages, rows, and rows with their øre (amount, result).

    `money` is by mechanism and rate. A municipality has the refusion rows that it paid and the
    medfinansiering rows that it finances (contract section 4). `settled` is the amount by the
    reporter whose report caused it, benefit and month; money that other rules or a recalculation
    move is nobody's report.
    """

    messages: int = 0
    rows: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    money: dict[tuple[str, int], list[int]] = field(default_factory=lambda: defaultdict(_nothing))
    months: dict[str, list[int]] = field(default_factory=lambda: defaultdict(_nothing))
    municipalities: dict[str, list[int]] = field(default_factory=lambda: defaultdict(_nothing))
    settled: dict[Item, int] = field(default_factory=lambda: defaultdict(int))

    def post(self, message: Mapping[str, Any], computed: frozenset[str]) -> None:
        """Add a posting message, without opening rows, which are in no run.

        Rows of `computed` benefits are nobody's report.
        """
        self.messages += 1
        self.reasons[message["reason"]] += 1
        reporter = message["cause"].partition("/")[0]
        has_report = message["reason"] not in NO_REPORT
        for row in message["rows"]:
            if row["kind"] == "opening":
                continue
            self._add(row)
            if has_report and row["benefit"] not in computed:
                item = reporter, row["benefit"], month_number(row["month"])
                self.settled[item] += row["amount_ore"]

    def add(self, other: "RunTotals") -> None:
        """Add the totals of other messages."""
        self.messages += other.messages
        self.rows += other.rows
        self.reasons.update(other.reasons)
        _add_each(self.money, other.money)
        _add_each(self.months, other.months)
        _add_each(self.municipalities, other.municipalities)
        for item, ore in other.settled.items():
            self.settled[item] += ore

    def _add(self, row: Mapping[str, Any]) -> None:
        self.rows += 1
        municipality = municipality_of_row(row["mechanism"], row["paying"], row["financing"])
        result_ore = row["refusion_ore"] + row["medfinansiering_ore"]
        for numbers in (
            self.money[row["mechanism"], row["rate"]],
            self.months[row["month"]],
            self.municipalities[municipality or ""],
        ):
            numbers[0] += 1
            numbers[1] += row["amount_ore"]
            numbers[2] += result_ore


def _add_each(sums: dict[Key, list[int]], others: Mapping[Key, list[int]]) -> None:
    for key, numbers in others.items():
        sums[key] = [one + other for one, other in zip(sums[key], numbers, strict=True)]
