"""The way of the reports through Kafka, during which a worker is killed.

1. Two workers share the partitions.
2. The reports that had arrived by the end of `CUT_MONTH` are published. When they are in the
   journal, that month's run is closed: later reports for it or for earlier months are late. The
   rest follows.
3. When half of all is settled, a worker gets SIGKILL. A new process takes over its state folder.
4. When all is settled, the workers are told to stop.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import NamedTuple

from rich.console import Console

from demo.cluster import Watch, Worker, close_run, stop, watching
from demo.population import MONTHS, arrived_by
from domain.basics.weeks import month_number, month_text
from streams.kit.progress import Meter, meter
from streams.operations.publish import publish
from streams.settings import Settings
from streams.worker.app import STAGES

CUT_MONTH = "2023-10"
WORKERS = ("worker-1", "worker-2")
"""The names of the workers' state folders."""


class Killing(NamedTuple):
    """The killing of a worker: its time (seconds since 1970), reports settled, and partitions."""

    at: float
    settled: int
    partitions: frozenset[int]


class Passage(NamedTuple):
    """The events on the way; times are seconds since 1970."""

    published: int
    began: float
    killing: Killing
    ended: float

    @property
    def rate(self) -> float:
        """Reports a second, including the pause after the kill."""
        return self.published / (self.ended - self.began)

    @property
    def rate_before(self) -> float:
        """Reports a second until the kill."""
        return self.killing.settled / (self.killing.at - self.began)


async def pass_through(console: Console, settings: Settings, lines: Sequence[bytes]) -> Passage:
    """Publish and settle everything.

    Raises:
        UserError: something does not happen in time.
    """
    with ExitStack() as stack:
        async with watching(settings) as watch:
            for folder in WORKERS:
                _start(stack, watch, settings, folder)
            await watch.until("two workers share the partitions", lambda: _shared(watch))
            console.print(
                f"{len(WORKERS)} workers share the {settings.partitions} partitions of each topic."
            )
            began = time.time()
            with meter("reports", len(lines)) as shown:
                killing = await _killed_half_way(console, settings, watch, lines, shown)
                _start(stack, watch, settings, WORKERS[0])
                await settled(watch, shown)
                ended = time.time()
                await _close_last(settings, watch, shown)
            stop(watch.workers)
    return Passage(len(lines), began, killing, ended)


def _start(stack: ExitStack, watch: Watch, settings: Settings, folder: str) -> None:
    """Start a worker; it is killed with the stack if it still lives."""
    worker = Worker(settings, folder)
    stack.callback(worker.kill)
    watch.workers.append(worker)


async def _shared(watch: Watch) -> bool:
    """Return True if each worker has partitions of each stage."""
    names = [worker.client_id for worker in watch.workers]
    shares = [await watch.partitions(stage) for stage in STAGES]
    return all(share.get(name) for share in shares for name in names)


async def _killed_half_way(
    console: Console, settings: Settings, watch: Watch, lines: Sequence[bytes], shown: Meter
) -> Killing:
    cut = arrived_by(lines, CUT_MONTH)
    await publish(lines[:cut], settings, lambda _: None)
    await watch.until("intake has read everything", lambda: through(watch, "intake"))
    await close_run(settings, CUT_MONTH, f"{month_text(month_number(CUT_MONTH) + 1)}-01T00:00:00Z")
    console.print(
        f"Published the {cut:,} reports that had arrived by the end of {CUT_MONTH},"
        " and closed that month's run: later reports for it give corrections."
    )
    publishing = asyncio.create_task(publish(lines[cut:], settings, lambda _: None))
    await watch.until("half of all is settled", lambda: _half_settled(watch, len(lines), shown))
    killing = await _kill(watch, watch.workers.pop(0))
    share = f"{killing.settled / len(lines):.0%}"
    console.print(
        f"Killed a worker with {len(killing.partitions)} partitions (SIGKILL)"
        f" when {share} of the reports were settled."
    )
    await publishing
    return killing


async def _close_last(settings: Settings, watch: Watch, shown: Meter) -> None:
    """Close the run of the last month, for LIS."""
    month = MONTHS[1]
    await close_run(settings, month, f"{month_text(month_number(month) + 1)}-01T00:00:00Z")
    await settled(watch, shown)


async def _half_settled(watch: Watch, reports: int, shown: Meter) -> bool:
    lag = await watch.lag("citizens")
    shown.show(lag.committed)
    # On a busy machine the group may just have lost a member.
    return lag.committed >= reports // 2 and await _shared(watch)


async def _kill(watch: Watch, worker: Worker) -> Killing:
    """Kill a worker in the middle of its work."""
    partitions = (await watch.partitions("citizens")).get(worker.client_id, [])
    settled = (await watch.lag("citizens")).committed
    worker.kill()
    return Killing(time.time(), settled, frozenset(partitions))


async def settled(watch: Watch, shown: Meter) -> None:
    """Wait until both stages have processed everything, in their order.

    A stage writes before it commits what it has read.
    """
    await watch.until("intake has read everything", lambda: through(watch, "intake"))
    await watch.until("everything is settled", lambda: through(watch, "citizens", shown))


async def through(watch: Watch, stage: str, shown: Meter | None = None) -> bool:
    """Return True if a stage has processed everything in its topic."""
    lag = await watch.lag(stage)
    if shown:
        shown.show(lag.committed)
    return lag.over
