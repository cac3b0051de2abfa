"""`refusion export`: the files of a run for the municipalities."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from streams.cli.console import FEW_JOBS, echo_json, load_settings, run_async
from streams.kit.errors import UserError

if TYPE_CHECKING:
    from projections.runs.files import Names
    from streams.ledger.cuts import Cut
    from streams.ledger.export import Exported
    from streams.ledger.table import LedgerTable
    from streams.lis.overviews import LedgerOverviews
    from streams.settings import Settings

INCOMPLETE: Final = 1
"""The exit status if rows of the run are in no file."""
SHOWN: Final = 20
"""Left out rows that are shown to people, a line for each citizen and municipality."""


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
@click.option("--without-notices", is_flag=True, help="Write no file advisering.")
@click.option(
    "--without-overviews", is_flag=True, help="Write no files ugeoversigt and anciennitet."
)
@click.option(
    "--no-wait", is_flag=True, help="Do not wait until the ledger has a run that was just closed."
)
@FEW_JOBS
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def export(
    run: int,
    municipality: str | None,
    out: Path,
    parquet: bool,
    without_notices: bool,
    without_overviews: bool,
    no_wait: bool,
    jobs: int | None,
    as_json: bool,
) -> None:
    """Write the municipalities' files of a run, from the ledger.

    There are five for each municipality. beregning, sumposteringer and advisering have what the run
    changed; ugeoversigt and anciennitet have what is true as of the run. The same run always gives
    the same bytes. They hold CPR numbers: the export is recorded in the topic `access` first, and
    each decryption in access-log.jsonl in the state folder.

    Files get their place when all of the run is written. Rows that no file can have, because
    their seal does not open or nobody of ours wrote them, are left out and listed in
    left-out-run-N.jsonl; the exit status is 1 then.

    The ledger is some seconds behind the journal: after `refusion run close` this waits for it, for
    two minutes at most.
    """
    from streams.acts.acts import Act, record_act
    from streams.kit.progress import meter
    from streams.kit.tuning import tune_garbage_collection
    from streams.ledger.cuts import cuts_of, opened, wait_for_run
    from streams.ledger.export import Export, FileChoice
    from streams.ledger.run_notices import notices_of
    from streams.ledger.table import LedgerTable

    settings = load_settings()
    names = _names(settings, municipality)
    if no_wait:
        ledger = LedgerTable.open(settings.ledger)
    else:
        with meter("partitions") as progress:
            ledger = opened(settings.ledger, lambda: _is_closed(settings, run))
            wait_for_run(ledger, run, lambda: _is_closed(settings, run), progress.show)
    cuts = cuts_of(ledger, run)
    spans = {cut.partition: (cut.journal_start, cut.journal_end) for cut in cuts}
    exporting = Export(settings, ledger, cuts, run, names)
    notices = None if without_notices else run_async(notices_of(settings, spans))
    scope = {"run": run, "municipality": municipality, "folder": os.path.realpath(out)}
    run_async(record_act(settings, Act("export", scope)))
    tune_garbage_collection()
    place = settings, ledger, cuts, run, names, municipality
    with nullcontext() if without_overviews else _overviews(*place) as overviews:
        choice = FileChoice(municipality, notices, parquet, overviews)
        with meter("rows") as progress:
            exported = exporting.write(out, choice, progress.show, jobs)
    if as_json:
        echo_json(exported.as_json())
    else:
        click.echo(exported.sentence())
    _warn(exported)
    if exported.left_out:
        sys.exit(INCOMPLETE)


@contextmanager
def _overviews(
    settings: "Settings",
    ledger: "LedgerTable",
    cuts: Sequence["Cut"],
    run: int,
    names: "Names",
    municipality: str | None,
) -> Iterator["LedgerOverviews"]:
    """Read what is true as of the run; it can be asked within the block."""
    from streams.citizens.rule_sets import LawBook
    from streams.kit.progress import meter
    from streams.lis.engine import engine
    from streams.lis.overviews import SHARE, LedgerOverviews

    with engine(SHARE) as connection:
        overviews = LedgerOverviews(connection, ledger, cuts, run, municipality)
        with meter("parts") as progress:
            overviews.read(names, LawBook(settings.rules).law, progress.show)
        yield overviews


def _names(settings: "Settings", municipality: str | None) -> "Names":
    """The names in the rule set. Raises UserError for a municipality that it does not know."""
    from projections.runs.files import Names
    from streams.citizens.rule_sets import LawBook

    rules = LawBook(settings.rules).catalogue()
    if municipality is not None and municipality not in rules.municipalities:
        raise UserError(
            f"there is no municipality {municipality};"
            " its code has three digits, such as 730 for Randers"
        )
    benefits = {code: benefit.name for code, benefit in rules.benefits.items()}
    return Names(benefits, rules.municipalities)


def _warn(exported: "Exported") -> None:
    """Say on stderr what is in no file."""
    for left_out in exported.left_out[:SHOWN]:
        click.echo(f"left out: {left_out.sentence()}", err=True)
    if len(exported.left_out) > SHOWN:
        more = len(exported.left_out) - SHOWN
        click.echo(f"left out: {more:,} more, in left-out-run-….jsonl beside the files", err=True)


def _is_closed(settings: "Settings", run: int) -> bool:
    """Ask Kafka; without it nothing reaches the ledger, so there is nothing to wait for."""
    from streams.operations.runs import last_run

    try:
        return run_async(last_run(settings)) >= run
    except UserError:
        return False
