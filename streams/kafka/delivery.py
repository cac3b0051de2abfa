"""Outputs into Kafka, behind the port `Delivery` of the batch loop: with a transaction or without.

* Transactions as older clients send them are answered with `NotEnoughReplicasError` while the
  broker verifies them; the client retries by itself. That is expected.
* `send_batch` may raise KafkaTimeoutError with nothing enqueued, and its future must be awaited:
  a commit goes through although a batch failed.
* A client that has been stopped in the middle may wait for a broker for ever; see
  `streams.engine.loop`.
"""

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from concurrent.futures import Executor
from typing import Any, Final

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, KafkaTimeoutError
from aiokafka.producer.message_accumulator import BatchBuilder

from streams.engine.clock_skew import ClockSkew
from streams.engine.ports import Ends, Message, Output
from streams.engine.timing import COMMIT_S, TRANSACTION_TIMEOUT_S
from streams.kafka.batches import OutputBatch, batches
from streams.kafka.clients import KafkaClients, heard
from streams.kafka.source import KafkaSource

RETRY_BACKOFF_MS: Final = 20
"""Each transaction is first answered with a retry, while the broker verifies it; the client's own
value is 100 ms."""
COMPRESSED_ASIDE_BYTES: Final = 400 << 10
"""Bytes before compression from which a batch is handed to another thread: zstd takes 1 ms for a
megabyte, in which it does not need the interpreter."""

BY_THE_BROKER: Final = 1
"""Type of a timestamp that is the broker's; another is our own again."""


def partition_producer(clients: KafkaClients, transactional_id: str | None) -> AIOKafkaProducer:
    """Make the producer of one partition; a transactional id fences the producer before it."""
    return clients.new_producer(
        enable_idempotence=True,
        retry_backoff_ms=RETRY_BACKOFF_MS,
        transactional_id=transactional_id,
        transaction_timeout_ms=int(TRANSACTION_TIMEOUT_S * 1000),
    )


class _Delivery:
    """Sends whole batches, and waits until the brokers have acknowledged all of them."""

    is_transactional: bool

    def __init__(
        self, producer: AIOKafkaProducer, aside: Executor, at: TopicPartition, clock: ClockSkew
    ) -> None:
        """Batches are compressed in `aside`; `at` is where the records came from."""
        self._clock = clock
        self._producer = producer
        self._aside = aside
        self._at = at

    async def start(self) -> None:
        """Connect, and get a producer id; a transactional one fences."""
        await self._producer.start()

    async def send(self, outputs: Sequence[Output]) -> Ends:
        """Send the outputs side by side; all are awaited before the first error is raised."""
        sent = await asyncio.gather(*map(self._send, outputs), return_exceptions=True)
        ends: dict[str, int] = {}
        for output, end in zip(outputs, sent, strict=True):
            if isinstance(end, BaseException):
                raise end
            ends[output.topic] = end
        return ends

    async def _send(self, output: Output) -> int:
        """Send one output. Returns the offset after its last message."""
        futures = []
        count = 0
        sent_s = self._clock.now()
        for batch, built in self._built(output.messages):
            if built is not None:
                await built
            count = batch.record_count()
            futures.append(await self._enqueue(batch, output))
        end = -1
        for acknowledged in await asyncio.gather(*futures, return_exceptions=True):
            if isinstance(acknowledged, BaseException):
                raise acknowledged
            end = acknowledged.offset + count
            if acknowledged.timestamp_type == BY_THE_BROKER:
                self._clock.measure(sent_s, acknowledged.timestamp)
            if acknowledged.offset < 0:
                raise KafkaError("the broker had the batch already and no longer knows its offset")
        return end

    def _built(
        self, messages: Iterable[Message]
    ) -> "list[tuple[OutputBatch, Awaitable[None] | None]]":
        """Batches of messages; those that are large are built in another thread, and awaited."""
        loop = asyncio.get_running_loop()
        return [
            (
                batch,
                loop.run_in_executor(self._aside, batch.build)
                if batch.size() > COMPRESSED_ASIDE_BYTES
                else None,
            )
            for batch in batches(messages, is_transactional=self.is_transactional)
        ]

    async def _enqueue(self, builder: BatchBuilder, output: Output) -> "asyncio.Future[Any]":
        """Hand a batch to the client; its future is done when the broker has acknowledged it."""
        partition = output.partition
        if partition is None:
            partition = self._at.partition % len(await self._producer.partitions_for(output.topic))
        while True:
            try:
                future: asyncio.Future[Any] = await self._producer.send_batch(
                    builder, output.topic, partition=partition
                )
            except KafkaTimeoutError:  # nothing was enqueued; step 4's limit ends this
                continue
            future.add_done_callback(heard)
            return future

    async def stop(self) -> None:
        """Disconnect, for which the client wants a broker; without one it is cut off."""
        try:
            async with asyncio.timeout(COMMIT_S):
                await self._producer.stop()
        finally:
            await self._producer.client.close()


class TransactionalDelivery(_Delivery):
    """Outputs and position in one transaction."""

    is_transactional = True

    def __init__(
        self,
        producer: AIOKafkaProducer,
        aside: Executor,
        group: str,
        at: TopicPartition,
        clock: ClockSkew,
    ) -> None:
        super().__init__(producer, aside, at, clock)
        self._group = group

    async def begin(self) -> None:
        """Open a transaction."""
        await self._producer.begin_transaction()

    async def commit(self, position: int, note: str = "") -> None:
        """The position, then the commit."""
        offsets = {self._at: (position, note)}
        await self._producer.send_offsets_to_transaction(offsets, self._group)
        await self._producer.commit_transaction()


class IdempotentDelivery(_Delivery):
    """Outputs first, then the position: a crash between the two delivers twice."""

    is_transactional = False

    def __init__(
        self,
        producer: AIOKafkaProducer,
        aside: Executor,
        source: KafkaSource,
        at: TopicPartition,
        clock: ClockSkew,
    ) -> None:
        super().__init__(producer, aside, at, clock)
        self._source = source

    async def begin(self) -> None:
        """Nothing: there is no transaction."""

    async def commit(self, position: int, note: str = "") -> None:
        """Commit the position as a member of the group."""
        await self._source.commit(self._at.partition, position, note)
