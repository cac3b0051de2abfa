"""One seed: a population, workers, brokers, and what goes wrong; then calm, and the auditor.

    python -m tests.simulation SEED [SEED…]

In the first phase everything may fail, at rates that the seed draws. Then faults end, all processes
run, and the system must come to rest within a bound.
"""

import asyncio
import random
from collections import defaultdict
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from zlib import crc32

from domain.basics.weeks import month_number
from streams.citizens.rule_sets import LawBook
from streams.engine.liveness import Outage
from streams.engine.loop import BatchLoop
from streams.operations.publish import record_key
from streams.settings import Settings
from streams.simulation import FAULTS, SimulationOptions, simulate
from streams.stages.citizens import CitizenStage, CitizenTopics
from streams.stages.intake import Intake, IntakeTopics
from streams.wire.validator import Validator
from tests.simulation.clock import PROCESS, Process
from tests.simulation.disks import Disks
from tests.simulation.groups import Groups
from tests.simulation.logs import Log
from tests.simulation.network import Network, Rates
from tests.simulation.operator import act_as_operator
from tests.simulation.ports import SimulatedKafka
from tests.simulation.transactions import Coordinator

RAW, JOURNAL, POSTINGS, STATE = "reports.raw", "reports", "postings", "citizens"
NOTICES, DEAD = "notices", "dead-letters"
FAULTY_S = (20.0, 90.0)
REST_S = 240.0
"""Seconds of calm within which everything must be done."""
LAWS = LawBook()
BATCHES_AT_WORK = 2


class RestlessError(Exception):
    """The system did not come to rest after the faults had ended."""


@dataclass
class Plan:
    """A plan has all that a seed draws."""

    citizens: int
    months: int
    partitions: int
    raw_partitions: int
    workers: int
    rates: Rates
    faulty_s: float
    pause_s: float
    operator_acts: int
    faults: frozenset = field(default=FAULTS)


def plan_of(rng) -> Plan:
    """Draw a plan."""
    share = rng.choice((0.0, 0.002, 0.01, 0.03))
    return Plan(
        citizens=rng.randint(1, 12),
        months=rng.randint(2, 14),
        partitions=rng.randint(1, 4),
        raw_partitions=rng.randint(1, 3),
        workers=rng.randint(1, 3),
        rates=Rates(
            lost_request=share * rng.random(),
            lost_answer=share * rng.random(),
            slow=share * rng.random(),
            refused=share * rng.random(),
            delay_s=rng.choice((0.005, 0.05)),
            slow_s=rng.choice((1.0, 8.0)),
            marker_s=rng.choice((0.01, 0.5, 3.0)),
        ),
        faulty_s=rng.uniform(*FAULTY_S),
        pause_s=rng.choice((0.5, 2.0, 8.0)),
        operator_acts=rng.randint(0, 4),
    )


class World:
    """Brokers, disks and processes, and the time that all of them share."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.rng = random.Random(seed)
        self.plan = plan_of(self.rng)
        self.settings = Settings.load(
            {
                "REFUSION_DEMO": "1",
                "REFUSION_PREFIX": "",
                "REFUSION_PARTITIONS": str(self.plan.partitions),
            }
        )
        self.identity = self.settings.identity()
        self.network = Network(self.rng, self.plan.rates)
        self.disks = Disks(self.rng)
        self.groups = Groups(self)
        self.coordinator = Coordinator(self)
        self.positions: dict[tuple[str, str, int], int] = {}
        self._reached: dict[tuple[str, str, int], int] = {}
        self.faults = 0
        self.events: list[str] = []
        self.seen: defaultdict[tuple[str, int], list] = defaultdict(list)
        self.published = 0
        self._logs: defaultdict[tuple[str, int], Log] = defaultdict(Log)
        self._tasks: set[asyncio.Task] = set()
        self._workers: dict[str, Worker] = {}
        self._audits = 0

    # --- what the parts ask for -------------------------------------------------------------------

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def log(self, topic, partition) -> Log:
        return self._logs[topic, partition]

    def partitions(self, topic) -> int:
        return self.plan.raw_partitions if topic == RAW else self.plan.partitions

    def commit(self, group, topic, partition, position) -> None:
        """Note a position of a group; it can be forgotten later, what it has reached is not."""
        self.positions[group, topic, partition] = position
        self._reached[group, topic, partition] = position

    def trace(self, who, what) -> None:
        self.events.append(f"{self.now():9.3f}  {who:<12} {what}")

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

    def audit_folder(self) -> Path:
        """A folder on a disk that nothing happens to."""
        self._audits += 1
        return Path(f"/audit/{self._audits}")

    # --- a seed -----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Both phases; raises RestlessError."""
        for group in ("intake", "citizens"):
            topic = RAW if group == "intake" else JOURNAL
            self.background(self.groups.watch(self.settings.group(group), self.partitions(topic)))
        publishing = self.background(self._publish())
        operating = self.background(act_as_operator(self))
        for number in range(self.plan.workers):
            self._start(f"worker-{number}")
        await self._break_things()
        await publishing
        await operating
        await self._calm()

    async def _publish(self) -> None:
        """Upstream sends its reports, some twice, with rubbish among them."""
        lines = self._lines()
        gap = self.plan.faulty_s * 0.9 / max(1, len(lines))
        for line in lines:
            await asyncio.sleep(self.rng.uniform(0, 2 * gap))
            key = record_key(line)
            for _ in range(2 if self.rng.random() < 0.02 else 1):
                partition = crc32(key) % self.plan.raw_partitions
                self.log(RAW, partition).append([(key, line, [])], self.now())
                self.published += 1

    def _lines(self) -> list[bytes]:
        out = BytesIO()
        first = month_number("2023-01")
        last = first + self.plan.months - 1
        options = SimulationOptions(
            self.plan.citizens, first, last, seed=self.seed, faults=self.plan.faults, jobs=1
        )
        simulate(options, out, lambda _: None)
        lines = out.getvalue().splitlines()
        for _ in range(self.rng.randint(0, 3)):
            lines.insert(self.rng.randint(0, len(lines)), self.rng.randbytes(40))
        for _ in range(self.rng.randint(0, len(lines) // 3)):  # out of order
            at = self.rng.randrange(len(lines))
            lines.insert(self.rng.randrange(len(lines)), lines.pop(at))
        return lines

    def _start(self, name: str) -> None:
        self.trace(name, "starts")
        self._workers[name] = Worker(self, name)

    # --- faults -----------------------------------------------------------------------------------

    async def _break_things(self) -> None:
        until = self.now() + self.plan.faulty_s
        acts = (
            self._kill,
            self._kill,
            self._stand_still,
            self._outage,
            self._cut,
            self._compact,
            self._fill_disk,
            self._forget_offsets,
            self._end_in_order,
        )
        while self.now() < until:
            await asyncio.sleep(self.rng.expovariate(1 / self.plan.pause_s))
            self.faults += 1
            self.background(self.rng.choice(acts)(self.rng.choice(sorted(self._workers))))
            self._look()

    async def _kill(self, name) -> None:
        self.trace(name, "SIGKILL")
        self._workers[name].kill()
        await asyncio.sleep(self.rng.choice((0.0, 1.0, 3.0, 12.0)))
        if self._workers[name].process.is_dead:
            self._start(name)

    async def _end_in_order(self, name) -> None:
        self.trace(name, "SIGTERM")
        await self._workers[name].end()
        if self._workers[name].process.is_dead:
            self._start(name)

    async def _stand_still(self, name) -> None:
        seconds = self.rng.choice((0.5, 4.0, 8.0, 20.0, 45.0))
        self.trace(name, f"SIGSTOP for {seconds:.1f} s")
        process = self._workers[name].process
        process.stop()
        await asyncio.sleep(seconds)
        process.go_on()

    async def _outage(self, _name) -> None:
        seconds = self.rng.choice((0.3, 3.0, 10.0, 40.0))
        self.trace("brokers", f"away for {seconds:.1f} s")
        self.network.is_down = True
        await asyncio.sleep(seconds)
        self.network.is_down = False

    async def _cut(self, name) -> None:
        seconds = self.rng.choice((0.5, 5.0, 15.0))
        self.trace(name, f"reaches no broker for {seconds:.1f} s")
        self.network.cut.add(name)
        await asyncio.sleep(seconds)
        self.network.cut.discard(name)

    async def _compact(self, _name) -> None:
        for partition in range(self.plan.partitions):
            self.log(STATE, partition).compact()

    async def _forget_offsets(self, _name) -> None:
        """The offsets of a group expire, as Kafka's do after a week without members."""
        self.trace("brokers", "the offsets of the citizens stage are gone")
        group = self.settings.group("citizens")
        for partition in range(self.plan.partitions):
            self.positions.pop((group, JOURNAL, partition), None)

    async def _fill_disk(self, name) -> None:
        seconds = self.rng.choice((1.0, 10.0))
        self.trace(name, f"its disk is full for {seconds:.1f} s")
        self.disks.full.add(f"/{name}/")
        await asyncio.sleep(seconds)
        self.disks.full.discard(f"/{name}/")

    # --- calm -------------------------------------------------------------------------------------

    async def _calm(self) -> None:
        """End all faults; wait until everything is done."""
        self.trace("world", "calm")
        self.network.rates = Rates()
        self.network.is_down = False
        self.network.cut.clear()
        self.disks.full.clear()
        for name, worker in self._workers.items():
            if worker.process.is_dead:
                self._start(name)
            worker.process.go_on()
        until = self.now() + REST_S
        while not self._is_done():
            self._look()
            if self.now() > until:
                raise RestlessError(
                    f"not at rest {REST_S:.0f} s after the faults: {self._behind()}"
                )
            await asyncio.sleep(1.0)
        self._look()
        for worker in self._workers.values():
            await worker.end()

    def _behind(self) -> str:
        return ", ".join(
            f"{topic}/{partition} {self._position(group, topic, partition)} of {end}"
            for group, topic in (("intake", RAW), ("citizens", JOURNAL))
            for partition in range(self.partitions(topic))
            if self._position(group, topic, partition) != (end := self.log(topic, partition).end)
        )

    def _is_done(self) -> bool:
        return not self._behind()

    def _position(self, group, topic, partition) -> int:
        return self._reached.get((self.settings.group(group), topic, partition), 0)

    def _look(self) -> None:
        """Note what a reader of committed postings sees now; nothing of it may ever go away."""
        for partition in range(self.plan.partitions):
            records = [(e.offset, e.value) for e in self.log(POSTINGS, partition).committed()]
            before = self.seen[POSTINGS, partition]
            assert records[: len(before)] == before, "what was committed was taken back"
            self.seen[POSTINGS, partition] = records


class Worker:
    """A worker process: both stages in their batch loops."""

    def __init__(self, world: World, name: str) -> None:
        self.process = Process(name)
        self._world = world
        self._loops: list[BatchLoop] = []
        token = PROCESS.set(self.process)
        try:
            self._task = asyncio.get_running_loop().create_task(self._run())
        finally:
            PROCESS.reset(token)

    async def _run(self) -> None:
        world = self._world
        settings = world.settings
        kafka = SimulatedKafka(world, self.process.name)
        outage, batches = Outage(), asyncio.Semaphore(BATCHES_AT_WORK)
        intake = Intake(
            IntakeTopics(RAW, JOURNAL, DEAD, world.plan.partitions),
            Validator(LAWS.catalogue(), demo=True),
            world.identity,
            kafka,
        )
        citizens = CitizenStage(
            CitizenTopics(JOURNAL, POSTINGS, NOTICES, STATE, DEAD),
            LAWS,
            world.identity,
            kafka,
            Path(f"/{self.process.name}"),
        )
        self._loops = [
            BatchLoop(stage, kafka, settings.group(stage.name), outage, batches)
            for stage in (intake, citizens)
        ]
        await asyncio.gather(*(loop.run() for loop in self._loops))

    def kill(self) -> None:
        """SIGKILL, and what the disk then has."""
        if self.process.is_dead:
            return
        self.process.kill()
        self._world.disks.crash(f"/{self.process.name}/")

    async def end(self) -> None:
        """SIGTERM; whoever has not ended after half a minute is killed."""
        for loop in self._loops:
            loop.stop()
        await asyncio.wait([self._task], timeout=30.0)
        self.kill()
