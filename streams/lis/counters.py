"""Evaluates the counters that messages tell: for each different content once, by the domain."""

from collections.abc import Callable, Iterable
from typing import Any, Final

import orjson
from arro3.core import Array, DataType, Table

from domain.basics.weeks import day, first_day, month_number, week_of, week_text
from domain.law.counters import Counters
from domain.law.later_weeks import standing_at
from domain.law.staircase import Law

LawOf = Callable[[str], Law]
"""Gives the law of a rule set by its name."""
Told = tuple[str, str | None, int | None, str | None, str | None]
"""A message's rule set, and its counters as they stand in the ledger."""

TYPES: Final = {
    "rules": DataType.string(),
    "counters_week": DataType.string(),
    "posted_seniority": DataType.int32(),
    "posted_earned": DataType.string(),
    "after_transfer": DataType.string(),
    "at_week": DataType.string(),
    "seniority": DataType.int32(),
    "step": DataType.int32(),
    "rate": DataType.int32(),
    "weeks_to_next": DataType.int32(),
    "next_rate": DataType.int32(),
    "earned": DataType.int32(),
    "missing": DataType.int32(),
    "leaving_week": DataType.string(),
    "leaving": DataType.int32(),
}
"""The columns of the table `evaluated`."""
_NOTHING: Final = (None,) * 10


def evaluated_table(law_of: LawOf, told: Iterable[Told], data_month: str | None) -> Table:
    """Make the table `evaluated`: what was told, and what it means for a data month."""
    week = None if data_month is None else week_of(first_day(month_number(data_month) + 1) - 1)
    rows = [(*one, *_evaluated(law_of, one, week)) for one in told]
    columns = zip(*rows, strict=True) if rows else ((),) * len(TYPES)
    return Table.from_arrays(
        [Array(column, type=kind) for column, kind in zip(columns, TYPES.values(), strict=True)],
        names=list(TYPES),
    )


def _evaluated(law_of: LawOf, told: Told, week: int | None) -> tuple[Any, ...]:
    rules, last, seniority, earned, after_transfer = told
    if seniority is None:  # an entry of a ledger of an earlier version
        return _NOTHING
    counters = counters_of(last, seniority, earned, after_transfer)
    at, *values, leaving_week, leaving = standing_at(law_of(rules), counters, week)
    return (_week(at), *values, _week(leaving_week), leaving)


def counters_of(
    last: str | None, seniority: int, earned: str | None, after_transfer: str | None
) -> Counters:
    """Return the counters of a message as the ledger has them in its columns."""
    return Counters(
        None if last is None else week_of(day(last)),
        seniority,
        _runs(orjson.loads(earned or "[]")),
        _transfer(after_transfer),
    )


def _transfer(text: str | None) -> tuple[int, int, tuple[tuple[int, int], ...]] | None:
    if text is None:
        return None
    later = orjson.loads(text)
    return week_of(day(later["from"])), later["seniority"], _runs(later["earned"])


def _runs(runs: Iterable[tuple[str, int]]) -> tuple[tuple[int, int], ...]:
    return tuple((week_of(day(first)), number) for first, number in runs)


def _week(week: int | None) -> str | None:
    return None if week is None else week_text(week)
