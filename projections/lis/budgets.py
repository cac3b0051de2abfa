"""Reads the budgets that municipalities give: a table `municipality;month;finansieringsbeloeb`.

An amount is what the municipality expects of the run with that data month, in kroner. Columns of
budgets exist only where there is such a table, and a month without a line has none.
"""

import csv
from collections.abc import Iterable, Mapping
from typing import Final

from projections.lis.amounts import AMOUNT, ore_of
from projections.lis.questions import MONTH, MUNICIPALITY

COLUMNS: Final = ["municipality", "month", "finansieringsbeloeb"]

BudgetTable = Mapping[tuple[str, str], int]
"""Budgeted øre by municipality and month."""


class BudgetError(ValueError):
    """The table cannot be read; the message names the line, and what is wrong."""


def read_budgets(lines: Iterable[str]) -> BudgetTable:
    """Read the lines of the table; the first names the columns. Raises BudgetError."""
    rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=";")]
    if not rows or [name.lower() for name in rows[0]] != COLUMNS:
        raise BudgetError(f"the first line must be {';'.join(COLUMNS)}")
    found: dict[tuple[str, str], int] = {}
    for number, row in enumerate(rows[1:], 2):
        if not any(row):
            continue
        if len(row) != len(COLUMNS):
            raise BudgetError(f"line {number} has {len(row)} cells and not {len(COLUMNS)}")
        code, month, amount = row
        if not (MUNICIPALITY.fullmatch(code) and MONTH.fullmatch(month)):
            raise BudgetError(
                f"line {number}: a municipality is three digits, and a month is written as 2024-01"
            )
        if not AMOUNT.fullmatch(amount):
            raise BudgetError(f"line {number}: {amount!r} is no amount; write kroner as 1234,50")
        if (code, month) in found:
            raise BudgetError(f"line {number}: {code} in {month} stands twice")
        found[code, month] = ore_of(amount)
    return found
