"""The count of a citizen's weeks after a report has touched or freed some of them.

Most reports add weeks and change no other: that is seen from two popcounts, without a search for
resets (`_moves_no_other`). Any other change keeps the resets before the first changed week, and
searches on from there.
"""

from collections.abc import Mapping
from typing import NamedTuple

from domain.basics.named import made
from domain.law.counters import NO_WEEK, lowest
from domain.law.old_cases import ORDINARY
from domain.law.staircase import Law, entering
from domain.law.week_counts import WeekCounts, WeekSets


class TouchedWeeks(NamedTuple):
    """The weeks that a report has touched or freed for a money code: (code, added, removed)."""

    code: str
    added: int
    removed: int


class Recount(NamedTuple):
    """The weeks after a report, and the first week from which steps of other cells may have moved.

    `moved_from` is None where no other cell can have moved.
    """

    weeks: WeekCounts
    moved_from: int | None


def recount(
    law: Law,
    was: WeekCounts,
    touched: Mapping[str, int],
    change: TouchedWeeks,
    old_end: int,
    end: int,
) -> Recount:
    """Count the weeks again after a report; an ordinary case that only gains weeks adds them.

    `touched` are all touched weeks, the change included. `old_end` and `end` are the last week
    with money before and after the report: resets before it are known.
    """
    first, status, second = was
    was_benefit, was_busy, _ = first
    code, added, removed = change
    if removed or status is not ORDINARY:
        benefit, busy = law.states(touched, status)
    elif code in law.counting:
        benefit, busy = was_benefit | added, was_busy | added
    else:
        benefit, busy = was_benefit, was_busy | added if law.blocks(code) else was_busy
    changed = (benefit ^ was_benefit) | (busy ^ was_busy)
    entered = 0
    if second is not None:
        entered = benefit | entering(touched, status)
        changed |= entered ^ second.benefit
    if not changed and end == old_end:
        return made(Recount, (was, None))
    moved_from = lowest(changed) if changed else end + 1
    if moved_from <= old_end and end == old_end and not removed:
        sets = made(WeekSets, (benefit, busy, first.resets))
        if second is None and _moves_no_other(law, first, sets, moved_from):
            return made(Recount, (made(WeekCounts, (sets, status, None)), None))
    start = min(moved_from, old_end)
    sets = _recounted(law, benefit, busy, first, start, end)
    later = None if second is None else _recounted(law, entered, busy, second, start, end)
    weeks = made(WeekCounts, (sets, status, later))
    return made(Recount, (weeks, moved_from if moved_from <= old_end else None))


def _moves_no_other(law: Law, was: WeekSets, now: WeekSets, first_new: int) -> bool:
    """Tell if new weeks in the past leave every reset, and the step of every other week, as it is.

    More busy weeks bring no reset where self-support alone makes one, and take none away that was
    before them. Later ordinals only grow: no week moves unless a step begins between the ordinal
    before the new weeks and the highest one with them.
    """
    reset = was.resets[-1] if was.resets else NO_WEEK
    if reset >= first_new or law.new_start.ahead or first_new <= law.turn_week + 1:
        return False
    if was.benefit == now.benefit:
        return True
    since = now.benefit >> (reset + 1)
    before = (since & ((1 << (first_new - reset - 1)) - 1)).bit_count()
    # without a benefit week before them, the week from which self-support is earned has moved
    return before > 0 and law.step(before) == law.step(since.bit_count())


def _recounted(law: Law, benefit: int, busy: int, was: WeekSets, start: int, end: int) -> WeekSets:
    """Count weeks of which none before the week `start` has changed: resets before it are kept."""
    extend, ahead = law.new_start
    start -= ahead
    _, _, kept = was
    if kept and kept[-1] >= start:
        kept = [reset for reset in kept if reset < start]
    return made(WeekSets, (benefit, busy, extend(law.window, benefit, busy, kept, start, end)))
