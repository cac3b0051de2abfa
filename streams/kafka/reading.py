"""Reads topics and partitions to their ends, read committed.

Start with `TopicReader`, the port: offsets of a topic, and its records between two offsets. Kafka
implements it (`open_topics`); a test hands in a reader of lists.

    async with open_topics(KafkaClients(settings.bootstrap, "refusion-verify")) as topics:
        ends = await topics.ends("refusion.reports")
        async for record in topics.records("refusion.reports", 0, 0, ends[0]):
            ...

`PartitionReader` is one partition, open: it implements the changelog of the batch loop too.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from datetime import datetime
from math import ceil
from time import monotonic
from typing import Any, Final, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaTimeoutError

from streams.engine.ports import Batch, Record
from streams.kafka.clients import KafkaClients
from streams.kafka.errors import no_topic
from streams.kafka.groups import assignments, client_ids, committed_offsets
from streams.kafka.patches import as_read
from streams.kafka.silence import ImpatientFetches
from streams.kafka.topic_ids import topic_identity
from streams.kafka.topic_settings import Existing
from streams.kafka.topics import TopicError, described

READ_RECORDS: Final = 2_000
"""Between two of these the event loop is let go: heartbeats must not wait for a long reading."""
READ_BYTES: Final = 4 << 20
"""Compressed bytes of one fetch."""
POLL_MS: Final = 20
"""A partition may end with the marker of a transaction: the client passes over it, and waits in
vain for a record."""
TAIL_POLL_MS: Final = 100
"""Milliseconds of one attempt to fetch the next records of a topic that grows."""
PEEK_MS: Final = 200
"""Milliseconds of one attempt to fetch a single record."""

Offsets = dict[int, int]
"""Offsets by partition."""

Counted = Callable[[int], None]
"""Told now and then how many further records were read."""


def _uncounted(_records: int) -> None:
    """Count nothing."""


def written_ms(record: Record) -> int:
    """Return the brokers' time of a record that was read, in ms since 1970; -1 if none is known."""
    return int(getattr(record, "timestamp", -1))


class TopicReader(Protocol):
    """Topics, open for reading: their partitions, offsets and committed records."""

    async def partitions(self, topic: str) -> Sequence[int]:
        """The partitions of a topic in order; none where there is no such topic."""

    async def starts(self, topic: str) -> Offsets:
        """The first offset of each partition that is still there. TopicError without the topic."""

    async def ends(self, topic: str) -> Offsets:
        """The offset after the last committed record of each partition. TopicError as above."""

    async def written_ends(self, topic: str) -> Offsets:
        """The offset after the last record of each partition, those of open transactions too."""

    async def since(self, topic: str, moment: datetime) -> Offsets:
        """The offset of each partition's first record of a moment or later; else its end."""

    async def committed(self, group: str) -> Offsets:
        """The offsets where a consumer group goes on; none for a partition that it never began."""

    async def described(self, topics: Sequence[str]) -> dict[str, Existing]:
        """Partitions, replicas and settings of topics that are there."""

    async def identity(self, topic: str) -> str:
        """The id that the cluster gave to a topic: another after it was deleted and made anew."""

    def records(
        self, topic: str, partition: int, start: int, end: int, counted: Counted = _uncounted
    ) -> AsyncGenerator[Record]:
        """The committed records of a partition from offset `start` up to `end`, without it.

        Records before the partition's first offset are passed over: they have expired.
        """


class PartitionReader:
    """One partition, open for reading from any offset to the end that it had when it was opened."""

    def __init__(
        self, consumer: AIOKafkaConsumer, at: TopicPartition, identity: str, end: int
    ) -> None:
        self.identity = identity
        self.end = end
        self._consumer = consumer
        self._at = at

    async def is_whole(self) -> bool:
        """Return whether nothing comes after the end, which only a fetch tells."""
        self._consumer.seek(self._at, self.end)
        fetches = ImpatientFetches(self._consumer, self._at)
        while self._consumer.highwater(self._at) is None:
            await fetches.fetch(POLL_MS)
        whole: bool = self._consumer.highwater(self._at) <= self.end
        return whole

    async def read(self, start: int) -> AsyncGenerator[Batch]:
        """Records from an offset to the end."""
        self._consumer.seek(self._at, start)
        fetches = ImpatientFetches(self._consumer, self._at)
        position = start
        while position < self.end:
            batch = await fetches.fetch(POLL_MS, READ_RECORDS)
            position = batch.position
            yield batch
            await asyncio.sleep(0)

    async def record(self, offset: int) -> Record | None:
        """The record at an offset before the end; None where there is none."""
        async with aclosing(self.read(offset)) as batches:
            async for batch in batches:
                for record in batch.records:
                    return record if record.offset == offset else None
        return None

    async def record_at(self, offset: int, patience_ms: int) -> Record | None:
        """The record at an offset; None where there is none.

        Raises KafkaTimeoutError where nothing came within `patience_ms`, though there is more.
        """
        self._consumer.seek(self._at, offset)
        batch = await self._consumer.getmany(self._at, timeout_ms=patience_ms, max_records=1)
        for record in batch.get(self._at, ()):
            return record if record.offset == offset else None
        if offset < self.end and await self._consumer.position(self._at) == offset:
            raise KafkaTimeoutError("a broker did not send a record")
        return None


@asynccontextmanager
async def open_partition(
    clients: KafkaClients, topic: str, partition: int, **settings: Any
) -> AsyncIterator[PartitionReader]:
    """Open one partition for the length of a block; `settings` are those of the consumer."""
    usual = {
        "key_deserializer": as_read,
        "max_partition_fetch_bytes": READ_BYTES,
        "fetch_max_wait_ms": POLL_MS,
    }
    async with clients.consumer(**usual | settings) as consumer:
        at = TopicPartition(topic, partition)
        consumer.assign([at])
        identity = await topic_identity(consumer._client, topic)  # noqa: SLF001 - the only way to it
        end = (await consumer.end_offsets([at]))[at]
        yield PartitionReader(consumer, at, identity, end)


async def read_records(
    clients: KafkaClients,
    topic: str,
    partition: int,
    start: int,
    end: int,
    counted: Counted = _uncounted,
    **settings: Any,
) -> AsyncGenerator[Record]:
    """The records of a partition from an offset up to another, over a connection of their own."""
    if start >= end:
        return
    async with (
        open_partition(clients, topic, partition, **settings) as reader,
        aclosing(reader.read(start)) as batches,
    ):
        async for batch in batches:
            records = [record for record in batch.records if record.offset < end]
            for record in records:
                yield record
            counted(len(records))
            if batch.position >= end:
                return


class KafkaTopicReader:
    """The topics of a cluster; what does not change while it is open is asked for once."""

    def __init__(
        self,
        clients: KafkaClients,
        admin: AIOKafkaAdminClient,
        consumer: AIOKafkaConsumer,
        stack: AsyncExitStack,
    ) -> None:
        """`consumer` reads what is committed; further clients are closed with `stack`."""
        self._clients = clients
        self._admin = admin
        self._committed = consumer
        self._written: AIOKafkaConsumer | None = None
        self._stack = stack
        self._described: dict[str, list[int]] = {}

    async def partitions(self, topic: str) -> Sequence[int]:
        """See the port. All topics are described: asking for one by name could create it."""
        if topic not in self._described:
            self._described = {
                described["topic"]: _numbers(described["partitions"])
                for described in await self._admin.describe_topics()
            }
        return self._described.get(topic, [])

    async def starts(self, topic: str) -> Offsets:
        """See the port."""
        return _by_partition(await self._committed.beginning_offsets(await self._all(topic)))

    async def ends(self, topic: str) -> Offsets:
        """See the port."""
        return _by_partition(await self._committed.end_offsets(await self._all(topic)))

    async def written_ends(self, topic: str) -> Offsets:
        """See the port."""
        if self._written is None:
            block = self._clients.consumer(isolation_level="read_uncommitted")
            self._written = await self._stack.enter_async_context(block)
        assert self._written is not None
        return _by_partition(await self._written.end_offsets(await self._all(topic)))

    async def identity(self, topic: str) -> str:
        """See the port."""
        return await topic_identity(self._committed._client, topic)  # noqa: SLF001 - the only way

    async def described(self, topics: Sequence[str]) -> dict[str, Existing]:
        """See the port."""
        return await described(self._admin, topics)

    async def since(self, topic: str, moment: datetime) -> Offsets:
        """See the port."""
        all_partitions, ends = await self._all(topic), await self.ends(topic)
        ms = max(0, int(moment.timestamp() * 1000))
        first = await self._committed.offsets_for_times(dict.fromkeys(all_partitions, ms))
        return {
            at.partition: ends[at.partition] if place is None else place.offset
            for at, place in first.items()
        }

    async def has_record(self, topic: str, partition: int, start: int, end: int) -> bool:
        """Return whether a committed record lies between two offsets; markers are none."""
        at = TopicPartition(topic, partition)
        self._committed.assign([at])
        self._committed.seek(at, start)
        fetches = ImpatientFetches(self._committed, at)
        while await self._committed.position(at) < end:
            for record in (await fetches.fetch(PEEK_MS, 1)).records:
                return bool(record.offset < end)
        return False

    async def oldest_ms(self, topic: str, positions: Offsets, patience_ms: int) -> int | None:
        """The time when the oldest of the records at these offsets was written, in ms since 1970.

        Partitions that do not answer within `patience_ms` are left out; None where none answers.
        The client returns when one broker has answered, so that the others are asked again.
        """
        unanswered = {TopicPartition(topic, partition) for partition in positions}
        self._committed.assign(list(unanswered))
        for partition, offset in positions.items():
            self._committed.seek(TopicPartition(topic, partition), offset)
        times: list[int] = []
        until = monotonic() + patience_ms / 1000
        while unanswered and (left_s := until - monotonic()) > 0:
            batches = await self._committed.getmany(*unanswered, timeout_ms=ceil(1000 * left_s))
            times += [records[0].timestamp for records in batches.values() if records]
            unanswered -= batches.keys()
        return min(times, default=None)

    async def members(self, group: str) -> list[str]:
        """The client ids of a consumer group's members."""
        return await client_ids(self._admin, group)

    async def assignments(self, group: str) -> dict[str, list[int]]:
        """The partitions that each member of a consumer group has, by client id."""
        return await assignments(self._admin, group)

    async def committed(self, group: str) -> Offsets:
        """See the port."""
        return await committed_offsets(self._admin, group)

    def records(
        self, topic: str, partition: int, start: int, end: int, counted: Counted = _uncounted
    ) -> AsyncGenerator[Record]:
        """See the port."""
        return read_records(self._clients, topic, partition, start, end, counted)

    async def _all(self, topic: str) -> list[TopicPartition]:
        numbers = await self.partitions(topic)
        if not numbers:
            raise TopicError(no_topic(topic, self._clients.bootstrap))
        return [TopicPartition(topic, number) for number in numbers]


def _numbers(partitions: Sequence[Mapping[str, int]]) -> list[int]:
    return sorted(partition["partition"] for partition in partitions)


def _by_partition(offsets: Mapping[TopicPartition, int]) -> Offsets:
    return {at.partition: offset for at, offset in offsets.items()}


@asynccontextmanager
async def open_topics(clients: KafkaClients, **settings: Any) -> AsyncIterator[KafkaTopicReader]:
    """Open the topics of a cluster for the length of a block; `settings` are the consumer's."""
    async with AsyncExitStack() as stack:
        consumer = await stack.enter_async_context(clients.consumer(**settings))
        admin = await stack.enter_async_context(clients.admin())
        yield KafkaTopicReader(clients, admin, consumer, stack)


class TopicTail:
    """Reads a topic on from where it stopped, to ends that grow meanwhile."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer

    async def records(self, ends: Offsets) -> AsyncGenerator[tuple[int, Record]]:
        """The next records of each partition with its number, at least up to its end."""
        for at in self._consumer.assignment():
            fetches = ImpatientFetches(self._consumer, at)
            while await self._consumer.position(at) < ends[at.partition]:
                for record in (await fetches.fetch(TAIL_POLL_MS, READ_RECORDS)).records:
                    yield at.partition, record


@asynccontextmanager
async def open_tail(clients: KafkaClients, topic: str, starts: Offsets) -> AsyncIterator[TopicTail]:
    """Open the partitions of a topic from these offsets on, for the length of a block."""
    async with clients.consumer(key_deserializer=as_read) as consumer:
        consumer.assign([TopicPartition(topic, partition) for partition in starts])
        for partition, offset in starts.items():
            consumer.seek(TopicPartition(topic, partition), offset)
        yield TopicTail(consumer)
