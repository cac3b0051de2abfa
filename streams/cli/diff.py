"""`refusion diff`: what a run changed for a citizen, and why."""

import os

import click


@click.command()
@click.argument("citizen", required=False)
@click.option("--run", "run", type=click.IntRange(1), required=True, help="The run's number.")
@click.option("--json", "as_json", is_flag=True, help="For programs; money in øre.")
def diff(citizen: str | None, run: int, as_json: bool) -> None:
    """Show what changed in a run for a citizen, and why.

    CITIZEN is a pseudonym, as in postings. Without it a CPR is asked for (or read as the first
    line of standard input). The rows are those of the ledger; the reports that caused them are
    read from the journal.
    """
    from streams.explain.diff import differences_of, show_differences

    differences = differences_of(citizen, run, os.environ)
    if as_json:
        click.echo(differences.as_json())
    else:
        show_differences(differences)
