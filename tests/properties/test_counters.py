"""The bitset arithmetic of the counters against sets of weeks, stepped through one by one."""

from bisect import bisect_right
from dataclasses import replace
from datetime import date
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.basics.weeks import monday, sunday, week_text
from domain.law.counters import (
    NO_WEEK,
    Window,
    count_between,
    counters,
    differing,
    extend_resets,
    last_reset_before,
    lowest,
    ordinal,
    profile,
    select,
)
from domain.oracle import weeks as oracle_weeks
from domain.oracle.days import years_before
from tests.support.lives import RULES

STEPS = (5, 27, 53)
LAST_WEEK = 1200

SETS = st.frozensets(st.integers(0, 400), max_size=60)
RUNS = st.lists(
    st.tuples(
        st.sampled_from("BOS"),
        st.integers(1, 12) | st.sampled_from((26, 50, 51, 52, 53, 104, 156, 157)),
    ),
    min_size=1,
    max_size=14,
)
"""States of weeks in runs, from week 0: long enough to earn a new start, and to lose one."""


def bits(weeks) -> int:
    """The set as the product has it."""
    return sum(1 << week for week in weeks)


def spread(runs) -> str:
    """The state of every week, one letter each."""
    return "".join(state * number for state, number in runs)


def benefit_and_busy(states: str) -> tuple[int, int]:
    """The two sets that the product keeps."""
    benefit = bits(week for week, state in enumerate(states) if state == "B")
    return benefit, bits(week for week, state in enumerate(states) if state != "S")


def stepped(states: str, rules) -> list[oracle_weeks.WeekEnd]:
    """Both counters week by week, by the reference."""
    by_monday: dict[date, Any] = {
        date.fromordinal(monday(week)): state for week, state in enumerate(states)
    }
    return list(oracle_weeks.count(by_monday, date.fromordinal(monday(len(states) - 1)), rules))


def resets_of(ends: list[oracle_weeks.WeekEnd]) -> list[int]:
    """The weeks at whose end the count fell to nothing."""
    return [week for week, end in enumerate(ends) if end.ordinal > 0 and end.seniority == 0]


@given(SETS, st.integers(0, 400), st.integers(-2, 200))
def test_count_between_counts_the_weeks_of_the_set(weeks, first, length):
    last = first + length
    assert count_between(bits(weeks), first, last) == len(
        [week for week in weeks if first <= week <= last]
    )


@given(SETS.filter(bool))
def test_lowest_is_the_first_week(weeks):
    assert lowest(bits(weeks)) == min(weeks)


@given(SETS, st.integers(1, 70))
def test_select_finds_the_week_of_a_number(weeks, number):
    expected = sorted(weeks)[number - 1] if number <= len(weeks) else NO_WEEK
    assert select(bits(weeks), number) == expected


@given(SETS, st.integers(-1, 401))
def test_a_reset_holds_for_the_weeks_after_it(weeks, week):
    assert last_reset_before(sorted(weeks), week) == max(
        (reset for reset in weeks if reset < week), default=NO_WEEK
    )


@given(st.integers(0, LAST_WEEK), st.sampled_from((1, 2, 3, 5)))
def test_the_window_has_the_weeks_whose_monday_is_later_than_the_date_years_before_the_sunday(
    week, years
):
    begins = years_before(date.fromordinal(sunday(week)), years).toordinal()
    first = Window(replace(RULES.reset, within_years=years)).first[week]
    assert monday(first) > begins >= monday(first - 1)


@settings(max_examples=300)
@given(RUNS, st.sampled_from((1, 2, 10, 52)), st.sampled_from((1, 3)), st.data())
def test_resets_are_those_of_counting_week_by_week(runs, needed, years, data):
    """However many of them were known, and however far is looked: up to `end`, resets of later
    weeks are not asked.
    """
    rules = replace(
        RULES, reset=replace(RULES.reset, self_support_weeks=needed, within_years=years)
    )
    states = spread(runs)
    all_resets = resets_of(stepped(states, rules))
    end = data.draw(st.integers(0, len(states)), label="end")
    start = data.draw(st.integers(0, end), label="start")
    known = [reset for reset in all_resets if reset < start]
    found = extend_resets(Window(rules.reset), *benefit_and_busy(states), known, start, end)
    assert list(found) == [reset for reset in all_resets if reset < end]


@settings(max_examples=300)
@given(RUNS)
def test_counters_and_ordinals_are_those_of_counting_week_by_week(runs):
    """The earned weeks too, as runs, oldest first."""
    states = spread(runs)
    ends = stepped(states, RULES)
    benefit, busy = benefit_and_busy(states)
    resets = resets_of(ends)
    assert [ordinal(benefit, resets, week) for week in range(len(states))] == [
        end.ordinal for end in ends
    ]
    found = counters(Window(RULES.reset), benefit, busy, resets)
    last = max((week for week, state in enumerate(states) if state != "S"), default=None)
    assert found.week == last
    if last is not None:
        assert found.seniority == ends[last].seniority
        assert [[week_text(first), number] for first, number in found.earned] == oracle_weeks.runs(
            ends[last].earned
        )


@settings(max_examples=300)
@given(RUNS, st.integers(0, 300))
def test_a_profile_has_the_step_of_every_week(runs, start):
    states = spread(runs)
    ends = stepped(states, RULES)
    boundaries = profile(benefit_and_busy(states)[0], resets_of(ends), STEPS, start)
    for week in range(start, len(states)):
        assert step_in(boundaries, week) == bisect_right(STEPS, ends[week].ordinal), week


def step_in(boundaries, week) -> int:
    """The step of the last boundary that is not after a week."""
    return [step for first, step in boundaries if first <= week][-1]


@settings(max_examples=150)
@given(RUNS, RUNS, RUNS)
def test_differing_spans_are_the_weeks_whose_step_differs(before, old_runs, new_runs):
    """Two lives that are one up to a week; the spans lie after it, in order, and do not touch
    twice.
    """
    start = len(spread(before))
    old, new = spread([*before, *old_runs]), spread([*before, *new_runs])
    end = max(len(old), len(new)) - 1
    old, new = old.ljust(end + 1, "S"), new.ljust(end + 1, "S")
    spans = differing(_profile(old, start), _profile(new, start), end)
    steps = zip(_steps(old), _steps(new), strict=True)
    naive = [week for week, (was, now) in enumerate(steps) if was != now]
    assert [week for first, last in spans for week in range(first, last + 1)] == naive
    assert all(last < first for (_, last), (first, _) in pairwise(spans))


def _profile(states, start):
    return profile(benefit_and_busy(states)[0], resets_of(stepped(states, RULES)), STEPS, start)


def _steps(states):
    return [bisect_right(STEPS, end.ordinal) for end in stepped(states, RULES)]
