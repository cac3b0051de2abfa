"""`refusion export`."""

from pathlib import Path

import click


@click.command()
@click.option("--run", "run", type=click.IntRange(1), required=True, help="The run's number.")
@click.option("--municipality", help="Its code, such as 730.  [default: all 98]")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="The folder for the files.",
)
@click.option("--parquet", is_flag=True, help="Each file as Parquet too.")
@click.option(
    "--without-notices", is_flag=True, help="No file advisering; Kafka is not needed then."
)
@click.option("--json", "as_json", is_flag=True, help="The summary as JSON.")
def export(
    run: int,
    municipality: str | None,
    out: Path,
    parquet: bool,
    without_notices: bool,
    as_json: bool,
) -> None:
    """Write the municipalities' files of a run, from the ledger.

    There are three for each municipality: beregning, sumposteringer and advisering. The same run gives
    the same bytes. They hold CPR numbers; each unsealing is written to access-log.jsonl in the
    state folder.
    """
    import asyncio
    import logging
    import os

    import orjson

    from projections.runs.files import Names
    from streams.citizens.rule_sets import load_rule_set
    from streams.kit.errors import UserError
    from streams.kit.progress import meter
    from streams.kit.tuning import tune_garbage_collection
    from streams.ledger.export import Export, cuts_of
    from streams.ledger.run_notices import notices_of
    from streams.ledger.table import LedgerTable
    from streams.settings import Settings

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # the error at the end says it all
    settings = Settings.load(os.environ)
    rules = load_rule_set()
    names = Names(
        {code: benefit.name for code, benefit in rules.benefits.items()}, rules.municipalities
    )
    if municipality is not None and municipality not in names.municipalities:
        raise UserError(
            f"there is no municipality {municipality}; its code has three digits, such as 730 for Randers"
        )
    ledger = LedgerTable.open(settings.ledger)
    cuts = cuts_of(ledger, run)
    spans = {cut.partition: (cut.journal_start, cut.journal_end) for cut in cuts}
    exporting = Export(settings, ledger, cuts, run, names)
    notices = None if without_notices else asyncio.run(notices_of(settings, spans))
    tune_garbage_collection()
    with meter("rows") as shown:
        done = exporting.write(out, municipality, notices, parquet, shown.show)
    click.echo(orjson.dumps(done.as_json()).decode() if as_json else done.sentence())
