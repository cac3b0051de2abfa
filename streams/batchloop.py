"""The batch loop: exactly-once between Kafka, a stage's state and its outputs. Both stages run it.

One member of a consumer group for each stage and process, and for each partition assigned to it a
*tenure*: a task that lives from assignment to revocation and goes through these steps. The
numbers stand in the tests too.

    1  Take possession.  The assignment only pauses the partition and starts the tenure: inside
       that callback the client sends no heartbeats and swallows exceptions. The tenure waits for
       this process's former tenure of the partition (which may still hold the disk), then
       starts a delivery. Its transactional id `<group>-<partition>` **fences** the former owner and ends
       its transaction; so what follows reads what nobody can change any more. Then it
       opens the disk, restores it from the changelog from its checkpoint to the end (read
       committed), reads the committed offset, seeks, resumes.
    2  Fetch.  As much as is there, at once; batches grow by themselves while the last commit runs.
       At most `BATCH_RECORDS`, and `BATCHES_AT_WORK` batches in the process; who waits for
       records holds no share of that budget.
    3  Process.  A pure step over an overlay of the state: nothing is written.
    4  Commit.  One transaction: outputs and changelog, **all acknowledged** (the client would
       commit although a batch failed), then the source's position (which has passed over
       transaction markers, so it is not the last offset + 1), then the commit.
    5  Keep.  After the commit the disk gets the same changes and the changelog's new end, in one write.
       The disk is never ahead of Kafka: a crash before 4 leaves nothing, a crash
       between 4 and 5 is repaired by 1.
    6  Let go.  On revocation a tenure outside step 4 is cancelled (a fetch would block until the
       next assignment), one inside is awaited; the delivery is stopped in the background
       (it may hang without a broker), the disk is closed.
       On any failure (fenced, timed out, unknown outcome of a commit, no broker): drop
       delivery, overlay and disk handle, wait, and if the partition is still ours begin again
       at 1, which finds out what was committed. **A commit is never repeated blindly.**

"Still ours" is asked after every await outside step 4, by the identity of the tenure: after a
rebalance the same partition is another tenure. Inside step 4 fencing answers it.

A stage without transactions delivers at least once: in step 4 all outputs are acknowledged, then
the position is committed. It has no fence. So a process that stood still long enough to have lost
its partitions does not enter step 4 before it has heard from its group again
(`_Pulse`), and a revocation lets step 4 end before others can begin: what is delivered twice,
is so only after a crash.

Drawn as states of a tenure:

    waiting for the former -> taking possession -> [fetching <-> processing -> committing -> keeping]
              ^                       |                                |
              +---- pausing <---------+------------ failure -----------+        revoked: gone, from any state

Timeouts, with the reason for each value:
"""

import asyncio
import logging
from collections.abc import Collection, Coroutine
from contextlib import suppress
from typing import Final

from streams.faultpoints import reached
from streams.ports import Batch, Delivery, Kafka, Source, Stage, Work

SESSION_S: Final = 6.0
"""How long the group waits for a silent member: the least that brokers accept by default
(`group.min.session.timeout.ms`), since a killed worker's partitions stand still for it. A process that
comes back earlier to the same state folder is given its partitions without that wait (static membership)."""
HEARTBEAT_S: Final = 1.0
"""Survivors hear of a rebalance with their next heartbeat, so it bounds a hand-over; six fit in a session."""
REVOCATION_S: Final = 0.6 * SESSION_S
"""How long a revocation waits for commits: the rest of a session is left to join again in time."""
PAUSE_S: Final = 2 * HEARTBEAT_S
"""After a failure: a process that lost its partitions hears so within two heartbeats, and must
not fence the rightful owner by beginning at step 1 before."""
COMMIT_S: Final = 20.0
"""For all of step 4, which takes 0.05 s: a broker's restart fits in. The client itself has no limit."""
TRANSACTION_TIMEOUT_S: Final = 30.0
"""After which brokers end a transaction whose writer has gone and whose partition nobody took over. Longer
than `COMMIT_S`, so that a transaction never ends behind the back of a writer that is still waiting."""
FETCH_S: Final = 1.0
"""How long one fetch waits for records. It returns with the first one; the bound only makes errors heard."""
RETRY_S: Final = 1.0
"""Between two attempts to reach a broker that is not there: cheap, and nobody waits long after its start."""
STOP_S: Final = 5.0
"""For leaving the group and closing connections at the end; what hangs longer dies with the process."""

BATCH_RECORDS: Final = 4_000
"""Fewer cost speed (500 half of it), more only memory."""
BATCHES_AT_WORK: Final = 3
"""One is processed while others wait for their commits; 12,000 records bound the process's memory."""

log = logging.getLogger("refusion")


class StalledError(Exception):
    """This process stood still so long that its partitions may be others' by now."""


class GapError(Exception):
    """The source no longer has the records that come next."""


class Outage:
    """Says once that the brokers are gone, and once that they are back, for everything in the process."""

    def __init__(self) -> None:
        self._since: float | None = None

    def began(self, error: BaseException) -> None:
        """Something could not be done for want of a broker."""
        if self._since is None:
            self._since = asyncio.get_running_loop().time()
            log.warning("Kafka does not answer (%s); waiting for it", type(error).__name__)

    def ended(self) -> None:
        """A broker did something for us."""
        if self._since is not None:
            log.warning("Kafka answers again after %.0f s", asyncio.get_running_loop().time() - self._since)
            self._since = None


class _Pulse:
    """Notices that this process stood still (SIGSTOP, a frozen machine) longer than half a session."""

    def __init__(self) -> None:
        self._last = self._trusted_from = asyncio.get_running_loop().time()

    async def beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_S / 2)
            self._look()

    def _look(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._last > SESSION_S / 2:
            self._trusted_from = now + PAUSE_S
        self._last = now

    def check(self) -> None:
        """StalledError until two heartbeats after this process came back to life."""
        self._look()
        if asyncio.get_running_loop().time() < self._trusted_from:
            raise StalledError


class _Tenure:
    """One partition, from its assignment to its revocation."""

    def __init__(self, loop: "BatchLoop", source: Source, partition: int, former: "asyncio.Task[None] | None") -> None:
        self.partition = partition
        self.committing = False
        self._loop = loop
        self._source = source
        self._delivery: Delivery | None = None
        self._work: Work | None = None
        self._failing = False
        self.task = asyncio.create_task(self._run(former), name=self._name)

    @property
    def _name(self) -> str:
        return f"{self._loop.stage.name}/{self.partition}"

    @property
    def _ours(self) -> bool:
        return self._loop.tenures.get(self.partition) is self

    async def _run(self, former: "asyncio.Task[None] | None") -> None:
        if former is not None:
            await asyncio.wait([former])
        while self._ours:
            try:
                await self._live()
            except Exception as error:  # noqa: BLE001 - step 6: every failure goes the same way
                self._say(error)
            finally:
                self._let_go()
            if self._ours:
                await asyncio.sleep(PAUSE_S)

    async def _live(self) -> None:
        """Steps 1 to 5, until the partition is not ours any more or something fails."""
        work, delivery = await self._take_possession()
        while self._ours:
            first = await self._source.fetch(self.partition, 1, FETCH_S)
            if not first.records:
                continue
            async with self._loop.batches:
                rest = await self._source.fetch(self.partition, BATCH_RECORDS - 1, 0)
                if self._ours:
                    await self._settle(work, delivery, Batch([*first.records, *rest.records], rest.position))

    async def _take_possession(self) -> tuple[Work, Delivery]:
        """Step 1, in this order: fence, restore, read the offset."""
        stage, source = self._loop.stage, self._source
        delivery = self._delivery = self._loop.new_delivery(source, self.partition)
        await delivery.start()
        self._loop.outage.ended()
        work = self._work = stage.work(self.partition)
        if self._ours:
            await work.restore()
        offset = await self._start_offset()
        if self._ours:
            source.resume_at(self.partition, offset)
        return work, delivery

    async def _start_offset(self) -> int:
        committed = await self._source.committed(self.partition)
        first, end = await self._source.bounds(self.partition)
        if committed is None:
            return first
        if first <= committed <= end:
            return committed
        if not self._loop.stage.source_expires:
            raise GapError(f"to go on at offset {committed}, but the topic holds {first} to {end}")
        offset = min(max(first, committed), end)
        log.error("%s: offsets %d to %d are lost: the topic no longer has them", self._name, committed, offset)
        return offset

    async def _settle(self, work: Work, delivery: Delivery, batch: Batch) -> None:
        """Steps 3 to 5."""
        name = self._loop.stage.name
        outputs = work.process(batch.records)
        self._loop.check_pulse()
        reached(name, "before_transaction")
        self.committing = True
        try:
            async with asyncio.timeout(COMMIT_S):
                await delivery.begin()
                ends = await delivery.send(outputs)
                reached(name, "before_commit")
                await delivery.commit(batch.position)
            reached(name, "after_commit")
            work.keep(ends)
        finally:
            self.committing = False
        self._failing = False

    def _say(self, error: Exception) -> None:
        """One line for a failure, none for its repetitions; a missing broker is said once for all."""
        if self._loop.kafka.is_outage(error):
            self._loop.outage.began(error)
        elif not self._failing:
            self._failing = True
            log.warning("%s: begins again after %s", self._name, self._loop.kafka.describe(error))

    def _let_go(self) -> None:
        """Step 6, all but the waiting."""
        work, delivery = self._work, self._delivery
        self._work = self._delivery = None
        if work is not None:
            work.close()
        if delivery is not None:
            self._loop.in_background(delivery.stop())


class BatchLoop:
    """A stage in this process: its member of the group and its tenures."""

    def __init__(self, stage: Stage, kafka: Kafka, group: str, outage: Outage, batches: asyncio.Semaphore) -> None:
        """`batches` is the budget that all loops of the process share."""
        self.stage = stage
        self.kafka = kafka
        self.outage = outage
        self.batches = batches
        self.tenures: dict[int, _Tenure] = {}
        self._group = group
        self._source: Source | None = None
        self._former: dict[int, asyncio.Task[None]] = {}
        self._background: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._pulse = _Pulse()

    async def run(self) -> None:
        """Work until `stop` is called, through any loss of brokers or membership."""
        beating = asyncio.create_task(self._pulse.beat())
        try:
            while not self._stopping.is_set():
                try:
                    await self._be_member()
                except Exception as error:  # noqa: BLE001 - a member that failed is replaced by a new one
                    self._say(error)
                    await self._wait_for_stop(RETRY_S)
        finally:
            beating.cancel()
            await _within(STOP_S, self._background)

    async def stop(self) -> None:
        """Let `run` end: commits under way are finished, the partitions given back."""
        self._stopping.set()

    async def _be_member(self) -> None:
        source = self._source = self.kafka.source(self._group, self.stage.topic)
        try:
            await source.join(self)
            self.outage.ended()
            while not await self._wait_for_stop(HEARTBEAT_S):
                await source.check()
        finally:
            await self.revoked()
            with suppress(Exception):
                async with asyncio.timeout(STOP_S):
                    await source.leave()

    async def _wait_for_stop(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
        return self._stopping.is_set()

    def _say(self, error: Exception) -> None:
        if self.kafka.is_outage(error):
            self.outage.began(error)
        else:
            log.warning("%s: joins its group again after %s", self.stage.name, self.kafka.describe(error))

    async def revoked(self) -> None:
        """Step 6: when this returns, nothing of ours is inside step 4, or `REVOCATION_S` have passed."""
        reached(self.stage.name, "in_revocation")
        leaving, self.tenures = list(self.tenures.values()), {}
        for tenure in leaving:
            self._former[tenure.partition] = tenure.task
            if not tenure.committing:
                tenure.task.cancel()
        late = await _within(REVOCATION_S, {tenure.task for tenure in leaving})
        if late:
            log.warning("%s: %d partitions given back in the middle of a commit", self.stage.name, late)

    def assigned(self, partitions: Collection[int]) -> None:
        """Step 1 begins: pause, and one tenure each."""
        assert self._source is not None
        assert not self.tenures, "a partition was assigned before the former ones were given back"
        log.info("%s: partitions %s", self.stage.name, " ".join(map(str, sorted(partitions))) or "none")
        for partition in partitions:
            self._source.pause(partition)
            self.tenures[partition] = _Tenure(self, self._source, partition, self._former.pop(partition, None))

    def new_delivery(self, source: Source, partition: int) -> Delivery:
        """What a tenure writes with."""
        return self.kafka.delivery(self._group, source, partition, transactional=self.stage.transactional)

    def check_pulse(self) -> None:
        """StalledError where this process may have lost its partitions without knowing."""
        self._pulse.check()

    def in_background(self, ending: Coroutine[None, None, None]) -> None:
        """Let something end in its own time."""
        task = asyncio.create_task(_quietly(ending))
        self._background.add(task)
        task.add_done_callback(self._background.discard)


async def _quietly(ending: Coroutine[None, None, None]) -> None:
    """A connection that cannot be closed in good order is of no use to anybody."""
    with suppress(Exception):
        await ending


async def _within(seconds: float, tasks: Collection["asyncio.Task[None]"]) -> int:
    """Wait for tasks; those that take longer are cancelled. Returns how many were."""
    if not tasks:
        return 0
    _, late = await asyncio.wait(tasks, timeout=seconds)
    for task in late:
        task.cancel()
    return len(late)
