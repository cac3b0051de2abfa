"""The law of one rule set: mechanism, rate and result of a cell's amount.

Rules 4.2, items 7-11 and 13-15.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from typing import NamedTuple

from msgspec import Struct

from domain.basics.money import ROUNDINGS
from domain.basics.named import made
from domain.basics.splits import SPLITS
from domain.basics.weeks import MOST_WEEKS, first_day, month_number, week_of
from domain.law.counters import (
    NEW_STARTS,
    NO_WEEK,
    Counters,
    Window,
    count_between,
    counters,
    highest,
    last_reset_before,
    ordinal,
    profile,
)
from domain.law.old_cases import (
    AT_OLD_RATE,
    FLEX,
    OLD_RATE_CODES,
    ORDINARY,
    PENSION,
    TRANSITIONAL,
    Facts,
    TransitionalStatus,
    status_of,
)
from domain.law.rates import Rate, RateTable, Terms, step_at, steps_of, terms_of
from domain.law.week_counts import WeekCounts, WeekSets
from domain.ruledata.ruleset import Benefit, RuleSet

ENGINE = 1
"""The version of this computation, kept in every head. A change of what is computed raises it."""

PLAIN_ANSWERS = {"SPLIT": "CALENDAR_DAYS", "TOUCH": "NET_POSITIVE", "ROUND": "ROW_ORE"}
"""The answers that the fast path (`domain.citizen.fresh`) is made for."""

OUTSIDE = "!"
"""Suffix of a money code: a benefit's money outside the Act is netted by itself (item 6)."""


class Entitlement(Struct, gc=False):
    """The row that the law gives for a cell's amount.

    `mechanism` is its letter (`domain.law.rates.LETTER`), `rate` is in percent; `result_ore` is
    the refusion or medfinansiering.
    """

    ordinal: int
    mechanism: str
    rate: int
    result_ore: int
    account: str | None


class RunOfWeeks(NamedTuple):
    """Consecutive weeks whose ordinals follow from one: week w has `at_zero + rise * w`.

    `rise` is 1 where all of them are benefit weeks, 0 where none is. `by_ordinal` are the rates.
    """

    at_zero: int
    rise: int
    mechanism: str
    by_ordinal: tuple[Rate, ...]


def money_code(benefit: str, outside_act: bool) -> str:
    """Give the code under which money is netted: with the suffix "!" where it is outside the Act.

    >>> money_code("KTH", outside_act=True)
    'KTH!'
    """
    return benefit + OUTSIDE if outside_act else benefit


class Law:
    """A rule set made ready: dates as weeks and months, rates as tables, switches as functions."""

    def __init__(self, rules: RuleSet) -> None:
        self.rules = rules
        switches, benefits = rules.switches, rules.benefits
        self.split = SPLITS[switches["SPLIT"]]
        self.is_plain = switches.items() >= PLAIN_ANSWERS.items()
        self.any_report_touches = switches["TOUCH"] == "ANY_REPORT"
        self.new_start = NEW_STARTS[switches["RESET_AT"]]
        self.percentage = ROUNDINGS[switches["ROUND"]]
        self.old_cases_enter = switches["LEGACY_COUNT"] == "ON_TRANSFER"
        self.old_cases_count = switches["LEGACY_COUNT"] == "ALWAYS"
        self.window = Window(rules.reset)
        self.counting_from = rules.dates.counting_from.toordinal()
        self.counting_from_month = month_number(rules.dates.counting_from.isoformat()[:7])
        self.rates_from_month = month_number(rules.dates.rates_from_month)
        self.turn_week = week_of(rules.dates.turn_of_year_week.toordinal())
        self._rates_from_week = week_of(rules.dates.turn_of_year_rate_from.toordinal())
        self.steps = steps_of(rules.staircases)
        self.counting = frozenset(code for code, benefit in benefits.items() if benefit.counts)
        self._blocking = frozenset(code for code, benefit in benefits.items() if benefit.blocks)
        self.validity = {code: _validity(benefit) for code, benefit in benefits.items()}
        self.last_new_case = {
            code: benefit.last_new_case.toordinal()
            for code, benefit in benefits.items()
            if benefit.last_new_case
        }
        # Days by benefit on which a payment of it raises no doubt by itself.
        self.sure = {
            code: (first, min(last, self.last_new_case.get(code, last)))
            for code, (first, last) in self.validity.items()
            if code not in OLD_RATE_CODES
        }
        less_atp = [code for code, benefit in benefits.items() if benefit.atp_deducted]
        self._less_atp = frozenset(less_atp) | frozenset(code + OUTSIDE for code in less_atp)
        self._terms = {
            code: terms_of(rules, benefit, self.steps) for code, benefit in benefits.items()
        }
        self._latest_terms = {
            code: (terms.mechanism, terms.tables[0].by_ordinal)
            for code, terms in self._terms.items()
            if terms
        }
        self._old_terms = {
            code: terms_of(
                rules, replace(benefits[code], rate=rules.legacy.flex_refusion), self.steps
            )
            for code in AT_OLD_RATE
        }
        self.plain_from = self._first_plain_week()
        self.on_staircase = frozenset(
            code for code, benefit in benefits.items() if benefit.rate == "staircase"
        )
        self.movable = self.on_staircase | TRANSITIONAL

    def _first_plain_week(self) -> int:
        """Give the first week with rates after which no rate changes and no week looks ahead."""
        with_rates = week_of(first_day(self.rates_from_month) + 6)
        tables = [table for terms in self._terms.values() if terms for table in terms.tables]
        return max(with_rates, self._rates_from_week + 1, *(table.from_week for table in tables))

    def status(self, facts: Facts) -> TransitionalStatus:
        """Give the transitional status; LEGACY_COUNT decides if legacy weeks may enter."""
        status = status_of(self.rules.legacy, facts)
        return (
            status if self.old_cases_enter or not status.enters else status._replace(enters=False)
        )

    # --- the weeks

    def states(
        self, touched: Mapping[str, int], status: TransitionalStatus = ORDINARY
    ) -> tuple[int, int]:
        """Give the B weeks and the B or O weeks, given the touched weeks by money code (rules 3.3).

        Legacy weeks are O, unless LEGACY_COUNT is ALWAYS.
        """
        benefit = other = 0
        is_plain = status is ORDINARY or self.old_cases_count
        for code, weeks in touched.items() if is_plain else _old_cases_apart(touched, status):
            if code in self.counting:
                benefit |= weeks
            elif self.blocks(code):
                other |= weeks
        return benefit, benefit | other

    def blocks(self, code: str) -> bool:
        """Tell if money that does not count makes a week busy; money outside the Act does."""
        return code in self._blocking or code.endswith(OUTSIDE)

    def decided_by(self, week: int) -> int:
        """Give the last week on which the ordinal of a week depends."""
        return self._rates_from_week if week == self.turn_week else week

    def ordinal(self, weeks: WeekCounts, week: int) -> int:
        """Give the ordinal of a week's money.

        The week of 28 December 2015 looks ahead to the week after it (§ 29, stk. 3).
        """
        benefit, _, resets = weeks.at(week)
        if week != self.turn_week:
            return ordinal(benefit, resets, week)
        following = self._rates_from_week
        ahead = weeks.at(following)
        if ahead.benefit >> following & 1:
            return ordinal(ahead.benefit, ahead.resets, following)
        return ordinal(benefit, resets, week) + 1

    def step(self, number: int) -> int:
        """Give the step of the staircase for an ordinal."""
        return step_at(self.steps, number)

    def counters(self, weeks: WeekCounts) -> Counters:
        """Give both counters, as contract section 3 wants them."""
        first, status, second = weeks
        if second is None:
            benefit, busy, resets = first
            return counters(self.window, benefit, busy, resets)
        latest = counters(self.window, *weeks.at(highest(first.busy)))
        if latest.week is None or status.transfer <= latest.week:
            return latest
        later = counters(self.window, *second)
        return latest._replace(after_transfer=(status.transfer, later.seniority, later.earned))

    def profile(self, weeks: WeekCounts, start: int) -> list[tuple[int, int]]:
        """Give the steps over time (`domain.law.counters.profile`) under both ways to count."""
        first, status, second = weeks
        boundaries = profile(first.benefit, first.resets, self.steps, start)
        if second is None:
            return boundaries
        transfer = status.transfer
        later = profile(second.benefit, second.resets, self.steps, max(start, transfer))
        before = [(week, step) for week, step in boundaries if week < transfer]
        return before + [(max(week, transfer), step) for week, step in later]

    def turn_of_year_step(self, weeks: WeekCounts) -> int:
        """Give the step of the money of the week of 28 December 2015."""
        return self.step(self.ordinal(weeks, self.turn_week))

    # --- the money

    def base(self, code: str, amount_ore: int, atp_ore: int) -> tuple[int, int]:
        """Give the base of a payment and the ATP deducted to get it, in øre (item 2)."""
        if code in self._less_atp:
            return amount_ore - atp_ore, atp_ore
        return amount_ore, 0

    def gives_rows(self, code: str) -> bool:
        """Tell if money of a code may give rows."""
        return self._terms.get(code) is not None or code in self._old_terms

    def entitlement(
        self, weeks: WeekCounts, month: int, week: int, code: str, amount_ore: int
    ) -> Entitlement | None:
        """Give the row for an amount in a month and week; None where the law gives none."""
        is_old = weeks.status is not ORDINARY and weeks.status.is_old(code, week)
        terms = self._old_terms.get(code) if is_old else self._terms.get(code)
        if terms is None or not amount_ore:
            return None
        if month < self.rates_from_month and not (
            terms.turn_of_year_weekly and week == self.turn_week
        ):
            return None
        number = self.ordinal(weeks, week)
        rate, account = self._table(terms, week).by_step[self.step(number)]
        result_ore = self.percentage(amount_ore, rate)
        return Entitlement(number, terms.mechanism, rate, result_ore, account)

    def run_of_weeks(
        self, weeks: WeekCounts, code: str, first: int, last: int
    ) -> RunOfWeeks | None:
        """Give the ordinals of a code's money in consecutive weeks at once.

        None where each week must be asked by itself: a reset lies between them, only some are
        benefit weeks, rates change, or the case is not ordinary.
        """
        terms = self._latest_terms.get(code)
        (benefit, _, resets), status, _ = weeks
        if terms is None or first < self.plain_from or status is not ORDINARY:
            return None
        reset = last_reset_before(resets, last) if resets else NO_WEEK
        length = last - first + 1
        counted = benefit >> first & ((1 << length) - 1)
        if reset >= first or (counted and counted.bit_count() != length):
            return None
        reached = count_between(benefit, reset + 1, last)
        if counted:
            return made(RunOfWeeks, (reached - last, 1, *terms))
        return made(RunOfWeeks, (reached, 0, *terms))

    def _table(self, terms: Terms, week: int) -> RateTable:
        """Give the rates of a week; the week of 28 December 2015 has those of the week after it."""
        for table in terms.tables:
            if table.from_week <= week or table.from_week <= self._rates_from_week:
                return table
        raise LookupError(
            f"no staircase is valid in week {week}: rule data must cover every week with rates"
        )


def entering(touched: Mapping[str, int], status: TransitionalStatus) -> int:
    """Give the legacy weeks, which enter the count on transfer."""
    weeks = 0
    for code in FLEX:
        weeks |= touched.get(code, 0) & _before(status.transfer)
    return weeks


def _old_cases_apart(
    touched: Mapping[str, int], status: TransitionalStatus
) -> Iterator[tuple[str, int]]:
    """Give the touched weeks by money code, those of old cases as if they were outside the Act."""
    old_flex = _before(status.transfer)
    for code, weeks in touched.items():
        if code in FLEX:
            yield code, weeks & ~old_flex
            yield code + OUTSIDE, weeks & old_flex
        elif code == PENSION and status.old_pension:
            yield code + OUTSIDE, weeks
        else:
            yield code, weeks


def _before(week: int) -> int:
    """Give the set of all weeks before a week."""
    return (1 << min(week, MOST_WEEKS)) - 1


def _validity(benefit: Benefit) -> tuple[int, int]:
    """Give the first and the last day on which a benefit is valid."""
    return benefit.valid_from.toordinal(), (benefit.valid_to or date.max).toordinal()


def count_anew(
    law: Law, touched: Mapping[str, int], status: TransitionalStatus, end: int
) -> WeekCounts:
    """Count a citizen's weeks from nothing, with the resets before the week `end`."""
    benefit, busy = law.states(touched, status)
    first = _sets_anew(law, benefit, busy, end)
    if not status.enters:
        return WeekCounts(first, status)
    return WeekCounts(
        first, status, _sets_anew(law, benefit | entering(touched, status), busy, end)
    )


def _sets_anew(law: Law, benefit: int, busy: int, end: int) -> WeekSets:
    return WeekSets(benefit, busy, law.new_start.extend(law.window, benefit, busy, [], 0, end))
