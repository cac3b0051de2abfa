"""Old cases: how case facts decide about fleksjob, ledighedsydelse and førtidspension.

§ 30, stk. 2-4; rules 2.3 and 4.2, items 14 and 15. Facts may come in any order and at any
time, and may be reversed. Only the dates that stand matter, not how often or when they were
reported.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import NamedTuple

from domain.basics.weeks import week_of
from domain.ruledata.ruleset import Legacy

FLEKSLOENTILSKUD = "FLT"
LEDIGHEDSYDELSE = "LY"
FLEX = frozenset({FLEKSLOENTILSKUD, "FLS", LEDIGHEDSYDELSE})
"""Benefits that are outside the staircase in the weeks before the citizen's transfer to it."""
AT_OLD_RATE = FLEX - {LEDIGHEDSYDELSE}
"""Flex benefits whose old percentage is known (`flex_refusion`); the others give no row."""

OLD_RATE_CODES = frozenset({"LYG", "FPG"})
"""Codes whose old percentages are not established: applied without a row, and noticed (item 13)."""

PENSION = "FPN"
TRANSITIONAL = FLEX | {PENSION}
"""Benefits whose money depends on the facts of the case."""

DECIDING_FACTS = frozenset(
    {"flex_referral", "flex_job_start", "flex_rereferral", "flex_left", "disability_pension_award"}
)

NEVER = week_of(date.max.toordinal()) + 1
"""The week of a transfer that does not come."""

Facts = Mapping[str, Mapping[int, int]]
"""The dates of each kind of fact, and how many reports that stand name each date."""


class TransitionalStatus(NamedTuple):
    """The transitional rules that apply to a citizen's case.

    `transfer` is the first week in which flex money is on the staircase, 0 where it always is; flex
    money of earlier weeks is *legacy*. With `enters` the legacy weeks count from the transfer on.
    With `old_pension` førtidspension was awarded before the reform.
    """

    transfer: int = 0
    enters: bool = False
    old_pension: bool = False

    def is_old(self, code: str, week: int) -> bool:
        """Tell if a benefit's money in a week is outside the staircase.

        >>> TransitionalStatus(transfer=40).is_old("FLT", 39)
        True
        >>> TransitionalStatus(transfer=40).is_old("KTH", 39)
        False
        """
        if code in FLEX:
            return week < self.transfer
        return self.old_pension and code == PENSION


ORDINARY = TransitionalStatus()
"""The status of nearly every citizen. It is always this very object, so that `is` compares it."""


def status_of(legacy: Legacy, facts: Facts) -> TransitionalStatus:
    """Derive the transitional status from the facts of the case."""
    awards = facts.get("disability_pension_award", ())
    old_pension = any(day < legacy.disability_pension_awarded_from.toordinal() for day in awards)
    status = TransitionalStatus(*_transfer(legacy, facts), old_pension)
    return ORDINARY if status == ORDINARY else status


def _transfer(legacy: Legacy, facts: Facts) -> tuple[int, bool]:
    """Give the week of the transfer, and tell if the legacy weeks enter the count then."""
    referrals = facts.get("flex_referral")
    reform = legacy.flex_referred_from.toordinal()
    if not referrals or min(referrals) >= reform:
        return 0, False
    referred = min(referrals)
    if again := _referred_again(referrals, facts.get("flex_left", ()), referred):
        return _week_from(max(again, reform)), False
    if legacy.flex_transition_from.toordinal() <= referred <= legacy.flex_transition_to.toordinal():
        events = [*facts.get("flex_job_start", ()), *facts.get("flex_rereferral", ())]
        if later := [day for day in events if day >= reform]:
            transfer = _week_from(min(later))
            return transfer, transfer > 0
    return NEVER, False


def _week_from(day: int) -> int:
    """Give the first week that counts whose Sunday is not before a day."""
    return max(0, week_of(day))


def _referred_again(referrals: Iterable[int], left: Iterable[int], referred: int) -> int | None:
    """Give the first new referral of a citizen who had left the flex scheme after the first one."""
    leaving = min((day for day in left if day > referred), default=None)
    return (
        None if leaving is None else min((day for day in referrals if day >= leaving), default=None)
    )
