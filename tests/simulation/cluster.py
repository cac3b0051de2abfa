"""A simulated Kafka: brokers, logs, coordinators, and the network to them, in the loop's time."""

import asyncio
from collections import defaultdict

from tests.simulation.brokers import Brokers
from tests.simulation.clock import PROCESS
from tests.simulation.groups import Groups
from tests.simulation.logs import Log
from tests.simulation.network import Network, Rates
from tests.simulation.transactions import Coordinator

LOOK_AGAIN_S = 0.1


class Cluster:
    """The brokers with all that they hold. `partitions_of` are topics' numbers of partitions."""

    def __init__(self, rng, partitions_of, rates: Rates | None = None, brokers: int = 1) -> None:
        self.brokers = Brokers(brokers)
        self.network = Network(rng, rates or Rates(), self.brokers, self.background)
        self.groups = Groups(self)
        self.coordinator = Coordinator(self)
        self.positions: dict[tuple[str, str, int], int] = {}
        self.notes: dict[tuple[str, str, int], str] = {}
        self.reached: dict[tuple[str, str, int], int] = {}
        """Positions that were ever committed; unlike the groups' own they are never forgotten."""
        self.logs: defaultdict[tuple[str, int], Log] = defaultdict(Log)
        self.events: list[str] = []
        self.is_fine = False
        self.made_anew = 0
        """The number of times that the topics of the citizens stage were deleted and made again."""
        self._partitions_of = partitions_of
        self._tasks: set[asyncio.Task] = set()

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def log(self, topic, partition) -> Log:
        return self.logs[topic, partition]

    def partitions(self, topic) -> int:
        return self._partitions_of[topic]

    def commit(self, group, topic, partition, position, note="") -> None:
        """Keep a position of a group, and the note beside it."""
        self.positions[group, topic, partition] = position
        self.notes[group, topic, partition] = note
        self.reached[group, topic, partition] = position

    async def until_leader(self, topic, partition) -> None:
        """Wait as long as a message between brokers takes, and until somebody leads a partition."""
        await self.network.inside()
        while self.brokers.leader(("log", topic, partition)) is None:
            await asyncio.sleep(LOOK_AGAIN_S)

    def trace(self, who, what) -> None:
        self.events.append(f"{self.now():9.3f}  {who:<12} {what}")

    def trace_fine(self, what) -> None:
        """Trace what happens all the time, where a person wants to read it."""
        if self.is_fine:
            self.trace(str(PROCESS.get() or "brokers"), what)

    def background(self, coroutine) -> asyncio.Task:
        """Run something of the brokers or of the world, whatever happens to processes."""
        token = PROCESS.set(None)
        try:
            task = asyncio.get_running_loop().create_task(coroutine)
        finally:
            PROCESS.reset(token)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def stop(self) -> None:
        """End what still runs in the background."""
        left = set(self._tasks)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)
