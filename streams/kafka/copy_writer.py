"""Writes records to partitions that are named, in their order: for topics that are made anew."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaTimeoutError

from streams.engine.ports import Message
from streams.kafka.batches import OutputBatch, batches
from streams.kafka.clients import KafkaClients, heard, within
from streams.kafka.topics import LARGE_BYTES

WRITE_S: Final = 120.0
"""Seconds for some thousand records, a broker's restart included."""


class CopyWriter:
    """Writes messages; they are acknowledged when a call returns."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer

    async def write(self, topic: str, partition: int, messages: Iterable[Message]) -> None:
        """Write messages to the end of a partition. Raises KafkaError."""
        async with within(WRITE_S, "nothing was acknowledged"):
            futures = [
                await enqueue(self._producer, batch, topic, partition)
                for batch in batches(messages, is_transactional=False)
            ]
            await asyncio.gather(*futures)


async def enqueue(
    producer: AIOKafkaProducer, batch: OutputBatch, topic: str, partition: int
) -> "asyncio.Future[Any]":
    """Hand a batch to a producer; its future is done when the brokers have acknowledged it."""
    while True:
        try:
            future: asyncio.Future[Any] = await producer.send_batch(
                batch, topic, partition=partition
            )
        except KafkaTimeoutError:  # nothing was enqueued; whoever calls ends this
            continue
        future.add_done_callback(heard)
        return future


@asynccontextmanager
async def open_copy_writer(clients: KafkaClients) -> AsyncIterator[CopyWriter]:
    """Connect a writer for the length of a block."""
    async with clients.producer(
        enable_idempotence=True, compression_type="zstd", max_request_size=LARGE_BYTES
    ) as producer:
        yield CopyWriter(producer)


class AtomicCopyWriter:
    """Writes into several partitions in one transaction: all of it is there, or nothing."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer

    async def write(self, topic: str, messages: Mapping[int, Sequence[Message]]) -> None:
        """Write messages by partition. Raises KafkaError."""
        async with within(WRITE_S, "nothing was acknowledged"), self._producer.transaction():
            futures = [
                await enqueue(self._producer, batch, topic, partition)
                for partition, of_partition in messages.items()
                for batch in batches(of_partition, is_transactional=True)
            ]
            await asyncio.gather(*futures)


@asynccontextmanager
async def open_atomic_writer(
    clients: KafkaClients, transactional_id: str
) -> AsyncIterator[AtomicCopyWriter]:
    """Connect a writer for the length of a block, which fences any other of this id."""
    async with clients.producer(
        transactional_id=transactional_id,
        transaction_timeout_ms=int(WRITE_S * 1000),
        max_request_size=LARGE_BYTES,
    ) as producer:
        yield AtomicCopyWriter(producer)
