"""Defects where something changes hands: leaders, owners, folders, writers. See `defects.py`."""

# mypy: disable-error-code="method-assign"

from aiokafka.errors import KafkaError

from streams.citizens.settler import Partition
from streams.kafka.errors import is_outage
from streams.ledger.table import LedgerError
from streams.ledger.writer import LedgerWriter
from streams.privacy.macs import EVENT_TYPE
from streams.stages.citizens import RUN, CitizenStage, CitizenWork
from streams.stages.disk import NOT_OURS, Disk, DiskFolder
from tests.simulation.sources import SimulatedSource


def a_new_leader_moves_the_position_to_the_end():
    """A client that lost its leader begins anew where `auto.offset.reset` says: at the end."""
    real = SimulatedSource._ask_log

    async def ask_log(self, partition, log, position, most):
        try:
            return await real(self, partition, log, position, most)
        except KafkaError as error:
            if is_outage(error):
                self._positions[partition] = log.stable_end
            raise

    SimulatedSource._ask_log = ask_log


def a_run_is_posted_before_the_reports_of_its_batch():
    """The marker of a run overtakes the postings that it should close."""
    real = CitizenWork._outputs

    def outputs(self, postings, notices, dead):
        runs_first = sorted(postings, key=lambda message: dict(message[2])[EVENT_TYPE] != RUN)
        return real(self, runs_first, notices, dead)

    CitizenWork._outputs = outputs


def a_former_owner_remembers_its_closed_month():
    """A partition that comes back has the closed month of when this process gave it away."""
    real = CitizenWork.restore

    async def restore(self):
        await real(self)
        months = self._stage.__dict__.setdefault("kept_months", {})
        own = self._own.closed_month
        law, store = self._partition.law, self._disk.store
        month = months.setdefault(self._number, own)
        self._partition = Partition(law, store, month, laws=self._stage.laws)

    CitizenWork.restore = restore


def the_witness_of_a_disk_is_not_read():
    """A folder is believed by the topic's identity and its offset, whichever partition's it is."""

    async def objection(self, point, changelog):
        is_ours = point.get("changelog", self._identity) == self._identity
        return "" if is_ours and point.get("offset", 0) <= changelog.end else NOT_OURS

    Disk._objection = objection


def two_partitions_share_a_folder():
    """Where a partition goes is not told by its number alone."""
    real = CitizenStage.disk

    def disk(self, partition):
        path = self._folder / f"citizens-{partition // 2}"
        self._folders.setdefault(partition, DiskFolder(path, self.events))
        return real(self, partition)

    CitizenStage.disk = disk


def a_refused_page_is_written_behind_the_other_writers():
    """A ledger that moved meanwhile gets the page at the place where it is now."""
    real = LedgerWriter._commit

    async def commit(self, taken):
        table = self._table
        try:
            await self._in_thread(lambda: table.append([append for append, _ in taken]))
        except LedgerError:
            for append, _ in taken:
                table.progress(append.partition)
            taken = [
                (append._replace(start=table.position(append.partition)), future)
                for append, future in taken
            ]
            await real(self, taken)
        else:
            for _, future in taken:
                if not future.done():
                    future.set_result(None)

    LedgerWriter._commit = commit


def notices_are_dropped():
    """The notices of a batch are not sent."""
    real = CitizenWork._outputs

    def outputs(self, postings, _notices, dead):
        return real(self, postings, [], dead)

    CitizenWork._outputs = outputs


PLANTS_OF_TAKEOVERS = (
    a_new_leader_moves_the_position_to_the_end,
    a_run_is_posted_before_the_reports_of_its_batch,
    a_former_owner_remembers_its_closed_month,
    the_witness_of_a_disk_is_not_read,
    two_partitions_share_a_folder,
    a_refused_page_is_written_behind_the_other_writers,
    notices_are_dropped,
)
