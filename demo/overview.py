"""Shows what one municipality sees in LIS: three views, from a ledger of the postings.

The ledger and the tables of LIS are made as `refusion worker projections` makes them, in the
demonstration's own folder.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import orjson
from rich.console import Console

from demo.cluster import ByPartition
from demo.tables import table
from projections.ledger.entries import Posted, read_page
from projections.lis.answers import Answer, shown_value
from projections.lis.questions import LisQuestion
from streams.citizens.rule_sets import LawBook
from streams.ledger.table import Append, LedgerTable, entries_batch
from streams.lis.build import BuildRequest, build
from streams.lis.inquiry import ask
from streams.lis.marts import open_marts
from streams.lis.store import MartStore
from streams.settings import Settings

PLACE: Final = "730"
MOST_ROWS: Final = 8
"""The rows of a view that are shown, but all of those by rate and benefit."""
SOON: Final = 26
"""Weeks with benefits within which somebody falls to a lower step."""


class _Shown(NamedTuple):
    """A view as it is shown: its columns, and what is asked beside the municipality."""

    view: str
    columns: Sequence[str]
    asked: dict[str, Any]


SHOWN: Final = (
    _Shown(
        "beloeb",
        ("benefit", "rate", "amount_ore", "refusion_ore", "medfinansiering_ore"),
        {"based_on": "of"},
    ),
    _Shown("anciennitet", ("from_week", "to_week", "persons"), {}),
    _Shown(
        "paa-vej-ned",
        ("citizen", "seniority", "rate", "weeks_to_next", "next_rate", "week_cost_ore"),
        {"weeks": SOON},
    ),
    _Shown(
        "korrektioner",
        ("month", "reason", "benefit", "citizens", "up_ore", "down_ore"),
        {"based_on": "settled"},
    ),
)


def show_overview(console: Console, settings: Settings, postings: ByPartition) -> None:
    """Build the ledger and LIS, and show three views of one municipality."""
    place = str(settings.state_dir / "overview" / "lis")
    ledger = _ledger_of(str(settings.state_dir / "overview" / "ledger"), postings)
    laws = LawBook()
    build(ledger, MartStore(place), laws.law, [], BuildRequest(), lambda *_: None)
    with open_marts(place) as marts:
        ((run, month),) = marts.rows(
            "SELECT run, data_month FROM runs WHERE run IS NOT NULL ORDER BY run DESC LIMIT 1"
        )
        name = laws.catalogue().municipalities[PLACE]
        console.print(f"\nWhat {name} ({PLACE}) sees in LIS after run {run}, of {month}\n")
        for shown in SHOWN:
            asked = {"run": run} if "based_on" in shown.asked else {}
            of_month = {"month": month} if shown.view == "beloeb" else {}
            question = LisQuestion(shown.view, PLACE, **of_month, **asked, **shown.asked)
            answer = ask(marts, laws.catalogue(), question, ledger.uri, {})
            _show(console, answer, shown.columns)


def _ledger_of(place: str, postings: ByPartition) -> LedgerTable:
    ledger = LedgerTable.make(place, "postings", "demonstration", len(postings))
    pages = []
    for partition, records in sorted(postings.items()):
        posted = [Posted(at, orjson.loads(record.value), at) for at, record in enumerate(records)]
        page = read_page(ledger.progress(partition), posted)
        pages.append(Append(partition, 0, len(posted), entries_batch(page.entries)))
    ledger.append(pages)
    return ledger


def _show(console: Console, answer: Answer, columns: Sequence[str]) -> None:
    """Show some columns of an answer: its first rows, or those that all add up, with their sum."""
    places = [answer.names.index(name) for name in columns]
    figures = [answer.figures[at] for at in places]
    shown = table(
        console, f"{answer.title} ({answer.as_of()})", *(each.heading for each in figures)
    )
    rows = [[row[at] for at in places] for row in answer.rows]
    if answer.total:
        rows = [row for row in rows if None not in row] + rows[-1:]
    elif "reason" in columns:  # what came for the first time is no correction to look at
        rows = [row for row in rows if row[columns.index("reason")] != "report"]
        rows.sort(key=lambda row: row[-1] - row[-2])
    for row in rows if answer.total else rows[:MOST_ROWS]:
        cells = [
            shown_value(figure.kind, value) for figure, value in zip(figures, row, strict=True)
        ]
        shown.add_row(*cells if cells[0] else ("i alt", *cells[1:]))
    console.print(shown)
    if not answer.total and len(rows) > MOST_ROWS:
        console.print(f" … and {len(rows) - MOST_ROWS:,} more")
    console.print()
