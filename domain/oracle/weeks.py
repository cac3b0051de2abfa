"""The state of each week, and the two counters that follow from the states (items 6-8, rules 4.5).

A week is B (a benefit that counts), O (other money, which blocks self-support) or S (self-support).
The seniority counts B weeks; 52 S weeks within three years start it anew.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from typing import Any, Literal, NamedTuple

from domain.oracle.days import WEEK, monday_of, years_before
from domain.oracle.payments import FLEX, MoneyKind, MoneyLine
from domain.oracle.reports import Facts, JsonObject
from domain.ruledata.ruleset import RuleSet

WeekState = Literal["B", "O", "S"]


class WeekEnd(NamedTuple):
    """The counters of one week.

    `ordinal` is the number that decides the rate of the week's money; `seniority` and the `earned`
    weeks hold at the end of the week, after a new start.
    """

    week: date
    ordinal: int
    seniority: int
    earned: list[date]


class CountedWeeks(NamedTuple):
    """The states of the weeks and the counters in them, under one or both counts of item 14.

    `states` and `ends` hold for each week what decides the rate of its money. `later` is the count
    with the weeks of an old case in it, where there is one.
    """

    states: dict[date, WeekState]
    ends: dict[date, WeekEnd]
    later: dict[date, WeekEnd]


def weeks_of(lines: list[MoneyLine], last_week: date, facts: Facts, rules: RuleSet) -> CountedWeeks:
    """States and counters; from the week of the transfer on, weeks of the old case are B (14)."""
    states = states_of_weeks(lines, rules)
    ends = {end.week: end for end in count(states, last_week, rules)}
    if not facts.enters or facts.transfer is None:
        return CountedWeeks(states, ends, {})
    states_later = states_of_weeks(lines, rules, legacy_state="B")
    later = {end.week: end for end in count(states_later, last_week, rules)}
    ranking = {week: later[week] if week >= facts.transfer else end for week, end in ends.items()}
    return CountedWeeks(states, ranking, later)


# States


def states_of_weeks(
    lines: Iterable[MoneyLine], rules: RuleSet, legacy_state: WeekState = "O"
) -> dict[date, WeekState]:
    """The state of every week with money; all other weeks are S.

    `legacy_state` is the state that flex money of an old case gives its week.
    """
    nets: dict[date, dict[tuple[str, MoneyKind], int]] = defaultdict(lambda: defaultdict(int))
    for line in lines:
        nets[line.slice.week][line.benefit, line.kind] += line.amount_ore
    return {week: state_of_week(net, rules, legacy_state) for week, net in nets.items()}


def state_of_week(
    net_ore: Mapping[tuple[str, MoneyKind], int], rules: RuleSet, legacy_state: WeekState = "O"
) -> WeekState:
    """The state from the net of each benefit and kind in the week (rules 3.3, items 6, 13-15).

    Money touches its week when its net is above 0; where TOUCH is ANY_REPORT, whatever its net is.
    """
    any_report = rules.switches["TOUCH"] == "ANY_REPORT"
    touching = [money for money, ore in net_ore.items() if ore > 0 or any_report]
    states = {state_of_money(code, kind, rules, legacy_state) for code, kind in touching}
    return "B" if "B" in states else "O" if "O" in states else "S"


def state_of_money(
    code: str, kind: MoneyKind, rules: RuleSet, legacy_state: WeekState
) -> WeekState:
    """The state that money gives its week; old cases count always where LEGACY_COUNT is ALWAYS."""
    if kind == "ordinary" or (kind == "legacy" and rules.switches["LEGACY_COUNT"] == "ALWAYS"):
        return "B" if rules.benefits[code].counts else "O" if rules.benefits[code].blocks else "S"
    return legacy_state if kind == "legacy" and code in FLEX else "O"


# Counting


def count(states: Mapping[date, WeekState], last_week: date, rules: RuleSet) -> Iterator[WeekEnd]:
    """Both counters in every week, from the first that counts to a last one (rules 4.5)."""
    week = monday_of(rules.dates.counting_from)
    end = WeekEnd(week - WEEK, 0, 0, [])
    while end.week < last_week:
        end = next_week(end, states.get(end.week + WEEK, "S"), rules)
        yield end


def next_week(before: WeekEnd, state: WeekState, rules: RuleSet) -> WeekEnd:
    """One round of the loop of rules 4.5. A citizen is on the staircase while the count is above 0.

    Where RESET_AT is AT_NEXT_BENEFIT, the earned weeks start the count anew at the next B week.
    """
    week, n, earned = before.week + WEEK, before.seniority, list(before.earned)
    at_next_benefit = rules.switches["RESET_AT"] == "AT_NEXT_BENEFIT"
    if at_next_benefit and state == "B" and len(earned) >= rules.reset.self_support_weeks:
        n, earned = 0, []
    if state == "B":
        n += 1
    if state == "S" and n > 0:
        earned.append(week)
    sunday = week + timedelta(days=6)
    window_start = years_before(sunday, rules.reset.within_years)
    earned = [monday for monday in earned if monday > window_start]
    if not at_next_benefit and len(earned) >= rules.reset.self_support_weeks:
        return WeekEnd(week, ordinal=n, seniority=0, earned=[])
    return WeekEnd(week, ordinal=n, seniority=n, earned=earned)


def ordinal_of_money(week: date, weeks: CountedWeeks, rules: RuleSet) -> int:
    """The count that decides the rate in a week; the week of 28 December 2015 looks ahead (11)."""
    if week != rules.dates.turn_of_year_week:
        return weeks.ends[week].ordinal
    following = week + WEEK
    if weeks.states.get(following) == "B":
        return weeks.ends[following].ordinal
    return weeks.ends[week].ordinal + 1


# Counters of a posting message (contract section 3)


def counters_of(weeks: CountedWeeks, facts: Facts) -> JsonObject:
    """The counters at the end of the latest week in state B or O."""
    busy_weeks = [week for week, state in weeks.states.items() if state != "S"]
    if not busy_weeks:
        return {"week": None, "seniority": 0, "earned": []}
    week = max(busy_weeks)
    counters: JsonObject = {"week": week.isoformat()} | both_counters(weeks.ends[week])
    if weeks.later and facts.transfer is not None and week < facts.transfer:
        after = {"from": facts.transfer.isoformat()} | both_counters(weeks.later[week])
        counters["after_transfer"] = after
    return counters


def both_counters(end: WeekEnd) -> JsonObject:
    """Seniority and earned weeks at the end of a week."""
    return {"seniority": end.seniority, "earned": runs(end.earned)}


def runs(weeks: Iterable[date]) -> list[list[Any]]:
    """Weeks in order of time as runs of [first week, number of weeks].

    >>> runs([date(2024, 1, 1), date(2024, 1, 8), date(2024, 2, 5)])
    [['2024-01-01', 2], ['2024-02-05', 1]]
    """
    runs_of_weeks: list[list[Any]] = []
    expected = None
    for week in weeks:
        if week == expected:
            runs_of_weeks[-1][1] += 1
        else:
            runs_of_weeks.append([week.isoformat(), 1])
        expected = week + WEEK
    return runs_of_weeks


def weeks_in(runs_of_weeks: Iterable[list[Any]]) -> list[date]:
    """The weeks of runs, the inverse of `runs`."""
    return [
        date.fromisoformat(first) + number * WEEK
        for first, length in runs_of_weeks
        for number in range(length)
    ]
