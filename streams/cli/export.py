"""`refusion export`: the files of a run for the municipalities."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from streams.cli.console import echo_json, load_settings, run_async
from streams.kit.errors import UserError

if TYPE_CHECKING:
    from streams.settings import Settings


@click.command()
@click.option("--run", "run", type=click.IntRange(1), required=True, help="The run's number.")
@click.option("--municipality", help="Its code, such as 730.  [default: all 98]")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="The folder for the files.",
)
@click.option("--parquet", is_flag=True, help="Write each file as Parquet too.")
@click.option(
    "--without-notices", is_flag=True, help="Write no file advisering; Kafka is not needed then."
)
@click.option(
    "--no-wait", is_flag=True, help="Do not wait until the ledger has a run that was just closed."
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def export(
    run: int,
    municipality: str | None,
    out: Path,
    parquet: bool,
    without_notices: bool,
    no_wait: bool,
    as_json: bool,
) -> None:
    """Write the municipalities' files of a run, from the ledger.

    There are three for each municipality: beregning, sumposteringer and advisering. The same run
    always gives the same bytes. They hold CPR numbers; each decryption is logged in
    access-log.jsonl in the state folder.

    The ledger is some seconds behind the journal: after `refusion run close` this waits for it, for
    two minutes at most.
    """
    from projections.runs.files import Names
    from streams.citizens.rule_sets import LawBook
    from streams.kit.progress import meter
    from streams.kit.tuning import tune_garbage_collection
    from streams.ledger.cuts import cuts_of, wait_for_run
    from streams.ledger.export import Export
    from streams.ledger.run_notices import notices_of
    from streams.ledger.table import LedgerTable

    settings = load_settings()
    rules = LawBook(settings.rules).catalogue()
    names = Names(
        {code: benefit.name for code, benefit in rules.benefits.items()}, rules.municipalities
    )
    if municipality is not None and municipality not in names.municipalities:
        raise UserError(
            f"there is no municipality {municipality};"
            " its code has three digits, such as 730 for Randers"
        )
    ledger = LedgerTable.open(settings.ledger)
    if not no_wait:
        with meter("partitions") as progress:
            wait_for_run(ledger, run, lambda: _is_closed(settings, run), progress.show)
    cuts = cuts_of(ledger, run)
    spans = {cut.partition: (cut.journal_start, cut.journal_end) for cut in cuts}
    exporting = Export(settings, ledger, cuts, run, names)
    notices = None if without_notices else run_async(notices_of(settings, spans))
    tune_garbage_collection()
    with meter("rows") as progress:
        exported = exporting.write(out, municipality, notices, parquet, progress.show)
    if as_json:
        echo_json(exported.as_json())
    else:
        click.echo(exported.sentence())


def _is_closed(settings: "Settings", run: int) -> bool:
    """Ask Kafka; without it nothing reaches the ledger, so there is nothing to wait for."""
    from streams.operations.runs import last_run

    try:
        return run_async(last_run(settings)) >= run
    except UserError:
        return False
