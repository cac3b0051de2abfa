"""The changes of a run for a citizen, message by message."""

from collections.abc import Mapping
from typing import Any

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from domain.basics.kroner import kroner
from projections.ledger.citizen import REASONS, ChangedRow, MessageChange, difference_of
from streams.explain.diff import Differences
from streams.explain.render import console, report_text


def show_differences(differences: Differences) -> None:
    """Show each message with its cause, and each cell before and after."""
    out = console()
    out.print(Text(f"Citizen {differences.citizen} in run {differences.run}\n", style="bold"))
    for step in differences.steps:
        out.print(Text(f"{step.cause}: {REASONS.get(step.reason, step.reason)}", style="bold"))
        report = differences.reports.get(step.journal_offset)
        if report is not None:
            out.print(Padding(report_text(report), (0, 0, 0, 2)))
        if step.changes:
            out.print(Padding(_changes(step.changes), (0, 0, 0, 2)))
        else:
            out.print("  No row moved; the counters did.")
        out.print(f"  {_sums(difference_of(step.changes))}\n" if step.changes else "")
    total = [change for step in differences.steps for change in step.changes]
    out.print(Text(f"In all: {_sums(difference_of(total))}", style="bold"))


def _changes(changes: list[MessageChange]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("week", "benefit", "before", "after"):
        table.add_column(column, no_wrap=column in ("week", "benefit"))
    table.add_column("difference", justify="right", no_wrap=True)
    table.add_column("because")
    for change in changes:
        difference = kroner(change.difference_ore)
        table.add_row(
            change.week,
            change.benefit,
            _side(change.before),
            _side(change.after),
            difference,
            change.because,
        )
    return table


def _side(side: ChangedRow | None) -> str:
    return (
        "-"
        if side is None
        else f"{kroner(side.amount_ore)} at {side.rate} % = {kroner(side.result_ore)}"
    )


def _sums(sums: Mapping[str, Any]) -> str:
    money = [f"{mechanism} {kroner(ore)} kr." for mechanism, ore in sums.items() if ore]
    return ", ".join(money) or "nothing in money"
