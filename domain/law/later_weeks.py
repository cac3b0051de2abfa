"""Where a citizen stands on the staircase in a later week, from the counters of a message alone.

A message's counters hold at the end of the citizen's latest week with benefits or other support
(contract section 3). Every week after it is self-support, so both counters follow from them at any
later week: weeks are earned, leave the window, or make a new start.
"""

from typing import NamedTuple

from domain.basics.weeks import MOST_WEEKS
from domain.law.counters import Counters, Window, earned_between
from domain.law.rates import staircase_in
from domain.law.staircase import Law
from domain.ruledata.ruleset import Band


class StandingAt(NamedTuple):
    """Both counters at the end of a week, and what comes next.

    `step` is counted from 1. `weeks_to_next` are the weeks with benefits until the first at a lower
    rate, `next_rate`; both are None on the last step. `missing` weeks make a new start, None where
    none is earned. In `leaving_week`, `leaving` earned weeks leave the window.
    """

    week: int | None
    seniority: int
    step: int
    rate: int
    weeks_to_next: int | None
    next_rate: int | None
    earned: int
    missing: int | None
    leaving_week: int | None
    leaving: int | None


def standing_at(law: Law, posted: Counters, week: int | None) -> StandingAt:
    """Give where a citizen stands at the end of a week, or of the counters' own if that is later.

    Without a week it is the counters' own.
    """
    weeks = [known for known in (week, posted.week) if known is not None]
    at = max(weeks, default=None)
    seniority, earned = (0, ()) if at is None else counters_at(law, posted, at)
    step, band, following = _bands(law, MOST_WEEKS if at is None else at, seniority)
    number = sum(length for _, length in earned)
    leaving = (None, None) if at is None or not earned else _leaving(law.window, earned, at)
    return StandingAt(
        at,
        seniority,
        step,
        band.refusion,
        following.from_week - seniority if following else None,
        following.refusion if following else None,
        number,
        law.window.needed - number if number else None,
        *leaving,
    )


def counters_at(law: Law, posted: Counters, week: int) -> tuple[int, tuple[tuple[int, int], ...]]:
    """Give seniority and earned weeks at the end of a week that is not before the counters' own."""
    latest, seniority, earned, after_transfer = posted
    if latest is None:
        return 0, ()
    if after_transfer is not None and after_transfer[0] <= week:
        _, seniority, earned = after_transfer
    if not seniority:
        return 0, ()
    # Earned weeks are free, all others up to the counters' own are busy; counting began before all.
    began = earned[0][0] - 1 if earned else latest
    busy = (2 << latest) - 1
    for first, length in earned:
        busy &= ~(((1 << length) - 1) << first)
    extend = law.new_start.extend
    if extend(law.window, 1 << began, busy, [], latest + 1, week + 1):
        return 0, ()
    return seniority, earned_between(law.window, busy, began, week)


def _bands(law: Law, week: int, seniority: int) -> tuple[int, Band, Band | None]:
    """Give the step of a seniority, its band, and the first band after it at a lower rate."""
    bands = staircase_in(law.rules, week).bands
    at = max(at for at, band in enumerate(bands) if band.from_week <= max(seniority, 1))
    lower = (band for band in bands[at + 1 :] if band.refusion < bands[at].refusion)
    return at + 1, bands[at], next(lower, None)


def _leaving(
    window: Window, earned: tuple[tuple[int, int], ...], at: int
) -> tuple[int | None, int | None]:
    """Give the first week after `at` whose window lacks earned weeks, and how many it lacks."""
    first = earned[0][0]
    for week in range(at + 1, MOST_WEEKS):
        if (begins := window.first[week]) > first:
            return week, sum(min(max(begins - start, 0), length) for start, length in earned)
    return None, None
