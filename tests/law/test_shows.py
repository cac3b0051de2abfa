"""A case shows a rule only if it comes out otherwise with another value of the rule."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from domain.oracle import reference
from domain.ruledata.ruleset import RuleSet
from domain.ruledata.switches import IMPLEMENTED
from tests.support.answers import answering, rules_of
from tests.support.case_file import Case, difference, read_case

FOLDER = Path(__file__).parent
SHOWS: dict[str, list[str]] = yaml.safe_load((FOLDER / "shows.yaml").read_text(encoding="utf-8"))


def other_bands(rules: RuleSet, number: str) -> Iterator[RuleSet]:
    """A step with a rate of one per cent more, and a step that begins a week later."""
    (stairs,) = rules.staircases
    at = int(number) - 1
    band = stairs.bands[at]
    bands = list(stairs.bands)
    bands[at] = replace(band, refusion=band.refusion + 1, medfinansiering=band.medfinansiering - 1)
    yield replace(rules, staircases=(replace(stairs, bands=tuple(bands)),))


def other_benefits(rules: RuleSet, code: str) -> Iterator[RuleSet]:
    """The benefit counts, blocks, is financed or has ATP deducted where it was not so, or the
    reverse.
    """
    benefit = rules.benefits[code]
    if benefit.rate == "computed":
        yield from other_basis(rules, code)
        return
    changes: list[dict[str, Any]] = [
        {"counts": not benefit.counts, "blocks": True},
        {"blocks": not benefit.blocks, "counts": False},
        {"mechanism": None, "rate": None},
        {"atp_deducted": not benefit.atp_deducted},
    ]
    for change in changes:
        yield replace(rules, benefits=dict(rules.benefits) | {code: replace(benefit, **change)})


def other_values(group: str) -> Callable[[RuleSet, str], Iterator[RuleSet]]:
    """A number more or less, a day, a week, a month or years earlier or later."""

    def changed(rules: RuleSet, field: str) -> Iterator[RuleSet]:
        held = getattr(rules, group)
        value = getattr(held, field)
        others: list[Any] = []
        if isinstance(value, int):
            others = [value - 1, value + 1]
        elif isinstance(value, str):
            others = ["2015-12", "2016-02"]
        else:
            others = [value + timedelta(days=days) for days in (-2000, -800, -7, -1, 1, 7, 800)]
        for other in others:
            yield replace(rules, **{group: replace(held, **{field: other})})

    return changed


def other_dates(rules: RuleSet, field: str) -> Iterator[RuleSet]:
    """The turn of the year is two weeks that follow each other: both move."""
    if not field.startswith("turn_of_year"):
        yield from other_values("dates")(rules, field)
    for days in (-7, 7):
        week, rate_from = (
            day + timedelta(days=days)
            for day in (rules.dates.turn_of_year_week, rules.dates.turn_of_year_rate_from)
        )
        yield replace(
            rules,
            dates=replace(rules.dates, turn_of_year_week=week, turn_of_year_rate_from=rate_from),
        )


def other_accounts(rules: RuleSet, account: str) -> Iterator[RuleSet]:
    """Another number in its place."""
    changed = {
        key: "9.99.99.9.999" if held == account else held for key, held in rules.accounts.items()
    }
    yield replace(rules, accounts=changed)


def other_basis(rules: RuleSet, _: str) -> Iterator[RuleSet]:
    """B is known for no year, or for one more, or is another."""
    known = rules.flex_basis
    yield replace(rules, flex_basis={})
    yield replace(rules, flex_basis=dict(known) | {max(known) + 1: known[max(known)]})
    yield replace(
        rules,
        flex_basis={
            year: replace(basis, kroner=basis.kroner + 100) for year, basis in known.items()
        },
    )


def other_answers(rules: RuleSet, switch: str) -> Iterator[RuleSet]:
    """Every other answer that the program follows."""
    standing = {
        name: value for name, value in rules.switches.items() if value != IMPLEMENTED[name][0]
    }
    for value in IMPLEMENTED[switch]:
        if value != rules.switches[switch]:
            yield answering(**standing | {switch: value})


OTHERS: dict[str, Callable[[RuleSet, str], Iterator[RuleSet]]] = {
    "staircase": other_bands,
    "catalogue": other_benefits,
    "accounts": other_accounts,
    "flex_basis": other_basis,
    "dates": other_dates,
    "switches": other_answers,
    **{group: other_values(group) for group in ("reset", "legacy", "fleksbidrag")},
}
WITH_ONE_ANSWER = {
    f"switches.{switch}" for switch, values in IMPLEMENTED.items() if len(values) == 1
}
CLAIMS = [
    (case, rule) for case, rules in SHOWS.items() for rule in rules if rule not in WITH_ONE_ANSWER
]


@cache
def case_of(name: str) -> Case:
    return read_case(FOLDER / "cases" / f"{name}.txt")


def holds(case: Case, rules: RuleSet) -> bool:
    """Tell if the reference makes of the case's reports what the case says."""
    truth = reference.settle(case.reports, rules)
    return (
        not difference(case.rows, truth.rows)
        and (not case.counters or truth.counters == case.counters)
        and all(
            reference.counters_at(case.reports, rules, day) == due
            for day, due in case.counters_at.items()
        )
    )


def tells(case: Case, rules: RuleSet) -> bool:
    """Tell if a case comes out otherwise under other rules.

    One that cannot be settled at all counts too.
    """
    try:
        return not holds(case, rules)
    except (StopIteration, ValueError, LookupError):
        return True


@pytest.mark.parametrize(("name", "rule"), CLAIMS)
def test_a_case_that_shows_a_rule_comes_out_otherwise_under_another(name, rule):
    case = case_of(name)
    group, _, entry = rule.partition(".")
    rules = rules_of(case)
    assert holds(case, rules)
    assert any(tells(case, other) for other in OTHERS[group](rules, entry))


def test_what_cases_show_is_proved_and_every_answer_is_shown():
    """Only open questions with one coded answer cannot be proved so."""
    assert len(CLAIMS) >= 80
    shown = {rule for _, rule in CLAIMS}
    assert {f"switches.{switch}" for switch in IMPLEMENTED} - WITH_ONE_ANSWER <= shown
