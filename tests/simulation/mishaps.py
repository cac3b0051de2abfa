"""Lets things go wrong at moments of their own: a method for each kind of `plan.MISHAPS`."""

import asyncio

from streams.engine.fault_points import Point
from tests.simulation.logs import Log
from tests.simulation.names import NOTICES, POSTINGS, RAW, STATE
from tests.simulation.plan import MISHAPS, SELDOM

POINTS: tuple[Point, ...] = (
    "in_restore",
    "in_recalculation",
    "before_transaction",
    "before_commit",
    "after_commit",
    "in_revocation",
)
UNCOUNTED = ("compact", "upgrade", "kill_at_a_point", "stop_at_a_point")
"""Kinds that are no faults, or are counted where they happen."""
QUIET_S = 5.0
"""Seconds between two looks whether transactions of dead producers are still open."""


class Mishaps:
    """Lets each kind happen again and again, at its rate, from its own source of chance."""

    def __init__(self, world) -> None:
        self._world = world
        self._plan = world.plan
        self._rngs = {kind: self._plan.chance(kind) for kind in MISHAPS}
        self._brevity = min(1.0, self._plan.pause_s)

    def _lasting(self, rng, *seconds) -> float:
        """Draw how long a fault lasts: where faults are many, each is short."""
        return rng.choice(seconds) * self._brevity

    async def go_on(self, kind) -> None:
        """Let one kind happen until it is cancelled."""
        rng, world = self._rngs[kind], self._world
        mean_s = self._plan.pause_s * len(self._plan.mishaps) / SELDOM.get(kind, 1.0)
        while True:
            await asyncio.sleep(rng.expovariate(1 / mean_s))
            name = rng.choice(sorted(world.workers))
            world.faults[kind] += kind not in UNCOUNTED
            world.cluster.background(getattr(self, kind)(rng, name))
            world.look()

    # --- processes --------------------------------------------------------------------------------

    async def kill(self, rng, name) -> None:
        self._world.trace(name, "SIGKILL")
        self._world.kill(name, restart_s=self._lasting(rng, 0.0, 1.0, 3.0, 12.0))

    async def kill_at_a_point(self, rng, _name) -> None:
        self._world.points.arm("SIGKILL", rng.choice(POINTS))

    async def stop_at_a_point(self, rng, _name) -> None:
        self._world.points.arm(
            "SIGSTOP", rng.choice(POINTS), self._lasting(rng, 0.5, 4.0, 8.0, 35.0)
        )

    async def stand_still(self, rng, name) -> None:
        seconds = self._lasting(rng, 0.5, 4.0, 8.0, 20.0, 45.0)
        self._world.trace(name, f"SIGSTOP for {seconds:.1f} s")
        self._world.workers[name].process.hold(seconds)

    async def end_in_order(self, _rng, name) -> None:
        self._world.trace(name, "SIGTERM")
        await self._world.restart(name)

    async def upgrade(self, _rng, name) -> None:
        """A worker of the former version is exchanged for one of today's."""
        if self._world.workers[name].process.is_former:
            self._world.trace(name, "is exchanged for one of today's version")
            self._world.upgraded.add(name)
            await self._world.restart(name)

    async def out_of_memory(self, rng, name) -> None:
        """Memory is short for a moment, or the system kills the process for it."""
        process = self._world.workers[name].process
        self._world.trace(name, "is short of memory")
        process.short_of_memory_until = self._world.now() + self._lasting(rng, 0.1, 2.0, 10.0)
        if rng.random() < 0.3:
            self._world.points.arm("SIGKILL", "before_commit")

    async def slow_reads(self, rng, name) -> None:
        """Each read of the disk takes so long that a batch lets the process stand still."""
        seconds = rng.choice((0.01, 0.1, 0.5))
        self._world.trace(name, f"its disk needs {seconds:.2f} s for a read")
        self._world.disks.slow[f"/{name}/"] = seconds
        await asyncio.sleep(self._lasting(rng, 2.0, 15.0))
        self._world.disks.slow.pop(f"/{name}/", None)

    # --- brokers and network ----------------------------------------------------------------------

    async def outage(self, rng, _name) -> None:
        seconds = self._lasting(rng, 0.3, 3.0, 10.0, 40.0)
        self._world.trace("brokers", f"away for {seconds:.1f} s")
        await self._down(range(self._plan.brokers), seconds)

    async def broker_dies(self, rng, _name) -> None:
        broker, seconds = rng.randrange(self._plan.brokers), self._lasting(rng, 1.0, 10.0, 30.0)
        self._world.trace("brokers", f"broker {broker} is away for {seconds:.1f} s")
        election = self._world.cluster.background(self._elect(self._lasting(rng, 0.2, 2.0, 8.0)))
        await self._down([broker], seconds)
        await election

    async def _down(self, numbers, seconds) -> None:
        down = self._world.cluster.brokers.down
        down.update(numbers)
        await asyncio.sleep(seconds)
        down.difference_update(numbers)

    async def _elect(self, seconds) -> None:
        await asyncio.sleep(seconds)
        if moved := self._world.cluster.brokers.elect():
            self._world.trace("brokers", f"{moved} leaders move")

    async def cut_from_one(self, rng, name) -> None:
        await self._cut(
            name, [rng.randrange(self._plan.brokers)], self._lasting(rng, 0.5, 5.0, 15.0)
        )

    async def cut_from_all(self, rng, name) -> None:
        await self._cut(name, range(self._plan.brokers), self._lasting(rng, 0.5, 5.0, 15.0))

    async def _cut(self, name, brokers, seconds) -> None:
        self._world.trace(name, f"does not reach brokers {list(brokers)} for {seconds:.1f} s")
        pairs = {(name, broker) for broker in brokers}
        self._world.network.cut |= pairs
        await asyncio.sleep(seconds)
        self._world.network.cut -= pairs

    # --- topics -----------------------------------------------------------------------------------

    async def compact(self, _rng, _name) -> None:
        for partition in range(self._plan.partitions):
            self._world.log(STATE, partition).compact()

    async def expire_raw(self, rng, _name) -> None:
        """Retention drops the beginning of the raw reports, now and then unread ones."""
        partition = rng.randrange(self._plan.raw_partitions)
        read = self._world.reached("intake", partition)
        offset = read + rng.choice((-5, -1, 0, 0, 0, 2))
        dropped = self._world.log(RAW, partition).expire(offset)
        self._world.trace("brokers", f"reports.raw/{partition} begins at {offset} now")
        unread = {(partition, entry.offset) for entry in dropped if entry.offset >= read}
        self._world.expired_unread |= unread

    async def forget_offsets(self, rng, _name) -> None:
        """The offsets of a group expire, as Kafka's do after a week without members."""
        stages = ["intake", "projections"]
        if not self._plan.is_former:  # whose state needs them
            stages.append("citizens")
        stage = rng.choice(stages)
        self._world.trace("brokers", f"the offsets of the stage {stage} are gone")
        group = self._world.settings.group(stage)
        positions = self._world.cluster.positions
        for place in [place for place in positions if place[0] == group]:
            del positions[place]

    async def rebuild(self, _rng, _name) -> None:
        """State and postings are made anew from the journal (docs/rebuild.md)."""
        world = self._world
        if world.is_stopped:
            return
        world.trace("operator", "stops all workers to make state and postings anew")
        world.stop_all()
        while not world.coordinator.is_idle or world.cluster.brokers.down:
            world.coordinator.abort_all()
            await asyncio.sleep(QUIET_S)
            if world.is_calm:
                return
        for partition in range(self._plan.partitions):
            for topic in (POSTINGS, NOTICES, STATE):
                world.cluster.logs[topic, partition] = Log()
        world.forget_postings()
        world.trace("operator", "starts them again")
        world.start_all()

    # --- disks, and the ledger --------------------------------------------------------------------

    async def disk_full(self, rng, name) -> None:
        await self._disk(self._world.disks.full, name, self._lasting(rng, 1.0, 10.0), "is full")

    async def disk_stalls(self, rng, name) -> None:
        await self._disk(
            self._world.disks.stalled, name, self._lasting(rng, 0.1, 3.0, 12.0), "stalls"
        )

    async def _disk(self, what, name, seconds, words) -> None:
        self._world.trace(name, f"its disk {words} for {seconds:.1f} s")
        what.add(f"/{name}/")
        await asyncio.sleep(seconds)
        what.discard(f"/{name}/")

    async def disk_torn(self, rng, name) -> None:
        """A crash tears the last write, or a bit flips while the process works."""
        if rng.random() < 0.5:
            self._world.trace(name, "SIGKILL, and its last write is torn")
            self._world.kill(name, restart_s=1.0, is_torn=True)
        else:
            self._world.trace(name, "a bit flips on its disk")
            self._world.disks.damage(f"/{name}/")

    async def disk_set_back(self, rng, name) -> None:
        """A worker's folder is copied, and the copy takes its place later."""
        self._world.disks.keep_copies(f"/{name}/")
        await asyncio.sleep(rng.uniform(5.0, 30.0))
        self._world.trace(name, "SIGKILL, and its disk is an older copy")
        self._world.kill(name, restart_s=None)
        self._world.disks.set_back(f"/{name}/")
        self._world.start_again(name)

    async def disks_mixed_up(self, _rng, name) -> None:
        """Somebody puts a worker's folders back from a copy, each in the place of another."""
        self._world.trace(name, "SIGKILL, and its folders are in each other's places")
        self._world.kill(name, restart_s=None)
        self._world.disks.mix_up(f"/{name}/")
        self._world.start_again(name)

    async def ledger_fails(self, rng, _name) -> None:
        seconds = self._lasting(rng, 3.0, 30.0)
        self._world.trace("ledger", f"its place fails for {seconds:.1f} s")
        self._world.ledger_fails_until = self._world.now() + seconds
