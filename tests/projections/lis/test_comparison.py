"""`sammenligning` gives no small number of persons of another municipality away."""

from functools import partial

import pytest

from projections.lis import comparison_views
from projections.lis.inhabitants import Inhabitants, InhabitantsError, read_inhabitants
from projections.lis.questions import LisQuestion
from projections.lis.scopes import ViewScope
from tests.support.lives import RULES

MONTH = "2024-01"
PERSONS = {"730": (100, 40), "751": (3, 1), "101": (60, 57), "147": (50, 2), "825": (9, 5)}
"""Persons, and those on the last step, by municipality."""
REGIONS = {"730": "Midtjylland", "751": "Midtjylland", "101": "Hovedstaden", "147": "Hovedstaden",
           "825": "Nordjylland"}  # fmt: skip
TABLE = {(code, "2024"): Inhabitants(1000, region) for code, region in REGIONS.items()}


def compared(monkeypatch, own=None, table=None, **asked):
    counted = [(code, MONTH, persons, 0, 0, 0, last) for code, (persons, last) in PERSONS.items()]
    monkeypatch.setattr(comparison_views, "persons_of_steps", lambda _: counted)
    money = {(code, MONTH): (200, 71, 0) for code in PERSONS}
    monkeypatch.setattr(comparison_views, "mean_percents", lambda _: money)
    question = LisQuestion("sammenligning", municipality=own, **asked)
    scope = ViewScope(question, {1: MONTH}, RULES, partial(list), list, table or {})
    return {row[0] or row[5]: row[2:] for row in comparison_views.sammenligning_rows(scope)}


def test_counts_of_one_to_four_are_null_with_what_gives_them_away(monkeypatch):
    assert compared(monkeypatch) == {
        "730": (100, 4000, 3550),
        "751": (None, None, None),
        "101": (60, None, 3550),  # three are not on the last step
        "147": (50, None, 3550),  # two are
        "825": (9, None, 3550),
    }


def test_the_own_municipality_sees_its_own_whole(monkeypatch):
    shown = compared(monkeypatch, own="751")
    assert shown["751"] == (3, 3333, 3550)
    assert shown["147"][1] is None


def test_only_the_chosen_ones_are_compared(monkeypatch):
    assert [*compared(monkeypatch, own="730", others=("101",))] == ["101", "730"]


def test_sums_of_regions_give_no_hidden_count_away(monkeypatch):
    shown = compared(monkeypatch, table=TABLE)
    assert shown["751"] == (None, None, None, "Midtjylland", None)
    # The region's sum less that of Randers would be the hidden count: so Randers is hidden too.
    assert shown["730"] == (None, None, None, "Midtjylland", None)
    assert shown["Midtjylland"][0] == 103
    assert shown["hele landet"][0] == 222
    assert shown["101"] == (60, None, 3550, "Hovedstaden", 6000)
    assert shown["hele landet"] == (222, None, 3550, "hele landet", 4440)


def test_a_region_of_one_small_municipality_has_no_sum_nor_has_the_country(monkeypatch):
    table = TABLE | {("751", "2024"): Inhabitants(10, "Øen")}
    shown = compared(monkeypatch, table=table)
    assert "Øen" not in shown
    assert "hele landet" not in shown
    assert shown["730"][0] == 100


def test_the_table_of_inhabitants_is_read_or_told():
    head = "municipality;year;inhabitants_16_66;region"
    assert read_inhabitants([head, "730;2024;63000;Midtjylland", ""]) == {
        ("730", "2024"): Inhabitants(63000, "Midtjylland")
    }
    for lines, said in (
        ([], "the first line must be"),
        ([head, "730;2024;63.000;M"], "line 2"),
        ([head, "730;2024;1;M", "730;2024;1;M"], "line 3: 730 in 2024 stands twice"),
        ([head, "730;2024"], "line 2 has 2 cells"),
    ):
        with pytest.raises(InhabitantsError, match=said):
            read_inhabitants(lines)
