"""Copies new records of the topic `access` into their table while the stage `projections` runs.

The process that has the first partition of `postings` does it, once a minute, so it is done once.
Where it fails the log says so, and it is tried again: nothing waits for it.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Final

from streams.acts.chain import PARTITION, AccessRecord
from streams.engine.ports import Record
from streams.kafka.clients import KafkaClients
from streams.kafka.errors import explained
from streams.kafka.reading import open_topics
from streams.kafka.topics import ACCESS, TopicError
from streams.kit.errors import UserError, kind_and_place
from streams.lis.act_table import ActTable
from streams.lis.first_partition import FirstPartitionWork
from streams.settings import Settings

LOOK_S: Final = 60.0
MOST: Final = 20_000
"""Records of one commit."""
MOST_BYTES: Final = 16 << 20
"""Bytes of values after which a commit is made: whoever may write to the topic chooses them."""
CLIENT: Final = "refusion-act-copy"
log = logging.getLogger("refusion")


class ActCopyError(UserError):
    """The topic cannot be read; the message says why."""


class ActKeeper(FirstPartitionWork):
    """Copies now and then."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings
        self._told = ""

    def passed(self, last_run: int) -> None:
        """Note nothing: postings do not matter here."""

    async def _keep(self) -> None:
        while True:
            try:
                await copy_acts(self._settings)
                self._told = ""
            except Exception as error:  # noqa: BLE001 - a defect is tried again too
                told = str(error) if isinstance(error, UserError) else kind_and_place(error)
                if told != self._told:
                    self._told = told
                    log.warning("acts are not copied: %s", told)
            await asyncio.sleep(LOOK_S)


async def copy_acts(settings: Settings) -> int:
    """Copy what is new, and return how many offsets that were. Raises UserError.

    Every record is copied, whoever wrote it: our keys may be older than those of its writer, and
    who reads the copy looks at each MAC.
    """
    table, name = ActTable(settings.ledger, settings.macs()), settings.topic(ACCESS)
    copied, batch, size = 0, list[AccessRecord](), 0
    with explained(settings.bootstrap, ActCopyError):
        async with open_topics(KafkaClients(settings.bootstrap, CLIENT)) as reader:
            try:
                end = (await reader.ends(name))[PARTITION]
            except TopicError:
                return 0
            identity = await reader.identity(name)
            start = await asyncio.to_thread(table.position, identity)
            read = reader.records(name, PARTITION, start, end)
            async with aclosing(read), aclosing(_each_offset(read, start, end)) as records:
                async for record in records:
                    batch.append(record)
                    size += len(record.value or b"")
                    if len(batch) < MOST and size < MOST_BYTES and record.offset + 1 < end:
                        continue
                    if not await asyncio.to_thread(table.append, identity, batch):
                        return copied
                    copied, batch, size = copied + len(batch), [], 0
    return copied


async def _each_offset(
    read: AsyncIterator[Record], start: int, end: int
) -> AsyncGenerator[AccessRecord]:
    """Yield a record for each offset; an empty one where there is a marker, or no record any more.

    So whoever reads the copy sees whether it is whole.
    """
    at = start
    async for each in read:
        for passed in range(at, each.offset):
            yield AccessRecord(passed, None, None, ())
        yield AccessRecord(each.offset, each.key, each.value, each.headers)
        at = each.offset + 1
    for passed in range(at, end):
        yield AccessRecord(passed, None, None, ())
