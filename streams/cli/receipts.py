"""`refusion receipts`: what a reporter is told of its reports, a day at a time."""

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from streams.cli.console import load_settings, output, run_async

if TYPE_CHECKING:
    from streams.operations.receipts import ReceiptLines, WantedReceipts
    from streams.settings import Settings


@click.command()
@click.option("--reporter", required=True, metavar="CVR", help="The reporter, eight digits.")
@click.option("--day", required=True, metavar="D", help="The day, YYYY-MM-DD, in UTC.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write receipts-CVR-D.jsonl into this folder, instead of to standard output.",
)
def receipts(reporter: str, day: str, out: Path | None) -> None:
    """Write what a reporter was told on a day.

    A report was accepted, rejected, noticed or ignored. One JSON object a line, in the order in
    which it was told; deliveries that repeat a report are counted by day at the end. No line has a
    CPR number. A day that is over does not change any more, and is kept for 90 days.
    """
    from streams.operations.receipts import ReceiptLines, WantedReceipts

    settings, wanted = load_settings(), WantedReceipts.of(reporter, day)
    lines = ReceiptLines()
    if out is None:
        run_async(_write(settings, lines, wanted, output()))
        output().flush()
    else:
        out.mkdir(parents=True, exist_ok=True)
        path = out / f"receipts-{reporter}-{day}.jsonl"
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            run_async(_write(settings, lines, wanted, file))
        part.replace(path)
    told = ", ".join(f"{status} {number:,}" for status, number in sorted(lines.counts.items()))
    click.echo(told or "nothing was told that day", err=True)


async def _write(
    settings: "Settings", lines: "ReceiptLines", wanted: "WantedReceipts", file: BinaryIO
) -> None:
    async for line in lines.of(settings, wanted):
        file.write(line)
