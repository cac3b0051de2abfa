"""The laws of tests/properties on a few lives: what a mutant must first get past. Collected by
mutmut alone.
"""

import pytest

from domain.citizen.reports import RulesRecord
from domain.law.staircase import Law
from domain.oracle import reference
from tests.properties.test_answers import telling
from tests.properties.test_control_records import ALL, Laws, books, fold
from tests.support import product
from tests.support.answers import ALTERNATIVES, answering
from tests.support.lives import THEMES, in_order_of_time, life, truth_of


@pytest.mark.parametrize("theme", THEMES)
def test_a_theme(theme):
    """Reports are taken in any order and in that of time; a new worker goes on after every third
    report."""
    for seed in range(7700, 7704):
        for reports in (life(theme, seed), in_order_of_time(theme, seed)):
            found = product.books(product.outcomes(reports, batch=3, restarts=True))
            assert (product.true_now(found.rows), found.counters) == truth_of(reports), reports


@pytest.mark.parametrize("theme", THEMES)
def test_all_that_came_comes_again(theme):
    """Nothing follows from it, and what was refused is refused again.

    Only a report that was reversed is noticed when it comes again (contract 13).
    """
    for seed in range(7900, 7902):
        reports = life(theme, seed)
        found = product.outcomes([*reports, *reports], batch=4, restarts=True)
        first, again = found[: len(reports)], found[len(reports) :]
        assert [each.postings for each in again] == [[]] * len(reports), reports
        notices = [notice for each in again for notice in each.notices]
        assert all(b'"code":"reversed_before"' in notice for notice in notices), reports
        assert [each.refused for each in again] == [each.refused for each in first], reports


@pytest.mark.parametrize("answer", ALTERNATIVES)
def test_an_answer(answer):
    """Kept up under it, and settled anew from R-1."""
    rules = answering(**ALTERNATIVES[answer])
    for reports in telling(answer.split()[0], rules, 9000, 2):
        rows, counters = reference.settle(reports, rules)
        kept_up = product.settle_all(reports, batch=6, settled_by=Law(rules))
        anew = books(fold([*reports, RulesRecord("r", rules.name, ""), ALL], Laws(rules), batch=5))
        for found in (kept_up, anew):
            assert (product.true_now(found.rows), found.counters) == (
                product.true_now(rows),
                counters,
            ), reports


@pytest.mark.parametrize("theme", THEMES)
def test_settled_anew_under_the_same_rules_nothing_moves(theme):
    for seed in range(7800, 7802):
        reports = life(theme, seed)
        assert fold([*reports, ALL], Laws(), batch=9) == fold(reports, Laws(), batch=9), reports
