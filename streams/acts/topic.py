"""The topic `access`, open for writing and reading: a port, and Kafka behind it."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from datetime import datetime
from typing import Any, Final, Protocol

from streams.acts.chain import PARTITION, AccessRecord
from streams.engine.ports import Headers
from streams.kafka.clients import KafkaClients, acknowledged
from streams.kafka.errors import explained
from streams.kafka.reading import TopicReader, open_topics
from streams.kafka.topic_ids import topic_identity
from streams.kafka.topic_layout import ensure_topics_of
from streams.kafka.topics import ACCESS, LARGE_BYTES
from streams.kit.errors import UserError
from streams.settings import Settings

CLIENT: Final = "refusion-acts"
"""Client id, as brokers see it."""


Wanted = Callable[[AccessRecord], bool]
"""Tells whether a record is one to be kept."""


class ActError(UserError):
    """An act cannot be recorded, so it is not done; the message says why and what to do."""


class ActTopic(Protocol):
    """The topic `access`. `identity` is another after the topic was deleted and made anew."""

    name: str
    identity: str

    async def append(self, key: bytes, value: bytes, headers: Headers) -> None:
        """Write a record, and return when the brokers have acknowledged it."""

    async def records(
        self, wanted: Wanted, since: datetime | None = None, start: int = 0
    ) -> list[AccessRecord]:
        """Read the committed records that are wanted, all or those of a moment and later.

        `start` is the offset of the first one. Others may write as much as they like to the topic:
        what is not wanted is not kept.
        """

    async def first(self, since: datetime | None = None) -> int:
        """Return the offset at which `records` begins to read."""

    async def record(self, offset: int) -> list[AccessRecord]:
        """Read the record at an offset; none where there is none."""


OpenActTopic = Callable[[Settings], AbstractAsyncContextManager[ActTopic]]
"""Opens the topic for the length of a block."""


class KafkaActTopic:
    """The topic of a cluster."""

    def __init__(self, clients: KafkaClients, producer: Any, name: str, identity: str) -> None:
        self.name = name
        self.identity = identity
        self._clients = clients
        self._producer = producer

    async def append(self, key: bytes, value: bytes, headers: Headers) -> None:
        """See the port."""
        sent = self._producer.send_and_wait(self.name, value, key, PARTITION, headers=headers)
        await acknowledged([sent])

    async def records(
        self, wanted: Wanted, since: datetime | None = None, start: int = 0
    ) -> list[AccessRecord]:
        """See the port."""
        async with open_topics(self._clients) as reader:
            first, ends = await self._first(reader, since), await reader.ends(self.name)
            records = self._between(reader, max(start, first), ends[PARTITION])
            return [record async for record in records if wanted(record)]

    async def first(self, since: datetime | None = None) -> int:
        """See the port."""
        async with open_topics(self._clients) as reader:
            return await self._first(reader, since)

    async def _first(self, reader: TopicReader, since: datetime | None) -> int:
        starts = await (reader.since(self.name, since) if since else reader.starts(self.name))
        return starts[PARTITION]

    async def record(self, offset: int) -> list[AccessRecord]:
        """See the port."""
        async with open_topics(self._clients) as reader:
            end = (await reader.ends(self.name))[PARTITION]
            return [record async for record in self._between(reader, offset, min(end, offset + 1))]

    async def _between(
        self, reader: TopicReader, start: int, end: int
    ) -> AsyncGenerator[AccessRecord]:
        async with aclosing(reader.records(self.name, PARTITION, start, end)) as records:
            async for record in records:
                yield AccessRecord(record.offset, record.key, record.value, record.headers)


@asynccontextmanager
async def open_act_topic(settings: Settings) -> AsyncIterator[ActTopic]:
    """Open the topic of the brokers in the settings. Raises ActError where that is not possible."""
    clients, name = KafkaClients(settings.bootstrap, CLIENT), settings.topic(ACCESS)
    with explained(
        settings.bootstrap,
        ActError,
        no_answer="; nothing was done: what is done here is recorded first",
        advice=f"nothing was done: look at the brokers, and at the rights to write to {name}",
    ):
        await ensure_topics_of(settings, (ACCESS,))
        async with clients.producer(
            enable_idempotence=True, max_request_size=LARGE_BYTES, compression_type="zstd"
        ) as producer:
            identity = await topic_identity(producer.client, name)
            yield KafkaActTopic(clients, producer, name, identity)
