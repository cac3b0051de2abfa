"""Publish reports: lines to `reports.raw`, all acknowledged or an error that says how many were.

    1. Make sure of the topics.
    2. Each line that is not blank goes, byte for byte, into the batch of its partition; a full batch is handed
       to the producer, which sends the batches of a partition one after the other.
    3. The end: hand over what is left and wait for every acknowledgement.

Nothing is validated: that is intake's work, which keeps what it rejects. Publishing the same
lines again is harmless, because a report that comes again changes nothing.

A record's key is 16 bits of a digest of its CPR (contract section 1: a CPR never stands in a key). It puts a citizen's
reports in one partition and in order; some ninety persons share each key, so that it names
nobody, which a whole digest of ten digits would: anybody can try them all. Where no CPR can be
read, the digest is that of the line.
"""

import asyncio
import re
import time
from asyncio import CancelledError, Future
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.producer.message_accumulator import BatchBuilder

from streams.kafka.topics import RAW, RAW_BYTES, ensure_topics
from streams.kit.errors import UserError
from streams.settings import Settings

KEY_BYTES: Final = 2
BATCH_BYTES: Final = 900_000
"""Before compression; Kafka takes a little over a megabyte."""
RECORD_OVERHEAD_BYTES: Final = 1000
"""At most: a batch's header, a record's, and what zstd adds to what it cannot compress."""
MAX_LINE_BYTES: Final = RAW_BYTES - RECORD_OVERHEAD_BYTES
SILENCE_SECONDS: Final = 60.0
"""Without any acknowledgement, until we give up. A broker that restarts is back in 5-20 s."""
REQUEST_TIMEOUT_MS: Final = 15_000
"""Of one request; it is repeated until the broker takes it, and idempotence keeps it single."""
STOP_SECONDS: Final = 5.0
"""The producer's own stop has no limit, and waits for a broker that may be gone."""

_CPR = re.compile(rb'"cpr"\s*:\s*"([0-9]{10})"')
_partition_of = DefaultPartitioner()


class PublishError(UserError):
    """Not all was acknowledged; the message says how much was and what to do, and holds nothing of the records."""


class Published(NamedTuple):
    """What was acknowledged, and how long it took."""

    records: int
    bytes: int
    seconds: float

    def sentence(self) -> str:
        """For people."""
        rate = self.records / self.seconds if self.seconds else 0
        return f"published {self.records:,} records, {self.bytes / 1e6:,.1f} MB in {self.seconds:.1f} s ({rate:,.0f}/s)"


async def publish(
    lines: Iterable[bytes], settings: Settings, progress: Callable[[int], None]
) -> Published:
    """Send lines to `reports.raw`; `progress` is told how many records are acknowledged so far.

    Raises PublishError, also on cancellation, SettingsError and TopicError.
    """
    started = time.monotonic()
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.bootstrap,
        enable_idempotence=True,
        compression_type="zstd",
        max_batch_size=BATCH_BYTES,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
    )
    sending = _Sending(producer, settings.topic(RAW), progress)
    try:
        await ensure_topics(
            settings.bootstrap, settings.prefix, settings.partitions, settings.journal_prefix
        )
        await producer.start()
        await sending.send(lines)
    except (KafkaError, OSError, TimeoutError, CancelledError) as error:
        raise PublishError(_explained(error, settings, sending)) from error
    finally:
        with suppress(TimeoutError):
            await asyncio.wait_for(producer.stop(), STOP_SECONDS)
    return Published(sending.acknowledged, sending.acknowledged_bytes, time.monotonic() - started)


def _explained(error: BaseException, settings: Settings, sending: "_Sending") -> str:
    match error:
        case KafkaConnectionError() if not sending.acknowledged:
            what = f"no Kafka answers at {settings.bootstrap} (REFUSION_BOOTSTRAP)"
        case CancelledError():
            what = "interrupted"
        case TimeoutError():
            what = f"Kafka at {settings.bootstrap} has acknowledged nothing for {SILENCE_SECONDS:.0f} s"
        case _:
            what = f"Kafka refused a batch ({type(error).__name__})"
    return f"{what}; {sending.state()}"


def record_key(line: bytes) -> bytes:
    """The key of a line: four hex digits."""
    cpr = _CPR.search(line)
    return blake2b(cpr[1] if cpr else line, digest_size=KEY_BYTES).hexdigest().encode()


class _Batch:
    """The records that go to a partition together."""

    def __init__(self, builder: BatchBuilder) -> None:
        self.builder = builder
        self.bytes = 0

    def append(self, key: bytes, record: bytes) -> bool:
        """Whether there was room; an empty batch takes any record."""
        if self.builder.append(timestamp=None, key=key, value=record) is None:
            return False
        self.bytes += len(record)
        return True


class _Sending:
    """Batches on their way: one being filled for each partition, and those that await their acknowledgement."""

    def __init__(
        self, producer: AIOKafkaProducer, topic: str, progress: Callable[[int], None]
    ) -> None:
        self._producer = producer
        self._topic = topic
        self._progress = progress
        self._filling: dict[int, _Batch] = {}
        self._unacknowledged: set[Future[Any]] = set()
        self._failure: BaseException | None = None
        self._heard = time.monotonic()
        self._read = 0
        self.acknowledged = 0
        self.acknowledged_bytes = 0

    def state(self) -> str:
        """What has come of the lines so far and what to do, for an error."""
        return (
            f"{self.acknowledged:,} of the {self._read:,} records read so far were acknowledged, others may have"
            " arrived; publish everything again when the cause is mended: a report that comes again changes nothing"
        )

    async def send(self, lines: Iterable[bytes]) -> None:
        """All lines but blank ones, until they are acknowledged."""
        partitions = sorted(await self._producer.partitions_for(self._topic))
        partition_of = lru_cache(maxsize=None)(
            lambda key: _partition_of(key, partitions, partitions)
        )
        for number, line in enumerate(lines, 1):
            record = line.rstrip(b"\r\n")
            if not record:
                continue
            if len(record) > MAX_LINE_BYTES:
                raise PublishError(
                    f"line {number} has {len(record):,} bytes and Kafka takes {MAX_LINE_BYTES:,} at most;"
                    f" take it out; {self.state()}"
                )
            self._read += 1
            key = record_key(record)
            await self._add(partition_of(key), key, record)
        await self._finish()

    async def _add(self, partition: int, key: bytes, record: bytes) -> None:
        batch = self._filling.get(partition)
        if batch is not None and batch.append(key, record):
            return
        if batch is not None:
            await self._hand_over(partition, batch)
        batch = self._filling[partition] = _Batch(self._producer.create_batch())
        batch.append(key, record)

    async def _hand_over(self, partition: int, batch: _Batch) -> None:
        """Give a batch to the producer, which waits until the partition's batch before it is on its way."""
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
        future.add_done_callback(lambda done: self._settle(done, batch))
        self._check_failure()

    async def _finish(self) -> None:
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

    def _settle(self, future: Future[Any], batch: _Batch) -> None:
        """An answer has come for a batch."""
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
        """Looked at only after waiting in vain: while a slow input is read, nothing is heard either."""
        if time.monotonic() - self._heard > SILENCE_SECONDS:
            raise TimeoutError
