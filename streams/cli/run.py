"""`refusion run`: a month's run, closed or looked at."""

import sys
from typing import Final

import click

from streams.cli.console import FEW_JOBS, answering, echo_json, run_with_progress, terminal

HELD: Final = 1
"""The exit status of a run that was not closed because its completeness is in doubt."""


@click.group()
def run() -> None:
    """Close a month's run, and look at the runs.

    A run holds what was posted since the run before. What comes later for its month is in a later
    run, as corrections.
    """


@run.command()
@click.option(
    "--month",
    required=True,
    metavar="YYYY-MM",
    help="The data month: the one after the last run's; the first run may be of any month.",
)
@click.option(
    "--no-wait", is_flag=True, help="Do not wait until intake has processed what was published."
)
@click.option("--dry-run", is_flag=True, help="Show what would be in the run; write nothing.")
@click.option(
    "--accept",
    multiple=True,
    metavar="REASON",
    help="Close the run in spite of doubts; the reason is kept in the run's marker.",
)
@FEW_JOBS
@click.option("--json", "as_json", is_flag=True, help="Print JSON; money in øre.")
def close(
    month: str,
    no_wait: bool,
    dry_run: bool,
    accept: tuple[str, ...],
    jobs: int | None,
    as_json: bool,
) -> None:
    """Close the run of a month.

    A run is held (exit status 1) when a reporter is missing or its amount jumps, when payments came
    twice by different channels, or when a control sum is wrong. --accept closes it all the same,
    for a reason.
    """
    from streams.cli.run_report import closed_object, say_held, show_closed
    from streams.kit.tuning import tune_garbage_collection
    from streams.operations import runs

    closing = runs.Closing(month, wait=not no_wait, dry_run=dry_run, accept=accept, jobs=jobs)
    tune_garbage_collection()
    with answering(as_json):
        closed = run_with_progress(
            "records",
            lambda settings, show: runs.close(
                settings, closing, lambda _what, done, total: show(done, total)
            ),
        )
    if as_json:
        echo_json(closed_object(closed, dry_run))
    else:
        show_closed(terminal(), closed, dry_run)
    if not dry_run and not closed.closed:
        say_held(closed)
        sys.exit(HELD)
    if closed.unkept:
        click.echo(
            f"the run is closed, but what was received and expected is not kept for LIS:"
            f" {closed.unkept}",
            err=True,
        )
        sys.exit(HELD)


@run.command()
@FEW_JOBS
@click.option("--json", "as_json", is_flag=True, help="Print JSON; money in øre.")
def status(jobs: int | None, as_json: bool) -> None:
    """Show the last run, the open one, and how far the stages are."""
    from streams.cli.run_report import show_status, status_object
    from streams.kit.tuning import tune_garbage_collection
    from streams.operations import runs

    tune_garbage_collection()
    state = run_with_progress(
        "records",
        lambda settings, show: runs.status(
            settings, lambda _what, done, total: show(done, total), jobs
        ),
    )
    if as_json:
        echo_json(status_object(state))
    else:
        show_status(terminal(), state)
