"""`refusion deliver`: the files of a run to a municipality's server."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from streams.cli.console import echo_json, load_settings, run_async
from streams.kit.errors import UserError

if TYPE_CHECKING:
    from streams.ledger.destinations import Shipment
    from streams.ledger.receipts import ExportedFile
    from streams.settings import Settings

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
    "--to",
    "url",
    metavar="URL",
    help="sftp://user@host/folder/{municipality}  [default: the file REFUSION_DESTINATIONS]",
)
@click.option("--dry-run", is_flag=True, help="Show what would be delivered; connect to nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def deliver(
    run: int, municipality: str | None, folder: Path, url: str | None, dry_run: bool, as_json: bool
) -> None:
    """Deliver the exported files of a run by SFTP.

    The delivery is recorded in the topic `access` first. Each file is uploaded under a temporary
    name, renamed when it is complete, and recorded in receipts.jsonl in REFUSION_OPERATIONS_DIR, or
    where that is not set in the state folder. A second delivery skips the files that have a
    receipt. Addresses and fingerprints of host keys come from the file REFUSION_DESTINATIONS, which
    two persons have confirmed (`refusion destinations`). Without that file, --to gives one address,
    whose host key must be known; without --municipality it must have {municipality} in it, so that
    no server gets the files of all.
    """
    from streams.acts.acts import Act, record_act
    from streams.kit.progress import meter
    from streams.ledger.delivery import ServerAddress
    from streams.ledger.destinations import deliver_all
    from streams.ledger.left_out_lists import incomplete
    from streams.ledger.receipts import exported_files

    settings = load_settings()
    if url is not None and municipality is None:
        ServerAddress.of(url).check_for_many()
    files = exported_files(folder, run, municipality)
    held = (
        set() if municipality else incomplete(folder, run) & {file.municipality for file in files}
    )
    files = [file for file in files if file.municipality not in held]
    shipments, sha256 = _shipments(settings, url, files, dry_run=dry_run)
    if dry_run:
        click.echo(_to_be_delivered(settings, shipments))
        return
    scope = {"run": run, "municipality": municipality, "files": len(files)}
    scope |= {"to": url, "destinations": sha256}
    run_async(record_act(settings, Act("deliver", scope)))
    with meter("files") as progress:
        delivered = run_async(deliver_all(settings, shipments, progress.show))
    if as_json:
        echo_json(vars(delivered))
    else:
        click.echo(delivered.sentence())
    if held:
        click.echo(
            f"not delivered: {', '.join(sorted(held))}; rows of theirs are in no file (see"
            f" left-out-run-{run:04d}*.jsonl): export again when they can be, or name one with"
            " --municipality",
            err=True,
        )
        sys.exit(HELD)


def _shipments(
    settings: "Settings", url: str | None, files: "list[ExportedFile]", *, dry_run: bool
) -> "tuple[list[Shipment], str]":
    """Put files and servers together; also the SHA-256 of the file of destinations, "" with --to.

    Raises UserError where the file is not confirmed as it is.
    """
    from streams.ledger.delivery import ServerAddress
    from streams.ledger.destinations import Shipment, read_destinations, shipments_of

    if url is not None:
        if settings.destinations is not None:
            raise UserError(
                "REFUSION_DESTINATIONS says where files go, so --to is not taken; leave one out"
            )
        return [Shipment(ServerAddress.of(url), "", files)], ""
    destinations = read_destinations(settings)
    if not dry_run and not run_async(destinations.are_confirmed(settings)):
        raise UserError(
            f"{destinations.path} is not confirmed as it is now; nothing was delivered: look at it"
            " with `refusion destinations`, and have two persons confirm it with --confirm"
        )
    return shipments_of(files, destinations), destinations.sha256


def _to_be_delivered(settings: "Settings", shipments: "list[Shipment]") -> str:
    from streams.ledger.delivery import FileDelivery
    from streams.ledger.receipts import receipts_in

    left = total = 0
    for shipment in shipments:
        with receipts_in(settings.operations_dir, shipment.address.server) as receipts:
            delivery = FileDelivery(settings, shipment.address, receipts, shipment.host_key)
            left += len(delivery.without_receipt(shipment.files))
            total += len(shipment.files)
    return f"{left:,} files would be delivered, {total - left:,} were delivered before"
