"""`refusion deliver`: the files of a run to a municipality's server."""

import sys
from pathlib import Path
from typing import Final

import click

from streams.cli.console import echo_json, load_settings, run_async

HELD: Final = 1
"""The exit status if files were kept back because rows are missing in them."""


@click.command()
@click.option("--run", "run", type=click.IntRange(1), required=True, help="The run's number.")
@click.option(
    "--municipality", help="Its code, such as 730.  [default: all that are in the folder]"
)
@click.option(
    "--from",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="The folder that `refusion export` wrote to.",
)
@click.option(
    "--to", "url", required=True, metavar="URL", help="sftp://user@host/folder/{municipality}"
)
@click.option("--dry-run", is_flag=True, help="Show what would be delivered; connect to nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def deliver(
    run: int, municipality: str | None, folder: Path, url: str, dry_run: bool, as_json: bool
) -> None:
    """Deliver the exported files of a run by SFTP.

    The delivery is recorded in the topic `access` first. Each file is uploaded under a temporary
    name, renamed when it is complete, and recorded in receipts.jsonl in the state folder. A second
    delivery skips the files that have a receipt. The server's host key must be known. Without
    --municipality the URL must have {municipality} in it, so that no server gets the files of all.
    """
    from streams.acts.acts import Act, record_act
    from streams.kit.progress import meter
    from streams.ledger.delivery import FileDelivery, ServerAddress
    from streams.ledger.receipts import exported_files, incomplete, receipts_in

    settings, place = load_settings(), ServerAddress.of(url)
    if municipality is None:
        place.check_for_many()
    files = exported_files(folder, run, municipality)
    held = (
        set() if municipality else incomplete(folder, run) & {file.municipality for file in files}
    )
    files = [file for file in files if file.municipality not in held]
    with receipts_in(settings.state_dir, place.server) as receipts, meter("files") as progress:
        delivery = FileDelivery(settings, place, receipts)
        if dry_run:
            left = delivery.without_receipt(files)
            click.echo(
                f"{len(left):,} files would be delivered,"
                f" {len(files) - len(left):,} were delivered before"
            )
            return
        scope = {"run": run, "municipality": municipality, "to": url, "files": len(files)}
        run_async(record_act(settings, Act("deliver", scope)))
        delivered = run_async(delivery.deliver(files, progress.show))
    if as_json:
        echo_json(vars(delivered))
    else:
        click.echo(delivered.sentence())
    if held:
        click.echo(
            f"not delivered: {', '.join(sorted(held))}; rows of theirs are in no file (see"
            f" left-out-run-{run:04d}.jsonl): export again when they can be, or name one with"
            " --municipality",
            err=True,
        )
        sys.exit(HELD)
