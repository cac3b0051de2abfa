"""Holds postings that were made anew against those of a backup, value by value.

A restored journal is settled again by a worker. With the same version of the program each partition
has the same postings in the same order, to the byte; only their offsets, and with them the headers
that name a record of the journal, are others. What nobody of ours wrote is passed over on both
sides, where the journal says from its beginning whose it is.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from streams.archive.object_store import ArchiveStore
from streams.archive.restore import CLIENT, BackupParts, RestoreError, under_prefix
from streams.engine.ports import Record
from streams.kafka import topics
from streams.kafka.clients import KafkaClients
from streams.kafka.errors import explained
from streams.kafka.reading import open_topics
from streams.settings import Settings
from streams.wire.belief import KEYS, MarkedRecord, control_id, is_marked


@dataclass
class ComparedPostings:
    """The findings of a comparison: `wrong` are sentences, `missing` are postings not there yet."""

    wrong: list[str] = field(default_factory=list)
    same: int = 0
    missing: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return it for a program."""
        return vars(self) | {"fine": not self.wrong and not self.missing}

    def sentence(self) -> str:
        """Say it to people."""
        if self.wrong:
            return "\n".join([*self.wrong, f"{len(self.wrong)} partitions DIFFER"])
        if self.missing:
            return (
                f"{self.same:,} postings are the same to the byte, {self.missing:,} are not there"
                " yet: the workers have not settled everything"
            )
        return f"{self.same:,} postings are the same to the byte"


async def compare_postings(
    settings: Settings,
    places: Sequence[ArchiveStore],
    prefix: str,
    progress: Callable[[int], None],
) -> ComparedPostings:
    """Compare the postings under a prefix with those of backups. Raises UserErrors."""
    parts = await asyncio.to_thread(BackupParts, places, settings.archive_keys())
    new = under_prefix(settings, prefix, parts.partitions(topics.POSTINGS.name))
    compared, name = ComparedPostings(), new.topic(topics.POSTINGS)
    with explained(new.bootstrap, RestoreError):
        async with open_topics(KafkaClients(new.bootstrap, CLIENT)) as reader:
            for partition, end in sorted((await reader.ends(name)).items()):
                records = reader.records(name, partition, 0, end)
                async with aclosing(records):
                    await _compare(compared, new, parts, partition, records)
                progress(compared.same)
    return compared


async def _compare(
    compared: ComparedPostings,
    settings: Settings,
    parts: BackupParts,
    partition: int,
    records: AsyncIterator[Record],
) -> None:
    """Compare one partition up to the end of either side."""
    mac = settings.macs().at("postings", partition)
    first = next(parts.records(topics.REPORTS.name, partition), None)
    begins = first is not None and (control_id(first.value) or "").startswith(KEYS)

    def counts(record: MarkedRecord) -> bool:
        return not begins or is_marked(mac, record)

    for archived in filter(counts, parts.records(topics.POSTINGS.name, partition)):
        async for record in records:
            if counts(record):
                break
        else:
            compared.missing += 1
            continue
        if record.value != archived.value:
            compared.wrong.append(
                f"partition {partition}: the posting at {record.offset} is not the one that the"
                f" backup has from {archived.offset}"
            )
            return
        compared.same += 1
