"""The rows that were posted for a week, and the history of one of them."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from domain.basics.sentences import Sentence
from domain.citizen.fleksbidrag import FLEKSBIDRAG
from projections.ledger.citizen import PostedRow, standing
from streams.explain.render import heading, named, sentences
from streams.kit.catalogue import Catalogue


def show_posted(rows: Sequence[PostedRow], agree: bool, words: Catalogue, out: Console) -> None:
    """Show the rows posted for a week, each with its run, and warn if they are not what is due."""
    if not agree:
        out.print(heading(words.text("posted.disagree")))
    if not rows:
        return
    out.print(heading(words.text("posted.heading")))
    stands = {row.id for row in standing(rows)}
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for row in rows:
        fate = "stands" if row.id in stands else "reverses" if row.reverses else "reversed"
        table.add_row(words.text(f"posted.{fate}"), posted_text(row, words))
    out.print(table)
    out.print()


def show_row(row: PostedRow, rows: Sequence[PostedRow], words: Catalogue, out: Console) -> None:
    """Show the history of a row: the row it reversed, and the row that reversed it."""
    out.print(heading(words.text("posted.one", id=str(row.id))))
    reverses = [words.text("posted.it_reverses", id=row.reverses)] if row.reverses else []
    reversed_by = [
        words.text(
            "posted.was_reversed",
            id=str(other.id),
            run=_run_of(other, words),
            cause=other.cause,
            reason=named("reason", other.reason, words),
        )
        for other in rows
        if other.reverses == row.id
    ]
    out.print(sentences([posted_text(row, words), *reverses, *reversed_by]))


def show_source(sentence: Sentence, words: Catalogue, out: Console) -> None:
    """Say where the reports come from."""
    out.print(Text(words.text("source.of", sentence=sentence), style="dim"))


def posted_text(row: PostedRow, words: Catalogue, cause: str = "") -> str:
    """Write a row with its run and its cause, or what is to be said in place of its cause."""
    return words.text(
        "posted.bidrag" if row.benefit == FLEKSBIDRAG else "posted.row",
        benefit=str(row.benefit),
        month=str(row.month),
        amount=words.kroner(row.amount_ore or 0),
        rate=str(row.rate),
        result=words.kroner(row.result_ore),
        number=words.text("posted.number", number=row.ordinal) if row.ordinal else "",
        run=_run_of(row, words),
        cause=cause or row.cause,
        reason=named("reason", row.reason, words),
        id=str(row.id),
    )


def _run_of(row: PostedRow, words: Catalogue) -> str:
    return words.text("posted.no_run") if row.run is None else words.text("posted.run", run=row.run)
