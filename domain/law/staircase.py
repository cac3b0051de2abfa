"""What is due for a cell: mechanism, rate and result (rules 4.2, items 7-11 and 13-15)."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date
from itertools import pairwise
from typing import Any, NamedTuple

from domain.basics.money import ROUNDINGS
from domain.basics.splits import SPLITS
from domain.basics.weeks import MOST_WEEKS, first_day, monday, month_number, week_of
from domain.law.counters import NEW_STARTS, Counters, Window, counters, highest, ordinal, profile
from domain.law.old_cases import (
    AT_OLD_RATE,
    FLEX,
    OLD_RATE_CODES,
    ORDINARY,
    PENSION,
    TRANSITIONAL,
    Facts,
    Standing,
    standing_of,
)
from domain.ruledata.ruleset import Benefit, Mechanism, RuleSet, Staircase

ENGINE = 1
"""The version of this computation. It stands in every head; a change of what is computed raises it."""

USUAL_ANSWERS = {
    "SPLIT": "CALENDAR_DAYS",
    "TOUCH": "NET_POSITIVE",
    "RESET_AT": "WHEN_REACHED",
    "ROUND": "ROW_ORE",
}
"""The answers that the usual payment's own way (`domain.citizen.usual`) is made for; under others all go the general way."""

OUTSIDE = "!"
"""Suffix of a money code: money of the benefit that the Act does not cover is netted by itself (item 6)."""


class Count(NamedTuple):
    """One reading of a citizen's weeks: the sets of B weeks and of B or O weeks, and the resets that follow."""

    benefit: int
    busy: int
    resets: tuple[int, ...] | list[int]


class Reading(NamedTuple):
    """A citizen's weeks as the law reads them.

    `second` is None but where legacy weeks enter the count on transfer: then it has them as B,
    and ranks the week of the transfer and all later ones.
    """

    first: Count
    standing: Standing = ORDINARY
    second: Count | None = None

    def at(self, week: int) -> Count:
        """The count that ranks a week."""
        return self.first if self.second is None or week < self.standing.transfer else self.second


LETTER: dict[Mechanism, str] = {"refusion": "R", "medfinansiering": "M"}
"""How a mechanism is kept in a cell."""


class UsualTerms(NamedTuple):
    """How a usual payment is settled: what its weeks become, and (rate, account) by ordinal, empty for no row.

    They are benefit weeks where it `counts`, only busy where it `blocks`, and stay what they are
    where it does neither. No rates change after `first_day`. A period between `sure_from` and
    `sure_to` is in no doubt for its benefit.
    """

    counts: bool
    blocks: bool
    mechanism: str
    rates: list[tuple[int, str | None]]
    less_atp: bool
    first_day: int
    sure_from: int
    sure_to: int


Due = tuple[int, str, int, int, str | None]
"""What the law makes of a cell's amount, as a cell keeps it: ordinal, LETTER of the mechanism, rate, result in øre
(refusion or medfinansiering), account. A plain tuple, as is Move: there are five of each in a usual
report."""

Move = tuple[int, int, list[Any], list[Any], int, int, bool]
"""A cell to settle: month, week, group, cell, its new amount and ATP in øre, and whether the report has money in it.

`group` is [money code, paying, financing, cells]; `cell` begins with its week and old amounts
(`domain.citizen.state`). """


def cell_order(move: Move) -> tuple[int, int, str, str, str]:
    """The order of cells in a message."""
    month, week, (code, paying, financing, _), *_ = move
    return month, week, code, paying or "", financing or ""


class Terms(NamedTuple):
    """How a financed benefit is settled: (rate, account) for each step of the staircase.

    `tables` has one list for each time the rates changed, latest first, with the week they hold from;
    a fixed rate stands on every step.
    """

    mechanism: str
    turn_of_year_weekly: bool
    tables: tuple[tuple[int, tuple[tuple[int, str | None], ...]], ...]


def delta_ore(move: Move) -> int:
    """How much a move adds to its cell's amount, in øre."""
    _, _, _, cell, amount_ore, _, _ = move
    return amount_ore - cell[1]  # type: ignore[no-any-return]


def money_code(benefit: str, outside_act: bool) -> str:
    """The code under which money is netted: the benefit's own, or that of its money outside the Act."""
    return benefit + OUTSIDE if outside_act else benefit


class Law:
    """A rule set made ready for settling: dates as weeks and months, rates as tables, switches as functions."""

    def __init__(self, rules: RuleSet) -> None:
        self.rules = rules
        switches = rules.switches
        self.split = SPLITS[switches["SPLIT"]]
        self.any_report_touches = switches["TOUCH"] == "ANY_REPORT"
        self.new_start = NEW_STARTS[switches["RESET_AT"]]
        self._percentage = ROUNDINGS[switches["ROUND"]]
        self.old_cases_enter = switches["LEGACY_COUNT"] == "ON_TRANSFER"
        self.old_cases_count = switches["LEGACY_COUNT"] == "ALWAYS"
        self.window = Window(rules.reset)
        self.counting_from = rules.dates.counting_from.toordinal()
        self.counting_from_month = month_number(rules.dates.counting_from.isoformat()[:7])
        self.rates_from_month = month_number(rules.dates.rates_from_month)
        self.turn_week = week_of(rules.dates.turn_of_year_week.toordinal())
        self._rates_from_week = week_of(rules.dates.turn_of_year_rate_from.toordinal())
        self.steps = _steps(rules.staircases)
        self._counting = frozenset(
            code for code, benefit in rules.benefits.items() if benefit.counts
        )
        self._blocking = frozenset(
            code for code, benefit in rules.benefits.items() if benefit.blocks
        )
        self.validity = {code: _validity(benefit) for code, benefit in rules.benefits.items()}
        self.last_new_case = {
            code: benefit.last_new_case.toordinal()
            for code, benefit in rules.benefits.items()
            if benefit.last_new_case
        }
        less_atp = [code for code, benefit in rules.benefits.items() if benefit.atp_deducted]
        self._less_atp = frozenset(less_atp) | frozenset(code + OUTSIDE for code in less_atp)
        self._terms = {
            code: _terms(rules, benefit, self.steps) for code, benefit in rules.benefits.items()
        }
        self._old_terms = {
            code: _terms(
                rules, replace(rules.benefits[code], rate=rules.legacy.flex_refusion), self.steps
            )
            for code in AT_OLD_RATE
        }
        # the first week that lies in the months with rates, and on which no ordinal of an earlier
        # one hangs
        first_with_rates = max(
            week_of(first_day(self.rates_from_month) + 6), self._rates_from_week + 1
        )
        changed = [week for terms in self._terms.values() if terms for week, _ in terms.tables]
        self._last_rates_from = max(first_with_rates, *changed)
        self.usual = self._usual_terms() if switches.items() >= USUAL_ANSWERS.items() else {}
        self.on_staircase = frozenset(
            code for code, benefit in rules.benefits.items() if benefit.rate == "staircase"
        )
        self.movable = self.on_staircase | TRANSITIONAL

    def _usual_terms(self) -> dict[str, UsualTerms]:
        """By benefit; those without rates, or whose rates are not known, give no rows."""
        found = {}
        for code, terms in self._terms.items():
            mechanism, rates = (
                (terms.mechanism, self._by_ordinal(terms.tables[0][1])) if terms else ("", [])
            )
            valid_from, valid_to = self.validity[code]
            found[code] = UsualTerms(
                counts=code in self._counting,
                blocks=code in self._blocking,
                mechanism=mechanism,
                rates=rates,
                less_atp=code in self._less_atp,
                first_day=monday(self._last_rates_from),
                sure_from=valid_from,
                sure_to=0
                if code in OLD_RATE_CODES
                else min(valid_to, self.last_new_case.get(code, valid_to)),
            )
        return found

    def _by_ordinal(
        self, by_step: Iterable[tuple[int, str | None]]
    ) -> list[tuple[int, str | None]]:
        """The rate and account for each ordinal, given those of each step."""
        begins = (0, *self.steps, MOST_WEEKS)
        rates: list[tuple[int, str | None]] = []
        for (first, following), rate in zip(pairwise(begins), by_step, strict=True):
            rates += [rate] * (following - first)
        return rates

    def standing(self, facts: Facts) -> Standing:
        """Where a case with these facts stands; that legacy weeks enter the count is one answer to LEGACY_COUNT."""
        standing = standing_of(self.rules.legacy, facts)
        return (
            standing
            if self.old_cases_enter or not standing.enters
            else standing._replace(enters=False)
        )

    def states(self, touched: Mapping[str, int], standing: Standing = ORDINARY) -> tuple[int, int]:
        """The sets of B weeks and of B or O weeks, given the touched weeks by money code (rules 3.3).

        Legacy weeks are O, but where LEGACY_COUNT is ALWAYS.
        """
        benefit = other = 0
        is_plain = standing is ORDINARY or self.old_cases_count
        for code, weeks in touched.items() if is_plain else _old_cases_apart(touched, standing):
            if code in self._counting:
                benefit |= weeks
            elif code in self._blocking or code.endswith(OUTSIDE):
                other |= weeks
        return benefit, benefit | other

    def base(self, code: str, amount_ore: int, atp_ore: int) -> tuple[int, int]:
        """The base of a payment under a money code and the ATP deducted to get it, in øre (item 2)."""
        if code in self._less_atp:
            return amount_ore - atp_ore, atp_ore
        return amount_ore, 0

    def decided_by(self, week: int) -> int:
        """The last week that the ordinal of a week hangs on."""
        return self._rates_from_week if week == self.turn_week else week

    def ordinal(self, reading: Reading, week: int) -> int:
        """The ordinal that money of a week takes; the week of 28 December 2015 looks ahead (§ 29, stk. 3)."""
        first, standing, second = reading
        # `Reading.at`, without the call: this is asked for every cell
        benefit, _, resets = first if second is None or week < standing.transfer else second
        if week != self.turn_week:
            return ordinal(benefit, resets, week)
        following = self._rates_from_week
        ahead = reading.at(following)
        if ahead.benefit >> following & 1:
            return ordinal(ahead.benefit, ahead.resets, following)
        return ordinal(benefit, resets, week) + 1

    def step(self, number: int) -> int:
        """The step of the staircase for an ordinal; money before the first benefit week takes the first."""
        return bisect_right(self.steps, number)

    def settle(self, reading: Reading, moves: Iterable[Move]) -> list[Due | None]:
        """What is due for each moved cell, None where it gives no row."""
        return [
            self.due(reading, month, week, group[0], amount)
            for month, week, group, _, amount, _, _ in moves
        ]

    def due(
        self, reading: Reading, month: int, week: int, code: str, amount_ore: int
    ) -> Due | None:
        """What is due for an amount of a money code; None where it gives no row."""
        is_old = reading.standing is not ORDINARY and reading.standing.is_old(code, week)
        terms = self._old_terms.get(code) if is_old else self._terms.get(code)
        if terms is None or not amount_ore:
            return None
        if month < self.rates_from_month and not (
            terms.turn_of_year_weekly and week == self.turn_week
        ):
            return None
        number = self.ordinal(reading, week)
        rate, account = self._rates(terms, week)[self.step(number)]
        return number, terms.mechanism, rate, self._percentage(amount_ore, rate), account

    def counters(self, reading: Reading) -> Counters:
        """Both counters, as contract section 3 wants them."""
        first, standing, second = reading
        week = highest(first.busy)
        found = counters(self.window, *reading.at(week))
        if second is None or found.week is None or standing.transfer <= week:
            return found
        later = counters(self.window, *second)
        return found._replace(after_transfer=(standing.transfer, later.seniority, later.earned))

    def profile(self, reading: Reading, start: int) -> list[tuple[int, int]]:
        """The staircase over time (`domain.law.counters.profile`), where there is a second count from the transfer on."""
        first, standing, second = reading
        boundaries = profile(first.benefit, first.resets, self.steps, start)
        if second is None:
            return boundaries
        transfer = standing.transfer
        later = profile(second.benefit, second.resets, self.steps, max(start, transfer))
        before = [(week, step) for week, step in boundaries if week < transfer]
        return before + [(max(week, transfer), step) for week, step in later]

    def turn_of_year_step(self, reading: Reading) -> int:
        """The step that money of the week of 28 December 2015 takes: it hangs on the week after."""
        return self.step(self.ordinal(reading, self.turn_week))

    def _rates(self, terms: Terms, week: int) -> tuple[tuple[int, str | None], ...]:
        """The rates that hold for money of a week; that of 28 December 2015 takes those of the week after."""
        for valid_from, rates in terms.tables:
            if valid_from <= week or valid_from <= self._rates_from_week:
                return rates
        raise LookupError(
            f"no staircase is valid in week {week}: rule data must cover every week with rates"
        )


def entering(touched: Mapping[str, int], standing: Standing) -> int:
    """The legacy weeks, which enter the count on transfer."""
    weeks = 0
    for code in FLEX:
        weeks |= touched.get(code, 0) & _before(standing.transfer)
    return weeks


def _old_cases_apart(touched: Mapping[str, int], standing: Standing) -> Iterator[tuple[str, int]]:
    """The touched weeks by money code, those of old cases as if they were outside the Act."""
    old_flex = _before(standing.transfer)
    for code, weeks in touched.items():
        if code in FLEX:
            yield code, weeks & ~old_flex
            yield code + OUTSIDE, weeks & old_flex
        elif code == PENSION and standing.old_pension:
            yield code + OUTSIDE, weeks
        else:
            yield code, weeks


def _before(week: int) -> int:
    """All weeks before a week."""
    return (1 << min(week, MOST_WEEKS)) - 1


def _terms(rules: RuleSet, benefit: Benefit, steps: tuple[int, ...]) -> Terms | None:
    """The terms of a benefit; None where it gives no row of its own (item 13; FB is computed)."""
    mechanism = benefit.mechanism
    if mechanism is None or benefit.rate in (None, "computed"):
        return None
    dated = [
        (week_of(stairs.valid_from.toordinal()), _step_rates(stairs, benefit, steps))
        for stairs in sorted(rules.staircases, key=lambda stairs: stairs.valid_from, reverse=True)
    ]
    tables = tuple(
        (week, tuple((rate, rules.accounts.get((benefit.code, mechanism, rate))) for rate in rates))
        for week, rates in dated
    )
    return Terms(LETTER[mechanism], benefit.turn_of_year_weekly, tables)


def _steps(staircases: tuple[Staircase, ...]) -> tuple[int, ...]:
    """The ordinals at which any staircase begins a band, the first band aside."""
    return tuple(
        sorted(
            {band.from_week for stairs in staircases for band in stairs.bands if band.from_week > 1}
        )
    )


def _step_rates(staircase: Staircase, benefit: Benefit, steps: tuple[int, ...]) -> list[int]:
    """The rate of a benefit on each step."""
    if isinstance(benefit.rate, int):
        return [benefit.rate] * (len(steps) + 1)
    bands = [
        max(
            (band for band in staircase.bands if band.from_week <= number),
            key=lambda band: band.from_week,
        )
        for number in (1, *steps)
    ]
    return [benefit.share(band) for band in bands]


def _validity(benefit: Benefit) -> tuple[int, int]:
    """The first and last day on which a benefit is valid."""
    return benefit.valid_from.toordinal(), (benefit.valid_to or date.max).toordinal()
