"""Sends many records to one topic: in full batches, each partition's one after the other."""

import asyncio
import time
from asyncio import Future
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from aiokafka.errors import KafkaTimeoutError
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.producer.message_accumulator import BatchBuilder

from streams.kafka.clients import KafkaClients

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer

BATCH_BYTES: Final = 900_000
"""Bytes of a batch before compression; Kafka takes a little over a megabyte."""
SILENCE_S: Final = 60.0
"""Seconds without any acknowledgement until we give up. A restarted broker is back in 5-20 s."""
REQUEST_TIMEOUT_MS: Final = 15_000
"""Milliseconds of one request; it is repeated until the broker takes it, and idempotence keeps it
single."""

_partition_of = DefaultPartitioner()


class _Batch:
    """The records that go to a partition together."""

    def __init__(self, builder: BatchBuilder) -> None:
        self.builder = builder
        self.bytes = 0

    def append(self, key: bytes, record: bytes) -> bool:
        """Return whether there was room; an empty batch takes any record."""
        if self.builder.append(timestamp=None, key=key, value=record) is None:
            return False
        self.bytes += len(record)
        return True


class BulkSender:
    """Sends records, and counts what the brokers have acknowledged.

    One batch is being filled for each partition; others wait for their acknowledgement.
    """

    def __init__(self, topic: str, progress: Callable[[int], None]) -> None:
        """`progress` is told how many records are acknowledged so far."""
        self._topic = topic
        self._progress = progress
        self._filling: dict[int, _Batch] = {}
        self._unacknowledged: set[Future[Any]] = set()
        self._failure: BaseException | None = None
        self._heard = time.monotonic()
        self.acknowledged = 0
        self.acknowledged_bytes = 0

    @asynccontextmanager
    async def connected(self, clients: KafkaClients) -> AsyncIterator[None]:
        """Connect for the length of a block, within which records are added."""
        async with clients.producer(
            enable_idempotence=True,
            compression_type="zstd",
            max_batch_size=BATCH_BYTES,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
        ) as producer:
            self._producer: AIOKafkaProducer = producer
            partitions = sorted(await producer.partitions_for(self._topic))
            self._partition_of = lru_cache(maxsize=None)(
                lambda key: _partition_of(key, partitions, partitions)
            )
            yield

    async def add(self, key: bytes, record: bytes) -> None:
        """Take the next record. Raises the error of a batch that failed, or TimeoutError."""
        partition = self._partition_of(key)
        batch = self._filling.get(partition)
        if batch is not None and batch.append(key, record):
            return
        if batch is not None:
            await self._hand_over(partition, batch)
        batch = self._filling[partition] = _Batch(self._producer.create_batch())
        batch.append(key, record)

    async def finish(self) -> None:
        """Send what is left, and wait until all is acknowledged. Raises as `add` does."""
        for partition, batch in self._filling.items():
            await self._hand_over(partition, batch)
        while self._unacknowledged:
            done, _ = await asyncio.wait(
                self._unacknowledged, timeout=1.0, return_when=asyncio.FIRST_COMPLETED
            )
            self._check_failure()
            if not done:
                self._check_silence()
        self._check_failure()

    async def _hand_over(self, partition: int, batch: _Batch) -> None:
        """Give a batch to the producer, which sends a partition's batches one after the other."""
        if not self._unacknowledged:
            self._heard = time.monotonic()
        future = None
        while future is None:
            try:
                future = await self._producer.send_batch(
                    batch.builder, self._topic, partition=partition
                )
            except KafkaTimeoutError:  # no leader, as in a broker's restart: it has taken nothing
                self._check_silence()
        self._unacknowledged.add(future)
        future.add_done_callback(lambda done: self._take_answer(done, batch))
        self._check_failure()

    def _take_answer(self, future: "Future[Any]", batch: _Batch) -> None:
        """Count a batch that was answered for."""
        self._unacknowledged.discard(future)
        self._heard = time.monotonic()
        if future.cancelled():
            return
        if (error := future.exception()) is not None:
            self._failure = self._failure or error
            return
        self.acknowledged += batch.builder.record_count()
        self.acknowledged_bytes += batch.bytes
        self._progress(self.acknowledged)

    def _check_failure(self) -> None:
        """After a batch that failed, those of its partition that follow would fail too."""
        if self._failure is not None:
            raise self._failure

    def _check_silence(self) -> None:
        """Looked at after waiting in vain alone: while a slow input is read, nothing is heard."""
        if time.monotonic() - self._heard > SILENCE_S:
            raise TimeoutError
