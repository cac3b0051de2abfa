"""`refusion restore`: the journal of a backup, under a new prefix."""

from typing import TYPE_CHECKING

import click

from streams.cli.backup import PLACE
from streams.cli.console import end_with, run_with_progress

if TYPE_CHECKING:
    from streams.archive.comparison import ComparedPostings
    from streams.archive.restore import Restored
    from streams.cli.console import Show
    from streams.settings import Settings


@click.command()
@click.option(
    "--from",
    "uris",
    metavar="URI",
    required=True,
    multiple=True,
    help=f"{PLACE} Several that follow each other are named in their order.",
)
@click.option("--prefix", metavar="NEW", required=True, help="The prefix of the new topics.")
@click.option(
    "--compare",
    is_flag=True,
    help="Write nothing: compare the postings under NEW with those of the backup.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def restore(uris: tuple[str, ...], prefix: str, compare: bool, as_json: bool) -> None:
    """Make the journal and the record of acts anew from a backup.

    The topics have the same partitions, order, keys and values. A worker with REFUSION_PREFIX=NEW
    makes state, postings and ledger from them; --compare holds its postings against those of the
    backup. A restore that was stopped is started again.
    """
    from streams.archive.comparison import compare_postings
    from streams.archive.object_store import open_store
    from streams.archive.restore import restore as restore_topics

    async def work(settings: "Settings", show: "Show") -> "Restored | ComparedPostings":
        places = [open_store(uri, must_exist=True) for uri in uris]
        do = compare_postings if compare else restore_topics
        return await do(settings, places, prefix, lambda records: show(records, None))

    done = run_with_progress("records", work)
    end_with(done, as_json=as_json)
