"""A damaged value of the staircase, the reset, the dates or old cases is refused by its place."""

import copy
from datetime import date

import pytest

from domain.ruledata.reading import rule_set_from
from domain.ruledata.ruleset import RuleError
from tests.support.rule_damage import DOCUMENTS, OWN, Damage, at, check_refused

STAIRS = ("staircases", 0)

DAMAGES: list[Damage] = [
    (
        "staircase.yaml",
        STAIRS,
        "unit",
        "kroner",
        "entry staircase 1: field unit: is not 'percent of the amount'",
    ),
    (
        "staircase.yaml",
        STAIRS,
        "valid_from",
        date(2016, 1, 5),
        "entry staircase 1: field valid_from: .* not a Monday",
    ),
    (
        "staircase.yaml",
        STAIRS,
        "valid_from",
        date(2016, 1, 11),
        "entry staircase 1: field valid_from: gap",
    ),
    (
        "staircase.yaml",
        STAIRS,
        "valid_to",
        date(2030, 1, 6),
        "entry staircase 1: field valid_to: .* must be open",
    ),
    (
        "staircase.yaml",
        STAIRS,
        "valid_to",
        date(2016, 1, 3),
        "entry staircase 1: field valid_to: .* before valid_from",
    ),
    ("staircase.yaml", STAIRS, "bands", [], "entry staircase 1: field bands: is not a list"),
    ("staircase.yaml", (), "staircases", {}, "entry .whole file.: field staircases: is not a list"),
    (
        "staircase.yaml",
        (*STAIRS, "bands", 1),
        "from_week",
        6,
        "entry staircase 1, band 2: field from_week: gap: week 5",
    ),
    (
        "staircase.yaml",
        (*STAIRS, "bands", 1),
        "from_week",
        4,
        "entry staircase 1, band 2: field from_week: overlap",
    ),
    (
        "staircase.yaml",
        (*STAIRS, "bands", 0),
        "to_week",
        0,
        "entry staircase 1, band 1: field to_week: 0 does not lie",
    ),
    (
        "staircase.yaml",
        (*STAIRS, "bands", 0),
        "to_week",
        None,
        "entry staircase 1, band 2: field from_week: overlap",
    ),
    (
        "staircase.yaml",
        (*STAIRS, "bands", 3),
        "to_week",
        99,
        "entry staircase 1, band 4: field to_week: .* week 100",
    ),
    (
        "staircase.yaml",
        (*STAIRS, "bands", 3),
        "refusion",
        21,
        "band 4: field medfinansiering: .*21.*80 is not 100",
    ),
    (
        "staircase.yaml",
        (*STAIRS, "bands", 3),
        "refusion",
        20.0,
        "band 4: field refusion: 20.0 is not a whole number",
    ),
    (
        "staircase.yaml",
        (*STAIRS, "bands", 3),
        "refusion",
        True,
        "band 4: field refusion: True is not a whole number",
    ),
    (
        "staircase.yaml",
        (*STAIRS, "bands", 3),
        "refusion",
        101,
        "band 4: field refusion: 101 does not lie in 0..100",
    ),
    ("staircase.yaml", (*STAIRS, "bands", 3), "reference", ..., "band 4: field reference: missing"),
    (
        "reset.yaml",
        ("reset", "within_years"),
        "unit",
        "months",
        "entry within_years: field unit: is not .years",
    ),
    (
        "reset.yaml",
        ("reset", "within_years"),
        "value",
        "3",
        "entry within_years: field value: '3' is not a whole",
    ),
    (
        "reset.yaml",
        ("reset", "within_years"),
        "valid_from",
        date(2015, 1, 1),
        "within_years: field valid_from: gap",
    ),
    (
        "reset.yaml",
        ("reset", "within_years"),
        "valid_to",
        date(2035, 1, 1),
        "within_years: field valid_to: gap",
    ),
    (
        "reset.yaml",
        ("reset",),
        "consecutive",
        False,
        "entry reset: field consecutive: unknown; known are",
    ),
    ("reset.yaml", ("reset",), "within_years", 3, "entry within_years: is not a mapping"),
    (
        "dates.yaml",
        ("dates", "counting_from"),
        "value",
        "2014-06-31",
        "entry counting_from: field value: .* not a date",
    ),
    (
        "dates.yaml",
        ("dates", "rates_from_month"),
        "value",
        "2016-13",
        "entry rates_from_month: field value: '2016-13'",
    ),
    (
        "dates.yaml",
        ("dates", "rates_from_month"),
        "value",
        2016,
        "rates_from_month: field value: 2016 is not a text",
    ),
    (
        "dates.yaml",
        ("dates", "turn_of_year_week"),
        "value",
        date(2015, 12, 29),
        "turn_of_year_week: field value: .* Mon",
    ),
    (
        "dates.yaml",
        ("dates", "turn_of_year_week"),
        "value",
        date(2015, 12, 21),
        "field value: .* not the week after",
    ),
    (
        "dates.yaml",
        ("dates", "counting_from"),
        "evidence",
        "V",
        "counting_from: field evidence: 'V' is none of verified",
    ),
    (
        "fleksbidrag.yaml",
        ("fleksbidrag", "cap_percent"),
        "unit",
        "percent",
        "entry cap_percent: field unit: is not",
    ),
    (
        "fleksbidrag.yaml",
        ("fleksbidrag",),
        "cap_percent",
        ...,
        "entry fleksbidrag: field cap_percent: missing",
    ),
    (
        "fleksbidrag.yaml",
        ("flex_basis", 1),
        "year",
        2016,
        "entry flex_basis 2: field valid_to: .* last day of 2016",
    ),
    (
        "fleksbidrag.yaml",
        ("flex_basis", 1),
        "basis",
        18036,
        "entry flex_basis 2: field basis: 18036 is not 98 %",
    ),
    (
        "legacy.yaml",
        ("legacy", "flex_transition_to"),
        "value",
        date(2012, 1, 1),
        "flex_transition_to: field value: lies",
    ),
    (
        "legacy.yaml",
        ("legacy", "flex_refusion"),
        "unit",
        ...,
        "entry flex_refusion: field unit: missing",
    ),
    (
        "reset.yaml",
        ("not_coded", 0),
        "rule",
        "",
        "entry not_coded 1: field rule: '' does not have the form",
    ),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_refused_by_file_entry_and_field(damage: Damage) -> None:
    check_refused(damage)


def test_two_staircases_follow_each_other_without_gap_or_overlap() -> None:
    documents = copy.deepcopy(DOCUMENTS)
    staircases = at(documents["staircase.yaml"])["staircases"]
    assert isinstance(staircases, list)
    later = copy.deepcopy(staircases[0])
    later["valid_from"] = date(2030, 1, 7)
    del later["before_first"]
    staircases.append(later)
    staircases[0]["valid_to"] = date(2030, 1, 6)
    assert [stairs.valid_from.year for stairs in rule_set_from(OWN, documents).staircases] == [
        2016,
        2030,
    ]
    for wrong in (date(2030, 1, 5), date(2030, 1, 7), None):
        staircases[0]["valid_to"] = wrong
        with pytest.raises(
            RuleError, match=r"entry staircase 1: field valid_to: .* must be 2030-01-06"
        ):
            rule_set_from(OWN, documents)
