"""Writes records to partitions that are named, in their order: for topics that are made anew."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaTimeoutError

from streams.engine.ports import Message
from streams.kafka.batches import OutputBatch, batches
from streams.kafka.clients import KafkaClients, heard
from streams.kafka.topics import LARGE_BYTES

WRITE_S: Final = 120.0
"""Seconds for some thousand records, a broker's restart included."""


class CopyWriter:
    """Writes messages; they are acknowledged when a call returns."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer

    async def write(self, topic: str, partition: int, messages: Iterable[Message]) -> None:
        """Write messages to the end of a partition. Raises KafkaError."""
        try:
            async with asyncio.timeout(WRITE_S):
                futures = [
                    await self._enqueue(batch, topic, partition)
                    for batch in batches(messages, is_transactional=False)
                ]
                await asyncio.gather(*futures)
        except TimeoutError:
            raise KafkaTimeoutError("the brokers acknowledged nothing") from None

    async def _enqueue(
        self, batch: OutputBatch, topic: str, partition: int
    ) -> "asyncio.Future[Any]":
        while True:
            try:
                future: asyncio.Future[Any] = await self._producer.send_batch(
                    batch, topic, partition=partition
                )
            except KafkaTimeoutError:  # nothing was enqueued; `write` ends this
                continue
            future.add_done_callback(heard)
            return future


@asynccontextmanager
async def open_copy_writer(clients: KafkaClients) -> AsyncIterator[CopyWriter]:
    """Connect a writer for the length of a block."""
    async with clients.producer(
        enable_idempotence=True, compression_type="zstd", max_request_size=LARGE_BYTES
    ) as producer:
        await producer.start()
        yield CopyWriter(producer)
