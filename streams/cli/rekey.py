"""`refusion rekey`: the journal under new keys, with more partitions, without erased citizens."""

import asyncio
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from streams.cli.console import answering, end_with, run_with_progress

if TYPE_CHECKING:
    from streams.archive.key_change import ProvedSameness
    from streams.archive.rekey import Rekeyed
    from streams.cli.console import Show
    from streams.settings import Settings

FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path, resolve_path=True)


@click.command()
@click.option("--to-prefix", "prefix", metavar="NEW", required=True, help="Prefix of the new one.")
@click.option("--new-pseudonym-key", type=FILE, help="A file that holds it; citizens are renamed.")
@click.option("--new-seal-key", type=FILE, help="A file that holds it; CPR numbers are resealed.")
@click.option("--new-journal-key", type=FILE, help="A file that holds it; it marks the records.")
@click.option("--partitions", type=click.IntRange(1), help="Another number of partitions.")
@click.option("--erase", type=FILE, help="A table citizen;reason;basis of who is left out.")
@click.option("--follow", is_flag=True, help="Go on with what comes, until it is stopped.")
@click.option("--prove", "is_proof", is_flag=True, help="Write nothing: compare both postings.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def rekey(
    prefix: str,
    new_pseudonym_key: Path | None,
    new_seal_key: Path | None,
    new_journal_key: Path | None,
    partitions: int | None,
    erase: Path | None,
    follow: bool,
    is_proof: bool,
    as_json: bool,
) -> None:
    """Write the journal anew beside the running system.

    The journal is read in order; citizens are named, sealed and marked by the new keys, and who is
    to be erased is left out, where no rule of retention forbids it. A rekey that was stopped is
    started again. Workers with the new settings make state, postings and ledger from it; --prove
    says then that each remaining citizen's postings are the same but for names, ids and revisions,
    and that the sums of runs differ by what was erased and no more. This needs two persons.
    """
    from streams.archive.key_change import RekeyRequest, prove
    from streams.archive.key_change import rekey as write_anew

    keys = new_pseudonym_key, new_seal_key, new_journal_key
    asked = RekeyRequest(prefix, partitions, *keys, erase)

    async def work(settings: "Settings", show: "Show") -> "Rekeyed | ProvedSameness":
        if is_proof:
            return await prove(settings, asked)
        stopping = asyncio.Event()
        if not follow:
            stopping.set()
        warn = partial(click.echo, err=True)
        return await write_anew(settings, asked, stopping, lambda done: show(done, None), warn)

    with answering(as_json):
        done = run_with_progress("records", work)
    end_with(done, as_json=as_json)
