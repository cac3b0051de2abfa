"""`sammenligning` gives no small number of persons of another municipality away."""

import duckdb
import pytest

from projections.lis import comparison_views
from projections.lis.inhabitants import Inhabitants, InhabitantsError, read_inhabitants
from projections.lis.questions import LisQuestion, ViewError
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
    scope = ViewScope(question, {}, RULES, lambda *_: [], list, table or {})
    rows = comparison_views.sammenligning_rows(scope)
    assert all(row[-2:] == (None, None) for row in rows)  # no counters, and no month a year before
    return {row[0] or row[5]: row[2:-2] for row in rows}


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


def rows_of(monkeypatch, counted, *, own=None, median=None, run=None, areas=False, **asked):
    """The rows of two years, given (municipality, month, persons, on the last step)."""
    rows = [(code, month, persons, 0, 0, 0, last) for code, month, persons, last in counted]
    monkeypatch.setattr(
        comparison_views,
        "persons_of_steps",
        lambda scope: [row for row in rows if row[1] in (scope.months or (row[1],))],
    )
    money = {(code, month): (200, 71, 0) for code, month, *_ in rows}
    monkeypatch.setattr(comparison_views, "mean_percents", lambda _: money)
    question = LisQuestion("sammenligning", municipality=own, **asked)
    months = {} if run is None else {run: MONTH}

    def read(query, _):
        if "FROM persons" in query:
            return []
        with duckdb.connect() as engine:
            engine.execute(
                "CREATE TABLE seniorities"
                " (run INTEGER, municipality VARCHAR, seniority INTEGER, persons BIGINT)"
            )
            engine.executemany("INSERT INTO seniorities VALUES (NULL, ?, ?, ?)", median)
            return engine.execute(query).fetchall()

    scope = ViewScope(question, months, RULES, read, list, {})
    rows = comparison_views.sammenligning_rows(scope)
    return {row[:2]: row[2:] for row in rows if row[0] is not None or areas}


def test_persons_are_compared_with_the_same_month_a_year_before(monkeypatch):
    counted = [("730", MONTH, 110, 40), ("730", "2023-01", 100, 40), ("751", MONTH, 8, 0),
               ("751", "2023-01", 4, 0), ("101", MONTH, 9, 0)]  # fmt: skip
    for asked in ({}, {"month": MONTH}):
        found = rows_of(monkeypatch, counted, **asked)
        assert found["730", MONTH][-1] == 1000
        assert found["751", MONTH][-1] is None  # it had four, who are hidden
        assert found["101", MONTH][-1] is None
        assert (("730", "2023-01") in found) == (not asked)


def test_the_median_is_that_of_the_data_month_and_not_of_few(monkeypatch):
    counted = [(code, month, 9, 9) for code in ("730", "751") for month in (MONTH, "2023-01")]
    median = [("730", 3, 4), ("730", 17, 1), ("730", 99, 4), ("751", 30, 3), ("751", 31, 1)]
    found = rows_of(monkeypatch, counted, median=median, run=49)
    assert {key: row[-2] for key, row in found.items() if row[-2] is not None} == {
        ("730", MONTH): 17
    }
    assert rows_of(monkeypatch, counted, own="751", median=median, run=49)["751", MONTH][-2] == 30


def test_the_most_alike_are_those_whose_shown_percentages_are_nearest(monkeypatch):
    counted = [(code, MONTH, 100, last) for code, last in
               (("730", 40), ("751", 45), ("101", 70), ("147", 38), ("825", 2))]  # fmt: skip
    found = rows_of(monkeypatch, counted, own="730", alike=2)
    assert sorted(place for place, _ in found) == ["147", "730", "751"]
    all_of_them = rows_of(monkeypatch, counted, own="730", alike=98)
    assert ("825", MONTH) not in all_of_them  # its share is hidden
    with pytest.raises(ViewError, match="needs --municipality"):
        rows_of(monkeypatch, counted, alike=2)


def test_what_is_hidden_does_not_depend_on_the_rows_that_are_chosen(monkeypatch):
    whole = compared(monkeypatch, own="101", table=TABLE)
    chosen = compared(monkeypatch, own="101", table=TABLE, others=("730",))
    assert whole["730"][0] is None  # else the region's sum would give that of 751 away
    assert chosen == {name: row for name, row in whole.items() if name not in REGIONS} | {
        name: whole[name] for name in ("101", "730")
    }


def test_sums_of_regions_give_no_hidden_count_away(monkeypatch):
    shown = compared(monkeypatch, table=TABLE)
    assert shown["751"] == (None, None, None, "Midtjylland", None)
    # The region's sum less that of Randers would be the hidden count: so Randers is hidden too.
    assert shown["730"] == (None, None, None, "Midtjylland", None)
    assert shown["Midtjylland"][0] == 103
    assert shown["hele landet"][0] == 222
    assert shown["101"] == (60, None, 3550, "Hovedstaden", 6000)
    assert shown["hele landet"] == (222, None, 3550, "hele landet", 4440)


def test_without_a_table_the_country_is_shown_where_it_gives_nothing_away(monkeypatch):
    large = [("730", MONTH, 110, 40), ("751", MONTH, 8, 4), ("101", MONTH, 9, 4)]
    country = rows_of(monkeypatch, large, areas=True)[None, MONTH]
    assert country[:3] == (127, None, 3550)  # a share of eight that are four and four is hidden
    one_small = rows_of(monkeypatch, [*large, ("147", MONTH, 4, 4)], areas=True)
    assert (None, MONTH) not in one_small
    assert one_small["730", MONTH][0] == 110  # nothing is hidden for the country's sake
    fours = [("147", MONTH, 4, 4), ("825", MONTH, 4, 4), ("153", MONTH, 4, 4)]
    assert (None, MONTH) not in rows_of(monkeypatch, [*large, *fours], areas=True)
    few = [*fours[:1], ("825", MONTH, 1, 1), ("153", MONTH, 3, 3)]
    assert rows_of(monkeypatch, [*large, *few], areas=True)[None, MONTH][0] == 127 + 8


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


PARTS = {"730": {"KTH": (100, 40), "ADP": (60, 0), "LY": (2, 1), "REV": (9, 0), "RFY": (30, 12)},
         "825": {"KTH": (1, 0), "ADP": (1, 0), "LY": (1, 0), "REV": (1, 0), "RFY": (1, 0)},
         "751": {"KTH": (50, 20), "RFY": (70, 68)},
         "101": {"KTH": (90, 30), "RFY": (80, 40)}}  # fmt: skip
"""Persons by municipality and benefit, and those of them on the last step; nobody has two."""
LAST = {"KTH": 20, "ADP": None, "LY": 20, "REV": 20, "RFY": 20}


def asked_for(monkeypatch, benefit, own=None, places=PARTS):
    """The persons and the share that are shown of each municipality, for a benefit or all.

    What is shown of the country stands under None.
    """
    told = {
        place: [part for code, part in parts.items() if benefit in (None, code)]
        for place, parts in places.items()
    }
    monkeypatch.setattr(
        comparison_views,
        "persons_of_steps",
        lambda scope: [
            (place, MONTH, sum(w for w, _ in found), 0, 0, 0, sum(p for _, p in found))
            for place, parts in places.items()
            if (found := [x for c, x in parts.items() if scope.question.benefit in (None, c)])
        ],
    )
    monkeypatch.setattr(comparison_views, "mean_percents", lambda _: {})
    rows = [
        (place, MONTH, code, whole, None if LAST[code] is None else part)
        for place, parts in places.items()
        for code, (whole, part) in parts.items()
    ]
    question = LisQuestion("sammenligning", municipality=own, benefit=benefit)
    scope = ViewScope(
        question, {}, RULES, lambda query, _: rows if "FROM persons" in query else [], list, {}
    )
    found = {row[0]: row[2:4] for row in comparison_views.sammenligning_rows(scope)}
    assert found.keys() - {None} == {place for place, parts in told.items() if parts}
    return found


def test_few_persons_cannot_be_worked_out_by_subtracting_benefits(monkeypatch):
    """All of Randers less each benefit that is shown would be its two with ledighedsydelse."""
    by_benefit = {code: asked_for(monkeypatch, code) for code in LAST}
    shown = {code for code, found in by_benefit.items() if found["730"][0] is not None}
    assert asked_for(monkeypatch, None)["730"][0] == 201
    assert shown == {"KTH", "ADP", "RFY"}  # nine with revalidering are hidden too
    own = {code: asked_for(monkeypatch, code, own="730")["730"][0] for code in LAST}
    assert own == {code: whole for code, (whole, _) in PARTS["730"].items()}


def test_a_sum_is_not_shown_where_it_tells_that_each_benefit_has_one(monkeypatch):
    assert asked_for(monkeypatch, None)["825"] == (None, None)


def test_the_country_is_not_shown_where_it_less_the_others_is_such_a_sum(monkeypatch):
    """All of the country less the three others would be the five of Læsø, one for each."""
    assert asked_for(monkeypatch, None).keys() == PARTS.keys()
    without = {place: parts for place, parts in PARTS.items() if place != "825"}
    assert asked_for(monkeypatch, None, places=without)[None][0] == 201 + 120 + 170


def test_a_share_cannot_be_worked_out_by_subtracting_benefits(monkeypatch):
    """Two of Silkeborg with ressourceforløb are not on the last step; the rest tells so too."""
    shares = {code: asked_for(monkeypatch, code)["751"][1] for code in ("KTH", "RFY")}
    assert shares == {"KTH": None, "RFY": None}
    assert asked_for(monkeypatch, None)["751"] == (120, 7333)
    assert asked_for(monkeypatch, None)["101"] == (170, 4118)
