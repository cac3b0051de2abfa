"""Both stages on a real Kafka: reports a second beside a plain Faust agent, latency, takeovers, restore and memory.

Everything runs on one broker on this machine, which shares the cores with what is measured. Each
measurement has topics of its own, which go with it. What starts with a process or a topic is never
measured: the workers share the partitions and the first reports have gone all the way before the
clock starts.
"""

import asyncio
import io
import os
import re
import subprocess
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from itertools import pairwise
from pathlib import Path
from shutil import rmtree
from statistics import median
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.partitioner import DefaultPartitioner

from bench.peer_faust import OUTPUT
from demo.cluster import Watch, Worker, stop, topic_name, watching
from domain.basics.weeks import month_number
from streams.devtools.local_kafka import LocalKafka
from streams.engine.timing import SESSION_S
from streams.kafka import topics
from streams.kafka.bulk import BATCH_BYTES
from streams.kit.errors import UserError
from streams.operations.publish import record_key
from streams.settings import BOOTSTRAP, DEMO, PARTITIONS, PREFIX, STATE_DIR, Settings
from streams.simulation import SimulationOptions, simulate

Figure = tuple[str, str, str]
Count = Callable[[], Awaitable[int]]

STAGES: Final = ("intake", "citizens")
"""What is measured: the way from a raw report to its postings."""
PARTITION_NUMBERS: Final = range(12)
FIRST_MONTH, LAST_MONTH = month_number("2023-01"), month_number("2023-12")
CHUNK: Final = 12_000
"""Lines that are handed over together: 1,000 for each partition stay well below the largest batch."""
PEER_SHARE: Final = 10
"""The peer gets every report of the first tenth: it would take minutes for all."""
WARM_UPS: Final = 2
"""A Java that has just started is several times slower."""
FIRST_LINES: Final = 1_200
"""They go all the way before the clock starts: a hundred for each partition, whose first batches brokers take slowly
(0.5 s for all, in which they open logs and learn of producers)."""
ROUNDS: Final = 3
"""Of the peer, one worker and two, in turn: the medians are told, and those of the ratios within a round."""
LOOK_S: Final = 0.05
PATIENCE_S: Final = 60.0
"""Without any progress, until a measurement is given up."""
TICK_S: Final = 0.02
"""Between two sendings of a steady stream: half of it is part of every latency."""
LATENCY_S: Final = 20.0
WARM_UP_S: Final = 5.0
"""Of a steady stream, and left out: what waits at its start has to be worked off first."""
STEADY_RATE: Final = 1_200
"""Reports a second while workers come and go: a hundred for each partition, so that a pause is seen."""
SETTLING_DOWN_S: Final = 2.0
"""After a rebalance: long enough for its pauses to be over, and to be seen as over."""
RESTORED: Final = re.compile(r"restored (\d+) records in ([\d.]+) s")
MICROSECONDS: Final = 1e6

_partition_of = DefaultPartitioner()


class BenchError(UserError):
    """Something cannot be measured; the message says what."""


# --- what all of them need
# --------------------------------------------------------------------------


def population(citizens: int) -> list[bytes]:
    """A year's reports, in the order of arrival."""
    out = io.BytesIO()
    simulate(SimulationOptions(citizens, FIRST_MONTH, LAST_MONTH, seed=1), out)
    return out.getvalue().splitlines()


@asynccontextmanager
async def own_topics(
    bootstrap: str, folder: Path, more: Mapping[str, str]
) -> AsyncIterator[Settings]:
    """Topics and a state folder of a measurement's own; both go when it is over."""
    name = f"bench-{uuid.uuid4().hex[:8]}"
    state = folder / name
    state.mkdir()
    values = {
        BOOTSTRAP: bootstrap,
        PREFIX: f"{name}.",
        PARTITIONS: "12",
        STATE_DIR: str(state),
        DEMO: "1",
    }
    settings = Settings.load(
        {setting.name: value for setting, value in values.items()} | dict(more)
    )
    try:
        await topics.ensure_topics(
            bootstrap, settings.prefix, settings.partitions, topics=[*topics.TOPICS, OUTPUT]
        )
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
    """One measurement: its topics, a look at the groups, and worker processes that end with it."""

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

    def committed(self, stage: str) -> Count:
        """Counts the records that a stage has committed."""

        async def count() -> int:
            try:
                return (await self.watch.lag(stage)).committed
            except KafkaError:  # a group whose coordinator is still being found
                return 0

        return count

    def producer(self, transactional_id: str | None = None) -> AIOKafkaProducer:
        """Publishes as `refusion publish` does; a transaction may stay open for minutes."""
        return AIOKafkaProducer(
            bootstrap_servers=self.settings.bootstrap,
            enable_idempotence=True,
            compression_type="zstd",
            max_batch_size=BATCH_BYTES,
            transactional_id=transactional_id,
            transaction_timeout_ms=600_000,
        )

    async def send(self, producer: AIOKafkaProducer, lines: Iterable[bytes]) -> list[Any]:
        """Hand lines over, a batch for each partition. Returns the futures of their acknowledgements."""
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
        """All lines stand in Kafka, and readers of committed records see them when this is left: all at once."""
        async with self.producer("bench") as producer, producer.transaction():
            for first in range(0, len(lines), CHUNK):
                await asyncio.gather(*await self.send(producer, lines[first : first + CHUNK]))
            yield

    async def stream(self, lines: Sequence[bytes], rate: float) -> float:
        """Publish line i when i / rate seconds have passed, to the end. Returns the start (of the monotonic clock)."""
        async with self.producer() as producer:
            start, sent = time.monotonic(), 0
            while sent < len(lines):
                due = int((time.monotonic() - start) * rate) + 1
                await self.send(producer, lines[sent:due])
                sent = due
                await asyncio.sleep(TICK_S)
        return start

    async def publish(self, lines: Iterable[bytes]) -> None:
        """All lines stand in Kafka when it returns."""
        async with self.producer() as producer:
            await asyncio.gather(*await self.send(producer, lines))


@asynccontextmanager
async def bench(
    bootstrap: str, folder: Path, more: Mapping[str, str] = MappingProxyType({})
) -> AsyncIterator[Bench]:
    """A measurement, `more` in its settings; when it is left, however, its processes are gone and its topics too."""
    async with (
        own_topics(bootstrap, folder, more) as settings,
        watching(settings) as watch,
        AsyncExitStack() as stack,
    ):
        yield Bench(settings, watch, stack)


async def _reached(what: str, count: Count, wanted: int) -> tuple[float, int]:
    """When (of the monotonic clock) a count has been reached, and what it was; it may stand still for a while."""
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


async def rate(what: str, count: Count, wanted: int) -> float:
    """Records a second from now until `count` has reached `wanted`."""
    began, before = time.monotonic(), await count()
    ended, _ = await _reached(what, count, wanted)
    if before >= wanted:
        raise BenchError(f"{what}: {wanted:,} reports are too few to be measured")
    return (wanted - before) / (ended - began)


# --- reports a second
# -------------------------------------------------------------------------------


async def end_to_end(bootstrap: str, folder: Path, lines: Sequence[bytes], processes: int) -> float:
    """Reports a second from raw to postings, exactly once."""
    async with bench(bootstrap, folder) as run:
        return await settled(run, lines, processes)


async def settled(run: Bench, lines: Sequence[bytes], processes: int) -> float:
    """The same, the workers left running."""
    workers = [run.start(f"worker-{number}") for number in range(processes)]
    await run.shared(workers)
    await run.publish(lines[:FIRST_LINES])
    await _reached("the first reports", run.committed("citizens"), FIRST_LINES)
    async with run.held_back(lines[FIRST_LINES:]):
        pass
    return await rate("end to end", run.committed("citizens"), len(lines))


class Pace(NamedTuple):
    """Of one stage alone."""

    rate: float
    cpu_us: float


async def each_stage_alone(bootstrap: str, folder: Path, lines: Sequence[bytes]) -> dict[str, Pace]:
    """One process of each stage on a backlog that stands there in full."""
    async with bench(bootstrap, folder) as run:
        async with run.held_back(lines):
            pass
        return {stage: await _alone(run, stage, len(lines)) for stage in STAGES}


async def _alone(run: Bench, stage: str, wanted: int) -> Pace:
    worker = run.start(stage, [stage])
    await _reached(stage, run.committed(stage), 1)
    began, before = _cpu_seconds(worker), await run.committed(stage)()
    per_second = await rate(stage, run.committed(stage), wanted)
    cpu = _cpu_seconds(worker) - began
    await asyncio.to_thread(stop, [worker])
    return Pace(per_second, MICROSECONDS * cpu / (wanted - before))


async def peer(bootstrap: str, folder: Path, lines: Sequence[bytes]) -> float:
    """Outputs a second of the Faust agent on a backlog."""
    async with bench(bootstrap, folder) as run:
        await run.publish(lines[:FIRST_LINES])
        state = run.settings.state_dir / "peer"
        arguments = [
            run.settings.bootstrap,
            run.settings.prefix,
            str(run.settings.partitions),
            str(state),
        ]
        command = [sys.executable, "-m", "bench.peer_faust", *arguments]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
            try:
                return await _peer_rate(run, process, lines)
            finally:
                process.kill()


async def _peer_rate(run: Bench, process: subprocess.Popen[bytes], lines: Sequence[bytes]) -> float:
    output = topic_name(run.settings, OUTPUT)
    consumer = AIOKafkaConsumer(bootstrap_servers=run.settings.bootstrap)

    async def outputs() -> int:
        if process.poll() is not None:
            raise BenchError("the peer ended by itself")
        ends = await consumer.end_offsets([TopicPartition(output, at) for at in PARTITION_NUMBERS])
        return sum(ends.values())

    async with consumer:
        await _reached("the peer's first reports", outputs, FIRST_LINES)
        async with run.held_back(lines[FIRST_LINES:]):
            pass
        return await rate("the peer", outputs, len(lines))


# --- postings as a ledger sees them
# -----------------------------------------------------------------


class Arrivals:
    """The postings that a consumer of committed records has seen, each with when (of the monotonic clock)."""

    def __init__(self) -> None:
        self.by_partition: dict[int, list[float]] = {at: [] for at in PARTITION_NUMBERS}
        self.values: list[tuple[float, bytes]] = []

    async def read(self, consumer: AIOKafkaConsumer) -> None:
        """Read until cancelled."""
        while True:
            found = await consumer.getmany(timeout_ms=1000)
            now = time.monotonic()
            for at, records in found.items():
                self.by_partition[at.partition].append(now)
                self.values += [(now, record.value) for record in records]

    def longest_gap(self, since: float, partitions: Iterable[int] = PARTITION_NUMBERS) -> float:
        """The longest time since then in which nothing came from one of the partitions, in seconds."""
        until = time.monotonic()
        return max(
            later - earlier
            for at in partitions
            for earlier, later in pairwise(
                [since, *(time for time in self.by_partition[at] if time > since), until]
            )
        )


@asynccontextmanager
async def arriving(settings: Settings) -> AsyncIterator[Arrivals]:
    """Watch the postings."""
    consumer = AIOKafkaConsumer(
        topic_name(settings, topics.POSTINGS),
        bootstrap_servers=settings.bootstrap,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
    )
    arrivals = Arrivals()
    async with consumer:
        reading = asyncio.create_task(arrivals.read(consumer))
        try:
            yield arrivals
        finally:
            await _cancelled(reading)


async def _cancelled(task: asyncio.Task[Any]) -> None:
    """End a task; if it has failed, that is our failure."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def latencies(
    bootstrap: str, folder: Path, lines: Sequence[bytes], rate: float
) -> list[float]:
    """Seconds from when a report was due to be published to its posting, ascending, at a steady rate; one worker."""
    lines = lines[: int(rate * LATENCY_S)]
    async with bench(bootstrap, folder) as run, arriving(run.settings) as arrivals:
        await run.shared([run.start("worker")])
        started = await run.stream(lines, rate)
        await _reached("latency", run.committed("citizens"), len(lines))
        await asyncio.sleep(SETTLING_DOWN_S)
        due = _due(run.settings, lines, started, rate)
    warm = started + WARM_UP_S
    seen = ((came, _cause(value)) for came, value in arrivals.values)
    return sorted(came - due[cause] for came, cause in seen if due[cause] > warm)


def _due(
    settings: Settings, lines: Sequence[bytes], started: float, rate: float
) -> dict[tuple[str, str], float]:
    """When each report was due to be published; of one that comes again, the first time."""
    identity = settings.identity()
    due: dict[tuple[str, str], float] = {}
    for number, line in enumerate(lines):
        report = orjson.loads(line)
        cause = (identity.of(report["cpr"])[0], f"{report['reporter']}/{report['report_id']}")
        due.setdefault(cause, started + number / rate)
    return due


def _cause(posting: bytes) -> tuple[str, str]:
    value = orjson.loads(posting)
    return value["citizen"], value["cause"]


class StandStills(NamedTuple):
    """The longest that any partition's postings stood still, in seconds."""

    joining: float
    leaving: float
    killed: float
    survivor: float


async def stand_stills(bootstrap: str, folder: Path, lines: Sequence[bytes]) -> StandStills:
    """A second worker joins, leaves, joins again and is killed, while reports come steadily."""
    async with bench(bootstrap, folder) as run, arriving(run.settings) as arrivals:
        first = run.start("first")
        await run.shared([first])
        streaming = asyncio.create_task(run.stream(lines, STEADY_RATE))
        try:
            await _reached("the stream", run.committed("citizens"), int(WARM_UP_S * STEADY_RATE))
            joining, second = await _joined(run, arrivals, first)
            since = time.monotonic()
            await asyncio.to_thread(stop, [second])
            leaving = await _alone_again(run, first, arrivals, since)
            _, second = await _joined(run, arrivals, first)
            theirs, ours = [
                (await run.watch.partitions("citizens"))[each.client_id] for each in (second, first)
            ]
            since = time.monotonic()
            second.kill()
            await _alone_again(run, first, arrivals, since)
            if streaming.done():
                raise BenchError("the reports came to an end before the workers had come and gone")
            killed, survivor = (arrivals.longest_gap(since, share) for share in (theirs, ours))
        finally:
            await _cancelled(streaming)
    return StandStills(joining, leaving, killed, survivor)


async def _joined(run: Bench, arrivals: Arrivals, first: Worker) -> tuple[float, Worker]:
    """A second worker has got its share; the longest gap on the way."""
    since = time.monotonic()
    second = run.start("second")
    await run.shared([first, second])
    await asyncio.sleep(SETTLING_DOWN_S)
    return arrivals.longest_gap(since), second


async def _alone_again(run: Bench, first: Worker, arrivals: Arrivals, since: float) -> float:
    """The first worker has all partitions again; the longest gap since then."""
    await run.shared([first])
    await asyncio.sleep(SETTLING_DOWN_S)
    return arrivals.longest_gap(since)


# --- memory and restore
# -----------------------------------------------------------------------------


class Size(NamedTuple):
    """Of a worker with many citizens."""

    peak_mb: float
    records: int
    restore_seconds: float


async def memory_and_restore(bootstrap: str, folder: Path, lines: Sequence[bytes]) -> Size:
    """The peak memory of a worker that settled everything, and a restore of all its partitions on an empty disk."""
    async with bench(bootstrap, folder) as run:
        first = run.start("first")
        async with run.held_back(lines):
            await run.shared([first])
        await _reached("memory", run.committed("citizens"), len(lines))
        peak_mb = _peak_mb(first)
        await asyncio.to_thread(stop, [first])
        log = run.settings.state_dir / "second" / "log"
        run.start("second", ["citizens"])

        async def restored() -> int:
            return len(RESTORED.findall(log.read_text()))

        await _reached("the restore", restored, len(PARTITION_NUMBERS))
        parts = RESTORED.findall(log.read_text())
        return Size(
            peak_mb,
            sum(int(count) for count, _ in parts),
            max(float(seconds) for _, seconds in parts),
        )


def _peak_mb(worker: Worker) -> float:
    """The peak of resident memory so far."""
    status = Path(f"/proc/{worker.process.pid}/status").read_text()
    (kilobytes,) = re.findall(r"VmHWM:\s+(\d+) kB", status)
    return int(kilobytes) / 1024


def _cpu_seconds(worker: Worker) -> float:
    """The processor time it has used so far, of the system for it included."""
    _, _, after_name = Path(f"/proc/{worker.process.pid}/stat").read_text().rpartition(")")
    user, system = after_name.split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


# --- the table's rows
# -------------------------------------------------------------------------------


def figures(folder: Path, citizens: int, many: int) -> list[Figure]:
    """All of it: with a year of `citizens`, and of `many` citizens for memory and restore."""
    lines = population(citizens)
    with LocalKafka() as kafka:
        return asyncio.run(_figures(kafka.bootstrap, folder, lines, many))


async def _figures(bootstrap: str, folder: Path, lines: Sequence[bytes], many: int) -> list[Figure]:
    share = lines[: len(lines) // PEER_SHARE]
    for _ in range(WARM_UPS):
        await end_to_end(bootstrap, folder, lines, 1)
    rounds = [
        (
            await peer(bootstrap, folder, share),
            await end_to_end(bootstrap, folder, lines, 1),
            await end_to_end(bootstrap, folder, lines, 2),
        )
        for _ in range(ROUNDS)
    ]
    peers, one, two = (median(rates) for rates in zip(*rounds, strict=True))
    of_one = median(one / peers for peers, one, _ in rounds)
    of_two = median(two / peers for peers, _, two in rounds)
    return [
        ("peer: Faust agent, RocksDB table, at least once", f"{peers:,.0f}/s", "1.00"),
        ("raw to postings, exactly once, one worker", f"{one:,.0f}/s", f"{of_one:.1f}"),
        ("raw to postings, exactly once, two workers", f"{two:,.0f}/s", f"{of_two:.1f}"),
        *_stage_rows(await each_stage_alone(bootstrap, folder, lines), peers),
        *_latency_rows(await latencies(bootstrap, folder, lines, one / 2), one / 2),
        *_stand_still_rows(await stand_stills(bootstrap, folder, lines)),
        *_size_rows(await memory_and_restore(bootstrap, folder, population(many)), many),
    ]


def _stage_rows(paces: dict[str, Pace], peers: float) -> list[Figure]:
    return [
        row
        for stage, pace in paces.items()
        for row in (
            (f"{stage} alone, one worker", f"{pace.rate:,.0f}/s", f"{pace.rate / peers:.1f}"),
            (f"{stage} alone, processor time a report", f"{pace.cpu_us:.0f} µs", ""),
        )
    ]


def _latency_rows(latencies: Sequence[float], rate: float) -> list[Figure]:
    at = f"publish to posting at {rate:,.0f}/s, one worker"
    return [
        (f"{at}, p{part}", f"{latencies[len(latencies) * part // 100]:.2f} s", "")
        for part in (50, 99)
    ]


def _stand_still_rows(longest: StandStills) -> list[Figure]:
    return [
        ("longest stand-still, a second worker joins", f"{longest.joining:.1f} s", ""),
        ("longest stand-still, it leaves", f"{longest.leaving:.1f} s", ""),
        (
            f"longest stand-still, SIGKILL, less the session's {SESSION_S:.0f} s",
            f"{longest.killed - SESSION_S:.1f} s",
            "",
        ),
        (
            "longest stand-still of the survivor's own partitions then",
            f"{longest.survivor:.1f} s",
            "",
        ),
    ]


def _size_rows(size: Size, citizens: int) -> list[Figure]:
    return [
        (
            f"one worker, peak memory at {citizens:,} citizens x 12 months",
            f"{size.peak_mb:.0f} MB",
            "",
        ),
        (
            "restore of a lost disk, changelog records",
            f"{size.records / size.restore_seconds:,.0f}/s",
            "",
        ),
    ]
