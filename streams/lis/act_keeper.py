"""Copies new records of the topic `access` into their table while the stage `projections` runs.

The process that has the first partition of `postings` does it, once a minute, so it is done once.
Where it fails the log says so, and it is tried again: nothing waits for it.
"""

import asyncio
import logging
from contextlib import aclosing
from typing import Final

from streams.acts.chain import PARTITION, AccessRecord, Entry, entry_of, is_genuine
from streams.kafka.clients import KafkaClients
from streams.kafka.errors import explained
from streams.kafka.reading import open_topics
from streams.kafka.topics import ACCESS, TopicError
from streams.kit.errors import UserError
from streams.lis.act_table import ActTable
from streams.settings import Settings

LOOK_S: Final = 60.0
MOST: Final = 20_000
"""Records of one commit."""
CLIENT: Final = "refusion-act-copy"
log = logging.getLogger("refusion")


class ActCopyError(UserError):
    """The topic cannot be read; the message says why."""


class ActKeeper:
    """Copies now and then."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._work: asyncio.Task[None] | None = None
        self._tenure: object = None
        self._told = ""

    def passed(self, _last_run: int) -> None:
        """Note nothing: postings do not matter here."""

    def start(self, tenure: object) -> None:
        """Begin to look; the first partition is ours, and this is who works at it now."""
        self._tenure = tenure
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._keep())

    async def stop(self, tenure: object) -> None:
        """End: the first partition is another's now.

        A tenure that ends when the next one of this process has begun already ends nothing.
        """
        if self._work is not None and tenure is self._tenure:
            work, self._work = self._work, None
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    async def _keep(self) -> None:
        while True:
            try:
                await copy_acts(self._settings)
                self._told = ""
            except UserError as error:
                if str(error) != self._told:
                    self._told = str(error)
                    log.warning("acts are not copied: %s", error)
            await asyncio.sleep(LOOK_S)


async def copy_acts(settings: Settings) -> int:
    """Copy what is new, and return how many records that were. Raises UserError."""
    table, macs, name = ActTable(settings.ledger), settings.macs(), settings.topic(ACCESS)
    copied = 0
    with explained(settings.bootstrap, ActCopyError):
        async with open_topics(KafkaClients(settings.bootstrap, CLIENT)) as reader:
            try:
                start = (await reader.starts(name))[PARTITION]
                end = (await reader.ends(name))[PARTITION]
            except TopicError:
                return 0
            identity = await reader.identity(name)
            start = max(start, await asyncio.to_thread(table.position, identity))
            entries: list[Entry] = []
            async with aclosing(reader.records(name, PARTITION, start, end)) as records:
                async for each in records:
                    record = AccessRecord(each.offset, each.key, each.value, each.headers)
                    entry = entry_of(record) if is_genuine(macs, record) else None
                    if entry is None:
                        continue
                    entries.append(entry)
                    if len(entries) >= MOST:
                        await asyncio.to_thread(table.append, identity, entries, each.offset + 1)
                        copied, entries = copied + len(entries), []
            if entries:
                await asyncio.to_thread(table.append, identity, entries, end)
    return copied + len(entries)
