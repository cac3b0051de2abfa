"""Every law case, settled by the reference and by the product."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from domain.law.staircase import Law
from domain.oracle import reference
from tests.support import product
from tests.support.answers import ALTERNATIVES, answering, rules_of
from tests.support.case_file import Case, difference, format_row, read_case

JsonObject = dict[str, Any]

CASES = sorted((Path(__file__).parent / "cases").glob("*.txt"))


class Outcome(NamedTuple):
    """The results of an engine for a case's reports: rows and counters as in contract section 3."""

    rows: list[JsonObject]
    counters: JsonObject


def _settle_by_product(case: Case) -> Outcome:
    """The product's standing rows, without what only a posting has."""
    rows, counters, *_ = product.settle_all(case.reports, settled_by=Law(rules_of(case)))
    ordinals = {row["week"]: row["ordinal"] for row in case.rows}
    return Outcome([_as_true_now(row, ordinals) for row in rows], counters)


def _as_true_now(row: JsonObject, ordinals: dict[str, int]) -> JsonObject:
    """A posted row as a row of the truth. Its ordinal is as of posting (contract section 3): it
    is not compared.
    """
    true_now = {
        name: value for name, value in row.items() if name not in ("id", "kind", "reverses")
    }
    return true_now | {"ordinal": ordinals.get(row["week"], row["ordinal"])}


def _settle_by_reference(case: Case) -> Outcome:
    return Outcome(*reference.settle(case.reports, rules_of(case)))


ENGINES: dict[str, Callable[[Case], Outcome]] = {
    "reference": _settle_by_reference,
    "product": _settle_by_product,
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(path, engine):
    case = read_case(path)
    rules = rules_of(case)
    outcome = ENGINES[engine](case)
    differing = difference(case.rows, outcome.rows)
    assert not differing, f"{case.name}\n{differing}"
    assert {name: sum(row[name] for row in outcome.rows) for name in case.sums_ore} == case.sums_ore
    assert not case.counters or outcome.counters == case.counters
    for day, seniority_and_earned in case.counters_at.items():
        assert reference.counters_later(outcome.counters, rules, day) == seniority_and_earned


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_counters_by_the_reports_are_those_of_the_message(path):
    case = read_case(path)
    for day, seniority_and_earned in case.counters_at.items():
        assert reference.counters_at(case.reports, rules_of(case), day) == seniority_and_earned


def test_every_answer_that_may_be_chosen_has_a_case_that_comes_out_otherwise_than_by_default():
    told = set()
    for case in filter(lambda case: case.answers, map(read_case, CASES)):
        ((switch, value),) = case.answers.items()
        by_default = reference.settle(case.reports, answering())
        if difference(case.rows, by_default.rows):
            told.add(f"{switch} {value}")
    assert told == ALTERNATIVES.keys()


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_case_that_states_notices_has_them(path):
    case = read_case(path)
    if case.notices:
        books = product.settle_all(case.reports, settled_by=Law(rules_of(case)))
        assert case.notices == [
            (notice["code"], notice["cause"].split("/")[1]) for notice in books.notices
        ]


def test_there_are_cases():
    assert len(CASES) >= 54


def test_a_difference_shows_both_rows():
    (first, *others) = read_case(CASES[0]).rows
    table = difference([first, *others], [first | {"rate": 1}, *others]).splitlines()
    assert [line[0] for line in table] == ["-", "+"]
    assert " 1 % =" in table[1]
    assert difference(others, [first, *others]) == f"+ {format_row(first)}"


def test_wrong_arithmetic_is_refused(tmp_path):
    path = tmp_path / "wrong.txt"
    path.write_text(
        "Wrong\n\nrows\n  2024-01  2024-W01  n 1  KTH  730/730  100.00 x 80 % = 80.01 refusion\n"
    )
    with pytest.raises(ValueError, match=r"wrong.txt:4: amount x rate is not the result"):
        read_case(path)
