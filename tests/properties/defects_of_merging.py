"""Defects of what `refusion merge` writes, planted one at a time.

The journal has them then, and follows from itself as it should: only who knows the numbers and what
was decided about them can notice (`test_merges.py`). Those of the stage, which carries a merge out,
are in `tests/simulation/defects_of_merges.py`.
"""

from domain.citizen.reports import Opening
from streams.operations import merge_checks, merge_plan
from streams.operations.merge_past import CitizenPast, brought_by, report_of


def opening_rows_are_not_checked(patch):
    """A row makes way for the other number's money."""
    patch.setattr(merge_plan, "check_openings", lambda *_: None)


def ids_are_not_checked(patch):
    """The second of two reports with one id is lost."""
    patch.setattr(merge_plan, "check_ids", lambda *_: None)


def a_freed_id_is_not_freed_again(patch):
    """A report whose id was freed counts among copies, and what is true is refused."""
    patch.setattr(merge_plan.MergeWriting, "_freed", lambda *_: iter(()))


def a_vacant_id_gets_copies(patch):
    """An id that was freed takes the place of the other number's report."""
    patch.setattr(merge_plan, "left_out", lambda *_: set())


def what_was_freed_meanwhile_is_forgotten(patch):
    """An id that was freed under the new number comes back under the former one."""
    patch.setattr(merge_plan, "kept_by_former", lambda former, _to: former.all_but(former.moved.id))


def undoing_forgets_what_came_since(patch):
    """Each number has what it had before the merge, and no late report."""

    def all_but(self, merge):
        return [*self.before_merge] or [each for each in self.since if brought_by(each) != merge]

    patch.setattr(CitizenPast, "all_but", all_but)


def undoing_forgets_what_was_before(patch):
    """Each number has its late reports alone."""

    def all_but(self, merge):
        return [each for each in self.since if brought_by(each) != merge]

    patch.setattr(CitizenPast, "all_but", all_but)


def opening_rows_get_no_copies(patch):
    """A merge loses what an earlier system settled."""
    real = merge_checks.left_out

    def left_out(past, to):
        reports = ((at, report_of(kept)) for at, kept in enumerate(past.since))
        return real(past, to) | {at for at, report in reports if isinstance(report, Opening)}

    patch.setattr(merge_plan, "left_out", left_out)


SEEDS_TAKEN = {
    opening_rows_are_not_checked: 1,
    ids_are_not_checked: 2,
    a_freed_id_is_not_freed_again: 0,
    a_vacant_id_gets_copies: 17,
    what_was_freed_meanwhile_is_forgotten: 0,
    undoing_forgets_what_came_since: 0,
    undoing_forgets_what_was_before: 0,
    opening_rows_get_no_copies: 13,
}
"""The defects, each with the first seed of `test_merges.py` that finds it."""
