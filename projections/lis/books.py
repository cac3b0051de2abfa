"""Reads a municipality's own books, a table `account;month;amount`, and holds them against ours.

An amount is what the municipality has booked on the account for the month: its refusion, or its
medfinansiering, without a sign as `sumposteringer` has it.
"""

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from projections.lis.amounts import AMOUNT, ore_of
from projections.lis.answers import AnswerRow, money, text
from projections.lis.money_views import MONTH, month_of_run, need
from projections.lis.scopes import ViewScope

COLUMNS: Final = ("account", "month", "amount")
_MONTH: Final = re.compile(r"20\d\d-(?:0[1-9]|1[0-2])")


class BooksError(ValueError):
    """The books cannot be read; the message names the line, and what is wrong."""


class BookLine(NamedTuple):
    """A line of the books: an account, a month, and the amount in øre."""

    account: str
    month: str
    amount_ore: int


def read_books(lines: Iterable[str]) -> Iterator[BookLine]:
    """Read the lines of the table; the first names the columns. Raises BooksError."""
    rows = csv.reader(lines, delimiter=";")
    heads = [name.strip().lower() for name in next(rows, [])]
    if not set(COLUMNS) <= set(heads):
        raise BooksError(
            "the first line must name the columns account;month;amount (konto, YYYY-MM, kroner)"
        )
    count = 0
    for number_of_line, row in enumerate(rows, 2):
        if not any(cell.strip() for cell in row):
            continue
        cells = dict(zip(heads, map(str.strip, row), strict=False))
        account, month, amount = (cells.get(name, "") for name in COLUMNS)
        if not _MONTH.fullmatch(month):
            raise BooksError(f"line {number_of_line}: {month!r} is no month; write it as 2024-01")
        if not AMOUNT.fullmatch(amount):
            raise BooksError(
                f"line {number_of_line}: {amount!r} is no amount; write kroner as 1234,50"
            )
        count += 1
        yield BookLine(account, month, ore_of(amount))
    if not count:
        raise BooksError(
            "there is no line below the names of the columns; write one for each account and month"
        )


AFSTEMNING: Final = (
    text("account", "konto"),
    MONTH,
    money("sumpostering", "sumposteringer"),
    money("books", "eget regnskab"),
    money("difference", "forskel"),
    money("corrections", "heraf berigtigelser"),
    money("late", "heraf forsinkede"),
    money("unexplained", "uforklaret"),
)


def afstemning_rows(scope: ViewScope) -> list[AnswerRow]:
    """Hold the books of a municipality against its sum postings, account by account.

    What was corrected, or came late, after the run of the month explains a difference as far as it
    goes: books of before do not have it. Rows without an account stand by themselves.
    """
    need(scope.question.municipality, "--municipality, whose books they are", "afstemning")
    sums: dict[tuple[str | None, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for account, month, run, kind, ore in _posted(scope):
        entry = sums[account, month]
        entry[0] += ore
        data_month = month_of_run(scope, run)
        if data_month is not None and month < data_month:
            entry[2 if kind == "correction" else 3] += ore
    month = scope.question.month
    booked = [line for line in scope.question.books if month in (None, line.month)]
    for line in booked:
        sums[line.account or None, line.month][1] += line.amount_ore
    months = {line.month for line in booked}
    return [
        _compared(account, month, *sums[account, month])
        for account, month in sorted(sums, key=lambda key: (key[1], key[0] is None, key[0] or ""))
        if month in months and any(sums[account, month])
    ]


def _posted(scope: ViewScope) -> list[tuple[Any, ...]]:
    return scope.rows(
        "money",
        "account, month, run, kind, sum(refusion_ore + medfinansiering_ore)::BIGINT",
        "AND kind <> 'opening' GROUP BY account, month, run, kind",
    )


def _compared(
    account: str | None, month: str, posted: int, books: int, corrections: int, late: int
) -> AnswerRow:
    """Say how far corrections and late rows explain a difference: not beyond it."""
    difference = posted - books
    explained = difference in (corrections, late, corrections + late)
    return (
        *(account, month, posted, books, difference, corrections, late),
        0 if explained else difference,
    )
