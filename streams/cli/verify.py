"""`refusion verify`."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from streams.audit.verify import Verified

VIOLATIONS = 1
"""The exit status when something is wrong; 2 says that it could not be looked at."""
SHOWN = 20
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.option("--deep", is_flag=True, help="Compute the truth of every citizen from scratch too.")
@click.option(
    "--sample",
    type=click.FloatRange(0, 100, min_open=True),
    metavar="PERCENT",
    help="Deep, of so many.",
)
@click.option(
    "--draw",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Another number, another sample.",
)
@click.option(
    "--fold", is_flag=True, help="Fold the journal again: the same postings, byte for byte."
)
@click.option(
    "--files", type=FOLDER, help="Hold the run files in this folder against the postings."
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=None,
    help="Processes.  [default: one for each core]",
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def verify(
    deep: bool,
    sample: float | None,
    draw: int,
    fold: bool,
    files: Path | None,
    jobs: int | None,
    as_json: bool,
) -> None:
    """Audit the topics.

    Workers go on meanwhile, and nothing is written.

    Formats, revisions, ids, reversing rows, sums, run markers, each raw record accounted for, and
    no CPR number where none may be. --deep settles each citizen again by the reference computation,
    --fold the whole journal by the program's own, which must give the same bytes. --files sums up
    what `refusion export` wrote, run by run.
    The exit status is 0 when all is well, 1 when something is wrong, 2 when it could not be looked at.
    """
    import logging

    import orjson

    from streams.audit.verify import Asked
    from streams.audit.verify import verify as verify_topics
    from streams.kit.progress import meter
    from streams.kit.tuning import tune_garbage_collection
    from streams.settings import Settings

    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # the error at the end says it all
    asked = Asked(
        sample or (100.0 if deep else 0.0), draw, jobs or os.cpu_count() or 1, fold, files
    )
    tune_garbage_collection()
    with meter("records") as shown:
        done = verify_topics(Settings.load(os.environ), asked, shown.show)
    if as_json:
        click.echo(orjson.dumps(done.as_json()).decode())
    else:
        _show(done)
    sys.exit(VIOLATIONS if done.violations else 0)


def _show(done: "Verified") -> None:

    for violation in done.found.named[:SHOWN]:
        click.echo(violation.sentence())
    if done.violations > SHOWN:
        click.echo(
            f"… {done.violations - min(SHOWN, len(done.found.named)):,} more; --json names the first of each kind"
        )
    for note, number in sorted(done.found.notes.items()):
        click.echo(f"note: {number:,} {note}")
    for stage, records in done.lag.items():
        if records:
            click.echo(
                f"note: {records:,} offsets are still before {stage}, and were not held against anything"
            )
    totals = {
        name: sum(each[name] for each in done.partitions.values()) for name in ("messages", "rows")
    }
    click.echo(
        f"{done.records:,} records in {done.seconds:.1f} s ({done.records / done.seconds:,.0f}/s):"
        f" {done.citizens:,} citizens, {totals['messages']:,} messages, {totals['rows']:,} rows;"
        f" {done.raw_kept:,} raw records accounted for, {done.raw_twice:,} of them twice"
    )
    if done.deep_citizens:
        click.echo(
            f"{done.deep_citizens:,} citizens computed from scratch ({done.deep_s:.1f} s of a core)"
        )
    if done.files:
        click.echo(
            f"{done.files:,} run files with {done.file_lines:,} lines held against the postings"
        )
    if done.folded:
        click.echo(
            f"{done.folded:,} messages folded again from the journal ({done.fold_s:.1f} s of a core)"
        )
    click.echo(f"{done.violations:,} VIOLATIONS" if done.violations else "no violations")
