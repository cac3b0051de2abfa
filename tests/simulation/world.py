"""One seed: a population, workers, brokers, and what goes wrong; then calm, and the auditor.

In the first phase everything may fail, at rates that the seed draws. Then faults end, all processes
run today's version, and the system must come to rest within a bound. What is left then is given to
the auditor (`remains`).
"""

import asyncio
import logging
from collections import Counter, defaultdict
from functools import cache
from zlib import crc32

from streams.citizens.rule_sets import LawBook
from streams.operations.publish import record_key
from streams.settings import Settings
from streams.wire.validator import Validator
from tests.simulation.cluster import Cluster
from tests.simulation.disks import Disks
from tests.simulation.ledger_table import Delta
from tests.simulation.mishaps import Mishaps
from tests.simulation.names import DEAD, JOURNAL, NOTICES, POSTINGS, PREFIX, RAW, READ_BY, STATE
from tests.simulation.network import Rates
from tests.simulation.operator import Operator
from tests.simulation.plan import Plan
from tests.simulation.population import lines_of
from tests.simulation.processes import FaultPoints, Worker
from tests.simulation.remains import Remains

REST_S = 300.0
"""Seconds of calm within which everything must be done."""
LEDGER_MENDED_S = 20.0
"""Seconds of calm after which the ledger's place is mended too."""
AGAIN_S = 1.5
"""Seconds after which a process that ended by itself is started again."""
LAWS = LawBook()


@cache
def _validator(*, markers: bool) -> Validator:
    return Validator(LAWS.catalogue(), demo=True, markers=markers)


def settings_of(partitions: int) -> Settings:
    """The settings of a world with so many partitions."""
    return Settings.load(
        {
            "REFUSION_DEMO": "1",
            "REFUSION_BOOTSTRAP": "localhost:9",
            "REFUSION_PREFIX": PREFIX,
            "REFUSION_PARTITIONS": str(partitions),
        }
    )


class RestlessError(Exception):
    """The system did not come to rest after the faults had ended."""


class WrongError(Exception):
    """Something happened that never may."""


class World:
    """Brokers, disks and processes, and the time that all of them share."""

    def __init__(self, plan: Plan, *, is_fine: bool = False) -> None:
        self.plan = plan
        self.laws = LAWS
        self.validator, self.opening_validator = _validator(markers=False), _validator(markers=True)
        self.settings = settings_of(plan.partitions)
        self.identity = self.settings.identity()
        partitions = dict.fromkeys((JOURNAL, POSTINGS, STATE, NOTICES, DEAD), plan.partitions)
        partitions[RAW] = plan.raw_partitions
        self.cluster = Cluster(plan.chance("network"), partitions, plan.rates, plan.brokers)
        self.cluster.is_fine = is_fine
        self.network, self.coordinator = self.cluster.network, self.cluster.coordinator
        self.log, self.trace, self.now = self.cluster.log, self.cluster.trace, self.cluster.now
        self.disks = Disks(plan.chance("disks"))
        self.delta = Delta()
        self.points = FaultPoints(self)
        self.operator = Operator(self)
        self.workers: dict[str, Worker] = {}
        self.upgraded: set[str] = set()
        self.lines = lines_of(plan)
        self.faults: Counter[str] = Counter()
        self.failures: list[str] = []
        self.unread: Counter[int] = Counter()
        self.expired_unread: set[tuple[int, int]] = set()
        self.raw_places: list[tuple[int, int, bytes]] = []
        self.has_stated_keys = False
        self.is_calm = self.is_stopped = False
        self.ledger_fails_until = 0.0
        self._ledger = plan.chance("ledger")
        self._seen: defaultdict[tuple[str, int], list] = defaultdict(list)
        self._seen_entries: list[tuple] = []

    # --- what the parts ask for -------------------------------------------------------------------

    def reached(self, stage, partition) -> int:
        """The position of a stage that was ever committed."""
        place = self.settings.group(stage), READ_BY[stage], partition
        return self.cluster.reached.get(place, 0)

    def count_unread(self, stage, partition, records) -> None:
        """Count what a worker said was gone before it was read."""
        if stage == "intake":
            self.unread[partition] += records

    def ended_by_itself(self, name, error) -> None:
        """A worker has ended without being told to: that is wrong, and it is started again."""
        self.failures.append(f"{name} ended by itself: {type(error).__name__}: {error}")
        self.cluster.background(self._start_later(name, AGAIN_S))

    def ledger_may_fail(self, when) -> None:
        """Raise, while the ledger's place fails, what a storage raises."""
        if self.now() < self.ledger_fails_until and self._ledger.random() < 0.4:
            self.faults["ledger_failed"] += 1
            raise OSError(f"the ledger's place fails {when}")

    def work_s(self) -> float:
        """Seconds that work in another thread takes."""
        return self._ledger.choice((0.0, 0.0, 0.01, 0.3)) if not self.is_calm else 0.0

    # --- processes --------------------------------------------------------------------------------

    def start(self, name: str) -> None:
        """Start a worker, unless all are stopped for a rebuild."""
        if self.is_stopped:
            return
        is_former = self.plan.is_former and name not in self.upgraded
        self.trace(name, "starts" + (", of the former version" if is_former else ""))
        self.workers[name] = Worker(self, name, is_former=is_former)

    def kill(self, name, *, restart_s: float | None = 2.0, is_torn: bool = False) -> None:
        """SIGKILL, and a new process after some seconds."""
        self.workers[name].kill(is_torn=is_torn)
        if restart_s is not None:
            self.cluster.background(self._start_later(name, restart_s))

    async def _start_later(self, name, seconds) -> None:
        await asyncio.sleep(seconds)
        self.start_again(name)

    def start_again(self, name) -> None:
        """Start a worker that is dead."""
        if self.workers[name].process.is_dead:
            self.start(name)

    async def restart(self, name) -> None:
        """SIGTERM, and a new process."""
        await self.workers[name].end()
        self.start_again(name)

    def stop_all(self) -> None:
        """Kill all workers, and start none until `start_all`."""
        self.is_stopped = True
        for name in self.workers:
            self.kill(name, restart_s=None)

    def start_all(self) -> None:
        """Start all workers again."""
        self.is_stopped = False
        for name in self.workers:
            self.start_again(name)

    def forget_postings(self) -> None:
        """The topics of the citizens stage and the ledger are made anew."""
        self.cluster.made_anew += 1
        self.delta.delete()
        self._seen.clear()
        self._seen_entries = []
        groups = {self.settings.group(stage) for stage in ("citizens", "projections")}
        for positions in (self.cluster.positions, self.cluster.reached):
            for place in [place for place in positions if place[0] in groups]:
                del positions[place]

    # --- a seed -----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Both phases; raises RestlessError and WrongError."""
        for stage, topic in READ_BY.items():
            group = self.settings.group(stage)
            self.cluster.background(
                self.cluster.groups.watch(group, self.cluster.partitions(topic))
            )
        if not self.plan.is_former:
            rates, self.network.rates = self.network.rates, Rates()
            await asyncio.create_task(self.operator.state_keys())
            self.network.rates = rates
        acting = [
            self.cluster.background(self._publish()),
            self.cluster.background(self.operator.act()),
        ]
        for number in range(self.plan.workers):
            self.start(f"worker-{number}")
        mishaps = Mishaps(self)
        failing = [
            self.cluster.background(mishaps.go_on(kind)) for kind in sorted(self.plan.mishaps)
        ]
        await asyncio.sleep(self.plan.faulty_s)
        for task in failing:
            task.cancel()
        await self._calm(acting)

    async def _publish(self) -> None:
        """Upstream sends its reports."""
        rng = self.plan.chance("publisher")
        gap = self.plan.faulty_s * 0.9 / max(1, len(self.lines))
        for line in self.lines:
            await asyncio.sleep(rng.uniform(0, 2 * gap))
            key = record_key(line)
            partition = crc32(key) % self.plan.raw_partitions
            end = self.log(RAW, partition).append([(key, line, [])], self.now())
            self.raw_places.append((partition, end - 1, line))

    async def _calm(self, acting) -> None:
        """End all faults; wait until everything is done."""
        self.trace("world", "calm")
        self.is_calm = True
        self.network.rates = Rates()
        self.network.cut.clear()
        self.cluster.brokers.down.clear()
        self.points.disarm()
        self.disks.full.clear()
        self.disks.stalled.clear()
        self.disks.slow.clear()
        if "ledger_fails" in self.plan.mishaps:  # it is the last to be mended
            self.ledger_fails_until = self.now() + LEDGER_MENDED_S
        self.start_all()
        for name, worker in self.workers.items():
            worker.process.go_on()
            worker.process.short_of_memory_until = 0.0
            if worker.process.is_former:
                self.upgraded.add(name)
                await self.restart(name)
        until = self.now() + REST_S
        await asyncio.wait(acting, timeout=REST_S)
        if self.plan.is_former:
            await asyncio.create_task(self.operator.state_keys())
        while behind := self._behind():
            self.look()
            if self.now() > until:
                raise RestlessError(f"not at rest {REST_S:.0f} s after the faults: {behind}")
            await asyncio.sleep(1.0)
        self.look()
        for worker in self.workers.values():
            await worker.end()
        for task in acting:
            task.result()
        if self.failures:
            raise WrongError(self.failures[0])

    def _behind(self) -> str:
        stages = list(READ_BY) if self.plan.has_ledger else ["intake", "citizens"]
        behind = []
        for stage in stages:
            for partition in range(self.cluster.partitions(READ_BY[stage])):
                log = self.log(READ_BY[stage], partition)
                position = self._position(stage, partition)
                if log.stable_end < log.end or log.read(position, 1)[0]:
                    behind.append(f"{READ_BY[stage]}/{partition} {position} of {log.end}")
        return ", ".join(behind)

    def _position(self, stage, partition) -> int:
        if stage == "projections":
            return self.delta.positions().get(partition, 0)
        return self.reached(stage, partition)

    def look(self) -> None:
        """Note what readers of committed data see now; nothing of it may ever go away."""
        for topic in (JOURNAL, POSTINGS, NOTICES):
            for partition in range(self.plan.partitions):
                seen = self._seen[topic, partition]
                after = seen[-1].offset + 1 if seen else 0
                new, _ = self.log(topic, partition).read(after, 1 << 30)
                seen += new
        entries = self.delta.entries()
        if entries[: len(self._seen_entries)] != self._seen_entries:
            raise WrongError("what was in the ledger was taken back")
        self._seen_entries = entries

    def remains(self) -> Remains:
        """All that the auditor is given."""
        for (topic, partition), seen in self._seen.items():
            committed = {e.offset: e.value for e in self.log(topic, partition).committed()}
            for entry in seen:
                if committed.get(entry.offset) != entry.value:
                    raise WrongError(f"{topic}/{partition}/{entry.offset} was taken back")
        return Remains(
            self.plan,
            dict(self.cluster.logs),
            self.raw_places,
            self.expired_unread,
            self.unread,
            self.operator.confirmed,
            self.operator.foreign,
            self.disks.contents(),
            self.delta.entries(),
            self.cluster.made_anew,
        )


class Listener(logging.Handler):
    """Traces what workers log, and takes a failed assertion for what it is."""

    def __init__(self, world: World) -> None:
        super().__init__(logging.WARNING)
        self._world = world

    def emit(self, record) -> None:
        text = record.getMessage()
        self._world.trace("log", text)
        if "AssertionError" in text:
            self._world.failures.append(text)
