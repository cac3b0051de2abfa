"""Kafka behind the ports of the batch loop: aiokafka, and what had to be learned about it.

* Transactions as older clients send them are answered with `NotEnoughReplicasError` while the broker
  verifies them; the client retries by itself. That is expected.
* `send_batch` may raise KafkaTimeoutError with nothing enqueued, and its future must be awaited:
  a commit goes through although a batch failed.
* uvloop raises RuntimeError where a connection was lost before a request is written, and the client, which expects
  OSError, loses its background tasks by that; see `_lost_connections_are_outages`.
* A client that has been stopped in the middle may wait for a broker for ever; see `streams.engine.loop`.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from functools import cache, partial, wraps
from importlib import metadata
from struct import Struct
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.codec import zstd_encode
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.errors import (
    GroupCoordinatorNotAvailableError,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    NodeNotReadyError,
    RequestTimedOutError,
)
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBase, DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

from domain.citizen.state import FORMAT
from domain.law.staircase import ENGINE
from streams.engine.ports import (
    Batch,
    Changelog,
    Delivery,
    Ends,
    Message,
    Output,
    Rebalance,
    Record,
    Source,
)
from streams.engine.timing import COMMIT_S, HEARTBEAT_S, SESSION_S, TRANSACTION_TIMEOUT_S
from streams.kafka.topic_ids import topic_identity

REQUEST_TIMEOUT_S: Final = 15.0
"""For one request; shorter than step 4's limit, so that a broker that went silent is noticed within it."""
MAX_POLL_INTERVAL_MS: Final = 2**31 - 1
"""Never: a restore may take long and fetches nothing meanwhile. Heartbeats tell whether we live."""
METADATA_AGE_S: Final = 2.0
"""How long a member believes what it was told of its topic. A broker that has just come back may not know the topic
yet; the group then gives out no partitions, and with the client's five minutes nobody works for as
long."""
FETCH_PARTITION_BYTES: Final = 512 << 10
"""Compressed, which are some 13,000 raw reports or 5,000 of the journal: more than a batch; half of it costs some 5 %
of the processor time, for smaller batches. The client holds a fetch up to three times, of each
partition and stage."""
RETRY_BACKOFF_MS: Final = 20
"""Each transaction is first answered with a retry, while the broker verifies it; the default is 100 ms."""
OUTPUT_BATCH_BYTES: Final = 900_000
"""Before compression; brokers take 1,048,588 by default. A larger message goes alone."""
COMPRESSION_LEVEL: Final = 1
"""Of zstd. The outputs come out no larger than with the client's level 3 (a report's 52, 97 and 66 bytes in the
journal, postings and changelog), which costs 1.7 µs more a report."""
COMPRESSED_ASIDE_BYTES: Final = 400 << 10
"""Before compression. From here on another thread is worth the handing over: zstd takes 1 ms for a megabyte, in which
it does not need the interpreter."""
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


def as_read(content: bytes | None) -> bytes | None:
    """As a consumer's key deserializer: its records are handed out as they were read."""
    return content


def _records_as_read() -> None:
    """Let aiokafka leave out its own copy of each record, with the topic's name and sizes, where nobody asks for it."""
    copied = PartitionRecords._consumer_record  # noqa: SLF001

    @wraps(copied)
    def handed_out(self: PartitionRecords, at: TopicPartition, record: Record) -> Record:
        return record if self._key_deserializer is as_read else copied(self, at, record)

    PartitionRecords._consumer_record = handed_out  # noqa: SLF001


def _compressed_quickly() -> None:
    """Let aiokafka compress at `COMPRESSION_LEVEL`, for which it has no setting."""
    sys.modules[DefaultRecordBatchBuilder.__module__].zstd_encode = partial(  # type: ignore[attr-defined]
        zstd_encode, level=COMPRESSION_LEVEL
    )


_lost_connections_are_outages()
_records_as_read()
_compressed_quickly()


class OutputBatch(BatchBuilder):  # type: ignore[misc]  # aiokafka has no types
    """Messages as they are sent: compressed, which may be done before it is known what sends them.

    The client builds a batch in the event loop's thread, after it has been told what the header is
    to say of the producer. Here that is written into what is built already.
    """

    PRODUCER_AT: Final = 43
    PRODUCER: Final = Struct(">qhi")
    """In the header: the producer's id and epoch, and the number of the batch's first message."""
    CRC_AT: Final = 17
    CRC: Final = Struct(">I")
    """Of all that stands behind it."""

    def __init__(self, *, is_transactional: bool) -> None:
        super().__init__(
            OUTPUT_BATCH_BYTES, DefaultRecordBase.CODEC_ZSTD, is_transactional=is_transactional
        )

    def holding(self, number: int) -> "OutputBatch":
        """This batch, now that it has a number of messages."""
        self._relative_offset = number
        return self

    def build(self) -> None:
        """Compress it, in whatever thread."""
        self._build()

    def _set_producer_state(
        self, producer_id: int, producer_epoch: int, base_sequence: int
    ) -> None:
        content = self._build()
        self.PRODUCER.pack_into(
            content, self.PRODUCER_AT, producer_id, producer_epoch, base_sequence
        )
        crc = calc_crc32c(memoryview(content)[self.CRC_AT + self.CRC.size :])
        self.CRC.pack_into(content, self.CRC_AT, crc)


def batches(messages: Iterable[Message], *, is_transactional: bool) -> Iterator[OutputBatch]:
    """Messages in their order, in batches that are full, all but the last. A message that is larger goes alone."""
    now_ms = int(time.time() * 1000)
    batch, number = OutputBatch(is_transactional=is_transactional), 0
    append = batch._builder.append  # noqa: SLF001 - what aiokafka has above it costs as much again
    for key, value, headers in messages:
        if append(number, now_ms, key, value, headers) is None:
            yield batch.holding(number)
            batch, number = OutputBatch(is_transactional=is_transactional), 0
            append = batch._builder.append  # noqa: SLF001
            append(number, now_ms, key, value, headers)
        number += 1
    if number:
        yield batch.holding(number)


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
        self._aside = ThreadPoolExecutor(1, "compression")

    def is_outage(self, error: Exception) -> bool:
        """Whether an error says that no broker answers, rather than that one answered with an error."""
        return isinstance(
            error,
            KafkaConnectionError
            | KafkaTimeoutError
            | NodeNotReadyError
            | RequestTimedOutError
            | TimeoutError,
        )

    def source(self, group: str, topic: str) -> Source:
        """A member of the group, static: this process after a crash is the same member."""
        return KafkaSource(self.consumer(group), group, topic, self.common)

    def consumer(self, group: str) -> AIOKafkaConsumer:
        """The client of a member of a group."""
        return AIOKafkaConsumer(
            **self.common,
            key_deserializer=as_read,
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

    def delivery(
        self, group: str, source: Source, partition: int, *, transactional: bool
    ) -> Delivery:
        """A producer of a partition's own, since one transactional id for each input partition is what fences."""
        assert isinstance(source, KafkaSource)
        producer = AIOKafkaProducer(
            **self.common,
            enable_idempotence=True,
            retry_backoff_ms=RETRY_BACKOFF_MS,
            transactional_id=f"{group}-{partition}" if transactional else None,
            transaction_timeout_ms=int(TRANSACTION_TIMEOUT_S * 1000),
        )
        at = TopicPartition(source.topic, partition)
        if transactional:
            return TransactionalDelivery(producer, self._aside, group, at)
        return IdempotentDelivery(producer, self._aside, source, at)

    @asynccontextmanager
    async def changelog(self, topic: str, partition: int) -> AsyncIterator[Changelog]:
        """Open one partition of a changelog."""
        consumer = AIOKafkaConsumer(
            **self.common,
            key_deserializer=as_read,
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

    async def records(
        self, topic: str, partition: int, start: int, end: int
    ) -> AsyncIterator[Record]:
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

    def __init__(
        self, consumer: AIOKafkaConsumer, at: TopicPartition, identity: str, end: int
    ) -> None:
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
            found = await self._consumer.getmany(
                self._at, timeout_ms=RESTORE_POLL_MS, max_records=RESTORE_RECORDS
            )
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

    def __init__(
        self, consumer: AIOKafkaConsumer, group: str, topic: str, common: dict[str, Any]
    ) -> None:
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
        except (
            GroupCoordinatorNotAvailableError
        ):  # a cluster's very first group: its coordinator is being made
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
        found = await self._consumer.getmany(
            at, timeout_ms=int(patience_s * 1000), max_records=max_records
        )
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

    is_transactional: bool

    def __init__(self, producer: AIOKafkaProducer, aside: Executor, at: TopicPartition) -> None:
        """Batches are compressed in `aside`; `at` is where the records came from."""
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
            if acknowledged.offset < 0:
                raise KafkaError("the broker had the batch already and no longer knows its offset")
        return end

    def _built(
        self, messages: Iterable[Message]
    ) -> "list[tuple[OutputBatch, Awaitable[None] | None]]":
        """Batches of messages, and when those that are large are built: beside us and all else of this process."""
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

    is_transactional = True

    def __init__(
        self, producer: AIOKafkaProducer, aside: Executor, group: str, at: TopicPartition
    ) -> None:
        super().__init__(producer, aside, at)
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

    is_transactional = False

    def __init__(
        self, producer: AIOKafkaProducer, aside: Executor, source: KafkaSource, at: TopicPartition
    ) -> None:
        super().__init__(producer, aside, at)
        self._source = source

    async def begin(self) -> None:
        """Nothing: there is no transaction."""

    async def commit(self, position: int) -> None:
        """Commit the position as a member of the group."""
        await self._source.commit(self._at, position)
