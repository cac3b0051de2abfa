"""Defects of the protocol, planted one at a time: the simulated world must find each of them.

`PLANTS` has a function for each, also for those of `defects_of_records.py` and
`defects_of_takeovers.py`, which changes the program in this process.
"""

# mypy: disable-error-code="method-assign, assignment"

import asyncio

from streams.engine.ports import Batch
from streams.engine.sink import DeliverySink
from streams.engine.tenure import PartitionRun
from streams.ledger import writer
from streams.stages.citizens import CitizenStage, CitizenWork
from streams.stages.disk import Disk, DiskFolder
from streams.stages.own_entry import OwnEntry
from tests.simulation.defects_of_merges import PLANTS_OF_MERGES
from tests.simulation.defects_of_records import PLANTS_OF_RECORDS
from tests.simulation.defects_of_takeovers import PLANTS_OF_TAKEOVERS
from tests.simulation.ports import SimulatedChangelog
from tests.simulation.sources import SimulatedSource


def no_fence():
    """The citizens stage writes without transactions."""

    def sink(self, kafka, group, source, partition):
        delivery = kafka.delivery(group, source, partition, transactional=False)
        return DeliverySink(self.name, source, partition, delivery)

    CitizenStage.sink = sink


def position_is_the_last_offset_plus_one():
    """The position ignores transaction markers, as a client would that counts records."""
    real = SimulatedSource.fetch

    async def fetch(self, partition, max_records, patience_s):
        batch = await real(self, partition, max_records, patience_s)
        if batch.records:
            return Batch(batch.records, batch.records[-1].offset + 2)
        return batch

    SimulatedSource.fetch = fetch


def a_commit_is_repeated_blindly():
    """After a failed commit the outputs are sent and committed once more."""
    real = DeliverySink.commit

    async def commit(self, outputs, position):
        ends = await real(self, outputs, position)
        if self._stage == "citizens" and position % 7 == 0:
            return await real(self, outputs, position)
        return ends

    DeliverySink.commit = commit


def the_disk_is_written_before_the_commit():
    """A crash, or a commit that fails, leaves a disk that is ahead of Kafka."""

    async def commit(self, work, sink, outputs, position, records):
        changes = getattr(work, "_changes", None)
        if changes:
            work._disk.store.write(list(changes))
        await _real_commit(self, work, sink, outputs, position, records)

    PartitionRun._commit = commit


_real_commit = PartitionRun._commit


def the_checkpoint_is_ahead():
    """The disk says that it has a record that it does not have.

    One more would be the transaction's marker.
    """
    real = Disk.write

    async def write(self, changes, position, last):
        await real(self, changes, position + 2, last)
        self.position = position

    Disk.write = write


def nothing_is_restored():
    """The restore passes over what is in the changelog behind the checkpoint."""

    async def catch_up(self, changelog):
        self._disk.position = changelog.end

    CitizenWork._catch_up = catch_up


def the_changelog_is_read_uncommitted():
    """Records of open and of aborted transactions are restored too."""

    async def read(self, start):
        for entry in list(self._log.entries):
            if start <= entry.offset < self._log.end and entry.kind == "data":
                yield Batch([entry], entry.offset + 1)

    SimulatedChangelog.read = read


def state_is_restored_before_the_fence():
    """A former owner can still commit behind the state and position that were read."""

    async def acquire(self):
        context = self._context
        sink = self._sink = self._stage.sink(
            context.kafka, context.group, self._source, self.partition
        )
        committed = await sink.position()
        work = self._work = self._stage.work(self.partition)
        await work.restore()
        offset = await self._start_offset(await work.position(committed))
        await asyncio.sleep(5)
        await sink.start()
        self._source.resume_at(self.partition, offset)
        return work, sink

    PartitionRun._acquire = acquire


def state_is_kept_across_a_failure():
    """The overlay of a failed batch is not dropped."""

    def work(self, partition):
        works = self.__dict__.setdefault("kept_works", {})
        if partition not in works:
            works[partition] = CitizenWork(self, partition)
        return works[partition]

    real_restore = CitizenWork.restore

    async def restore(self):
        if not hasattr(self, "_partition"):
            await real_restore(self)

    CitizenStage.work = work
    CitizenWork.restore = restore

    async def close(_self):
        """Close nothing."""

    CitizenWork.close = close


def outputs_are_not_awaited():
    """The position is committed although outputs have failed."""

    async def commit(self, outputs, position):
        await self._delivery.begin()
        ends: dict[str, int] = {}
        for output in outputs:
            try:
                ends |= await self._delivery.send([output])
            except Exception:  # noqa: BLE001, S112 - the defect
                continue
        await self._delivery.commit(position)
        return {output.topic: 1 << 30 for output in outputs} | ends

    DeliverySink.commit = commit


def a_gap_is_passed_over():
    """A partition goes on at the end of its topic, wherever it was."""

    async def start_offset(self, position):
        first, end = await self._source.bounds(self.partition)
        return first if position is None else end

    PartitionRun._start_offset = start_offset


def the_group_is_believed():
    """A partition goes on where the group's offsets say, or at the start where there are none."""

    async def position(_, committed):
        return committed

    CitizenWork.position = position


def one_record_too_many_is_done():
    """The record after a batch's first part is passed over."""
    real = CitizenWork.process

    def process(self, records, position):
        processed = real(self, records[:-1] if len(records) > 3 else records, position)
        return processed._replace(done=len(records))

    CitizenWork.process = process


def changes_are_not_kept():
    """The disk gets the checkpoint without the changes."""

    async def keep(self, ends, _position):
        end = ends[self._stage.topics.citizens]
        await self._disk.write(self._changes[-1:], end, end - 1)
        self._changes = []

    CitizenWork.keep = keep


def state_of_another_cluster_is_believed():
    """A disk is gone on with whatever changelog it is a copy of."""

    async def objection(*_):
        return ""

    Disk._objection = objection


def a_damaged_disk_is_kept():
    """RocksDB says that its files are damaged, and nobody throws them away."""
    DiskFolder._found_damaged = lambda _: None


def the_ledger_takes_an_error_for_success():
    """Those who wait for a commit of the table hear that it is there, whatever happened."""
    real = writer._answer
    writer._answer = lambda waiting, _error: real(waiting, None)


def a_recalculation_forgets_where_it_is():
    """Each transaction of a recalculation begins with the first citizen."""
    OwnEntry.looked_at = lambda *_: ""


PLANTS = {
    plant.__name__: plant
    for plant in (
        no_fence,
        position_is_the_last_offset_plus_one,
        a_commit_is_repeated_blindly,
        the_disk_is_written_before_the_commit,
        the_checkpoint_is_ahead,
        nothing_is_restored,
        the_changelog_is_read_uncommitted,
        state_is_restored_before_the_fence,
        state_is_kept_across_a_failure,
        outputs_are_not_awaited,
        a_gap_is_passed_over,
        the_group_is_believed,
        one_record_too_many_is_done,
        changes_are_not_kept,
        state_of_another_cluster_is_believed,
        a_damaged_disk_is_kept,
        the_ledger_takes_an_error_for_success,
        a_recalculation_forgets_where_it_is,
        *PLANTS_OF_RECORDS,
        *PLANTS_OF_TAKEOVERS,
        *PLANTS_OF_MERGES,
    )
}
