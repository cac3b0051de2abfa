"""One partition from its assignment to its revocation: the steps of `streams.engine.loop`, run."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeVar

from streams.engine.budget import Budget
from streams.engine.fault_points import reached
from streams.engine.liveness import Outage, Pulse, StalledError
from streams.engine.ports import Batch, Kafka, Processed, Record, Sink, Source, Stage, Work
from streams.engine.suspicion import Suspicion
from streams.engine.timing import BATCH_RECORDS, COMMIT_S, FETCH_S, PAUSE_S, SLOW_S, SMALL_RECORDS
from streams.kit.errors import BLAMELESS, UnworkableError, UserError, kind_and_place

log = logging.getLogger("refusion")

Result = TypeVar("Result")


class GapError(Exception):
    """The source no longer has the records that come next."""


class _LostError(Exception):
    """The partition is not ours any more."""


# WAITING -> ACQUIRING -> [ FETCHING -> PROCESSING -> COMMITTING -> KEEPING ]
#                ^            ^                                         |
#                |            +-----------------------------------------+
#                |                      |
#                +------ PAUSING <------+ on any failure
#
# RELEASED can be entered from every state.
class State(Enum):
    """The place of a partition run in the protocol."""

    WAITING = "waiting for the previous run of the partition"
    ACQUIRING = "step 1"
    FETCHING = "step 2"
    PROCESSING = "step 3"
    COMMITTING = "step 4"
    KEEPING = "step 5"
    PAUSING = "step 6, after a failure"
    RELEASED = "step 6, for ever"


_ACQUIRED: Final = (State.FETCHING, State.PROCESSING, State.COMMITTING, State.KEEPING)
MAY_FOLLOW: Final = {
    State.WAITING: (),
    State.ACQUIRING: (State.WAITING, State.PAUSING),
    State.FETCHING: (State.ACQUIRING, State.FETCHING, State.KEEPING),
    State.PROCESSING: (State.FETCHING, State.KEEPING),
    State.COMMITTING: (State.PROCESSING,),
    State.KEEPING: (State.COMMITTING,),
    State.PAUSING: (State.ACQUIRING, *_ACQUIRED),
    State.RELEASED: tuple(State),
}
"""The states that each state may follow."""


def uncounted(_partition: int, _records: int) -> None:
    """Count nothing."""


@dataclass(frozen=True)
class LoopContext:
    """Everything that the partition runs of one stage share in this process."""

    stage: Stage
    kafka: Kafka
    group: str
    outage: Outage
    budget: Budget
    pulse: Pulse
    linger_s: float
    fail: Callable[[UnworkableError], None]
    in_background: Callable[[Coroutine[None, None, None]], None]
    count_unread: Callable[[int, int], None] = uncounted
    """Told the partition and the number of records that were gone before they were read."""


class PartitionRun:
    """One partition, from its assignment to its revocation."""

    def __init__(
        self,
        context: LoopContext,
        source: Source,
        partition: int,
        previous_runs: "Collection[asyncio.Task[None]]",
    ) -> None:
        self.partition = partition
        self.state = State.WAITING
        self._context = context
        self._stage = context.stage
        self._source = source
        self._name = f"{self._stage.name}/{partition}"
        self._is_ours = True
        self._sink: Sink[Any] | None = None
        self._work: Work[Any] | None = None
        self._is_failing = False
        self._suspicion = Suspicion()
        self._worked_s = 0.0
        """Seconds of the processor that step 3 took the last time."""
        self.task = asyncio.create_task(self._run(previous_runs), name=self._name)

    def revoke(self) -> None:
        """End the run (step 6): at once, or after its commit if it is inside step 4."""
        self._is_ours = False
        if self.state is not State.COMMITTING:
            self.task.cancel()

    def _enter(self, state: State) -> None:
        assert self.state in MAY_FOLLOW[state], f"{state.name} must not follow {self.state.name}"
        self.state = state

    async def _ours_after(self, awaited: Awaitable[Result]) -> Result:
        result = await awaited
        if not self._is_ours:
            raise _LostError
        return result

    async def _run(self, previous_runs: "Collection[asyncio.Task[None]]") -> None:
        try:
            if previous_runs:
                await asyncio.wait(previous_runs)
            while self._is_ours:
                await self._run_until_failure()
                if self._is_ours:
                    self._stage.events["begun_again"] += 1
                    await asyncio.sleep(PAUSE_S)
        except _LostError:
            return
        except UnworkableError as error:
            self._context.fail(error)
        finally:
            self._enter(State.RELEASED)

    async def _run_until_failure(self) -> None:
        """Steps 1 to 5 until the partition is not ours any more or something fails, then step 6.

        An error of step 6 goes the same way as one of the others: no error ends the run silently.
        """
        try:
            try:
                self._enter(State.ACQUIRING)
                work, sink = await self._acquire()
                while self._is_ours:
                    await self._turn(work, sink)
            finally:
                self._release()
        except (_LostError, UnworkableError):
            raise
        except Exception as error:  # step 6: every failure goes the same way
            if (refusal := self._context.kafka.refusal(error)) is not None:
                raise UnworkableError(refusal) from error
            self._enter(State.PAUSING)
            self._log_failure(error)

    async def _acquire(self) -> tuple[Work[Any], Sink[Any]]:
        """Step 1, in this order: fence, restore, read the position."""
        context = self._context
        sink = self._sink = self._stage.sink(
            context.kafka, context.group, self._source, self.partition
        )
        async with asyncio.timeout(COMMIT_S):
            await self._ours_after(sink.start())
        context.outage.ended()
        work = self._work = self._stage.work(self.partition)
        await self._ours_after(work.restore())
        async with asyncio.timeout(COMMIT_S):
            committed = await self._ours_after(sink.position())
        position = await self._ours_after(work.position(committed))
        async with asyncio.timeout(COMMIT_S):
            offset = await self._ours_after(self._start_offset(position))
            if position not in (None, committed):
                await self._ours_after(sink.tell_group(offset))
        self._source.resume_at(self.partition, offset)
        return work, sink

    async def _start_offset(self, position: int | None) -> int:
        first, end = await self._source.bounds(self.partition)
        if position is None and first == 0:
            return first
        if self._stage.source_expires and (position is None or position < first):
            self._say_unread(position, first)
            return first
        if position is None:
            raise GapError(
                f"{self._stage.topic} begins at {first}, and nothing of it was ever read:"
                " its beginning is lost"
            )
        if not first <= position <= end:
            raise GapError(
                f"the next offset is {position}, but {self._stage.topic} has {first} to {end}"
            )
        return position

    def _say_unread(self, position: int | None, first: int) -> None:
        """Say and count which records were gone before they were read."""
        self._context.count_unread(self.partition, first - (position or 0))
        if position is None:
            log.error(
                "%s: begins at offset %d, and nothing before was ever read", self._name, first
            )
        else:
            log.error(
                "%s: offsets %d to %d expired before they were read",
                self._name,
                position,
                first - 1,
            )

    async def _turn(self, work: Work[Any], sink: Sink[Any]) -> None:
        """Steps 2 to 5, once.

        When it returns nothing holds the batch, so that partitions without work hold no memory.
        """
        self._enter(State.FETCHING)
        batch = await self._fetch(SMALL_RECORDS, FETCH_S)  # step 2
        if 0 < len(batch.records) < SMALL_RECORDS:
            await self._ours_after(asyncio.sleep(self._context.linger_s))
            batch = _joined(batch, await self._fetch(SMALL_RECORDS - len(batch.records), 0))
        if len(batch.records) < SMALL_RECORDS:
            await self._complete(work, sink, batch)
            return
        async with self._context.budget.batches:
            rest = await self._fetch(BATCH_RECORDS - SMALL_RECORDS, 0)
            await self._complete(work, sink, _joined(batch, rest))

    async def _fetch(self, max_records: int, patience_s: float) -> Batch:
        return await self._ours_after(self._source.fetch(self.partition, max_records, patience_s))

    async def _complete(self, work: Work[Any], sink: Sink[Any], batch: Batch) -> None:
        """Steps 3 to 5, part by part until the batch is done."""
        left = batch.records
        while left:
            self._enter(State.PROCESSING)
            taken = self._suspicion.part(left)
            async with self._context.budget.turn():
                if not self._is_ours:
                    raise _LostError
                processed = self._processed(work, taken, left, batch.position)  # step 3
            left = left[processed.done :]
            position = left[0].offset if left else batch.position
            await self._commit(work, sink, processed.outputs, position, taken)
            self._suspicion.done(position)
            if left:
                await self._ours_after(asyncio.sleep(0))

    def _processed(
        self,
        work: Work[Any],
        records: Sequence[Record],
        left: Sequence[Record],
        position: int,
    ) -> Processed[Any]:
        """Step 3. A failure for which no broker, disk or user is to blame is held against them."""
        if len(records) < len(left):
            position = left[len(records)].offset
        self._worked_s = 0.0
        reason = self._suspicion.found(records)
        if reason is not None:
            log.error(
                "%s: the record at offset %d is passed over (%s): its batches failed again and"
                " again",
                self._name,
                records[0].offset,
                reason,
            )
            return work.refuse(records[0], position, reason)
        began = time.thread_time()
        try:
            processed = work.process(records, position)
        except Exception as error:
            if not isinstance(error, (*BLAMELESS, *self._stage.blameless)):
                self._suspicion.failed(records, "internal_error")
            raise
        self._worked_s = time.thread_time() - began
        return processed

    async def _commit(
        self,
        work: Work[Any],
        sink: Sink[Any],
        outputs: Any,
        position: int,
        records: Sequence[Record],
    ) -> None:
        """Steps 4 and 5. Outputs that are too large are held against the records."""
        try:
            self._context.pulse.check()
        except StalledError:
            if self._worked_s > SLOW_S:
                self._suspicion.failed(records, "internal_error")
            raise
        reached(self._stage.name, "before_transaction")
        self._enter(State.COMMITTING)
        try:
            async with asyncio.timeout(COMMIT_S):
                ends = await sink.commit(outputs, position)  # step 4
        except Exception as error:
            if self._context.kafka.is_too_large(error):
                self._suspicion.failed(records, "too_large", for_sure=True)
            raise
        reached(self._stage.name, "after_commit")
        self._enter(State.KEEPING)
        await self._ours_after(work.keep(ends, position))  # step 5
        self._is_failing = False

    def _log_failure(self, error: Exception) -> None:
        """Log a failure once, not its repetitions; a missing broker once for the whole process."""
        if self._context.kafka.is_outage(error):
            self._context.outage.began(error)
        elif not self._is_failing:
            self._is_failing = True
            log.warning("%s: begins again after %s", self._name, described(error))

    def _release(self) -> None:
        """Step 6: drop the overlay; close the disk and stop the sink in the background.

        Neither can end the run by an error, nor hold it up: both are begun, and no more.
        """
        work, sink = self._work, self._sink
        self._work = self._sink = None
        if work is not None:
            self._context.in_background(self._close(work))
        if sink is not None:
            self._context.in_background(sink.stop())

    async def _close(self, work: Work[Any]) -> None:
        """Close the disk; an error is logged, unless one is being logged already."""
        try:
            await work.close()
        except Exception as error:  # noqa: BLE001 - whatever it is, the disk can be restored
            if not self._is_failing:
                log.warning(
                    "%s: its disk was closed with an error: %s", self._name, described(error)
                )


def _joined(first: Batch, second: Batch) -> Batch:
    """Two batches, the second fetched right after the first."""
    return Batch([*first.records, *second.records], second.position)


def described(error: Exception) -> str:
    """An error in words for a log line.

    The text of a foreign error may hold a value from a record, so only its type and place are told.
    """
    if isinstance(error, GapError | UserError):
        return str(error)
    return kind_and_place(error)
