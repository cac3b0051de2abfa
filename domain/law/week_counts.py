"""A citizen's weeks as the law counts them: benefit weeks, busy weeks, and new starts."""

from collections.abc import Sequence
from typing import NamedTuple

from domain.law.old_cases import ORDINARY, TransitionalStatus


class WeekSets(NamedTuple):
    """One way to count a citizen's weeks, as bitsets in which bit w is week w.

    `benefit` has the weeks in state B, `busy` those in state B or O. `resets` are the weeks, in
    order, at whose end a new start was made.
    """

    benefit: int
    busy: int
    resets: Sequence[int]


NO_SETS = WeekSets(0, 0, ())


class WeekCounts(NamedTuple):
    """A citizen's weeks under the transitional rules.

    `second` is None unless legacy weeks enter the count on transfer: then it has them as benefit
    weeks, and gives the ordinals of the week of the transfer and of all later ones.
    """

    first: WeekSets
    status: TransitionalStatus = ORDINARY
    second: WeekSets | None = None

    def at(self, week: int) -> WeekSets:
        """Give the sets that decide the ordinal of a week.

        >>> first, second = WeekSets(0b1, 0b1, ()), WeekSets(0b11, 0b11, ())
        >>> WeekCounts(first, TransitionalStatus(transfer=5), second).at(4) is first
        True
        """
        return self.first if self.second is None or week < self.status.transfer else self.second


NO_WEEKS = WeekCounts(NO_SETS)
"""The weeks of a citizen without any payment."""
