"""The two counters of a citizen, on bitsets: bit w stands for week w (rules 3 and 4.5).

`benefit` has the weeks in state B, `busy` those in state B or O; every other week is
self-support (S). No ordinal is stored: it is a popcount since the last reset, and the
earned weeks are the zero bits of `busy` in the window. Only the weeks of resets are kept.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from domain.basics.cache import Memo
from domain.basics.weeks import MOST_WEEKS, WEEK_ZERO, sunday, years_before
from domain.ruledata.ruleset import Reset

NO_WEEK = -1


class Counters(NamedTuple):
    """Both counters at the end of `week`, the citizen's latest week in state B or O (None before the first).

    `earned` are the self-support weeks that count, as runs of (first week, number of weeks), oldest
    first. `after_transfer` is (week, seniority, earned): what `seniority` and `earned` are, at the
    end of the same `week`, for whoever evaluates the counters in that later week or after it
    (legacy flex cases, § 30, stk. 3).
    """

    week: int | None
    seniority: int
    earned: tuple[tuple[int, int], ...]
    after_transfer: tuple[int, int, tuple[tuple[int, int], ...]] | None = None


class Window:
    """Where the window of § 6, stk. 1 begins, week by week, and how many weeks in it make a new start."""

    def __init__(self, reset: Reset) -> None:
        self.needed = reset.self_support_weeks
        self._years = reset.within_years
        self.first = Memo(self._first, MOST_WEEKS)

    def _first(self, week: int) -> int:
        """The earliest week whose Monday is later than the date so many years before `week`'s Sunday."""
        return (years_before(sunday(week), self._years) - WEEK_ZERO) // 7 + 1


def lowest(weeks: int) -> int:
    """The first week of a set that is not empty."""
    return (weeks & -weeks).bit_length() - 1


def highest(weeks: int) -> int:
    """The last week of a set, or NO_WEEK where it is empty."""
    return weeks.bit_length() - 1


def count_between(weeks: int, first: int, last: int) -> int:
    """How many weeks of the set lie in first..last."""
    return ((weeks >> first) & ((1 << (last - first + 1)) - 1)).bit_count() if last >= first else 0


def last_reset_before(resets: Sequence[int], week: int) -> int:
    """The latest reset that holds for `week`: a reset at the end of a week holds for the weeks after it."""
    if not resets:  # most lives have none
        return NO_WEEK
    for reset in reversed(resets):
        if reset < week:
            return reset
    return NO_WEEK


def ordinal(benefit: int, resets: Sequence[int], week: int) -> int:
    """The count of benefit weeks reached in `week` since the last reset; 0 where none has begun."""
    return count_between(benefit, last_reset_before(resets, week) + 1, week)


def extend_resets(
    window: Window, benefit: int, busy: int, resets: list[int], start: int, end: int
) -> list[int]:
    """All resets before `end`, given those before `start`.

    With k weeks earned at the end of a week, needed - k weeks can be jumped: each week earns
    at most one, and what drops out of the window only delays the reset, so no jump overshoots.
    """
    found = resets
    while True:
        following = found[-1] + 1 if found else 0
        run = benefit >> following
        if not run:
            return found
        began = following + lowest(run)
        reset = _first_reset(window, busy, began, max(start, began), end)
        if reset == NO_WEEK:
            return found
        found = [*found, reset]
        start = reset


def extend_resets_at_benefit(
    window: Window, benefit: int, busy: int, resets: list[int], start: int, end: int
) -> list[int]:
    """The same where only a benefit week makes a new start (switch RESET_AT = AT_NEXT_BENEFIT).

    It does if the weeks are earned, inside the window, at the Sunday before it: the week of that
    Sunday is the reset. So each is decided by the week after it, and only the first week of a run
    of benefit weeks can make one.
    """
    found = [*resets]
    entering = (benefit & ~(benefit << 1)) >> (max(start, -1) + 1) << (max(start, -1) + 1)
    while entering and (week := lowest(entering)) <= end:
        entering &= entering - 1
        following = found[-1] + 1 if found else 0
        began = following + lowest(benefit >> following)
        if _earned_count(window, busy, began, week - 1) >= window.needed:
            found.append(week - 1)
    return found


def _first_reset(window: Window, busy: int, began: int, week: int, end: int) -> int:
    while week < end:
        earned = _earned_count(window, busy, began, week)
        if earned >= window.needed:
            return week
        week += window.needed - earned
    return NO_WEEK


def _earned_count(window: Window, busy: int, began: int, week: int) -> int:
    first = max(window.first[week], began + 1)
    return week - first + 1 - count_between(busy, first, week) if week >= first else 0


class NewStart(NamedTuple):
    """How new starts are found: `extend` as `extend_resets`; a reset hangs on `ahead` weeks after its own."""

    extend: Callable[[Window, int, int, list[int], int, int], list[int]]
    ahead: int


NEW_STARTS: Mapping[str, NewStart] = {
    "WHEN_REACHED": NewStart(extend_resets, 0),
    "AT_NEXT_BENEFIT": NewStart(extend_resets_at_benefit, 1),
}
"""By the values of the switch RESET_AT."""


def counters(window: Window, benefit: int, busy: int, resets: Sequence[int]) -> Counters:
    """Both counters at the end of the latest week in state B or O."""
    if not busy:
        return Counters(None, 0, ())
    week = highest(busy)
    reset = last_reset_before(resets, week)
    run = (benefit >> (reset + 1)) & ((1 << (week - reset)) - 1)
    if not run:
        return Counters(week, 0, ())
    return Counters(
        week, run.bit_count(), earned_between(window, busy, reset + 1 + lowest(run), week)
    )


def earned_between(window: Window, busy: int, began: int, last: int) -> tuple[tuple[int, int], ...]:
    """The weeks earned since the first benefit week, in the window that ends with `last`, as (first, number) runs."""
    first = max(window.first[last], began + 1)
    if last < first:
        return ()
    free = ~(busy >> first) & ((2 << (last - first)) - 1)
    if not free:
        return ()
    runs = []
    while free:
        at = lowest(free)
        length = lowest(~(free >> at))
        runs.append((first + at, length))
        free &= ~(((1 << length) - 1) << at)
    return tuple(runs)


def select(weeks: int, number: int) -> int:
    """The `number`-th week of the set (1 is the first), or NO_WEEK where it has fewer."""
    if weeks.bit_count() < number:
        return NO_WEEK
    base, width = 0, 1 << (weeks.bit_length() - 1).bit_length()
    while width > 1:
        width >>= 1
        low = weeks & ((1 << width) - 1)
        if (below := low.bit_count()) >= number:
            weeks = low
        else:
            number -= below
            weeks >>= width
            base += width
    return base


def profile(
    benefit: int, resets: Sequence[int], steps: Sequence[int], start: int
) -> list[tuple[int, int]]:
    """The staircase over time as (first week, step) boundaries, for the weeks from `start` on.

    `steps` are the ordinals at which a step begins after the first (5, 27, 53); step 0 holds
    from the week after a reset, also before the first benefit week ("at least 1", rules 4.2 item 9). Of two
    boundaries in one week the later one holds.
    """
    boundaries: list[tuple[int, int]] = []
    before = last_reset_before(resets, start)
    for reset, end in _runs(before, [week for week in resets if week > before]):
        first = max(start, reset + 1)
        reached = count_between(benefit, reset + 1, first - 1)
        step = bisect_right(steps, reached)
        boundaries.append((first, step))
        run = benefit >> first
        if end is not None:
            run &= (2 << (end - first)) - 1
        for following, number in enumerate(steps[step:], step + 1):
            at = select(run, number - reached)
            if at == NO_WEEK:
                break
            boundaries.append((first + at, following))
    return boundaries


def _runs(before: int, later: Sequence[int]) -> list[tuple[int, int | None]]:
    starts = [before, *later]
    return list(zip(starts, [*later, None], strict=True))


def differing(
    old: list[tuple[int, int]], new: list[tuple[int, int]], end: int
) -> list[tuple[int, int]]:
    """The spans of weeks (first, last), none after `end`, in which two profiles have different steps."""
    spans = []
    marks = sorted({week for week, _ in old} | {week for week, _ in new})
    for first, after in zip(marks, [*marks[1:], end + 1], strict=True):
        last = min(after - 1, end)
        if first <= last and _step_at(old, first) != _step_at(new, first):
            spans.append((first, last))
    return spans


def _step_at(boundaries: list[tuple[int, int]], week: int) -> int:
    step = 0
    for first, value in boundaries:
        if first > week:
            break
        step = value
    return step
