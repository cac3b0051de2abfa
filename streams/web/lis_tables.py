"""Makes the table of a page from an answer: headings with meanings, cells with links, a total."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from projections.lis.answers import Answer, AnswerRow, Figure, sums_of_columns
from streams.web.lis_figures import Speaker
from streams.web.lis_links import Paths

ASKED_FIRST: Final = {"prognose": ("month", "net_ore", "net_low_ore", "net_high_ore")}
"""Columns that stand next to the municipality on a page: those that people come for.

A wide table is read by moving it sideways. Whoever budgets must see the net without that.
"""


@dataclass(frozen=True)
class PageHead:
    """The heading of a column, and what it means."""

    name: str
    title: str
    meaning: str
    is_number: bool


@dataclass(frozen=True)
class PageCell:
    """A value as people read it, and where it leads; "" is nowhere."""

    text: str
    is_number: bool
    link: str = ""


@dataclass(frozen=True)
class TableRow:
    """The cells of a row; sums are set apart."""

    cells: list[PageCell]
    is_sum: bool = False


@dataclass(frozen=True)
class PageTable:
    """A table; `count` rows are there, and those of `shown` are in `rows`, before their sums."""

    heads: list[PageHead]
    rows: list[TableRow]
    count: int
    shown: range

    @property
    def is_cut(self) -> bool:
        """True if not all rows are shown."""
        return self.count > len(self.shown)

    @property
    def has_links(self) -> bool:
        """True if a figure leads to what is behind it."""
        return any(cell.link for row in self.rows for cell in row.cells)

    @property
    def first(self) -> int:
        """The number of the first row that is shown, as people count."""
        return self.shown.start + 1


def page_table(answer: Answer, speaker: Speaker, paths: Paths, shown: range) -> PageTable:
    """Make the table of an answer, with those of its rows that are to be shown."""
    heads = [
        PageHead(
            figure.name,
            speaker.heading(answer.view, figure),
            speaker.meaning(answer.view, figure.name),
            figure.kind != "text",
        )
        for figure in answer.figures
    ]
    shown = range(shown.start, min(shown.stop, answer.count))
    order = _order(answer)
    rows = [
        replace(row, cells=[row.cells[place] for place in order])
        for row in _rows(answer, speaker, paths, shown)
    ]
    return PageTable([heads[place] for place in order], rows, answer.count, shown)


def _order(answer: Answer) -> list[int]:
    """Give the places of the columns in the order of a page."""
    names = answer.names
    asked = [name for name in ASKED_FIRST.get(answer.view, ()) if name in names]
    first = [*(name for name in names[:1] if name not in asked), *asked]
    return [names.index(name) for name in (*first, *(n for n in names if n not in first))]


def _rows(answer: Answer, speaker: Speaker, paths: Paths, shown: range) -> Iterator[TableRow]:
    figures = answer.figures
    for row in answer.rows_in(shown):
        links = paths.of_row(dict(zip(answer.names, row, strict=True)))
        cells = [
            PageCell(
                speaker.value(answer.view, figure, value),
                figure.kind != "text",
                links.get(figure.name, "") if value is not None else "",
            )
            for figure, value in zip(figures, row, strict=True)
        ]
        yield TableRow(cells, _is_total(answer, row))
    yield from _sum(answer, speaker, figures)
    for row in answer.areas:
        yield TableRow(_of_area(answer, speaker, row), is_sum=True)


def _is_total(answer: Answer, row: AnswerRow) -> bool:
    if answer.total not in answer.names:
        return False
    keys = [name for name in (answer.total, "rate") if name in answer.names]
    return any(row[answer.names.index(name)] is None for name in keys)


def _of_area(answer: Answer, speaker: Speaker, row: AnswerRow) -> list[PageCell]:
    """Write a region or the country: its name stands where a municipality's does."""
    values = dict(zip(answer.names, row, strict=True))
    cells = []
    for figure, value in zip(answer.figures, row, strict=True):
        is_name = figure.name == "municipality"
        name = values.get("region") or speaker.word("lis.country")
        shown: Any = name if is_name else value
        text = str(shown) if is_name else None
        cells.append(
            PageCell(text or speaker.value(answer.view, figure, shown), figure.kind != "text")
        )
    return cells


def _sum(answer: Answer, speaker: Speaker, figures: tuple[Figure, ...]) -> Iterator[TableRow]:
    """Sum the columns that add, over all rows: those that a page does not show too."""
    sums = sums_of_columns(answer)
    if answer.count < 2 or all(value is None for value in sums):
        return
    cells = [
        PageCell("" if value is None else speaker.number(figure.kind, value), figure.kind != "text")
        for figure, value in zip(figures, sums, strict=True)
    ]
    yield TableRow([PageCell(speaker.word("lis.in_all"), is_number=False), *cells[1:]], is_sum=True)
