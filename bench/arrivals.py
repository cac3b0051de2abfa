"""Postings as a ledger sees them: their latency, and their pauses while workers come and go."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson
from aiokafka import AIOKafkaConsumer

from bench.rig import PARTITION_NUMBERS, Bench, BenchError, bench, reached
from demo.cluster import Worker, stop, topic_name
from streams.kafka import topics
from streams.settings import Settings

LATENCY_S: Final = 20.0
WARM_UP_S: Final = 5.0
"""The start of a steady stream that is left out: its backlog has to be settled first."""
STEADY_RATE: Final = 1_200
"""Reports a second while workers come and go: a hundred for each partition, to show a pause."""
SETTLING_DOWN_S: Final = 2.0
"""The time after a rebalance in which its pauses end."""


class Arrivals:
    """The postings that a consumer of committed records has seen.

    Each has its time on the monotonic clock.
    """

    def __init__(self) -> None:
        self.by_partition: dict[int, list[float]] = {at: [] for at in PARTITION_NUMBERS}
        self.values: list[tuple[float, bytes]] = []

    async def read(self, consumer: AIOKafkaConsumer) -> None:
        """Read postings until cancelled."""
        while True:
            found = await consumer.getmany(timeout_ms=1000)
            now = time.monotonic()
            for at, records in found.items():
                self.by_partition[at.partition].append(now)
                self.values += [(now, record.value) for record in records]

    def longest_gap(self, since: float, partitions: Iterable[int] = PARTITION_NUMBERS) -> float:
        """Return the longest time since then without postings from a partition, in seconds."""
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
    """Watch the postings in the background."""
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
    """End a task; its error, if it failed, is raised here."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def latencies(
    bootstrap: str, folder: Path, lines: Sequence[bytes], rate: float
) -> list[float]:
    """Measure the seconds from the due time of a report to its posting, ascending.

    One worker settles at a steady rate.
    """
    lines = lines[: int(rate * LATENCY_S)]
    async with bench(bootstrap, folder) as run, arriving(run.settings) as arrivals:
        await run.shared([run.start("worker")])
        started = await run.stream(lines, rate)
        await reached("latency", run.committed("citizens"), len(lines))
        await asyncio.sleep(SETTLING_DOWN_S)
        due = _due(run.settings, lines, started, rate)
    warm = started + WARM_UP_S
    seen = ((came, _cause(value)) for came, value in arrivals.values)
    return sorted(came - due[cause] for came, cause in seen if due[cause] > warm)


def _due(
    settings: Settings, lines: Sequence[bytes], started: float, rate: float
) -> dict[tuple[str, str], float]:
    """Return when each report was due to be published, at its first delivery."""
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
    """The longest pauses of any partition's postings, in seconds."""

    joining: float
    leaving: float
    killed: float
    survivor: float


async def stand_stills(bootstrap: str, folder: Path, lines: Sequence[bytes]) -> StandStills:
    """Let a second worker join, leave, join again and be killed, while reports come steadily."""
    async with bench(bootstrap, folder) as run, arriving(run.settings) as arrivals:
        first = run.start("first")
        await run.shared([first])
        streaming = asyncio.create_task(run.stream(lines, STEADY_RATE))
        try:
            await reached("the stream", run.committed("citizens"), int(WARM_UP_S * STEADY_RATE))
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
    """Start a second worker, and wait until it has its share.

    Returns the longest gap on the way, and the worker.
    """
    since = time.monotonic()
    second = run.start("second")
    await run.shared([first, second])
    await asyncio.sleep(SETTLING_DOWN_S)
    return arrivals.longest_gap(since), second


async def _alone_again(run: Bench, first: Worker, arrivals: Arrivals, since: float) -> float:
    """Wait until the first worker has all partitions again; returns the longest gap since then."""
    await run.shared([first])
    await asyncio.sleep(SETTLING_DOWN_S)
    return arrivals.longest_gap(since)
