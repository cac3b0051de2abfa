"""Finds the value of a rule on a day, and checks that every day has exactly one.

A value holds on its own days and on no other. Where a rule has no value before its first day or
after its last, the data says why (`ruleset.Absence`); any other gap, and any overlap, is an error.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from operator import attrgetter

from domain.ruledata.ruleset import Absence, DatedValue, RuleError

ONE_DAY = timedelta(days=1)


def series(dated: Iterable[DatedValue]) -> dict[str, list[DatedValue]]:
    """The values of each rule in order of time, by the rule's name."""
    found: dict[str, list[DatedValue]] = {}
    for value in dated:
        found.setdefault(value.name, []).append(value)
    return {name: sorted(values, key=attrgetter("valid_from")) for name, values in found.items()}


def value_on(values: Sequence[DatedValue], day: date) -> DatedValue | Absence:
    """The one value of a rule that holds on a day, or why there is none.

    `values` are those of one rule, in order of time.

    Raises:
        RuleError: two values hold, or none does and the data does not say why.
    """
    holding = [
        value
        for value in values
        if value.valid_from <= day and (value.valid_to is None or day <= value.valid_to)
    ]
    rule, last = f"{values[0].file}: rule {values[0].name}", values[-1].valid_to
    if len(holding) > 1:
        raise RuleError(f"{rule}: overlap: {len(holding)} values hold on {day}")
    if holding:
        return holding[0]
    absence = None
    if day < values[0].valid_from:
        absence = values[0].before_first
    elif last is not None and day > last:
        absence = values[-1].after_last
    if absence is None:
        raise RuleError(
            f"{rule}: gap: no value holds on {day}, and no before_first or after_last says why"
        )
    return absence


def gaps(dated: Iterable[DatedValue], first: date, last: date) -> list[str]:
    """The gaps and overlaps of rules from `first` to `last`, each with its first day.

    A reason for a gap that is not there is wrong too: it says of the law what is not so.
    """
    return [
        problem for values in series(dated).values() for problem in _problems(values, first, last)
    ]


def _problems(values: Sequence[DatedValue], first: date, last: date) -> Iterator[str]:
    for day in _turning_days(values, first, last):
        try:
            value_on(values, day)
        except RuleError as problem:
            yield str(problem)
    for value in values:
        if value.before_first and (value is not values[0] or value.valid_from <= first):
            yield f"{_place(value)}: before_first stands where no gap precedes ({value.valid_from})"
        if value.after_last and (value is not values[-1] or value.valid_to is None):
            yield f"{_place(value)}: after_last stands where no gap follows ({value.valid_from})"


def _place(value: DatedValue) -> str:
    return f"{value.file}: rule {value.name}"


def _turning_days(values: Iterable[DatedValue], first: date, last: date) -> list[date]:
    """The days on which a rule's value may change, and `first`; no other needs a look."""
    ends = [
        value.valid_to + ONE_DAY
        for value in values
        if value.valid_to is not None and value.valid_to < last
    ]
    days = {first, *ends, *(value.valid_from for value in values)}
    return sorted(day for day in days if first <= day <= last)
