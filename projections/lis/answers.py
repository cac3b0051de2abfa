"""The answer of a view: columns, rows, and what they are as of; as JSON and as CSV.

An amount is whole øre and a percentage whole hundredths, so that no figure is ever a float inside.
JSON has øre (`*_ore`) and numbers with two decimals; CSV has kroner with a decimal comma, and the
names of JSON without `_ore`.
"""

import csv
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, NamedTuple

from projections.lis.tables import Asked
from projections.runs.files import TextFile, comma_kroner, harmless

BYTE_ORDER_MARK: Final = "\ufeff"
"""Spreadsheets take a CSV file for UTF-8 only where this is its first sign."""

ColumnKind = Literal["text", "count", "ore", "percent"]
"""A text, a whole number, an amount in øre, or hundredths of a percent."""


class Figure(NamedTuple):
    """A column of a view: its name in JSON, what it holds, and its heading for people.

    `adds`: the sum over all rows means something.
    """

    name: str
    kind: ColumnKind
    heading: str
    adds: bool = False


def text(name: str, heading: str) -> Figure:
    """Make a column of texts."""
    return Figure(name, "text", heading)


def number(name: str, heading: str, *, adds: bool = False) -> Figure:
    """Make a column of whole numbers."""
    return Figure(name, "count", heading, adds)


def money(name: str, heading: str, *, adds: bool = True) -> Figure:
    """Make a column of amounts; amounts of different rows mostly add up."""
    return Figure(f"{name}_ore", "ore", heading, adds)


def percent(name: str, heading: str) -> Figure:
    """Make a column of percentages with two decimals."""
    return Figure(name, "percent", heading)


AnswerRow = tuple[Any, ...]


class ListTotals(NamedTuple):
    """The number of all rows of a list, the sums of its columns that add, and what is said of it.

    The sums are by the names of columns, `counted` by names of its own.
    """

    rows: int
    sums: Mapping[str, int]
    counted: Mapping[str, int]


@dataclass(frozen=True)
class Answer:
    """The answer of a view.

    `run` is the last closed run that is in it, None before the first, and `closed_at` when it was
    closed; `rules` are the rule sets of its postings, `ledger_version` that of the ledger that the
    tables were made from, None where they were made from none. `total` is the column that is null
    in total rows, None where there are none. `areas` are rows of regions and the country, beside
    the municipalities' rows. Where the rows are one page of a list, `listed` says what is true of
    all of it.
    """

    view: str
    title: str
    based_on: Asked
    run: int | None
    rules: str
    figures: tuple[Figure, ...]
    rows: list[AnswerRow]
    total: str | None = None
    areas: list[AnswerRow] = field(default_factory=list)
    listed: ListTotals | None = None
    closed_at: str | None = None
    ledger_version: int | None = None

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return [figure.name for figure in self.figures]

    @property
    def count(self) -> int:
        """The number of rows that there are, those of other pages too."""
        return len(self.rows) if self.listed is None else self.listed.rows

    def rows_in(self, shown: range) -> list[AnswerRow]:
        """Return the rows that are to be shown: the only ones that a page of a list has."""
        return self.rows[shown.start : shown.stop] if self.listed is None else self.rows

    def as_of(self, say: Callable[..., str] = str.format) -> str:
        """Say in words what the figures are as of; `say` may say the same in another language."""
        if self.based_on == "settled":
            return say("afregnet i kørsel {run}", run=self.run)
        if self.based_on == "of":
            return say("som kendt, da kørsel {run} blev lukket", run=self.run)
        if not self.run:
            return say("som kendt nu; ingen kørsel er lukket")
        return say("som kendt nu; sidste lukkede kørsel er {run}", run=self.run)


def ratio(part: int, whole: int) -> int | None:
    """Compute a share in hundredths of a percent, rounded half up; None where there is no whole.

    >>> ratio(1, 3), ratio(2, 3), ratio(1, 0), ratio(-1, 3)
    (3333, 6667, None, -3333)
    """
    if whole == 0:
        return None
    part, whole = (part, whole) if whole > 0 else (-part, -whole)
    size = (2 * 10_000 * abs(part) + whole) // (2 * whole)
    return size if part >= 0 else -size


def without_columns(answer: Answer, hidden: Collection[str]) -> Answer:
    """Leave columns out of an answer."""
    kept = [at for at, name in enumerate(answer.names) if name not in hidden]

    def cut(row: AnswerRow) -> AnswerRow:
        return tuple(row[at] for at in kept)

    figures = tuple(answer.figures[at] for at in kept)
    rows, areas = [*map(cut, answer.rows)], [*map(cut, answer.areas)]
    return replace(answer, figures=figures, rows=rows, areas=areas)


def plain_value(kind: ColumnKind, value: Any) -> Any:
    """Give a value as programs take it; a percentage as a number with two decimals."""
    return value / 100 if kind == "percent" and value is not None else value


def row_object(figures: Sequence[Figure], row: AnswerRow) -> dict[str, Any]:
    """Give a row as an object for JSON."""
    return {
        figure.name: plain_value(figure.kind, value)
        for figure, value in zip(figures, row, strict=True)
    }


def made_of(answer: Answer) -> dict[str, Any]:
    """Say what an answer is as of: the fields of JSON before the rows, and those of Parquet."""
    return {
        "view": answer.view,
        "as": answer.based_on,
        "run": answer.run,
        "closed_at": answer.closed_at,
        "rules": answer.rules,
        "ledger_version": answer.ledger_version,
    }


def as_object(answer: Answer) -> dict[str, Any]:
    """Give an answer as an object for JSON (contract section 7)."""
    areas = [row_object(answer.figures, row) for row in answer.areas]
    rows = [row_object(answer.figures, row) for row in answer.rows]
    return made_of(answer) | {"rows": rows} | ({"areas": areas} if areas else {})


def csv_name(figure: Figure) -> str:
    """Give the name of a column in CSV."""
    return figure.name.removesuffix("_ore")


def csv_value(kind: ColumnKind, value: Any) -> str:
    """Write a value for a spreadsheet: kroner and percentages with a decimal comma.

    >>> csv_value("ore", 123456), csv_value("percent", 3333), csv_value("text", None)
    ('1234,56', '33,33', '')
    """
    if value is None:
        return ""
    if kind in ("ore", "percent"):
        return comma_kroner(value)
    return harmless(value) if isinstance(value, str) else str(value)


def write_csv(answer: Answer, file: TextFile) -> None:
    """Write an answer as CSV: a byte order mark, semicolons, a header line."""
    file.write(BYTE_ORDER_MARK)
    writer = csv.writer(file, delimiter=";", lineterminator="\n")
    writer.writerow(map(csv_name, answer.figures))
    writer.writerows(_csv_rows(answer))


def _csv_rows(answer: Answer) -> Iterator[list[str]]:
    for row in answer.rows:
        yield [
            csv_value(figure.kind, value) for figure, value in zip(answer.figures, row, strict=True)
        ]


def shown_value(kind: ColumnKind, value: Any) -> str:
    """Write a value for people, as Danes write numbers.

    >>> shown_value("ore", -123456789), shown_value("count", 1234), shown_value("percent", 3333)
    ('-1.234.567,89', '1.234', '33,33')
    """
    if value is None:
        return ""
    if kind == "text":
        return str(value)
    if kind == "count":
        return _grouped(value)
    whole, rest = divmod(abs(value), 100)
    return f"{'-' if value < 0 else ''}{_grouped(whole)},{rest:02d}"


def _grouped(number_: int) -> str:
    return f"{number_:,}".replace(",", ".")


def sums_of_columns(answer: Answer) -> list[int | None]:
    """Add up the columns that add, over the rows that are no totals; None for the others."""
    if answer.listed is not None:
        return [answer.listed.sums.get(name) for name in answer.names]
    at = {figure.name: place for place, figure in enumerate(answer.figures)}
    keys = [at[name] for name in (answer.total, "rate") if answer.total and name in at]
    rows = [row for row in answer.rows if all(row[place] is not None for place in keys)]
    return [
        sum(row[place] or 0 for row in rows) if figure.adds else None
        for place, figure in enumerate(answer.figures)
    ]
