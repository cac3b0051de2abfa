"""The two counters of a citizen, on bitsets: bit w is week w (rules 3 and 4.5).

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
    """Both counters at the end of `week`, the citizen's latest week in state B or O.

    `week` is None before the first. `earned` are the self-support weeks that count, as runs of
    (first week, number of weeks), oldest first. `after_transfer` is (week, seniority, earned): the
    seniority and the earned weeks, at the end of the same `week`, that hold from that later week on
    (legacy flex cases, § 30, stk. 3).
    """

    week: int | None
    seniority: int
    earned: tuple[tuple[int, int], ...]
    after_transfer: tuple[int, int, tuple[tuple[int, int], ...]] | None = None


class Window:
    """The window of § 6, stk. 1: its first week for each week, and the weeks for a new start."""

    def __init__(self, reset: Reset) -> None:
        self.needed = reset.self_support_weeks
        self._years = reset.within_years
        self.first = Memo(self._first, MOST_WEEKS)

    def _first(self, week: int) -> int:
        """Give the earliest week whose Monday is in the window that ends with `week`'s Sunday."""
        return (years_before(sunday(week), self._years) - WEEK_ZERO) // 7 + 1


def lowest(weeks: int) -> int:
    """Give the first week of a set that is not empty.

    >>> lowest(0b1100)
    2
    """
    return (weeks & -weeks).bit_length() - 1


def highest(weeks: int) -> int:
    """Give the last week of a set, or NO_WEEK where it is empty.

    >>> highest(0b1100), highest(0)
    (3, -1)
    """
    return weeks.bit_length() - 1


def count_between(weeks: int, first: int, last: int) -> int:
    """Count the weeks of a set that lie in first..last.

    >>> count_between(0b10111, 1, 4)
    3
    """
    return ((weeks >> first) & ((1 << (last - first + 1)) - 1)).bit_count() if last >= first else 0


def last_reset_before(resets: Sequence[int], week: int) -> int:
    """Give the latest reset before a week, or NO_WEEK: a reset is made at the end of its week.

    >>> last_reset_before([10, 70], 70), last_reset_before([10, 70], 71)
    (10, 70)
    """
    if not resets:  # most lives have none
        return NO_WEEK
    for reset in reversed(resets):
        if reset < week:
            return reset
    return NO_WEEK


def ordinal(benefit: int, resets: Sequence[int], week: int) -> int:
    """Count the benefit weeks since the last reset, `week` included; 0 where none has begun.

    >>> ordinal(0b110111, [], 4), ordinal(0b110111, [3], 5)
    (4, 2)
    """
    return count_between(benefit, last_reset_before(resets, week) + 1, week)


def extend_resets(
    window: Window, benefit: int, busy: int, resets: Sequence[int], start: int, end: int
) -> Sequence[int]:
    """Find all resets before `end`, given those before `start`.

    A busy week earns nothing, so a reset falls on a week of self-support: none is sought where all
    weeks are busy, or too few have passed. With k weeks earned at the end of a week, needed - k
    weeks can be jumped: each week earns at most one, and weeks that drop out of the window only
    delay the reset.
    """
    first = max(start, 0)
    length = end - first
    if length <= 0 or ~(busy >> first) & ((1 << length) - 1) == 0:
        return resets
    while True:
        following = resets[-1] + 1 if resets else 0
        run = benefit >> following
        if not run:
            return resets
        began = following + (run & -run).bit_length() - 1
        if end - began <= window.needed:
            return resets
        reset = _first_reset(window, busy, began, max(start, began), end)
        if reset == NO_WEEK:
            return resets
        resets = [*resets, reset]
        start = reset


def extend_resets_at_benefit(
    window: Window, benefit: int, busy: int, resets: Sequence[int], start: int, end: int
) -> Sequence[int]:
    """Find all resets before `end` where a benefit week makes them (RESET_AT = AT_NEXT_BENEFIT).

    It makes one if enough weeks are earned, inside the window, at the Sunday before it: the week of
    that Sunday is the reset. So each is decided by the week after it, and only the first week of a
    run of benefit weeks can make one.
    """
    resets = [*resets]
    entering = (benefit & ~(benefit << 1)) >> (max(start, -1) + 1) << (max(start, -1) + 1)
    while entering and (week := lowest(entering)) <= end:
        entering &= entering - 1
        following = resets[-1] + 1 if resets else 0
        began = following + lowest(benefit >> following)
        if _earned_count(window, busy, began, week - 1) >= window.needed:
            resets.append(week - 1)
    return resets


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
    """One way to find new starts: a function such as `extend_resets`.

    A reset depends on `ahead` weeks after its own.
    """

    extend: Callable[[Window, int, int, Sequence[int], int, int], Sequence[int]]
    ahead: int


NEW_STARTS: Mapping[str, NewStart] = {
    "WHEN_REACHED": NewStart(extend_resets, 0),
    "AT_NEXT_BENEFIT": NewStart(extend_resets_at_benefit, 1),
}
"""The ways to find new starts, by the values of the switch RESET_AT."""


def counters(window: Window, benefit: int, busy: int, resets: Sequence[int]) -> Counters:
    """Give both counters at the end of the latest week in state B or O."""
    if not busy:
        return Counters(None, 0, ())
    week = busy.bit_length() - 1
    reset = last_reset_before(resets, week) if resets else NO_WEEK
    run = benefit >> (reset + 1)  # no benefit week is later than the latest busy one
    if not run:
        return Counters(week, 0, ())
    began = reset + (run & -run).bit_length()
    return Counters(week, run.bit_count(), earned_between(window, busy, began, week))


def earned_between(window: Window, busy: int, began: int, last: int) -> tuple[tuple[int, int], ...]:
    """Give the weeks earned since the benefit week `began`, in the window that ends with `last`.

    They are runs of (first week, number of weeks).
    """
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
    """Give the `number`-th week of a set (1 is the first), or NO_WEEK where it has fewer.

    >>> select(0b10110, 2), select(0b10110, 3), select(0b10110, 4)
    (2, 4, -1)
    """
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
    """Give the staircase over time as (first week, step) boundaries, for the weeks from `start` on.

    `steps` are the ordinals at which a step begins after the first (5, 27, 53). Step 0 holds
    from the week after a reset, also before the first benefit week ("at least 1", rules 4.2,
    item 9). Of two boundaries in one week the later one holds.

    >>> profile(0b111111, [], (5, 27, 53), 0)
    [(0, 0), (4, 1)]
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
    """Give the spans of weeks (first, last), up to `end`, in which two profiles differ.

    >>> differing([(0, 0), (4, 1)], [(0, 0), (6, 1)], 10)
    [(4, 5)]
    """
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
