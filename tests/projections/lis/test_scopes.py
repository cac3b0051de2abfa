"""The scope of a question: which runs' files it is asked of."""

import pytest

from projections.lis.questions import LisQuestion
from projections.lis.scopes import RunMonths, ViewScope
from projections.lis.tables import MARTS, MONEY
from tests.support.lives import RULES

RUNS = {
    49: RunMonths("2023-10", "2024-01"),
    50: RunMonths("2024-01", "2024-02"),
    51: RunMonths(None, None),
}


def scope_of(*, months_of_runs=RUNS, **asked):
    """The scope of a question about 730."""
    question = LisQuestion("beloeb", "730", **asked)
    return ViewScope(question, {}, RULES, lambda *_: [], list, {}, months_of_runs=months_of_runs)


@pytest.mark.parametrize(
    ("month", "runs"), [("2023-12", "49"), ("2024-01", "49, 50"), ("2024-02", "50")]
)
def test_a_month_is_asked_of_the_runs_that_may_have_rows_of_it(month, runs):
    only = f"(run IS NULL OR run IN ({runs}))"
    assert only in scope_of(month=month).where(MONEY).sql
    assert only in scope_of().of_months((month,)).where(MONEY).sql
    assert only in scope_of(month=month, based_on="of", run=50).where(MONEY).sql


def test_a_month_that_no_run_has_is_asked_of_the_open_one():
    assert "(run IS NULL OR run IN (NULL))" in scope_of(month="2025-01").where(MONEY).sql


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"month": "2024-01", "months_of_runs": {49: RUNS[49], 50: RUNS[50]}},
        {"month": "2024-01", "based_on": "settled", "run": 49},
    ],
)
def test_runs_are_not_named_where_all_are_meant_or_one(asked):
    assert "run IN" not in scope_of(**asked).where(MONEY).sql


def test_months_of_a_forecast_are_not_those_of_the_rows_of_its_run():
    assert "run IN" not in scope_of(month="2024-02").where(MARTS["forecast"]).sql
