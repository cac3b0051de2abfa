"""Reads what the journal has of one citizen, by the index of the partition.

The first time, the index is made of the whole partition; after that only what is new is read.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from streams.citizens.rule_sets import LawBook
from streams.explain.index import RULES, JournalIndex
from streams.explain.live import FETCH_BYTES, PATIENCE_MS
from streams.kafka import topics
from streams.kafka.clients import KafkaClients
from streams.kafka.reading import open_partition, open_topics
from streams.kit.foreign import Foreign, passed_over
from streams.operations.merge_past import CitizenPast, MergeError, PastRecord
from streams.settings import Settings
from streams.wire.journal_checks import JournalChecks, journal_checks
from streams.wire.partitioner import partition_of
from streams.wire.readers import journal_reader

OTHERS_S: Final = 5.0
"""Seconds for transactions of others that are open before ours."""
PAUSE_S: Final = 0.1

Shown = Callable[[int, int], None]


class PastReader:
    """Reads what the journal has of one citizen, further and further."""

    def __init__(
        self,
        settings: Settings,
        clients: KafkaClients,
        citizen: str,
        partition: int,
        checks: JournalChecks,
        shown: Shown,
    ) -> None:
        self.past = CitizenPast(citizen, partition, LawBook(settings.rules))
        self._clients = clients
        self._topic = settings.topic(topics.REPORTS)
        self._folder = settings.state_dir / "journal-index" / f"{settings.prefix}{partition}"
        self._reader = journal_reader(self._topic, partition, checks.journal(partition))
        self._shown = shown
        self._read_to = 0

    async def read_on(self, before: int) -> None:
        """Take what is new; all that lies before an offset must be there. Raises MergeError."""
        offsets = await self._offsets(before)
        citizen, at = self.past.citizen, self.past.partition
        async with open_partition(
            self._clients, self._topic, at, max_partition_fetch_bytes=FETCH_BYTES
        ) as log:
            for offset in offsets:
                record = await log.record_at(offset, PATIENCE_MS)
                if record is None:
                    raise MergeError(
                        f"the journal has nothing at {self._topic}/{at}/{offset}, where a record of"
                        f" citizen {citizen} was: look at it with `refusion verify`"
                    )
                entry = self._reader.read(record)
                if isinstance(entry, Foreign):
                    passed_over(entry)
                    continue
                self.past.take(PastRecord(record, entry))

    async def _offsets(self, before: int) -> list[int]:
        """Return the offsets of records that were not taken yet: the citizen's, and rule sets."""
        until = time.monotonic() + OTHERS_S
        while True:
            at = self.past.partition
            async with open_partition(self._clients, self._topic, at) as log:
                if log.end >= before:
                    index = JournalIndex(self._folder, log.identity)
                    try:
                        await index.catch_up(log, self._shown)
                        offsets = sorted([*index.offsets(self.past.citizen), *index.offsets(RULES)])
                    finally:
                        index.close()
                    start, self._read_to = self._read_to, log.end
                    return [offset for offset in offsets if start <= offset < log.end]
            if time.monotonic() > until:
                raise MergeError(
                    f"another transaction is open in {self._topic}, partition {at}: nothing was"
                    " written; ask for it again when it has ended (`refusion repair transactions"
                    " --dry-run` shows those that hang)"
                )
            await asyncio.sleep(PAUSE_S)


async def past_of(settings: Settings, clients: KafkaClients, citizen: str) -> CitizenPast:
    """Return what the journal has of a citizen until now. Raises UserError."""
    async with open_topics(clients) as opened:
        checks = await journal_checks(opened, settings.topic(topics.REPORTS), settings.macs())
    at = partition_of(citizen.encode(), settings.partitions)
    reader = PastReader(settings, clients, citizen, at, checks, lambda *_: None)
    await reader.read_on(0)
    return reader.past
