"""Worker processes of the simulated world: all stages in their batch loops, of either version."""

import asyncio
import signal
from functools import partial
from pathlib import PurePosixPath
from typing import Any
from unittest.mock import patch

from streams.engine import fault_points
from streams.engine.budget import Budget
from streams.engine.liveness import Outage
from streams.engine.loop import BatchLoop
from streams.ledger.writer import LedgerWriter
from streams.stages.citizens import CitizenStage, CitizenTopics
from streams.stages.intake import Intake, IntakeTopics
from streams.stages.ledger import LedgerStage
from streams.stages.posting_checks import PostingChecks
from tests.simulation.clock import PROCESS, KilledError, Process
from tests.simulation.names import DEAD, JOURNAL, NOTICES, POSTINGS, RAW, STATE
from tests.simulation.ports import SimulatedKafka

BATCHES_AT_WORK = 2
END_S = 30.0
MOST_ARMED = 3
CITIZEN_TOPICS = JOURNAL, POSTINGS, NOTICES, STATE, DEAD


class FolderName(PurePosixPath):
    """A path of the simulated disks: nothing of it is on a real one."""

    def mkdir(self, **_options) -> None:
        """Do nothing."""


class Worker:
    """A worker process: the stages in their batch loops."""

    def __init__(self, world, name: str, *, is_former: bool) -> None:
        self.process = Process(name, is_former=is_former)
        self._world = world
        self._loops: list[BatchLoop] = []
        token = PROCESS.set(self.process)
        try:
            self._task = asyncio.get_running_loop().create_task(self._run())
        finally:
            PROCESS.reset(token)

    async def _run(self) -> None:
        world = self._world
        kafka = SimulatedKafka(world.cluster, self.process.name)
        outage, budget = Outage(), Budget(BATCHES_AT_WORK)
        group = world.settings.group
        self._loops = [
            BatchLoop(
                stage,
                kafka,
                group(stage.name),
                outage,
                budget,
                count_unread=partial(world.count_unread, stage.name),
            )
            for stage in self._stages(kafka)
        ]
        try:
            await asyncio.gather(*(loop.run() for loop in self._loops))
        except Exception as error:  # noqa: BLE001 - whatever ends a worker by itself is told
            world.ended_by_itself(self.process.name, error)

    def _stages(self, kafka):
        world = self._world
        folder: Any = FolderName(f"/{self.process.name}")
        yield Intake(
            IntakeTopics(RAW, JOURNAL, DEAD, world.plan.partitions),
            world.validator,
            world.identity,
            kafka,
        )
        citizen_topics = CitizenTopics(*CITIZEN_TOPICS, world.plan.partitions)
        yield CitizenStage(citizen_topics, world.laws, world.identity, kafka, folder)
        if world.plan.has_ledger:
            writer = LedgerWriter("simulated", POSTINGS, world.plan.partitions)
            yield LedgerStage(
                POSTINGS, writer, kafka, PostingChecks(JOURNAL, POSTINGS, world.identity.macs)
            )

    def kill(self, *, is_torn: bool = False) -> None:
        """SIGKILL, and what the disk then has."""
        if self.process.is_dead:
            return
        self.process.kill()
        self._world.disks.crash(f"/{self.process.name}/", is_torn=is_torn)

    async def end(self) -> None:
        """SIGTERM; whoever has not ended after half a minute is killed."""
        for loop in self._loops:
            loop.stop()
        await asyncio.wait([self._task], timeout=END_S)
        self.kill()


class FaultPoints:
    """Lets the process that next reaches a point of the protocol be killed or stopped there.

    It stands in for the plans of `streams.engine.fault_points`, and for `os` in it.
    """

    def __init__(self, world) -> None:
        self._world = world
        self._armed: list[tuple[str, str, float]] = []
        self._fired: tuple[str, str, float] | None = None

    def install(self) -> None:
        """Have the points of this process's program ask here."""
        patch.object(fault_points, "_PLANS", self).start()
        patch.object(fault_points, "os", self).start()

    def arm(self, name: str, point: str, seconds: float = 0.0) -> None:
        """Kill, or stop for so many seconds, the next process that reaches a point."""
        if len(self._armed) < MOST_ARMED:
            self._armed.append((name, point, seconds))

    def disarm(self) -> None:
        """Let nothing happen any more."""
        self._armed.clear()

    def get(self, place_and_times) -> str | None:
        """Return the signal for a process that has reached a place, or None."""
        if not self._armed or PROCESS.get() is None:
            return None
        point = place_and_times[0].partition(":")[2]
        self._fired = next((plan for plan in self._armed if plan[1] == point), None)
        if self._fired is None:
            return None
        self._armed.remove(self._fired)
        return self._fired[0]

    def getpid(self) -> int:
        """The process at work, which `kill` knows."""
        return 0

    def kill(self, _pid, number) -> None:
        """Kill or stop the process at work."""
        process = PROCESS.get()
        assert process is not None
        assert self._fired is not None
        _, point, seconds = self._fired
        self._world.trace(process.name, f"{signal.Signals(number).name} at {point}")
        self._world.faults[f"{signal.Signals(number).name} at {point}"] += 1
        if number == signal.SIGSTOP:
            process.hold(seconds)
            return
        self._world.kill(process.name)
        raise KilledError
