"""Reports a second: end to end beside a plain Faust agent, and each stage alone."""

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from bench.peer_faust import OUTPUT
from bench.rig import (
    PARTITION_NUMBERS,
    STAGES,
    Bench,
    BenchError,
    bench,
    cpu_seconds,
    rate,
    reached,
)
from demo.cluster import stop, topic_name

FIRST_LINES: Final = 1_200
"""The reports that go all the way before the clock starts: a hundred for each partition.

Brokers take the first batches slowly: 0.5 s for all, in which they open logs and meet producers.
"""
MICROSECONDS: Final = 1e6


async def end_to_end(bootstrap: str, folder: Path, lines: Sequence[bytes], processes: int) -> float:
    """Measure reports a second from raw to postings, exactly once."""
    async with bench(bootstrap, folder) as run:
        return await settled(run, lines, processes)


async def settled(run: Bench, lines: Sequence[bytes], processes: int) -> float:
    """Measure reports a second from raw to postings; the workers are left running."""
    workers = [run.start(f"worker-{number}") for number in range(processes)]
    await run.shared(workers)
    await run.publish(lines[:FIRST_LINES])
    await reached("the first reports", run.committed("citizens"), FIRST_LINES)
    async with run.held_back(lines[FIRST_LINES:]):
        pass
    return await rate("end to end", run.committed("citizens"), len(lines))


class Pace(NamedTuple):
    """The speed of one stage alone."""

    rate: float
    cpu_us: float


async def each_stage_alone(bootstrap: str, folder: Path, lines: Sequence[bytes]) -> dict[str, Pace]:
    """Measure one process of each stage on a complete backlog."""
    async with bench(bootstrap, folder) as run:
        async with run.held_back(lines):
            pass
        return {stage: await _alone(run, stage, len(lines)) for stage in STAGES}


async def _alone(run: Bench, stage: str, wanted: int) -> Pace:
    worker = run.start(stage, [stage])
    await reached(stage, run.committed(stage), 1)
    began, before = cpu_seconds(worker.process.pid), await run.committed(stage)()
    per_second = await rate(stage, run.committed(stage), wanted)
    cpu = cpu_seconds(worker.process.pid) - began
    await asyncio.to_thread(stop, [worker])
    return Pace(per_second, MICROSECONDS * cpu / (wanted - before))


async def peer(bootstrap: str, folder: Path, lines: Sequence[bytes]) -> float:
    """Measure outputs a second of the Faust agent on a backlog."""
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
        await reached("the peer's first reports", outputs, FIRST_LINES)
        async with run.held_back(lines[FIRST_LINES:]):
            pass
        return await rate("the peer", outputs, len(lines))
