"""The batch loop: exactly once between Kafka, a stage's state and its outputs. All stages run it.

Each process has one member of a consumer group for each stage. For each partition assigned to it,
a *partition run* (`tenure.py`) lives from the assignment to the revocation and goes through these
steps. The numbers are those of the tests and the fault points.

    1  Acquire.  The assignment only pauses the partition and starts the run: inside that callback
       the client sends no heartbeats and swallows exceptions. The run waits for this process's
       previous run of the partition, which may still hold the disk. Then it starts a sink. Its
       transactional id `<group>-<partition>` **fences** the previous owner and ends that owner's
       transaction, so nobody can change any more what is read next. Then it opens the disk,
       restores it from its checkpoint in the changelog to the end (read committed), asks for the
       position, seeks there and resumes. Where the state has the position, that is believed: the
       group's offset is a copy, which Kafka forgets after a while without members.
    2  Fetch.  Take what is there; where that is little, wait a moment (`LINGER_S`) and take what
       came meanwhile. Batches grow by themselves while the last commit runs. A batch has at most
       `BATCH_RECORDS` records, and a process at most `BATCHES_AT_WORK` batches; a run that waits
       for records, or has but few, holds no share of that budget. Records are taken before the
       moment, not after it: the client fetches nothing more of a partition of which it still holds
       a record, and for a while (0.1 s) nothing of any other.
    3  Process.  A pure step over an overlay of the state: nothing is written. It may take a part of
       the batch only, or a part of its first record; 4 and 5 follow for that part, then 3 again for
       the rest. The committed position is that of the first record that is not done, and how far
       that record is done is in the state. So work of any length goes on where a crash has left it.
       Before each step 3 the event loop goes round once (`budget.py`), whoever had the one before.
    4  Commit.  `Sink.commit`. To Kafka this is one transaction: outputs and changelog, **all
       acknowledged** (the client would commit although a batch failed; the position is in the
       partition's own entry of the changelog), then the source's position
       (which has passed over transaction markers, so it is not the last offset + 1), then the
       commit.
    5  Keep.  After the commit the disk gets the same changes and the changelog's new end, in one
       write. The disk is never ahead of Kafka: a crash before 4 leaves nothing, a crash between 4
       and 5 is repaired by 1.
    6  Release.  On revocation a run outside step 4 is cancelled (a fetch would block until the
       next assignment), one inside is awaited; in the background the sink is stopped (it may hang
       without a broker) and the disk is closed (it may wait for room). Step 1 waits for the disk.
       After any failure (fenced, timed out, unknown outcome of a commit, no broker): drop sink,
       overlay and disk handle, wait, and if the partition is still ours begin again at 1, which
       finds out what was committed. **A commit is never repeated blindly.** An error that no
       restart can mend (`UnworkableError`; brokers that deny us a right) ends the process instead.

Whether the partition is still ours is asked after every await outside step 4. After a rebalance
the same partition has another run. Inside step 4 fencing gives the answer.

A stage without transactions delivers at least once: in step 4 all outputs are acknowledged, then
the position is committed. It has no fence. So a process that stood still long enough to have lost
its partitions does not enter step 4 before it has heard from its group again (`Pulse`), and a
revocation lets step 4 end before others can begin. Records are delivered twice only after a crash.

The states of a run are drawn above `streams.engine.tenure.State`; timeouts and sizes are in
`timing.py`, with the reason for each value.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Coroutine
from contextlib import suppress

from streams.engine.budget import Budget
from streams.engine.fault_points import reached
from streams.engine.liveness import Outage, Pulse
from streams.engine.ports import Kafka, Stage
from streams.engine.tenure import LoopContext, PartitionRun, described, uncounted
from streams.engine.timing import (
    HEARTBEAT_S,
    LINGER_S,
    NEW_MEMBER_S,
    RETRY_S,
    REVOCATION_S,
    STOP_S,
)
from streams.kit.errors import UnworkableError

log = logging.getLogger("refusion")


class _Member:
    """One membership in the stage's group, and the partition runs that it started."""

    def __init__(self, loop: "BatchLoop") -> None:
        self._loop = loop
        self._stage = loop.stage
        self._source = loop.context.kafka.source(loop.context.group, loop.stage.topic)
        self._runs: list[PartitionRun] = []
        self._is_over = False

    async def work(self, stopping: asyncio.Event) -> None:
        """Join, work until told to stop or until the membership fails, then leave."""
        try:
            if await self._source.is_new_member() and await _is_set(stopping, NEW_MEMBER_S):
                return
            await self._source.join(self)
            self._loop.context.outage.ended()
            while not await _is_set(stopping, HEARTBEAT_S):
                await self._source.check()
        finally:
            self._is_over = True
            await self.revoked()
            with suppress(Exception):
                async with asyncio.timeout(STOP_S):
                    await self._source.leave()

    async def revoked(self) -> None:
        """Step 6: wait until no run is inside step 4 any more, at most `REVOCATION_S`."""
        leaving, self._runs = self._runs, []
        if leaving:
            reached(self._stage.name, "in_revocation")
        for run in leaving:
            self._loop.remember(run)
            run.revoke()
        late = await _within(REVOCATION_S, {run.task for run in leaving})
        if late:
            log.warning(
                "%s: %d partitions given back in the middle of a commit", self._stage.name, late
            )

    def assigned(self, partitions: Collection[int]) -> None:
        """Step 1 begins: pause each partition and start a run for it."""
        if self._is_over:
            return
        assert not self._runs, "partitions were assigned before the previous ones were given back"
        log.info(
            "%s: partitions %s", self._stage.name, " ".join(map(str, sorted(partitions))) or "none"
        )
        for partition in partitions:
            self._source.pause(partition)
            previous = self._loop.previous_runs(partition)
            self._runs.append(PartitionRun(self._loop.context, self._source, partition, previous))


class BatchLoop:
    """A stage in this process: one membership after the other, until it is stopped."""

    def __init__(
        self,
        stage: Stage,
        kafka: Kafka,
        group: str,
        outage: Outage,
        budget: Budget,
        linger_s: float = LINGER_S,
        count_unread: Callable[[int, int], None] = uncounted,
    ) -> None:
        """All loops of the process share `outage` and the turns of `budget`."""
        self.stage = stage
        self.context = LoopContext(
            stage,
            kafka,
            group,
            outage,
            budget,
            Pulse(),
            linger_s,
            fail=self._fail,
            in_background=self._run_in_background,
            count_unread=count_unread,
        )
        self._leaving: dict[int, set[asyncio.Task[None]]] = defaultdict(set)
        self._background: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._failure: UnworkableError | None = None

    async def run(self) -> None:
        """Work until `stop` is called, through any loss of brokers or of the membership.

        Raises UnworkableError.
        """
        beating = asyncio.create_task(self.context.pulse.beat())
        try:
            while not self._stopping.is_set():
                try:
                    await _Member(self).work(self._stopping)
                except Exception as error:  # noqa: BLE001 - the next membership may succeed
                    if (refusal := self.context.kafka.refusal(error)) is not None:
                        self._fail(UnworkableError(refusal))
                        break
                    self._log_failure(error)
                    await _is_set(self._stopping, RETRY_S)
        finally:
            beating.cancel()
            await _within(STOP_S, self._background)
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Let `run` end: commits under way are finished, the partitions given back."""
        self._stopping.set()

    def _fail(self, error: UnworkableError) -> None:
        """Let `run` end as `stop` does, and then raise the error."""
        self._failure = error
        self.stop()

    def _log_failure(self, error: Exception) -> None:
        if self.context.kafka.is_outage(error):
            self.context.outage.began(error)
        else:
            log.warning("%s: joins its group again after %s", self.stage.name, described(error))

    def remember(self, run: PartitionRun) -> None:
        """Remember a revoked run until it has ended: it may hold its disk for a while yet."""
        tasks = self._leaving[run.partition]
        tasks.add(run.task)
        run.task.add_done_callback(tasks.discard)

    def previous_runs(self, partition: int) -> frozenset["asyncio.Task[None]"]:
        """The revoked runs of a partition that have not ended yet."""
        return frozenset(self._leaving[partition])

    def _run_in_background(self, ending: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(_quietly(ending))
        self._background.add(task)
        task.add_done_callback(self._background.discard)


async def _is_set(event: asyncio.Event, patience_s: float) -> bool:
    """Wait for an event, but not for ever. Returns whether it is set."""
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), patience_s)
    return event.is_set()


async def _quietly(ending: Coroutine[None, None, None]) -> None:
    """Await a coroutine and ignore its errors: nobody needs a connection that is being closed."""
    with suppress(Exception):
        await ending


async def _within(patience_s: float, tasks: Collection["asyncio.Task[None]"]) -> int:
    """Wait for tasks and cancel those that take longer. Returns how many were cancelled."""
    if not tasks:
        return 0
    _, late = await asyncio.wait(tasks, timeout=patience_s)
    for task in late:
        task.cancel()
    return len(late)
