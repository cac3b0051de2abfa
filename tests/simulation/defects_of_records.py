"""Defects in what becomes of a record: taken in, believed, settled, told. See `defects.py`."""

# mypy: disable-error-code="method-assign, assignment"

from unittest.mock import patch

from domain.citizen.state import Citizen
from streams.citizens import settler
from streams.citizens.outcomes import DEFECT
from streams.citizens.settler import Partition
from streams.engine import tenure
from streams.engine.sink import DeliverySink
from streams.engine.suspicion import Suspicion
from streams.engine.tenure import PartitionRun
from streams.kit.errors import UserError
from streams.stages.intake import IntakeWork
from streams.stages.own_entry import OwnEntry
from streams.stages.posting_checks import PostingChecks
from streams.wire.belief import JournalBelief


def intake_commits_its_position_first():
    """A crash between position and outputs loses reports."""
    real = DeliverySink.commit

    async def commit(self, outputs, position):
        if self._stage != "intake":
            return await real(self, outputs, position)
        await self._delivery.commit(position)
        return await self._delivery.send(outputs)

    DeliverySink.commit = commit


def refused_records_are_dropped():
    """Intake writes no dead letters."""
    real = IntakeWork.process

    def process(self, records, position):
        processed = real(self, records, position)
        dead = self._stage.topics.dead_letters
        return processed._replace(outputs=[out for out in processed.outputs if out.topic != dead])

    IntakeWork.process = process


def the_closed_month_is_forgotten():
    """A partition that is taken over does not know which month was closed."""
    OwnEntry.closed_month = property(lambda _: "")


def the_rule_set_is_forgotten():
    """A partition that is taken over goes on by the first rule set."""
    OwnEntry.rules = property(lambda _: ("R-1", ""))


def a_run_is_not_carried():
    """The marker of a run does not come into the postings."""
    real = Partition._close

    def close(self, marker):
        real(self, marker)

    Partition._close = close


def a_report_that_comes_again_counts_again():
    """Intake delivers at least once, and nobody knows a report by its id."""
    Citizen.seen = lambda *_: None


def a_forged_record_is_settled():
    """Whoever may write to the journal is believed."""
    JournalBelief.of = lambda *_: "ours"


def a_copied_control_record_counts():
    """The same control record is carried out as often as it is there."""
    real = JournalBelief.of

    def of(self, record):
        verdict = real(self, record)
        return "ours" if verdict == "repeated" else verdict

    JournalBelief.of = of


def poison_stops_its_partition():
    """A record at which the step fails is tried for ever."""
    Suspicion.found = lambda *_: None


def a_defect_costs_the_whole_batch():
    """Where settling fails, all records of the batch are refused."""

    def settle_batch(self, records):
        try:
            return [self.settle(record) for record in records]
        except Exception:  # noqa: BLE001 - the defect
            self.forget()
            return [DEFECT for _ in records]

    Partition.settle_batch = settle_batch


def want_of_memory_blames_the_record():
    """A record for which the machine had no memory becomes a dead letter."""
    for module in (settler, tenure):
        patch.object(module, "BLAMELESS", (UserError, OSError)).start()


def an_empty_journal_is_taken_for_todays():
    """Postings need a MAC where the journal was empty, whoever writes to it first."""
    real = PostingChecks.mac_of

    async def mac_of(self, kafka, partition, end):
        expected = await real(self, kafka, partition, end)
        return None if expected is None else expected._replace(until=None)

    PostingChecks.mac_of = mac_of


def what_expired_unread_is_not_told():
    """Records that were gone before they were read are passed over in silence."""
    PartitionRun._say_unread = lambda *_: None


PLANTS_OF_RECORDS = (
    intake_commits_its_position_first,
    refused_records_are_dropped,
    the_closed_month_is_forgotten,
    the_rule_set_is_forgotten,
    a_run_is_not_carried,
    a_report_that_comes_again_counts_again,
    a_forged_record_is_settled,
    a_copied_control_record_counts,
    poison_stops_its_partition,
    a_defect_costs_the_whole_batch,
    want_of_memory_blames_the_record,
    an_empty_journal_is_taken_for_todays,
    what_expired_unread_is_not_told,
)
