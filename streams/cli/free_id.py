"""`refusion free-id`: a report id that a false report has taken is free again."""

import click

from streams.cli.console import answering, echo_json, load_settings, run_async


@click.command("free-id")
@click.argument("citizen", required=False)
@click.option("--reporter", required=True, metavar="CVR", help="The report's reporter.")
@click.option("--report-id", required=True, metavar="ID", help="The id that is to be free again.")
@click.option(
    "--reason", required=True, metavar="REASON", help="Why; it is kept for ever in the journal."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def free_id(citizen: str | None, reporter: str, report_id: str, reason: str, as_json: bool) -> None:
    """Free a report id, so that the true report can come under it.

    CITIZEN is a pseudonym, as in postings. Without it the command asks for a CPR (or reads it from
    the first line of standard input). What came under the id before counts no more, nor does a
    reversal of it. This needs two persons.
    """
    from streams.explain.find import named_citizen
    from streams.operations.freed_ids import free_id as free
    from streams.operations.freed_ids import freeing_of

    with answering(as_json):
        settings = load_settings()
        freeing = freeing_of(named_citizen(citizen, settings), reporter, report_id)
        run_async(free(settings, freeing, reason))
    if as_json:
        echo_json(freeing._asdict())
    else:
        click.echo(f"the id is free from here in the journal on (free/{freeing.id})")
