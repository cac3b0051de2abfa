"""The rig of the Kafka benchmarks: topics, workers and publishers that end with a measurement.

Everything runs on one broker on this machine, which shares the cores with what is measured. Each
measurement has topics of its own, which are deleted with it. The start of a process or a topic is
never measured: the workers share the partitions, and the first reports have gone all the way,
before the clock starts.
"""

import asyncio
import io
import os
import re
import time
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from shutil import rmtree
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner

from bench.peer_faust import OUTPUT
from demo.cluster import Watch, Worker, topic_name, watching
from domain.basics.weeks import month_number
from streams.kafka import topics
from streams.kafka.bulk import BATCH_BYTES
from streams.kafka.topic_layout import ensure_topics_of
from streams.kit.errors import UserError
from streams.operations.publish import record_key
from streams.settings import BOOTSTRAP, DEMO, PARTITIONS, PREFIX, STATE_DIR, Settings
from streams.simulation import SimulationOptions, simulate

Figure = tuple[str, str, str]
"""A row of the table: the subject, its figure, and the ratio to the peer or the first line."""
RecordCount = Callable[[], Awaitable[int]]

STAGES: Final = ("intake", "citizens")
"""The stages that are measured: the way from a raw report to its postings."""
PARTITION_NUMBERS: Final = range(12)
FIRST_MONTH, LAST_MONTH = month_number("2023-01"), month_number("2023-12")
CHUNK: Final = 12_000
"""Lines that are sent together: 1,000 for each partition are well below the largest batch."""
LOOK_S: Final = 0.05
PATIENCE_S: Final = 60.0
"""The time without progress after which a measurement is given up."""
TICK_S: Final = 0.02
"""The time between two sendings of a steady stream: half of it is part of every latency."""

_partition_of = DefaultPartitioner()


class Spent(NamedTuple):
    """The seconds of a clock and of the processor that something took."""

    clock_s: float
    cpu_s: float


class BenchError(UserError):
    """Something cannot be measured; the message says what."""


def population(citizens: int) -> list[bytes]:
    """Simulate a year's reports, in the order of arrival."""
    out = io.BytesIO()
    simulate(SimulationOptions(citizens, FIRST_MONTH, LAST_MONTH, seed=1), out)
    return out.getvalue().splitlines()


def settings_of(
    bootstrap: str, prefix: str, state: Path, more: Mapping[str, str] = MappingProxyType({})
) -> Settings:
    """Return the settings of a measurement: its prefix, its folder of state, and `more`."""
    values = {
        BOOTSTRAP: bootstrap,
        PREFIX: prefix,
        PARTITIONS: str(len(PARTITION_NUMBERS)),
        STATE_DIR: str(state),
        DEMO: "1",
    }
    return Settings.load({setting.name: value for setting, value in values.items()} | dict(more))


@asynccontextmanager
async def own_topics(
    bootstrap: str, folder: Path, more: Mapping[str, str]
) -> AsyncIterator[Settings]:
    """Create topics and a state folder for a measurement; both are removed when it is over."""
    name = f"bench-{uuid.uuid4().hex[:8]}"
    state = folder / name
    state.mkdir()
    settings = settings_of(bootstrap, f"{name}.", state, more)
    try:
        await ensure_topics_of(settings, [*topics.TOPICS, OUTPUT])
        yield settings
    finally:
        rmtree(state, ignore_errors=True)
        await _delete_topics(bootstrap, settings.prefix)


async def _delete_topics(bootstrap: str, prefix: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.delete_topics([name for name in await admin.list_topics() if prefix in name])
    finally:
        await admin.close()


class Bench:
    """One measurement: its topics, its view of the groups, and workers that end with it."""

    def __init__(self, settings: Settings, watch: Watch, stack: AsyncExitStack) -> None:
        self.settings = settings
        self.watch = watch
        self._stack = stack

    def start(self, name: str, stages: Sequence[str] = STAGES) -> Worker:
        """Start a worker process with the state folder of this name."""
        worker = Worker(self.settings, name, stages)
        self._stack.callback(worker.kill)
        return worker

    async def shared(self, workers: Sequence[Worker], stages: Sequence[str] = STAGES) -> None:
        """Wait until these workers and no others have partitions of each of the stages."""

        async def alone() -> bool:
            names = {worker.client_id for worker in workers}
            shares = [await self.watch.partitions(stage) for stage in stages]
            return all(share.keys() == names and all(share.values()) for share in shares)

        self.watch.workers = list(workers)
        await self.watch.until("the workers share the partitions", alone)

    def committed(self, stage: str) -> RecordCount:
        """Return a function that counts the records that a stage has committed."""

        async def count() -> int:
            try:
                return (await self.watch.lag(stage)).committed
            except KafkaError:  # a group whose coordinator is still being found
                return 0

        return count

    def producer(self, transactional_id: str | None = None) -> AIOKafkaProducer:
        """Return a producer like that of `refusion publish`.

        Its transaction may stay open for minutes.
        """
        return AIOKafkaProducer(
            bootstrap_servers=self.settings.bootstrap,
            enable_idempotence=True,
            compression_type="zstd",
            max_batch_size=BATCH_BYTES,
            transactional_id=transactional_id,
            transaction_timeout_ms=600_000,
        )

    async def send(self, producer: AIOKafkaProducer, lines: Iterable[bytes]) -> list[Any]:
        """Send lines, a batch for each partition. Returns the futures of their acknowledgements."""
        builders: defaultdict[int, Any] = defaultdict(producer.create_batch)
        for line in lines:
            key = record_key(line)
            builder = builders[_partition_of(key, PARTITION_NUMBERS, PARTITION_NUMBERS)]
            assert builder.append(timestamp=None, key=key, value=line), (
                "a batch is full: smaller chunks are needed"
            )
        raw = topic_name(self.settings, topics.RAW)
        return [
            await producer.send_batch(builder, raw, partition=at)
            for at, builder in builders.items()
        ]

    @asynccontextmanager
    async def held_back(self, lines: Sequence[bytes]) -> AsyncIterator[None]:
        """Send all lines to Kafka, hidden from readers of committed records in the block."""
        async with self.producer("bench") as producer, producer.transaction():
            for first in range(0, len(lines), CHUNK):
                await asyncio.gather(*await self.send(producer, lines[first : first + CHUNK]))
            yield

    async def stream(self, lines: Sequence[bytes], rate: float) -> float:
        """Publish line i when i / rate seconds have passed, to the end.

        Returns the start on the monotonic clock.
        """
        async with self.producer() as producer:
            start, sent = time.monotonic(), 0
            while sent < len(lines):
                due = int((time.monotonic() - start) * rate) + 1
                await self.send(producer, lines[sent:due])
                sent = due
                await asyncio.sleep(TICK_S)
        return start

    async def publish(self, lines: Sequence[bytes]) -> None:
        """Publish lines, and wait until Kafka has all of them."""
        async with self.producer() as producer:
            for first in range(0, len(lines), CHUNK):
                await asyncio.gather(*await self.send(producer, lines[first : first + CHUNK]))


@asynccontextmanager
async def bench(
    bootstrap: str, folder: Path, more: Mapping[str, str] = MappingProxyType({})
) -> AsyncIterator[Bench]:
    """Run a measurement with `more` settings.

    Its processes and topics end with it, however it ends.
    """
    async with own_topics(bootstrap, folder, more) as settings, measuring(settings) as run:
        yield run


@asynccontextmanager
async def measuring(settings: Settings) -> AsyncIterator[Bench]:
    """Run a measurement on the topics of some settings; its processes end with it."""
    async with watching(settings) as watch, AsyncExitStack() as stack:
        yield Bench(settings, watch, stack)


async def reached(what: str, count: RecordCount, wanted: int) -> tuple[float, int]:
    """Wait until a count is reached; it may pause for a while.

    Returns the time on the monotonic clock and the count.
    """
    last, heard = -1, time.monotonic()
    while (found := await count()) < wanted:
        if found != last:
            last, heard = found, time.monotonic()
        if time.monotonic() - heard > PATIENCE_S:
            raise BenchError(
                f"{what}: nothing has moved for {PATIENCE_S:.0f} s at {found:,} of {wanted:,}"
            )
        await asyncio.sleep(LOOK_S)
    return time.monotonic(), found


async def rate(what: str, count: RecordCount, wanted: int) -> float:
    """Measure records a second from now until `count` has reached `wanted`."""
    began, before = time.monotonic(), await count()
    ended, _ = await reached(what, count, wanted)
    if before >= wanted:
        raise BenchError(f"{what}: {wanted:,} reports are too few to be measured")
    return (wanted - before) / (ended - began)


def cpu_seconds(pid: int) -> float:
    """Return the processor seconds of a process and of its children that have ended."""
    _, _, after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")
    return sum(map(int, after_name.split()[11:15])) / os.sysconf("SC_CLK_TCK")


def peak_mb_of(pid: int) -> float:
    """Return the peak of a process's resident memory so far."""
    status = Path(f"/proc/{pid}/status").read_text()
    (kilobytes,) = re.findall(r"VmHWM:\s+(\d+) kB", status)
    return int(kilobytes) / 1024
