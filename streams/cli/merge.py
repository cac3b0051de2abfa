"""`refusion merge`: two numbers are one person, or are parted again."""

import sys
from typing import TYPE_CHECKING, Final

import click

from streams.cli.console import DIFFERS, answering, echo_json, load_settings, run_with_progress

if TYPE_CHECKING:
    from streams.operations.merge_pairs import MergedPairs, MergePair

NONE_DONE: Final = 2
"""The exit status where no pair of several could be done."""


@click.command()
@click.argument("names", nargs=-1, metavar="[FORMER NEW]...")
@click.option("--pairs", "given", is_flag=True, help="Read pairs from standard input, one a line.")
@click.option("--undo", is_flag=True, help="They are two persons after all: part them.")
@click.option(
    "--reason", required=True, metavar="REASON", help="Why; it is kept for ever in the journal."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def merge(names: tuple[str, ...], given: bool, undo: bool, reason: str, as_json: bool) -> None:
    """Merge two numbers of one person, or part them.

    What was reported for FORMER, and what is reported for it later, counts for NEW. The two are
    pseudonyms, as in postings. Without them the command asks for two CPRs (or reads them from the
    first two lines of standard input), the former one first. This needs two persons.

    Several pairs are one act: each is merged whole or not at all, and the exit status is 1 where
    only some could be or it is unknown of one, 2 where none could. A line of --pairs has the former
    CPR or pseudonym, a space and the new one.
    """
    from streams.operations.merge_past import MergeError
    from streams.operations.merges import merge as do_merge

    with answering(as_json):
        pairs = _pairs(names, given=given)
        done = run_with_progress(
            "records",
            lambda settings, show: do_merge(settings, pairs, reason, undo=undo, shown=show),
        )
    if given or len(pairs) > 1:
        _show(done, as_json=as_json)
        return
    for left in (*done.not_done, *done.unknown):
        raise MergeError(left.why)
    (merged,) = done.merged
    if as_json:
        echo_json(merged._asdict())
    else:
        click.echo(merged.sentence())


def _pairs(names: tuple[str, ...], *, given: bool) -> "list[MergePair]":
    """Return the pairs that are named, given on standard input or asked for."""
    from streams.explain.find import named_citizen
    from streams.kit.standard_streams import standard_input
    from streams.operations.merge_pairs import MergePair, pairs_of, read_pairs
    from streams.operations.merge_past import MergeError

    if given and names:
        raise MergeError("--pairs reads the numbers from standard input: name none beside it")
    settings = load_settings()
    if given:
        return read_pairs(standard_input(), settings)
    if names:
        return pairs_of([named_citizen(name, settings) for name in names])
    return [MergePair(named_citizen(None, settings), named_citizen(None, settings))]


def _show(done: "MergedPairs", *, as_json: bool) -> None:
    """Show what became of each pair, and end with the status that says it."""
    if as_json:
        echo_json(done.as_json())
    else:
        click.echo("\n".join(done.sentences()))
    if not done.is_whole:
        sys.exit(DIFFERS if done.merged or done.unknown else NONE_DONE)
