"""`refusion merge`: two numbers are one person, or are parted again."""

import click

from streams.cli.console import answering, echo_json, load_settings, run_with_progress


@click.command()
@click.argument("former", required=False)
@click.argument("new", required=False)
@click.option("--undo", is_flag=True, help="They are two persons after all: part them.")
@click.option(
    "--reason", required=True, metavar="REASON", help="Why; it is kept for ever in the journal."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def merge(former: str | None, new: str | None, undo: bool, reason: str, as_json: bool) -> None:
    """Merge two numbers of one person, or part them.

    What was reported for FORMER, and what is reported for it later, counts for NEW. The two are
    pseudonyms, as in postings. Without them the command asks for two CPRs (or reads them from the
    first two lines of standard input), the former one first. This needs two persons.
    """
    from streams.explain.find import named_citizen
    from streams.operations.merge_past import MergeError
    from streams.operations.merges import merge as do_merge

    with answering(as_json):
        if former is not None and new is None:
            raise MergeError("name both numbers, or none: then the command asks for them")
        settings = load_settings()
        one, other = named_citizen(former, settings), named_citizen(new, settings)
        merged = run_with_progress(
            "records",
            lambda settings, show: do_merge(settings, one, other, reason, undo=undo, shown=show),
        )
    if as_json:
        echo_json(merged._asdict())
    else:
        done = "are two persons again" if merged.undone else "are one person, under the new number"
        click.echo(f"the two numbers {done} (moved/{merged.id}, {merged.records:,} records)")
