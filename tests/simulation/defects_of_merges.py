"""Defects where two numbers become one person, or are parted again. See `defects.py`.

They are in the stage, which carries a merge out. Those of what `refusion merge` writes are in
`tests/properties/defects_of_merging.py`.
"""

# mypy: disable-error-code="method-assign, assignment, attr-defined"

from domain.citizen.state import Ties
from streams.citizens import merges, settler
from streams.citizens.merges import Merging
from streams.citizens.outcomes import NOTHING
from streams.citizens.settler import Partition
from streams.stages import passing_on
from streams.stages.passing_on import MOVED_FROM, JournalCopies


def a_late_report_counts_for_the_former_number():
    """The stage does not look whether a citizen was moved."""
    Partition._settle_moved = lambda *_: None


def a_late_report_does_not_go_on():
    """A moved citizen's reports are settled, and written nowhere."""
    Merging.pass_on = lambda *_: NOTHING


def a_copy_counts_when_its_merge_has_ended():
    """Whatever was under way when two numbers were parted counts for the wrong one."""
    settler.counts = lambda *_: True


def rows_of_a_former_number_stay():
    """One row of those who are emptied is not taken back."""
    real = merges.reversals
    merges.reversals = lambda citizen: real(citizen)[:-1]


def reports_of_a_former_number_stay_on_the_disk():
    """The keys of an emptied citizen are not deleted."""
    Merging.deletions = lambda _: iter(())


def a_copy_stays_in_the_partition_of_its_source():
    """The new citizen is settled in two partitions."""
    real = JournalCopies.outputs

    def outputs(self, place, records, outcomes, to):
        at = int(place.split("/")[1])
        return [out._replace(partition=at) for out in real(self, place, records, outcomes, to)]

    JournalCopies.outputs = outputs


def a_copy_keeps_the_seal_of_the_former_number():
    """Postings of one citizen have the CPR number of another."""
    real = passing_on.copy_of

    def copy_of(value, _sealed, merge):
        sealed = value.partition(b'"cpr_sealed":"')[2].partition(b'"')[0].decode()
        return real(value, sealed, merge)

    passing_on.copy_of = copy_of


def a_copy_does_not_name_its_source():
    """Nobody can tell of which report a copy is."""
    real = JournalCopies.copy

    def copy(self, value, headers, place, to):
        at, (key, copied, kept) = real(self, value, headers, place, to)
        return at, (key, copied, [header for header in kept if header[0] != MOVED_FROM])

    JournalCopies.copy = copy


def the_last_of_several_late_reports_does_not_go_on():
    """A batch of them is one short."""
    real = JournalCopies.outputs

    def outputs(self, place, records, outcomes, to):
        found = []
        for out in real(self, place, records, outcomes, to):
            messages = [*out.messages]
            found.append(out._replace(messages=messages[: max(1, len(messages) - 1)]))
        return found

    JournalCopies.outputs = outputs


def a_second_merge_takes_the_place_of_the_first():
    """A citizen with whom two others were merged remembers the latter alone."""
    real = settler.join

    def join(citizen, record):
        real(citizen, record)
        ties = citizen.head.ties
        citizen.change_head().ties = Ties(
            ties.to, ties.to_sealed, ties.move, ties.joined[-1:], ties.carried_out
        )

    settler.join = join


PLANTS_OF_MERGES = (
    a_late_report_counts_for_the_former_number,
    a_late_report_does_not_go_on,
    a_copy_counts_when_its_merge_has_ended,
    rows_of_a_former_number_stay,
    reports_of_a_former_number_stay_on_the_disk,
    a_copy_stays_in_the_partition_of_its_source,
    a_copy_keeps_the_seal_of_the_former_number,
    a_copy_does_not_name_its_source,
    the_last_of_several_late_reports_does_not_go_on,
    a_second_merge_takes_the_place_of_the_first,
)
