"""Holds the rows of one citizen that stand against the truth computed from scratch.

The truth comes from `domain.oracle.reference`, which shares nothing with what settled the citizen
but the rule data.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import orjson

from domain.oracle import reference
from domain.ruledata.ruleset import RuleSet
from projections.audit.accounts import Account, Figures, RowCell
from projections.audit.violations import Code

_NO_COUNTERS: Final[dict[str, Any]] = {"week": None, "seniority": 0, "earned": []}


class TrueFigures(NamedTuple):
    """All that a row says but its ordinal, which is as of posting."""

    amount_ore: int
    atp_ore: int
    mechanism: str
    rate: int
    result_ore: int
    account: str | None


def differences(account: Account, rules: RuleSet) -> Iterator[tuple[Code, str]]:
    """A sentence for the first cell in which another row stands than is true, or one too many.

    An earlier system's row is right in a cell about which no report says otherwise.
    """
    reports = [orjson.loads(report) for report in account.reports]
    # Another rule set may have had a benefit: its money gives no rows under this one.
    known = [
        report
        for report in reports
        if "benefit" not in report or report["benefit"] in rules.benefits
    ]
    truth = reference.settle(known, rules)
    true = {_cell_of(row): _of_row(row) for row in truth.rows}
    stands = {
        cell: _of_figures(row.figures)
        for cell, row in account.standing.items()
        if cell not in account.opened or cell in true
    }
    wrong = [cell for cell in true.keys() | stands.keys() if true.get(cell) != stands.get(cell)]
    if wrong:
        first = min(wrong, key=_order)
        more = f" (and {len(wrong) - 1} cells more)" if len(wrong) > 1 else ""
        rows = f"{_shown(stands.get(first))} stands, {_shown(true.get(first))} is true"
        yield "truth", f"{_named(first)}: {rows}{more}"
    if (account.counters or _NO_COUNTERS) != truth.counters:
        yield "counters", "the last message does not have the counters that are true"


def _cell_of(row: dict[str, Any]) -> RowCell:
    return RowCell(row["month"], row["week"], row["benefit"], row["paying"], row["financing"])


def _of_row(row: dict[str, Any]) -> TrueFigures:
    return TrueFigures(
        row["amount_ore"],
        row.get("atp_ore", 0),
        row["mechanism"],
        row["rate"],
        row["refusion_ore"] + row["medfinansiering_ore"],
        row["account"],
    )


def _of_figures(figures: Figures) -> TrueFigures:
    mechanism, rate, account = figures.terms
    return TrueFigures(
        figures.amount_ore, figures.atp_ore, mechanism, rate, figures.result_ore, account
    )


def _order(cell: RowCell) -> tuple[str, ...]:
    return tuple(part or "" for part in cell)


def _named(cell: RowCell) -> str:
    municipalities = f"{cell.paying or '-'}/{cell.financing or '-'}"
    return f"{cell.benefit} of {cell.month}, week of {cell.week}, {municipalities}"


def _shown(row: TrueFigures | None) -> str:
    if row is None:
        return "nothing"
    return f"{row.mechanism} {row.rate} % of {row.amount_ore} øre = {row.result_ore} øre"
