"""`refusion repair`: what Kafka does not mend by itself."""

import sys
from typing import TYPE_CHECKING, Final

import click

from streams.cli.console import answering, echo_json, load_settings, run_async

if TYPE_CHECKING:
    from streams.operations.transaction_repair import Repair

LEFT: Final = 1
"""The exit status where transactions hang and were not ended."""


@click.group()
def repair() -> None:
    """Mend what Kafka does not mend by itself."""


@repair.command()
@click.option("--dry-run", is_flag=True, help="Only say what hangs.")
@click.option("--apply", "is_applied", is_flag=True, help="End what hangs.")
@click.option(
    "--older-than",
    type=click.IntRange(1),
    default=900,
    show_default=True,
    metavar="SECONDS",
    help="Leave younger ones alone; not less than the brokers' transaction.max.timeout.ms.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def transactions(dry_run: bool, is_applied: bool, older_than: int, as_json: bool) -> None:
    """Find transactions that hang in our topics, and end them.

    A transaction hangs if it is open in a partition and no coordinator will end it; whoever reads
    committed stops there. See 'Lost broker' in docs/operations.md. Ending one is recorded in the
    topic `access` first. The exit status is 1 where transactions hang that were not ended.
    """
    from streams.operations.transaction_repair import repair_transactions

    if dry_run == is_applied:
        raise click.UsageError("give either --dry-run or --apply")
    with answering(as_json):
        settings = load_settings()
        done = run_async(repair_transactions(settings, apply=is_applied, older_than_s=older_than))
    if as_json:
        echo_json(
            {
                "hanging": [each._asdict() for each in done.hanging],
                "split": sorted(done.split),
                "ended": done.ended,
            }
        )
    else:
        _show(done)
    if done.split or (done.hanging and not done.ended):
        sys.exit(LEFT)


def _show(done: "Repair") -> None:
    for each in done.hanging:
        if each.producer in done.split:
            what = "left alone: it hangs in some of its topics only; rebuild (docs/rebuild.md)"
        else:
            what = "ended" if done.ended else "--apply would end it"
        click.echo(f"{each.sentence()}: {what}")
    if not done.hanging:
        click.echo("no transaction hangs")
