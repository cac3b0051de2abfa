"""The batch loop: exactly-once between Kafka, a stage's state and its outputs. Both stages run it.

One member of a consumer group for each stage and process, and for each partition assigned to it a
*tenure*: a task that lives from assignment to revocation and goes through these steps. The
numbers stand in the tests too.

    1  Take possession.  The assignment only pauses the partition and starts the tenure: inside
       that callback the client sends no heartbeats and swallows exceptions. The tenure waits for
       this process's former tenure of the partition (which may still hold the disk), then starts a
       delivery. Its transactional id `<group>-<partition>` **fences** the former owner and ends its
       transaction; so what follows reads what nobody can change any more. Then it opens the disk,
       restores it from the changelog from its checkpoint to the end (read committed), reads the
       committed offset, seeks, resumes.
    2  Fetch.  As much as is there, and where that is little, what comes in the moment after (`LINGER_S`); batches
       grow by themselves while the last commit runs. At most `BATCH_RECORDS`, and `BATCHES_AT_WORK`
       batches in the process; who waits for records, or has but few, holds no share of that budget.
       What is there is taken before the moment, not after it: the client fetches nothing more of a
       partition of which it still holds a record, and for a while (0.1 s) nothing of any other.
    3  Process.  A pure step over an overlay of the state: nothing is written. It may take a part of the batch
       only, or a part of its first record: 4 and 5 follow for that part, and 3 again for the rest.
       The committed position is that of the first record that is not done, and what is done of it
       stands in the state: so work of any length goes on where a crash has left it.
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
       at 1, which finds out what was committed. **A commit is never repeated blindly.** What no restart can
       mend (`UnworkableError`) ends the process instead.

"Still ours" is asked after every await outside step 4, by the identity of the tenure: after a
rebalance the same partition is another tenure. Inside step 4 fencing answers it.

A stage without transactions delivers at least once: in step 4 all outputs are acknowledged, then
the position is committed. It has no fence. So a process that stood still long enough to have lost
its partitions does not enter step 4 before it has heard from its group again
(`Pulse`), and a revocation lets step 4 end before others can begin: what is delivered twice,
is so only after a crash.

Drawn as states of a tenure:

    waiting for the former -> taking possession -> [fetching <-> processing -> committing ->
    keeping]
              ^                       |                                |
              +---- pausing <---------+------------ failure -----------+        revoked: gone, from any state

Timeouts and sizes stand in `timing.py`, with the reason for each value.
"""

import asyncio
import logging
import traceback
from collections import defaultdict
from collections.abc import Awaitable, Collection, Coroutine, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from streams.engine.fault_points import reached
from streams.engine.ports import Batch, Delivery, Kafka, Output, Source, Stage, Work
from streams.engine.timing import (
    BATCH_RECORDS,
    COMMIT_S,
    FETCH_S,
    HEARTBEAT_S,
    LINGER_S,
    PAUSE_S,
    RETRY_S,
    REVOCATION_S,
    SESSION_S,
    SMALL_RECORDS,
    STOP_S,
    STRANGER_S,
)
from streams.kit.errors import UnworkableError, UserError

log = logging.getLogger("refusion")

Result = TypeVar("Result")


class StalledError(Exception):
    """This process stood still so long that its partitions may be others' by now."""


class GapError(Exception):
    """The source no longer has the records that come next."""


class Outage:
    """Says once that the brokers are gone, and once that they are back, for everything in the process."""

    def __init__(self) -> None:
        self._since: float | None = None

    @property
    def is_on(self) -> bool:
        """Whether no broker answers."""
        return self._since is not None

    def began(self, error: BaseException) -> None:
        """Something could not be done for want of a broker."""
        if self._since is None:
            self._since = asyncio.get_running_loop().time()
            log.warning("Kafka does not answer (%s); waiting for it", type(error).__name__)

    def ended(self) -> None:
        """A broker did something for us."""
        if self._since is not None:
            log.warning(
                "Kafka answers again after %.0f s", asyncio.get_running_loop().time() - self._since
            )
            self._since = None


class Pulse:
    """Notices that this process stood still (SIGSTOP, a frozen machine) longer than half a session."""

    def __init__(self) -> None:
        self._last = self._trusted_from = asyncio.get_running_loop().time()

    async def beat(self) -> None:
        """Look at the clock for as long as the process lives."""
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


class _LostError(Exception):
    """The partition is not ours any more."""


class _Tenure:
    """One partition, from its assignment to its revocation."""

    def __init__(
        self, member: "_Member", partition: int, formers: "Collection[asyncio.Task[None]]"
    ) -> None:
        self.partition = partition
        self.committing = False
        self._member = member
        self._loop = member.loop
        self._stage = member.loop.stage
        self._name = f"{self._stage.name}/{partition}"
        self._delivery: Delivery | None = None
        self._work: Work | None = None
        self._failing = False
        self.task = asyncio.create_task(self._run(formers), name=self._name)

    @property
    def _ours(self) -> bool:
        return self._member.tenures.get(self.partition) is self

    async def _ours_after(self, awaited: Awaitable[Result]) -> Result:
        result = await awaited
        if not self._ours:
            raise _LostError
        return result

    async def _run(self, formers: "Collection[asyncio.Task[None]]") -> None:
        if formers:
            await asyncio.wait(formers)
        while self._ours:
            try:
                await self._live()
            except _LostError:
                return
            except UnworkableError as error:
                self._loop.fail(error)
                return
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
            await self._turn(work, delivery)

    async def _turn(self, work: Work, delivery: Delivery) -> None:
        """Steps 2 to 5, once. When it returns nothing holds the batch: many partitions wait for their next one."""
        batch = await self._fetch(SMALL_RECORDS, FETCH_S)
        if 0 < len(batch.records) < SMALL_RECORDS:
            await self._ours_after(asyncio.sleep(LINGER_S))
            batch = _joined(batch, await self._fetch(SMALL_RECORDS - len(batch.records), 0))
        if len(batch.records) < SMALL_RECORDS:
            await self._settle(work, delivery, batch)
            return
        async with self._loop.batches:
            rest = await self._fetch(BATCH_RECORDS - SMALL_RECORDS, 0)
            await self._settle(work, delivery, _joined(batch, rest))

    async def _fetch(self, max_records: int, patience_s: float) -> Batch:
        return await self._ours_after(
            self._member.source.fetch(self.partition, max_records, patience_s)
        )

    async def _take_possession(self) -> tuple[Work, Delivery]:
        """Step 1, in this order: fence, restore, read the offset."""
        delivery = self._delivery = self._loop.new_delivery(self._member.source, self.partition)
        async with asyncio.timeout(COMMIT_S):
            await self._ours_after(delivery.start())
        self._loop.outage.ended()
        work = self._work = self._stage.work(self.partition)
        await self._ours_after(work.restore())
        async with asyncio.timeout(COMMIT_S):
            offset = await self._ours_after(self._start_offset())
        self._member.source.resume_at(self.partition, offset)
        return work, delivery

    async def _start_offset(self) -> int:
        committed = await self._member.source.committed(self.partition)
        first, end = await self._member.source.bounds(self.partition)
        if committed is None:
            return first
        if committed < first and self._stage.source_expires:
            log.error(
                "%s: offsets %d to %d expired before they were read",
                self._name,
                committed,
                first - 1,
            )
            return first
        if not first <= committed <= end:
            raise GapError(
                f"it is to go on at offset {committed}, but {self._stage.topic} has {first} to {end}"
            )
        return committed

    async def _settle(self, work: Work, delivery: Delivery, batch: Batch) -> None:
        """Steps 3 to 5, part by part until the batch is done."""
        left = batch.records
        while left:
            outputs, done = work.process(left)
            left = left[done:]
            await self._commit(work, delivery, outputs, left[0].offset if left else batch.position)
            if left:
                await self._ours_after(asyncio.sleep(0))

    async def _commit(
        self, work: Work, delivery: Delivery, outputs: Sequence[Output], position: int
    ) -> None:
        """Steps 4 and 5."""
        self._loop.pulse.check()
        reached(self._stage.name, "before_transaction")
        self.committing = True
        try:
            async with asyncio.timeout(COMMIT_S):
                await delivery.begin()
                ends = await delivery.send(outputs)
                reached(self._stage.name, "before_commit")
                await delivery.commit(position)
            reached(self._stage.name, "after_commit")
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
            log.warning("%s: begins again after %s", self._name, _described(error))

    def _let_go(self) -> None:
        """Step 6, all but the waiting."""
        work, delivery = self._work, self._delivery
        self._work = self._delivery = None
        if work is not None:
            work.close()
        if delivery is not None:
            self._loop.in_background(delivery.stop())


def _joined(first: Batch, second: Batch) -> Batch:
    """Two batches, the second fetched right after the first."""
    return Batch([*first.records, *second.records], second.position)


class _Member:
    """One membership in the stage's group, and the tenures that it gave."""

    def __init__(self, loop: "BatchLoop") -> None:
        self.loop = loop
        self.source = loop.kafka.source(loop.group, loop.stage.topic)
        self.tenures: dict[int, _Tenure] = {}
        self._over = False

    async def be(self, stopping: asyncio.Event) -> None:
        """Join, and work until told to stop or the membership fails; then leave."""
        try:
            if await self.source.is_new_member() and await _is_set(stopping, STRANGER_S):
                return
            await self.source.join(self)
            self.loop.outage.ended()
            while not await _is_set(stopping, HEARTBEAT_S):
                await self.source.check()
        finally:
            self._over = True
            await self.revoked()
            with suppress(Exception):
                async with asyncio.timeout(STOP_S):
                    await self.source.leave()

    async def revoked(self) -> None:
        """Step 6: when this returns, nothing of ours is inside step 4, or `REVOCATION_S` have passed."""
        leaving, self.tenures = list(self.tenures.values()), {}
        if leaving:
            reached(self.loop.stage.name, "in_revocation")
        for tenure in leaving:
            self.loop.remember(tenure)
            if not tenure.committing:
                tenure.task.cancel()
        late = await _within(REVOCATION_S, {tenure.task for tenure in leaving})
        if late:
            log.warning(
                "%s: %d partitions given back in the middle of a commit", self.loop.stage.name, late
            )

    def assigned(self, partitions: Collection[int]) -> None:
        """Step 1 begins: pause, and one tenure each."""
        if self._over:
            return
        assert not self.tenures, "partitions were assigned before the former ones were given back"
        log.info(
            "%s: partitions %s",
            self.loop.stage.name,
            " ".join(map(str, sorted(partitions))) or "none",
        )
        for partition in partitions:
            self.source.pause(partition)
            self.tenures[partition] = _Tenure(self, partition, self.loop.formers(partition))


class BatchLoop:
    """A stage in this process: one membership after the other, until it is stopped."""

    def __init__(
        self, stage: Stage, kafka: Kafka, group: str, outage: Outage, batches: asyncio.Semaphore
    ) -> None:
        """`outage` and `batches`, the budget, are shared by all loops of the process."""
        self.stage = stage
        self.kafka = kafka
        self.group = group
        self.outage = outage
        self.batches = batches
        self.pulse = Pulse()
        self._leaving: dict[int, set[asyncio.Task[None]]] = defaultdict(set)
        self._background: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._failure: UnworkableError | None = None

    async def run(self) -> None:
        """Work until `stop` is called, through any loss of brokers or membership. Raises UnworkableError."""
        beating = asyncio.create_task(self.pulse.beat())
        try:
            while not self._stopping.is_set():
                try:
                    await _Member(self).be(self._stopping)
                except Exception as error:  # noqa: BLE001 - a membership that failed is followed by a new one
                    self._say(error)
                    await _is_set(self._stopping, RETRY_S)
        finally:
            beating.cancel()
            await _within(STOP_S, self._background)
        if self._failure is not None:
            raise self._failure

    def fail(self, error: UnworkableError) -> None:
        """Let `run` end as `stop` does, and then raise what no restart can mend."""
        self._failure = error
        self.stop()

    def stop(self) -> None:
        """Let `run` end: commits under way are finished, the partitions given back."""
        self._stopping.set()

    def _say(self, error: Exception) -> None:
        if self.kafka.is_outage(error):
            self.outage.began(error)
        else:
            log.warning("%s: joins its group again after %s", self.stage.name, _described(error))

    def new_delivery(self, source: Source, partition: int) -> Delivery:
        """What a tenure writes with."""
        return self.kafka.delivery(
            self.group, source, partition, transactional=self.stage.transactional
        )

    def remember(self, tenure: _Tenure) -> None:
        """A tenure that is over may hold its disk for a while yet."""
        tasks = self._leaving[tenure.partition]
        tasks.add(tenure.task)
        tenure.task.add_done_callback(tasks.discard)

    def formers(self, partition: int) -> frozenset["asyncio.Task[None]"]:
        """The former tenures of a partition that are not quite gone."""
        return frozenset(self._leaving[partition])

    def in_background(self, ending: Coroutine[None, None, None]) -> None:
        """Let something end in its own time."""
        task = asyncio.create_task(_quietly(ending))
        self._background.add(task)
        task.add_done_callback(self._background.discard)


def _described(error: Exception) -> str:
    """What an operator needs to know of an error; only our own messages are sure to hold no value from a record."""
    if isinstance(error, GapError | UserError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"


async def _is_set(event: asyncio.Event, patience_s: float) -> bool:
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), patience_s)
    return event.is_set()


async def _quietly(ending: Coroutine[None, None, None]) -> None:
    """A connection that cannot be closed in good order is of no use to anybody."""
    with suppress(Exception):
        await ending


async def _within(patience_s: float, tasks: Collection["asyncio.Task[None]"]) -> int:
    """Wait for tasks; those that take longer are cancelled. Returns how many were."""
    if not tasks:
        return 0
    _, late = await asyncio.wait(tasks, timeout=patience_s)
    for task in late:
        task.cancel()
    return len(late)
