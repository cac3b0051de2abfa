"""The rows that were posted for a week, and the history of one of them."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from domain.basics.kroner import kroner
from projections.ledger.citizen import PostedRow, standing
from streams.explain.render import heading, sentences


def show_posted(rows: Sequence[PostedRow], agree: bool, out: Console) -> None:
    """Show the rows posted for a week, each with its run, and warn if they are not what is due."""
    if not agree:
        out.print(
            heading(
                "The rows that stand are not what is due by these rules:"
                " other rules were valid, or the ledger is behind."
            )
        )
    if not rows:
        return
    out.print(heading("Rows posted for the week, in their order"))
    stands = {row.id for row in standing(rows)}
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(
            "stands" if row.id in stands else "reverses" if row.reverses else "reversed",
            _posted(row),
        )
    out.print(table)
    out.print()


def show_row(row: PostedRow, rows: Sequence[PostedRow], out: Console) -> None:
    """Show the history of a row: the row it reversed, and the row that reversed it."""
    out.print(heading(f"Row {row.id}"))
    reverses = [f"It reverses {row.reverses}."] if row.reverses else []
    reversed_by = [
        f"It was reversed by {other.id} ({_run_of(other)}), for {other.cause} ({other.reason})."
        for other in rows
        if other.reverses == row.id
    ]
    out.print(sentences([_posted(row), *reverses, *reversed_by]))


def show_source(sentence: str, out: Console) -> None:
    """Say where the reports come from."""
    out.print(Text(f"Worked out from {sentence}", style="dim"))


def _posted(row: PostedRow) -> str:
    money = f"{kroner(row.amount_ore or 0)} at {row.rate} % = {kroner(row.result_ore)} kr."
    return (
        f"{row.benefit} in {row.month}, {money} (week {row.ordinal}; {_run_of(row)}),"
        f" for {row.cause} ({row.reason}); id {row.id}"
    )


def _run_of(row: PostedRow) -> str:
    return "in no run yet" if row.run is None else f"run {row.run}"
