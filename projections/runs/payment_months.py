"""Splits a payment's money to months, as it is settled: by the days of its weeks."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from domain.basics.weeks import slices
from domain.law.staircase import Law, money_code
from domain.law.week_counts import NO_WEEKS


class MonthShare(NamedTuple):
    """The øre of a payment in one month, and those of them that the law gives no row for."""

    month: int
    ore: int
    outside_ore: int


class PaymentMonths:
    """Splits payments; most of them lie in one month and need no splitting."""

    def __init__(self, law: Law) -> None:
        self._law = law
        self._within: dict[tuple[str, int, int], tuple[int, bool] | None] = {}

    def shares(
        self, benefit: str, start: int, end: int, amount_ore: int, atp_ore: int, outside_act: bool
    ) -> Sequence[MonthShare]:
        """Split a payment for the days `start` to `end`; the first share is the earliest month."""
        code = money_code(benefit, outside_act)
        base_ore, _ = self._law.base(code, amount_ore, atp_ore)
        try:
            within = self._within[code, start, end]
        except KeyError:
            within = self._look_at(code, start, end)
        if within is not None:
            month, gives_row = within
            return (MonthShare(month, base_ore, 0 if gives_row else base_ore),)
        ore_of: defaultdict[int, int] = defaultdict(int)
        outside_of: defaultdict[int, int] = defaultdict(int)
        for month, week, ore in self._law.split(base_ore, start, end):
            ore_of[month] += ore
            outside_of[month] += 0 if self._gives_row(code, month, week) else ore
        return [MonthShare(month, ore, outside_of[month]) for month, ore in ore_of.items()]

    def _look_at(self, code: str, start: int, end: int) -> tuple[int, bool] | None:
        """Month of a period and whether its money gives rows; None if that differs within it."""
        kinds = {
            (month, self._gives_row(code, month, week)) for month, week, _ in slices(start, end)
        }
        within = kinds.pop() if len(kinds) == 1 else None
        self._within[code, start, end] = within
        return within

    def _gives_row(self, code: str, month: int, week: int) -> bool:
        """Tell whether the law settles money of a code in a week, whoever the citizen is."""
        return self._law.entitlement(NO_WEEKS, month, week, code, 1) is not None
