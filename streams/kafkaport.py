"""Kafka behind the ports of the batch loop: aiokafka, and what had to be learned about it.

* Transactions as older clients send them are answered with `NotEnoughReplicasError` while the broker
  verifies them; the client retries by itself. That is expected.
* `send_batch` may raise KafkaTimeoutError with nothing enqueued, and its future must be awaited:
  a commit goes through although a batch failed.
* uvloop raises RuntimeError where a connection was lost before a request is written, and the client, which expects
  OSError, loses its background tasks by that; see `_lost_connections_are_outages`.
* A client that has been stopped in the middle may wait for a broker for ever; see `streams.batchloop`.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import cache, wraps
from importlib import metadata
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    NodeNotReadyError,
    RequestTimedOutError,
)
from aiokafka.producer.message_accumulator import BatchBuilder

from domain.settlement import ENGINE
from domain.state import FORMAT
from streams.batchloop import COMMIT_S, HEARTBEAT_S, SESSION_S, TRANSACTION_TIMEOUT_S
from streams.ports import Batch, Changelog, Delivery, Ends, Message, Output, Rebalance, Record, Source
from streams.topicid import topic_identity

REQUEST_TIMEOUT_S: Final = 15.0
"""For one request; shorter than step 4's limit, so that a broker that went silent is noticed within it."""
MAX_POLL_INTERVAL_MS: Final = 2**31 - 1
"""Never: a restore may take long and fetches nothing meanwhile. Heartbeats tell whether we live."""
METADATA_AGE_S: Final = 2.0
"""How long a member believes what it was told of its topic. A broker that has just come back may not know the topic
yet; the group then gives out no partitions, and with the client's five minutes nobody works for as long."""
FETCH_PARTITION_BYTES: Final = 512 << 10
"""Compressed, which are some 13,000 raw reports or 5,000 of the journal: more than a batch; half of it costs some 5 %
of the processor time, for smaller batches. The client holds a fetch up to three times, of each partition and stage."""
RETRY_BACKOFF_MS: Final = 20
"""Each transaction is first answered with a retry, while the broker verifies it; the default is 100 ms."""
OUTPUT_BATCH_BYTES: Final = 900_000
"""Before compression; brokers take 1,048,588 by default. A larger message goes alone."""
RESTORE_RECORDS: Final = 2_000
"""Between two of these the event loop is let go: heartbeats must not wait for a restore."""
RESTORE_BYTES: Final = 4 << 20
RESTORE_POLL_MS: Final = 20
"""A changelog ends with the marker of a transaction: the client passes over it, and waits in vain for a record."""
NOWHERE: Final = TopicPartition("", 0)
AT_VERSION: Final = "@"
"""Stands in a client's id before its version, so that anybody can ask a group which versions its members are of."""


@cache
def version() -> str:
    """What decides how this program settles and keeps state: its own version, the calculation's and the state's."""
    return f"{metadata.version('ydelsesrefusion')}-{ENGINE}-{FORMAT}"


def client_id_of(worker_id: str) -> str:
    """How a worker of this version names itself to Kafka."""
    return f"refusion-{worker_id}{AT_VERSION}{version()}"


def _lost_connections_are_outages() -> None:
    """Let aiokafka see a connection that uvloop has closed as what it is, and try again."""
    send = AIOKafkaConnection.send

    @wraps(send)
    def guarded(self: AIOKafkaConnection, *args: Any, **kwargs: Any) -> Any:
        try:
            return send(self, *args, **kwargs)
        except RuntimeError as error:
            self.close(reason=CloseReason.CONNECTION_BROKEN)
            raise KafkaConnectionError("the connection was lost") from error

    AIOKafkaConnection.send = guarded


_lost_connections_are_outages()


class KafkaBrokers:
    """The brokers, for one worker process."""

    def __init__(self, bootstrap: str, worker_id: str) -> None:
        """`worker_id` names this process for as long as its state folder lives."""
        self.common: dict[str, Any] = {
            "bootstrap_servers": bootstrap.split(","),
            "client_id": client_id_of(worker_id),
            "request_timeout_ms": int(REQUEST_TIMEOUT_S * 1000),
        }
        self._worker_id = worker_id

    def is_outage(self, error: Exception) -> bool:
        """Whether an error says that no broker answers, rather than that one answered with an error."""
        return isinstance(
            error, KafkaConnectionError | KafkaTimeoutError | NodeNotReadyError | RequestTimedOutError | TimeoutError
        )

    def source(self, group: str, topic: str) -> Source:
        """A member of the group, static: this process after a crash is the same member."""
        return KafkaSource(self.consumer(group), group, topic, self.common)

    def consumer(self, group: str) -> AIOKafkaConsumer:
        """The client of a member of a group."""
        return AIOKafkaConsumer(
            **self.common,
            group_id=group,
            group_instance_id=self._worker_id,
            enable_auto_commit=False,
            auto_offset_reset="none",  # the batch loop decides what a gap means
            isolation_level="read_committed",
            max_partition_fetch_bytes=FETCH_PARTITION_BYTES,
            metadata_max_age_ms=int(METADATA_AGE_S * 1000),
            session_timeout_ms=int(SESSION_S * 1000),
            rebalance_timeout_ms=int(SESSION_S * 1000),
            heartbeat_interval_ms=int(HEARTBEAT_S * 1000),
            max_poll_interval_ms=MAX_POLL_INTERVAL_MS,
        )

    def delivery(self, group: str, source: Source, partition: int, *, transactional: bool) -> Delivery:
        """A producer of a partition's own, since one transactional id for each input partition is what fences."""
        assert isinstance(source, KafkaSource)
        producer = AIOKafkaProducer(
            **self.common,
            compression_type="zstd",
            max_batch_size=OUTPUT_BATCH_BYTES,
            enable_idempotence=True,
            retry_backoff_ms=RETRY_BACKOFF_MS,
            transactional_id=f"{group}-{partition}" if transactional else None,
            transaction_timeout_ms=int(TRANSACTION_TIMEOUT_S * 1000),
        )
        at = TopicPartition(source.topic, partition)
        if transactional:
            return TransactionalDelivery(producer, group, at)
        return IdempotentDelivery(producer, source, at)

    @asynccontextmanager
    async def changelog(self, topic: str, partition: int) -> AsyncIterator[Changelog]:
        """Open one partition of a changelog."""
        consumer = AIOKafkaConsumer(
            **self.common,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            max_partition_fetch_bytes=RESTORE_BYTES,
            fetch_max_wait_ms=RESTORE_POLL_MS,
        )
        at = TopicPartition(topic, partition)
        consumer.assign([at])
        try:
            await consumer.start()
            identity = await topic_identity(consumer._client, topic)  # noqa: SLF001 - aiokafka has no other way to it
            end = (await consumer.end_offsets([at]))[at]
            yield KafkaChangelog(consumer, at, identity, end)
        finally:
            await consumer.stop()

    async def records(self, topic: str, partition: int, start: int, end: int) -> AsyncIterator[Record]:
        """The committed records of a partition from an offset up to another."""
        if start >= end:
            return
        async with self.changelog(topic, partition) as log:
            async for batch in log.read(start):
                for record in batch.records:
                    if record.offset >= end:
                        return
                    yield record
                if batch.position >= end:
                    return


class KafkaChangelog:
    """One partition of a changelog, open for reading."""

    def __init__(self, consumer: AIOKafkaConsumer, at: TopicPartition, identity: str, end: int) -> None:
        self.identity = identity
        self.end = end
        self._consumer = consumer
        self._at = at

    async def is_whole(self) -> bool:
        """Whether nothing stands behind the end, which only a fetch tells."""
        self._consumer.seek(self._at, self.end)
        while self._consumer.highwater(self._at) is None:
            await self._consumer.getmany(self._at, timeout_ms=RESTORE_POLL_MS)
        whole: bool = self._consumer.highwater(self._at) <= self.end
        return whole

    async def read(self, start: int) -> AsyncIterator[Batch]:
        """Records from an offset to the end."""
        self._consumer.seek(self._at, start)
        position = start
        while position < self.end:
            found = await self._consumer.getmany(self._at, timeout_ms=RESTORE_POLL_MS, max_records=RESTORE_RECORDS)
            position = await self._consumer.position(self._at)
            yield Batch(found.get(self._at, ()), position)
            await asyncio.sleep(0)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Hands the group's decisions on, by partition number."""

    def __init__(self, rebalance: Rebalance) -> None:
        self._rebalance = rebalance
        self.failure: Exception | None = None
        """aiokafka swallows what is raised here."""

    async def on_partitions_revoked(self, _revoked: Collection[TopicPartition]) -> None:
        try:
            await self._rebalance.revoked()
        except Exception as error:  # noqa: BLE001 - raised by `check`
            self.failure = error

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        try:
            self._rebalance.assigned([at.partition for at in assigned])
        except Exception as error:  # noqa: BLE001 - raised by `check`
            self.failure = error


class KafkaSource:
    """A stage's member of its consumer group."""

    def __init__(self, consumer: AIOKafkaConsumer, group: str, topic: str, common: dict[str, Any]) -> None:
        self.topic = topic
        self._consumer = consumer
        self._group = group
        self._common = common

    async def is_stranger(self) -> bool:
        """Whether the group has members, none of which has our client id."""
        admin = AIOKafkaAdminClient(**self._common)
        await admin.start()
        try:
            (response,) = await admin.describe_consumer_groups([self._group])
        except GroupCoordinatorNotAvailableError:  # a cluster's very first group: its coordinator is being made
            return False
        finally:
            await admin.close()
        ((_code, _group, _state, _type, _protocol, members, *_),) = response.groups
        clients = {client_id.partition(AT_VERSION)[0] for _member, client_id, *_ in members}
        return bool(clients) and self._common["client_id"].partition(AT_VERSION)[0] not in clients

    async def join(self, rebalance: Rebalance) -> None:
        """Connect first, then subscribe: `start` would wait for the first assignment otherwise."""
        await self._consumer.start()
        self._listener = _Listener(rebalance)
        self._consumer.subscribe([self.topic], listener=self._listener)

    async def check(self) -> None:
        """Raises what the coordination has come upon; a fetch from nowhere looks at nothing else."""
        if self._listener.failure is not None:
            raise self._listener.failure
        with suppress(TimeoutError):  # it waits while partitions are being assigned
            await asyncio.wait_for(self._consumer.getmany(NOWHERE), HEARTBEAT_S / 4)

    async def leave(self) -> None:
        """Leave the group, which aiokafka does only for members that are not static."""
        if coordinator := self._consumer._coordinator:  # noqa: SLF001
            coordinator._group_instance_id = None  # noqa: SLF001
        await self._consumer.stop()

    def pause(self, partition: int) -> None:
        """Fetch nothing from a partition until it is resumed."""
        self._consumer.pause(self._at(partition))

    def resume_at(self, partition: int, offset: int) -> None:
        """Fetch from an offset on."""
        self._consumer.seek(self._at(partition), offset)
        self._consumer.resume(self._at(partition))

    async def fetch(self, partition: int, max_records: int, patience_s: float) -> Batch:
        """The next records; between taking them and reading the position nothing else can run."""
        at = self._at(partition)
        found = await self._consumer.getmany(at, timeout_ms=int(patience_s * 1000), max_records=max_records)
        return Batch(found.get(at, ()), await self._consumer.position(at))

    async def committed(self, partition: int) -> int | None:
        """The group's offset, asked of the broker."""
        offset: int | None = await self._consumer.committed(self._at(partition))
        return offset

    async def bounds(self, partition: int) -> tuple[int, int]:
        """The first offset, and the one after the last committed record."""
        at = self._at(partition)
        first = await self._consumer.beginning_offsets([at])
        end = await self._consumer.end_offsets([at])
        return first[at], end[at]

    async def commit(self, at: TopicPartition, position: int) -> None:
        """Commit a position as this member of the group, which fails when it is not one any more."""
        await self._consumer.commit({at: position})

    def _at(self, partition: int) -> TopicPartition:
        return TopicPartition(self.topic, partition)


class _Delivery:
    """What both ways to deliver have in common: whole batches, all acknowledged."""

    def __init__(self, producer: AIOKafkaProducer, at: TopicPartition) -> None:
        """`at` is where the records came from."""
        self._producer = producer
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
        for builder in self._builders(output.messages):
            count = builder.record_count()
            futures.append(await self._enqueue(builder, output))
        end = -1
        for acknowledged in await asyncio.gather(*futures, return_exceptions=True):
            if isinstance(acknowledged, BaseException):
                raise acknowledged
            end = acknowledged.offset + count
            if acknowledged.offset < 0:
                raise KafkaError("the broker had the batch already and no longer knows its offset")
        return end

    def _builders(self, messages: "Sequence[Message] | Any") -> Iterator[BatchBuilder]:
        """Full batches, and what is left."""
        builder = self._producer.create_batch()
        for key, value, headers in messages:
            if builder.append(timestamp=None, key=key, value=value, headers=headers) is None:
                yield builder
                builder = self._producer.create_batch()
                builder.append(timestamp=None, key=key, value=value, headers=headers)
        if builder.record_count():
            yield builder

    async def _enqueue(self, builder: BatchBuilder, output: Output) -> "asyncio.Future[Any]":
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

    def __init__(self, producer: AIOKafkaProducer, group: str, at: TopicPartition) -> None:
        super().__init__(producer, at)
        self._group = group

    async def begin(self) -> None:
        """Open a transaction."""
        await self._producer.begin_transaction()

    async def commit(self, position: int) -> None:
        """The position, then the commit."""
        await self._producer.send_offsets_to_transaction({self._at: position}, self._group)
        await self._producer.commit_transaction()


class IdempotentDelivery(_Delivery):
    """Outputs first, then the position: a crash between the two delivers twice."""

    def __init__(self, producer: AIOKafkaProducer, source: KafkaSource, at: TopicPartition) -> None:
        super().__init__(producer, at)
        self._source = source

    async def begin(self) -> None:
        """Nothing: there is no transaction."""

    async def commit(self, position: int) -> None:
        """Commit the position as a member of the group."""
        await self._source.commit(self._at, position)
