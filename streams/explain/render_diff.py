"""The changes of a run for a citizen, message by message."""

from collections.abc import Mapping

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from projections.ledger.citizen import ChangedRow, MessageChange, difference_of
from streams.explain.diff import Differences
from streams.explain.render import console, named, report_text
from streams.kit.catalogue import Catalogue, Language


def show_differences(differences: Differences, language: Language = "en") -> None:
    """Show each message with its cause, and each cell before and after."""
    out, words = console(), Catalogue(language)
    title = words.text("diff.heading", citizen=differences.citizen, run=differences.run)
    out.print(Text(f"{title}\n", style="bold"))
    for step in differences.steps:
        reason = named("reason", step.reason, words)
        title = words.text("diff.message", cause=step.cause, reason=reason)
        out.print(Text(title, style="bold"))
        report = differences.reports.get(step.journal_offset)
        if report is not None:
            out.print(Padding(report_text(report, words), (0, 0, 0, 2)))
        if step.changes:
            out.print(Padding(_changes(step.changes, words), (0, 0, 0, 2)))
        else:
            out.print(f"  {words.text('diff.counters')}")
        out.print(f"  {_sums(difference_of(step.changes), words)}\n" if step.changes else "")
    total = [change for step in differences.steps for change in step.changes]
    in_all = words.text("diff.in_all", sums=_sums(difference_of(total), words))
    out.print(Text(in_all, style="bold"))


def _changes(changes: list[MessageChange], words: Catalogue) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(words.text("diff.week"), no_wrap=True)
    table.add_column(words.text("week.benefit"), no_wrap=True)
    for column in ("before", "after"):
        table.add_column(words.text(f"diff.{column}"))
    table.add_column(words.text("diff.difference"), justify="right", no_wrap=True)
    table.add_column(words.text("diff.because"))
    for change in changes:
        difference = words.kroner(change.difference_ore)
        table.add_row(
            change.week,
            change.benefit,
            _side(change.before, words),
            _side(change.after, words),
            difference,
            words.say(change.because),
        )
    return table


def _side(side: ChangedRow | None, words: Catalogue) -> str:
    if side is None:
        return "-"
    amount, result = words.kroner(side.amount_ore), words.kroner(side.result_ore)
    return words.text("diff.side", amount=amount, rate=str(side.rate), result=result)


def _sums(sums: Mapping[str, int], words: Catalogue) -> str:
    money = [
        words.text("diff.sum", mechanism=mechanism, amount=words.kroner(ore))
        for mechanism, ore in sums.items()
        if ore
    ]
    return ", ".join(money) or words.text("diff.nothing")
