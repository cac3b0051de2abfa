"""`refusion backup`: what cannot be made again, kept outside of the cluster."""

import sys
from datetime import UTC, datetime
from typing import Final

import click

from streams.cli.console import echo_json, load_settings, run_with_progress
from streams.kit.errors import UserError

WRONG: Final = 1
"""The exit status if a backup is not what was written."""
UNPROVED: Final = 2
"""The exit status if nothing wrong was seen, but no signature could be checked."""
PLACE: Final = "A folder, file://FOLDER or s3://BUCKET/FOLDER."


@click.group(invoke_without_command=True)
@click.option("--to", "uri", metavar="URI", help=PLACE)
@click.option(
    "--since",
    metavar="TIME",
    help="Begin a new backup with the records of this day or time (UTC) and later.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.pass_context
def backup(ctx: click.Context, uri: str | None, since: str | None, as_json: bool) -> None:
    """Back up the journal, the postings, and who did what.

    Workers go on meanwhile. A place that has a backup gets what it does not have yet. The files are
    packed, sealed and chained; to read them takes REFUSION_SEAL_KEY alone. To take one needs the
    key for MACs too, by which this act is recorded. One that was stopped is started again.
    """
    if ctx.invoked_subcommand is not None:
        return
    if uri is None:
        raise UserError("give --to URI, the place for the backup")
    from streams.acts.acts import Act, record_act
    from streams.archive.backup import BackedUp, back_up
    from streams.archive.object_store import open_store
    from streams.cli.console import Show
    from streams.kit.last_outcomes import outcome_kept
    from streams.settings import Settings

    place, moment = uri, None if since is None else _moment(since)

    async def work(settings: Settings, show: Show) -> BackedUp:
        with outcome_kept(settings.operations_dir, "backup", {"to": place}) as outcome:
            store = open_store(place)
            await record_act(settings, Act("backup", {"to": place, "since": since}))
            done = await back_up(settings, store, moment, lambda records: show(records, None))
            outcome["fine"] = done.whole
        return done

    done = run_with_progress("records", work)
    if as_json:
        echo_json(done.as_json())
    else:
        click.echo(done.sentence())
        for note in done.notes:
            click.echo(f"note: {note}", err=True)
    if not done.whole:
        click.echo("the backup is not whole yet: take it again", err=True)
        sys.exit(WRONG)


@backup.command()
@click.option("--from", "uri", metavar="URI", required=True, help=PLACE)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def verify(uri: str, as_json: bool) -> None:
    """Prove a backup whole from itself alone.

    Each file is read and held against the chain of manifests. With REFUSION_SEAL_KEY, which needs
    no other key, signatures are checked and the segments are opened; without it damage is found,
    and no forgery. The exit status is 1 where something is missing or was changed, and 2 where the
    backup could not be proved: it cannot be read, or there is no key. The outcome, which `refusion
    status` shows, is kept in REFUSION_OPERATIONS_DIR.
    """
    from streams.archive.object_store import open_store
    from streams.archive.proof import check_backup
    from streams.kit.last_outcomes import BACKUP_VERIFY, outcome_kept
    from streams.kit.progress import meter

    settings = load_settings()
    with (
        outcome_kept(settings.operations_dir, BACKUP_VERIFY, {"from": uri}) as outcome,
        meter("segments") as progress,
    ):
        store = open_store(uri, must_exist=True)
        keys = settings.archive_keys_if_set(), settings.macs_if_set()
        checked = check_backup(store, *keys, progress.show)
        outcome |= {"fine": checked.result == "whole", "result": checked.result}
    if as_json:
        echo_json(checked.as_json())
    else:
        for sentence in checked.sentences():
            click.echo(sentence)
    sys.exit({"whole": 0, "broken": WRONG, "unsigned": UNPROVED}[checked.result])


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(
            "--since must be a day or a time such as 2026-11-01 or 2026-11-01T08:00:00Z"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
