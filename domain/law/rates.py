"""The rates of a benefit as tables: (rate, account) by step of the staircase and by ordinal."""

from bisect import bisect_right
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from domain.basics.weeks import MOST_WEEKS, week_of
from domain.ruledata.ruleset import Benefit, Mechanism, RuleSet, Staircase

LETTER: dict[Mechanism, str] = {"refusion": "R", "medfinansiering": "M"}
"""The letter under which the state keeps a mechanism."""

Rate = tuple[int, str | None]
"""A rate in percent, and the account that the State books it on (None where there is none)."""


class RateTable(NamedTuple):
    """The rates that hold for weeks from `from_week` on, by step and by ordinal."""

    from_week: int
    by_step: tuple[Rate, ...]
    by_ordinal: tuple[Rate, ...]


class Terms(NamedTuple):
    """The mechanism and the rates of a financed benefit.

    `tables` has one table for each time the rates changed, the latest first. A fixed rate is the
    same on every step.
    """

    mechanism: str
    turn_of_year_weekly: bool
    tables: tuple[RateTable, ...]


def terms_of(rules: RuleSet, benefit: Benefit, steps: tuple[int, ...]) -> Terms | None:
    """Make the terms of a benefit; None where it gives no row of its own.

    Item 13 of the rules; fleksbidrag is computed from other rows.
    """
    mechanism = benefit.mechanism
    if mechanism is None or benefit.rate in (None, "computed"):
        return None
    tables = []
    for stairs in sorted(rules.staircases, key=lambda stairs: stairs.valid_from, reverse=True):
        by_step = tuple(
            (rate, rules.accounts.get((benefit.code, mechanism, rate)))
            for rate in _step_rates(stairs, benefit, steps)
        )
        from_week = week_of(stairs.valid_from.toordinal())
        tables.append(RateTable(from_week, by_step, _by_ordinal(steps, by_step)))
    return Terms(LETTER[mechanism], benefit.turn_of_year_weekly, tuple(tables))


def staircase_in(rules: RuleSet, week: int) -> Staircase:
    """Give the staircase of a week; that of 28 December 2015 has the one of the week after."""
    latest = max(week, week_of(rules.dates.turn_of_year_rate_from.toordinal()))
    begun = (
        stairs for stairs in rules.staircases if week_of(stairs.valid_from.toordinal()) <= latest
    )
    return max(begun, key=lambda stairs: stairs.valid_from)


def steps_of(staircases: Iterable[Staircase]) -> tuple[int, ...]:
    """Give the ordinals at which any staircase begins a band, the first band aside."""
    bands = [band for stairs in staircases for band in stairs.bands]
    return tuple(sorted({band.from_week for band in bands if band.from_week > 1}))


def step_at(steps: tuple[int, ...], number: int) -> int:
    """Give the step of the staircase for an ordinal; an ordinal of 0 takes the first step.

    >>> step_at((5, 27, 53), 4), step_at((5, 27, 53), 5), step_at((5, 27, 53), 0)
    (0, 1, 0)
    """
    return bisect_right(steps, number)


@lru_cache(maxsize=1 << 10)
def _by_ordinal(steps: tuple[int, ...], by_step: tuple[Rate, ...]) -> tuple[Rate, ...]:
    """Spell out the rate of each ordinal, given those of each step."""
    rates: list[Rate] = []
    begins = (0, *steps, MOST_WEEKS)
    for (first, following), rate in zip(pairwise(begins), by_step, strict=True):
        rates += [rate] * (following - first)
    return tuple(rates)


def _step_rates(staircase: Staircase, benefit: Benefit, steps: tuple[int, ...]) -> list[int]:
    """Give the rate of a benefit on each step, in percent."""
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
