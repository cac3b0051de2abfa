"""The table of budgets that municipalities give."""

import pytest

from projections.lis.budgets import BudgetError, read_budgets

HEAD = "municipality;month;finansieringsbeloeb"


def test_the_table_of_budgets_is_read():
    assert read_budgets([HEAD, "730;2024-01;1.234.567,5", "", "751 ; 2024-02 ; -0,05"]) == {
        ("730", "2024-01"): 123456750,
        ("751", "2024-02"): -5,
    }


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([], "the first line must be"),
        (["730;2024-01;5"], "the first line must be"),
        ([HEAD, "730;2024-01"], "line 2 has 2 cells and not 3"),
        ([HEAD, "73;2024-01;5"], "line 2: a municipality is three digits"),
        ([HEAD, "730;2024-13;5"], "a month is written as 2024-01"),
        ([HEAD, "730;2024-01;5.5"], "'5.5' is no amount; write kroner as 1234,50"),
        ([HEAD, "730;2024-01;5", "730;2024-01;6"], "line 3: 730 in 2024-01 stands twice"),
    ],
)
def test_a_table_that_cannot_be_read_is_told_with_its_line(lines, told):
    with pytest.raises(BudgetError, match=told):
        read_budgets(lines)
