"""`refusion status`: one screen for whoever is on call."""

import asyncio
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import click

from streams.cli.console import echo_json, load_settings, run_async, table, terminal

if TYPE_CHECKING:
    from streams.operations.duty import DutyReport

ATTENTION: Final = 1
"""The exit status where somebody should look."""
EVERY_S: Final = 5.0
LATE_S: Final = 900.0
RESULTS: Final = {"whole": "whole", "broken": "BROKEN", "unsigned": "NO SIGNATURE WAS CHECKED"}
"""The results of proving a backup, in words."""


@click.command()
@click.option("--watch", is_flag=True, help="Show it again and again, until Ctrl-C.")
@click.option(
    "--every",
    "every_s",
    type=click.FloatRange(1, 3600),
    default=EVERY_S,
    show_default=True,
    help="Seconds between two looks of --watch.",
)
@click.option(
    "--late",
    "late_s",
    type=click.FloatRange(1),
    default=LATE_S,
    show_default=True,
    help="Seconds that a record may wait for a stage.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with --watch one line a look.")
def status(watch: bool, every_s: float, late_s: float, as_json: bool) -> None:
    """Show how everything is, on one screen.

    Stages with their lag and the oldest record before them, the last run, the open one and one that
    is held, dead letters, acts that wait for another person, the last verify, the last backup and
    the last verified backup of this machine, and disks. The exit status is 0 if all is well, 1 if
    something needs attention, and 2 if nothing could be seen. Nothing is written.
    """
    settings = load_settings()
    from streams.operations.duty import open_desk

    async def look() -> "DutyReport":
        async with open_desk(settings) as desk:
            while True:
                report = await desk.report(late_s)
                if not watch:
                    return report
                click.clear()
                _show(report, as_json)
                await asyncio.sleep(every_s)

    report = run_async(look())
    _show(report, as_json)
    if report.attention:
        sys.exit(ATTENTION)


def _show(report: "DutyReport", as_json: bool) -> None:
    if as_json:
        echo_json(report.as_json())
        return
    stages = table(f"refusion, {report.at}", "stage", "lag", "oldest", "workers", "nobody has")
    for stage in report.stages:
        oldest = "-" if stage.oldest_s is None else f"{stage.oldest_s:,.0f} s"
        unowned = ", ".join(map(str, stage.unowned)) or "-"
        stages.add_row(stage.stage, f"{stage.lag:,}", oldest, str(stage.workers), unowned)
    terminal().print(stages)
    for line in _lines(report):
        click.echo(line)
    for sentence in report.attention:
        click.echo(f"ATTENTION: {sentence}")
    if not report.attention:
        click.echo("nothing needs attention")


def _lines(report: "DutyReport") -> Iterator[str]:
    last = report.last_run
    yield (
        f"run {last['run']} ({last['month']}) was closed at {last['at']}; {report.open_month} is"
        " open"
        if last
        else "no run was closed yet"
    )
    held = report.held
    yield (
        f"run {held['run']} ({held['month']}) is held since {held['at']}"
        if held
        else "no run is known to be held on this machine"
    )
    of_day = ", ".join(f"{reason} {number:,}" for reason, number in report.letters_of_day.items())
    yield f"{report.letters:,} dead letters are kept; of the last day: {of_day or 'none'}"
    for request in report.approvals:
        yield (
            f"waits for another person: {request['act']}, asked for by {request['user']} at"
            f" {request['at']} ({request['id']})"
        )
    yield f"last verify: {_outcome(report.verified)}"
    yield f"last backup: {_outcome(report.backed_up)}"
    yield f"last verified backup: {_outcome(report.backup_verified)}"
    for disk in report.disks:
        free = disk.free_bytes / 1e9
        yield f"disk of the {disk.name}: {disk.used_percent:.0f} % used, {free:,.1f} GB free"


def _outcome(outcome: Mapping[str, Any] | None) -> str:
    """Say when, how and where something ended."""
    if outcome is None:
        return "unknown on this machine"
    result = RESULTS.get(outcome.get("result", ""), "fine" if outcome.get("fine") else "NOT FINE")
    place = outcome.get("to") or outcome.get("from")
    return f"{outcome['at']}, {result}" + (f", {place}" if place else "")
