"""A posting tells its reason, and how many of its rows correct others."""

from domain.citizen.changes import CellChange
from domain.citizen.posting import Posting, RowsToPost, post, reason
from domain.citizen.records import Cell, Group
from domain.law.staircase import Entitlement
from tests.properties.test_notices import fact
from tests.support import product
from tests.support.noticing import reversal

STANDING = (0, 1000, 0, 1, 0, 1, "R", 80, 800, None)


def change_of(due):
    group = Group("KTH", "730", "730", [Cell(*STANDING)])
    amount_ore = 0 if due is None else 500
    return CellChange(24000, 0, group, group.cells[0], amount_ore, 0, True, due)


def test_a_row_that_is_gone_is_one_correction_and_one_that_is_another_two():
    assert post([change_of(None)], 2).corrections == 1
    assert post([change_of(Entitlement(1, "R", 80, 400, None))], 2).corrections == 2


def test_rows_of_earlier_reports_alone_are_an_adjustment():
    rows = [RowsToPost("correction", 24000, Group("KTH", "730", "730", []), [Cell(*STANDING)])]
    assert reason(Posting(rows, 24000, False, 2), "", is_reversal=False) == "adjustment"
    assert reason(Posting(rows, 24000, True, 2), "", is_reversal=False) == "report"


def test_a_fact_that_comes_again_after_its_reversal_is_named_with_its_date():
    known = fact("disability_pension_award", "2012-12-31")
    (notice,) = product.settle_all([known, reversal("F1"), known]).notices
    assert notice["detail"]["fact"] == "disability_pension_award"
    assert notice["detail"]["date"] == "2012-12-31"
