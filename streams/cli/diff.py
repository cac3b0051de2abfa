"""`refusion diff`: the changes that a run made for a citizen."""

from typing import TYPE_CHECKING

import click

from streams.cli.console import LANGUAGE, PURPOSE
from streams.kit.logs import quiet_clients
from streams.kit.secrets import own_environment

if TYPE_CHECKING:
    from streams.kit.catalogue import Language


@click.command()
@click.argument("citizen", required=False)
@click.option("--run", "run", type=click.IntRange(1), required=True, help="The run's number.")
@PURPOSE
@LANGUAGE
@click.option("--json", "as_json", is_flag=True, help="Print JSON; money in øre.")
def diff(citizen: str | None, run: int, purpose: str, language: "Language", as_json: bool) -> None:
    """Show what changed in a run for a citizen, and why.

    CITIZEN is a pseudonym, as in postings. Without it the command asks for a CPR (or reads it from
    the first line of standard input). The rows come from the ledger, and the reports that caused
    them from the journal. The look is recorded in the topic `access` first.
    """
    from streams.explain.diff import differences_of
    from streams.explain.render_diff import show_differences

    quiet_clients()
    differences = differences_of(citizen, run, own_environment(), purpose)
    if as_json:
        click.echo(differences.as_json(language))
    else:
        show_differences(differences, language)
