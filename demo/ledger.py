"""A ledger as a municipality might keep it: every posting row is added, nothing is edited."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from sys import intern
from typing import Any, NamedTuple

import orjson

JsonObject = dict[str, Any]
CELL = ("month", "week", "benefit", "paying", "financing")
MONEY = ("amount_ore", "atp_ore", "refusion_ore", "medfinansiering_ore")

Cell = tuple[str | None, ...]
"""The values of CELL; None if nobody pays or finances."""

Sums = dict[Cell, tuple[int, ...]]
"""Øre by MONEY for each cell that has any."""


class Correction(NamedTuple):
    """A message that moved a week to another rate, with the øre that it corrected."""

    size_ore: int
    message: JsonObject


@dataclass
class Ledger:
    """The content of posting messages.

    `by_rate` has (amount, share) in øre by mechanism and rate. `doubled` counts rows whose id was
    there before, and `gaps` counts messages whose revision does not follow the citizen's last.
    """

    sums: dict[str, Sums] = field(default_factory=lambda: defaultdict(dict))
    messages: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    by_rate: dict[tuple[str, int], list[int]] = field(
        default_factory=lambda: defaultdict(lambda: [0, 0])
    )
    largest: dict[str, Correction] = field(default_factory=dict)
    doubled: int = 0
    gaps: int = 0
    _ids: set[str] = field(default_factory=set)
    _revisions: Counter[str] = field(default_factory=Counter)

    def post(self, lines: Iterable[bytes]) -> None:
        """Add messages; run markers are skipped."""
        for line in lines:
            message = orjson.loads(line)
            if message["type"] == "postings":
                add(self.sums[message["citizen"]], message["rows"], 1)
                self._check(message)
                self._count(message)
                self._keep_largest(message)

    def _check(self, message: JsonObject) -> None:
        before = len(self._ids)
        self._ids.update(row["id"] for row in message["rows"])
        self.doubled += len(message["rows"]) - (len(self._ids) - before)
        self.gaps += message["revision"] != self._revisions[message["citizen"]] + 1
        self._revisions[message["citizen"]] = message["revision"]

    def _count(self, message: JsonObject) -> None:
        self.messages[message["reason"]] += 1
        for row in message["rows"]:
            self.rows["reversing" if "reverses" in row else row["kind"]] += 1
            totals = self.by_rate[row["mechanism"], row["rate"]]
            totals[0] += row["amount_ore"]
            totals[1] += share(row)

    def _keep_largest(self, message: JsonObject) -> None:
        """Keep each citizen's largest correction that moved a rate."""
        changes = corrections(message)
        if any(before["rate"] != after["rate"] for before, after in changes if after):
            size = sum(
                abs(share(before) - (share(after) if after else 0)) for before, after in changes
            )
            known = self.largest.get(message["citizen"])
            if known is None or size > known.size_ore:
                self.largest[message["citizen"]] = Correction(size, message)

    def subtract(self, lines: Iterable[bytes]) -> int:
        """Subtract the rows of another settlement.

        Returns the number of cells that are left with money: 0 if all agree.
        """
        for line in lines:
            message = orjson.loads(line)
            if message["type"] == "postings":
                add(self.sums[message["citizen"]], message["rows"], -1)
        return sum(len(sums) for sums in self.sums.values())


def add(sums: Sums, rows: Iterable[JsonObject], times: int) -> None:
    """Add rows to the sums by cell, `times` 1 or -1; cells without money are removed."""
    for row in rows:
        cell = tuple(row[name] and intern(row[name]) for name in CELL)
        money = tuple(times * row.get(name, 0) for name in MONEY)
        before = sums.pop(cell, None)
        after = tuple(map(sum, zip(before, money, strict=True))) if before else money
        if any(after):
            sums[cell] = after


def share(row: JsonObject) -> int:
    """Return the øre that a row moves between municipality and State."""
    return int(row["refusion_ore"] + row["medfinansiering_ore"])


def corrections(message: JsonObject) -> list[tuple[JsonObject, JsonObject | None]]:
    """Return what a message corrected: each row as it was, and the row in its place or None."""
    after = {
        tuple(row[name] for name in CELL): row for row in message["rows"] if "reverses" not in row
    }
    return [
        (_as_it_stood(row), after.get(tuple(row[name] for name in CELL)))
        for row in message["rows"]
        if "reverses" in row
    ]


def _as_it_stood(reversing: JsonObject) -> JsonObject:
    """Return the row that a reversing row reverses."""
    return reversing | {name: -reversing[name] for name in MONEY if name in reversing}
