"""`refusion verify`: an audit of the topics."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from streams.cli.console import JOBS, echo_json, load_settings
from streams.kit.logs import quiet_clients

if TYPE_CHECKING:
    from streams.audit.verify import Verified
    from streams.settings import Settings

VIOLATIONS: Final = 1
"""The exit status when something is wrong; 2 means that the audit itself failed."""
NOWHERE: Final = -1
"""Partition of a violation that is in no partition."""
SHOWN: Final = 20
"""The number of violations listed."""
FOLDER: Final = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.option("--deep", is_flag=True, help="Compute every citizen's truth from scratch too.")
@click.option(
    "--sample",
    type=click.FloatRange(0, 100, min_open=True),
    metavar="PERCENT",
    help="As --deep, for so many of the citizens.",
)
@click.option(
    "--draw",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="The number of the sample; another number draws other citizens.",
)
@click.option(
    "--fold", is_flag=True, help="Fold the journal again, and compare the postings byte for byte."
)
@click.option(
    "--files", type=FOLDER, help="Compare the run files in this folder with the postings."
)
@click.option("--marts", is_flag=True, help="Hold the tables of LIS against the ledger too.")
@JOBS
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def verify(
    deep: bool,
    sample: float | None,
    draw: int,
    fold: bool,
    files: Path | None,
    marts: bool,
    jobs: int | None,
    as_json: bool,
) -> None:
    """Audit the topics while the workers go on.

    Nothing is written to the topics, except with --files: `access` keeps who looked. The outcome,
    which `refusion status` shows, is kept in REFUSION_OPERATIONS_DIR.

    The audit checks formats, revisions, ids, reversing rows, sums and run markers, that each raw
    record is accounted for, and that no CPR number is where none may be. --deep settles each
    citizen again by the reference computation; --fold settles the whole journal again by the
    program itself, which must give the same bytes. --files adds up what `refusion export` wrote,
    run by run; --marts makes the tables of LIS of each closed run again from the ledger, which must
    give the same rows. The exit status is 0 if all is well, 1 if something is wrong, and 2 if the
    audit could not be made.
    """
    from streams.acts.acts import Act, record_act
    from streams.audit.verify import VerifyRequest
    from streams.audit.verify import verify as verify_topics
    from streams.kit.last_outcomes import keep_outcome
    from streams.kit.progress import meter
    from streams.kit.tuning import tune_garbage_collection

    quiet_clients()
    request = VerifyRequest(sample or (100.0 if deep else 0.0), draw, jobs or 0, fold, files)
    settings = load_settings()
    if files is not None:
        act = Act("verify --files", {"folder": str(files.resolve())})
        asyncio.run(record_act(settings, act))
    tune_garbage_collection()
    with meter("records") as progress:
        verified = verify_topics(settings, request, progress.show)
    if marts:
        _hold_marts(settings, verified)
    outcome = {"fine": not verified.violations.total, "violations": verified.violations.total}
    keep_outcome(settings.operations_dir, "verify", outcome)
    if as_json:
        echo_json(verified.as_json())
    else:
        _show(verified)
    sys.exit(VIOLATIONS if verified.violations.total else 0)


def _hold_marts(settings: "Settings", verified: "Verified") -> None:
    """Add what in the marts of closed runs is not as the ledger has it."""
    from projections.audit.violations import Violation
    from streams.citizens.rule_sets import LawBook
    from streams.kit.progress import meter
    from streams.ledger.table import LedgerTable
    from streams.lis.control_sums import kept_beside
    from streams.lis.mart_audit import unlike_the_ledger

    law_of = LawBook(settings.rules).law
    ledger = LedgerTable.open(settings.ledger)
    with meter("runs") as progress:
        for mart, run, keys in unlike_the_ledger(
            ledger, settings.lis, law_of, kept_beside(settings.ledger), progress.show
        ):
            text = f"table {mart}, run {run}: {keys} is not as the ledger has it"
            verified.violations.add(Violation("marts", f"lis/{mart}", NOWHERE, run, text))


def _show(verified: "Verified") -> None:
    named = verified.violations.named[:SHOWN]
    for violation in named:
        click.echo(violation.sentence())
    if verified.violations.total > SHOWN:
        more = verified.violations.total - len(named)
        click.echo(f"… {more:,} more; --json names the first of each kind")
    for note, number in sorted(verified.violations.notes.items()):
        click.echo(f"note: {number:,} {note}")
    for stage, records in verified.lag.items():
        if records:
            click.echo(
                f"note: {records:,} offsets are still before {stage},"
                " and were not held against anything"
            )
    _show_amount_of_work(verified)
    click.echo(
        f"{verified.violations.total:,} VIOLATIONS"
        if verified.violations.total
        else "no violations"
    )


def _show_amount_of_work(verified: "Verified") -> None:
    partitions = verified.partitions.values()
    messages, rows = (sum(each[name] for each in partitions) for name in ("messages", "rows"))
    rate = verified.records / verified.seconds
    click.echo(
        f"{verified.records:,} records in {verified.seconds:.1f} s ({rate:,.0f}/s):"
        f" {verified.citizens:,} citizens, {messages:,} messages, {rows:,} rows;"
        f" {verified.raw.kept:,} raw records accounted for, {verified.raw.twice:,} of them twice"
    )
    if verified.deep_citizens:
        click.echo(
            f"{verified.deep_citizens:,} citizens computed from scratch"
            f" ({verified.deep_s:.1f} s of a core)"
        )
    if verified.files:
        click.echo(
            f"{verified.files:,} run files with {verified.file_lines:,} lines"
            " held against the postings"
        )
    if verified.folded:
        click.echo(
            f"{verified.folded:,} messages folded again from the journal"
            f" ({verified.fold_s:.1f} s of a core)"
        )
