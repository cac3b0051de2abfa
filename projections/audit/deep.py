"""The deep audit of one citizen: what stands posted, held against the truth computed from scratch.

The truth comes from `domain.oracle.reference`, which shares nothing with what settled the citizen
but the rule data.
"""

from collections.abc import Iterator
from typing import Any, Final

import orjson

from domain.oracle import reference
from domain.ruledata.ruleset import RuleSet
from projections.audit.partition import Account, Cell, Figures
from projections.audit.records import Code

_CELL: Final = ("month", "week", "benefit", "paying", "financing")
_NO_COUNTERS: Final[dict[str, Any]] = {"week": None, "seniority": 0, "earned": []}

True_ = tuple[int, int, str, int, int, str | None]
"""Amount, ATP, mechanism, rate, result and account: all that a row says but its ordinal, which is as of posting."""


def differences(account: Account, rules: RuleSet) -> Iterator[tuple[Code, str]]:
    """What stands and is not true, or is true and does not stand; the first cells of it."""
    truth = reference.settle([orjson.loads(report) for report in account.reports], rules)
    due = {tuple(row[name] for name in _CELL): _of_row(row) for row in truth.rows}
    stands = {
        cell: _of_figures(figures)
        for cell, (_, figures) in account.standing.items()
        if cell not in account.opened
        or cell in due  # an earlier system's row stands where no report says otherwise
    }
    wrong = [cell for cell in due.keys() | stands.keys() if due.get(cell) != stands.get(cell)]
    if wrong:
        first = min(wrong, key=_order)
        yield (
            "truth",
            f"{_named(first)}: {_shown(stands.get(first))} stands, {_shown(due.get(first))} is true"
            + (f" (and {len(wrong) - 1} cells more)" if len(wrong) > 1 else ""),
        )
    if (account.counters or _NO_COUNTERS) != truth.counters:
        yield "counters", "the last message does not have the counters that are true"


def _of_row(row: dict[str, Any]) -> True_:
    result_ore = row["refusion_ore"] + row["medfinansiering_ore"]
    return (
        row["amount_ore"],
        row.get("atp_ore", 0),
        row["mechanism"],
        row["rate"],
        result_ore,
        row["account"],
    )


def _of_figures(figures: Figures) -> True_:
    amount_ore, atp_ore, _, (mechanism, rate, account), result_ore = figures
    return amount_ore, atp_ore, mechanism, rate, result_ore, account


def _order(cell: Cell) -> tuple[str, ...]:
    return tuple(part or "" for part in cell)


def _named(cell: Cell) -> str:
    month, week, code, paying, financing = cell
    return f"{code} of {month}, week of {week}, {paying or '-'}/{financing or '-'}"


def _shown(row: True_ | None) -> str:
    if row is None:
        return "nothing"
    amount_ore, _, mechanism, rate, result_ore, _ = row
    return f"{mechanism} {rate} % of {amount_ore} øre = {result_ore} øre"
