"""Every rule has one value on every day, or the data says why it has none; a gap is found."""

import copy
import re
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from domain.ruledata.coverage import gaps, series, value_on
from domain.ruledata.reading import rule_set_from
from domain.ruledata.ruleset import DatedValue, LegalSource, RuleError
from streams.citizens.rule_sets import PACKAGED, load_rule_set, read_documents

FIRST, LAST = date(2014, 7, 1), date(2036, 12, 31)
EVERY_DAY = [date.fromordinal(number) for number in range(FIRST.toordinal(), LAST.toordinal() + 1)]
ONE_DAY = timedelta(days=1)
RULES = load_rule_set()
SERIES = series(RULES.dated)
OWN = "rule-sets/R-1.yaml"


@pytest.mark.parametrize("name", SERIES)
def test_a_rule_has_one_value_on_every_day_or_a_reason(name):
    for day in EVERY_DAY:
        found = value_on(SERIES[name], day)  # raises on a gap or an overlap
        assert isinstance(found, str) or (
            found.valid_from <= day and (found.valid_to or LAST) >= day
        )


def test_all_rules_are_evaluated():
    """Each parameter, benefit, account, list of municipalities and open question has its name."""
    assert {f"catalogue.{code}" for code in RULES.benefits} < SERIES.keys()
    assert {f"accounts.{account}" for account in RULES.accounts.values()} < SERIES.keys()
    assert {f"switches.{name}" for name in RULES.switches} < SERIES.keys()
    for group in (RULES.reset, RULES.dates, RULES.fleksbidrag, RULES.legacy):
        names = [name for name in type(group).__dataclass_fields__ if name != "source"]
        assert {f"{type(group).__name__.lower()}.{name}" for name in names} < SERIES.keys()
    assert {
        "staircase",
        "flex_basis",
        "municipalities.1",
        "municipalities.2",
        "validity",
    } < SERIES.keys()
    groups = {name.split(".")[0] for name in SERIES}
    assert groups == {
        "accounts", "catalogue", "dates", "fleksbidrag", "flex_basis", "legacy",
        "municipalities", "reset", "staircase", "switches", "validity",
    }  # fmt: skip


def test_nothing_is_stretched_past_the_last_known_year():
    basis = SERIES["flex_basis"]
    assert value_on(basis, date(2015, 12, 31)) == "not_in_force"
    assert isinstance(last := value_on(basis, date(2025, 12, 31)), DatedValue)
    assert last.value == RULES.flex_basis[2025].kroner
    assert value_on(basis, date(2026, 1, 1)) == value_on(basis, LAST) == "rate_missing"


def test_a_benefit_that_has_ceased_says_so_and_so_does_one_to_come():
    assert value_on(SERIES["catalogue.KTH"], date(2025, 7, 1)) == "ceased"
    assert value_on(SERIES["catalogue.KTH25"], date(2025, 6, 30)) == "not_in_force"
    assert value_on(SERIES["staircase"], date(2016, 1, 3)) == "not_in_force"


def test_only_what_is_not_known_is_missing():
    """It is the basis of fleksbidrag alone; a new one would be a surprise to the settlement."""
    found = {
        value.name
        for value in RULES.dated
        if "rate_missing" in (value.before_first, value.after_last)
    }
    assert found == {"flex_basis"}


# Injected faults: each is found, by day


def a_value(start: date, end: date | None, **reasons: Any) -> DatedValue:
    return DatedValue(
        "made-up.yaml", "made-up", 1, "", start, end, LegalSource("§ 0", "assumed"), **reasons
    )


def found_daily(values: list[DatedValue]) -> set[date]:
    """The days on which evaluation fails, one by one."""
    failing = set()
    for day in EVERY_DAY:
        try:
            value_on(values, day)
        except RuleError:
            failing.add(day)
    return failing


@pytest.mark.parametrize("name", SERIES)
def test_a_gap_and_an_overlap_anywhere_in_any_rule_are_found(name):
    """Each rule is parted in two at a day, with a day between the parts, and with a day in both."""
    (value, *_) = (each for each in SERIES[name] if each.valid_from < LAST)
    day = max(value.valid_from, FIRST) + ONE_DAY
    others = [each for each in SERIES[name] if each is not value]
    first = replace(value, valid_to=day, after_last=None)
    for later_from, kind, failing in (
        (day + 2 * ONE_DAY, "gap", day + ONE_DAY),
        (day, "overlap", day),
    ):
        later = replace(value, valid_from=later_from, before_first=None)
        parted = sorted([*others, first, later], key=lambda each: each.valid_from)
        (problem,) = gaps(parted, FIRST, LAST)
        assert f"rule {name}: {kind}: " in problem
        assert str(failing) in problem
        assert found_daily(parted) == {failing}


@pytest.mark.parametrize("name", SERIES)
def test_an_end_without_a_reason_is_a_gap_in_any_rule(name):
    ended = [
        *SERIES[name][:-1],
        replace(SERIES[name][-1], valid_to=date(2031, 5, 6), after_last=None),
    ]
    (problem,) = gaps(ended, FIRST, LAST)
    assert f"rule {name}: gap: no value holds on 2031-05-07" in problem
    late = [
        replace(SERIES[name][0], valid_from=date(2014, 7, 2), before_first=None),
        *SERIES[name][1:],
    ]
    if len(late) == 1 and late[0].valid_to is None:
        (problem,) = gaps(late, FIRST, LAST)
        assert f"rule {name}: gap: no value holds on 2014-07-01" in problem


def test_the_turning_days_tell_what_every_day_tells():
    """`gaps` looks at few days; day by day it is the same."""
    cases = [
        [a_value(FIRST, None)],
        [a_value(FIRST, LAST)],
        [a_value(FIRST, date(2020, 1, 1)), a_value(date(2020, 1, 2), None)],
        [a_value(FIRST, date(2020, 1, 1)), a_value(date(2020, 1, 3), None)],
        [a_value(FIRST, date(2020, 1, 1)), a_value(date(2020, 1, 1), None)],
        [a_value(FIRST, None), a_value(date(2020, 1, 1), date(2020, 1, 1))],
        [a_value(FIRST, LAST - ONE_DAY)],
        [a_value(FIRST, LAST - ONE_DAY, after_last="ceased")],
        [a_value(FIRST + ONE_DAY, None)],
        [a_value(FIRST + ONE_DAY, None, before_first="not_in_force")],
        [a_value(LAST + ONE_DAY, None)],
        [a_value(LAST + ONE_DAY, None, before_first="not_in_force")],
    ]
    assert [bool(gaps(values, FIRST, LAST)) for values in cases] == [
        bool(found_daily(values)) for values in cases
    ]
    assert sum(bool(gaps(values, FIRST, LAST)) for values in cases) == 6


@pytest.mark.parametrize(
    "values",
    [
        [a_value(FIRST, None, after_last="ceased")],
        [a_value(FIRST, None, before_first="not_in_force")],
        [
            a_value(FIRST, date(2020, 1, 1), after_last="rate_missing"),
            a_value(date(2020, 1, 2), None),
        ],
        [
            a_value(FIRST, date(2020, 1, 1)),
            a_value(date(2020, 1, 2), None, before_first="not_in_force"),
        ],
    ],
)
def test_a_reason_for_a_gap_that_is_not_there_is_refused(values):
    (problem,) = gaps(values, FIRST, LAST)
    assert "stands where no gap" in problem


# The same in the files


def without(document: Any, field: str, value: str) -> int:
    """Take every such field out of a document; gives how many there were."""
    parts = (
        list(document.values())
        if isinstance(document, dict)
        else document
        if isinstance(document, list)
        else []
    )
    here = isinstance(document, dict) and document.get(field) == value
    if here:
        del document[field]
    return here + sum(without(part, field, value) for part in parts)


@pytest.mark.parametrize(
    ("file", "field", "value", "problem"),
    [
        (
            "fleksbidrag.yaml",
            "after_last",
            "rate_missing",
            "rule flex_basis: gap: no value holds on 2026-01-01",
        ),
        (
            "catalogue.yaml",
            "after_last",
            "ceased",
            r"rule catalogue.AMY: gap: no value holds on 2018-01-01",
        ),
        (
            "catalogue.yaml",
            "before_first",
            "not_in_force",
            r"rule catalogue.KNY: gap: no value holds on 2014-07-01",
        ),
        (
            "staircase.yaml",
            "before_first",
            "not_in_force",
            "rule staircase: gap: no value holds on 2014-07-01",
        ),
    ],
)
def test_a_rule_file_that_does_not_say_why_is_refused(file, field, value, problem):
    documents = copy.deepcopy(read_documents("R-1", PACKAGED))
    assert without(documents[file], field, value)
    with pytest.raises(RuleError, match=f"^{re.escape(file)}: {problem}"):
        rule_set_from(OWN, documents)


def test_a_reason_is_one_of_three_words():
    documents: Any = copy.deepcopy(read_documents("R-1", PACKAGED))
    documents["fleksbidrag.yaml"]["flex_basis"][-1]["after_last"] = "unknown"
    with pytest.raises(
        RuleError, match="field after_last: 'unknown' is none of not_in_force, ceased, rate_missing"
    ):
        rule_set_from(OWN, documents)
