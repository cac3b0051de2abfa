"""`refusion deliver`."""

from pathlib import Path

import click


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
@click.option("--dry-run", is_flag=True, help="Say what would be delivered; connect to nothing.")
@click.option("--json", "as_json", is_flag=True, help="The summary as JSON.")
def deliver(
    run: int, municipality: str | None, folder: Path, url: str, dry_run: bool, as_json: bool
) -> None:
    """Deliver the exported files of a run by SFTP.

    Each file is uploaded beside its place, renamed when it is whole, and has a line in
    receipts.jsonl in the state folder. Delivering again passes over what has its receipt. The server's host
    key must be known.
    """
    import asyncio
    import logging
    import os

    import orjson

    from streams.kit.progress import meter
    from streams.ledger.delivery import Delivery, Place, pieces_of, receipts_in
    from streams.settings import Settings

    logging.getLogger("asyncssh").setLevel(logging.CRITICAL)  # the error at the end says it all
    settings = Settings.load(os.environ)
    place = Place.of(url)
    pieces = pieces_of(folder, run, municipality)
    with receipts_in(settings.state_dir) as receipts, meter("files") as shown:
        delivery = Delivery(settings, place, receipts)
        if dry_run:
            left = delivery.without_receipt(pieces)
            click.echo(
                f"{len(left):,} files would be delivered, {len(pieces) - len(left):,} were delivered before"
            )
            return
        done = asyncio.run(delivery.deliver(pieces, shown.show))
    click.echo(orjson.dumps(vars(done)).decode() if as_json else done.sentence())
