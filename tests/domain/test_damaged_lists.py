"""A damaged benefit, account, municipality or question is refused by its place."""

from datetime import date

import pytest

from tests.support.rule_damage import OWN, Damage, check_refused

ADP = ("benefits", 0)
SPLIT = ("switches", 0)
UFB = ("switches", 8)
SAME = {"value": "CALENDAR_DAYS", "meaning": "The same", "not_coded": "None"}
OTHER = {"value": "BY_MOON", "meaning": "Another", "not_coded": "Not found"}

DAMAGES: list[Damage] = [
    ("catalogue.yaml", ADP, "code", ..., "entry number 1: field code: missing"),
    (
        "catalogue.yaml",
        ADP,
        "code",
        "AMY",
        "entry AMY: field code: 'AMY' stands in an earlier entry",
    ),
    ("catalogue.yaml", ADP, "code", "adp", "entry adp: field code: 'adp' does not have the form"),
    ("catalogue.yaml", ADP, "name", " ", "entry ADP: field name: ' ' does not have the form"),
    (
        "catalogue.yaml",
        ADP,
        "mechanism",
        "M",
        "entry ADP: field mechanism: 'M' is none of refusion, medfinansiering",
    ),
    ("catalogue.yaml", ADP, "mechanism", "none", "entry ADP: field rate: a rate needs a mechanism"),
    (
        "catalogue.yaml",
        ADP,
        "rate",
        "stairs",
        "entry ADP: field rate: 'stairs' is none of staircase, computed",
    ),
    ("catalogue.yaml", ADP, "rate", "computed", "entry ADP: field reportable: a computed benefit"),
    ("catalogue.yaml", ADP, "rate", 80, "entry ADP: field unit: missing"),
    (
        "catalogue.yaml",
        ADP,
        "unit",
        "percent of the amount",
        "entry ADP: field unit: stands beside",
    ),
    ("catalogue.yaml", ADP, "counts", "ja", "entry ADP: field counts: 'ja' is neither yes nor no"),
    ("catalogue.yaml", ADP, "counts", ..., "entry ADP: field counts: missing"),
    (
        "catalogue.yaml",
        ADP,
        "blocks",
        False,
        "entry ADP: field blocks: a week of a benefit that counts",
    ),
    ("catalogue.yaml", ADP, "colour", "red", "entry ADP: field colour: unknown; known are code"),
    (
        "catalogue.yaml",
        ADP,
        "valid_from",
        "2014-07-01",
        "entry ADP: field valid_from: .* is not a date",
    ),
    (
        "catalogue.yaml",
        ADP,
        "valid_to",
        date(2014, 6, 30),
        "entry ADP: field valid_to: 2014-06-30 lies before",
    ),
    ("catalogue.yaml", ADP, "valid_to", ..., "entry ADP: field valid_to: missing"),
    (
        "catalogue.yaml",
        ADP,
        "reference",
        "",
        "entry ADP: field reference: '' does not have the form",
    ),
    ("catalogue.yaml", ADP, "reference", ..., "entry ADP: field reference: missing"),
    (
        "catalogue.yaml",
        ADP,
        "evidence",
        "certain",
        "entry ADP: field evidence: 'certain' is none of verified",
    ),
    (
        "catalogue.yaml",
        ADP,
        "evidence_of",
        {"nmae": "assumed"},
        "entry ADP, evidence_of: field nmae: unknown",
    ),
    (
        "catalogue.yaml",
        ADP,
        "evidence_of",
        {"name": "A"},
        "entry ADP, evidence_of: field name: 'A' is none of",
    ),
    ("catalogue.yaml", ADP, "note", 7, "entry ADP: field note: 7 is not a text"),
    (
        "accounts.yaml",
        ("accounts", 0),
        "benefits",
        ["SDP"],
        "entry number 1: field benefits: 'SDP' is not in the cat",
    ),
    (
        "accounts.yaml",
        ("accounts", 0),
        "benefits",
        ["SDP-B", "SDP-B"],
        "entry number 1: field .*stands in an earlier",
    ),
    (
        "accounts.yaml",
        ("accounts", 0),
        "benefits",
        ["SU"],
        "entry number 1: field mechanism: SU has none",
    ),
    (
        "accounts.yaml",
        ("accounts", 0),
        "mechanism",
        "medfinansiering",
        "number 1: field mechanism: SDP-B has refusion",
    ),
    (
        "accounts.yaml",
        ("accounts", 0),
        "rate",
        50,
        "entry number 1: field rate: SDP-B never has the rate 50",
    ),
    (
        "accounts.yaml",
        ("accounts", 0),
        "rate",
        40,
        r"entry number 2: field benefits: \('SDP-B', 'refusion', 40\) stands",
    ),
    (
        "accounts.yaml",
        ("accounts", 8),
        "rate",
        20,
        "entry number 9: field rate: BEF never has the rate 20",
    ),
    (
        "accounts.yaml",
        ("accounts", 0),
        "account",
        "5.57.71",
        "entry number 1: field account: '5.57.71' does not have",
    ),
    (
        "municipalities.yaml",
        ("municipalities", 0),
        "names",
        {730: "Randers"},
        "entry group 1: field names: 730 is not",
    ),
    (
        "municipalities.yaml",
        ("municipalities", 0),
        "names",
        {"751": "Aarhus"},
        "group 2: field names: '751' stands in",
    ),
    (
        "municipalities.yaml",
        ("municipalities", 0),
        "names",
        {"730": ""},
        "entry group 1: field names: 730 has no name",
    ),
    (
        "municipalities.yaml",
        ("municipalities", 0),
        "names",
        {},
        "entry group 1: field names: is not a mapping",
    ),
    (OWN, (), "name", 'R"1', "field name: 'R\"1' does not have the form"),
    (OWN, (), "valid_from", date(2016, 1, 1), "gap: no value holds on 2014-07-01"),
    (
        OWN,
        SPLIT,
        "value",
        "BY_MOON",
        "entry SPLIT: field value: 'BY_MOON' is not coded; .* CALENDAR_DAYS",
    ),
    (OWN, SPLIT, "name", "SPLITS", "entry SPLITS: field name: 'SPLITS' is no switch"),
    (OWN, SPLIT, "name", "TOUCH", "entry TOUCH: field value: 'CALENDAR_DAYS' is not coded"),
    (OWN, SPLIT, "id", "1", "entry SPLIT: field id: '1' does not have the form"),
    (OWN, SPLIT, "alternatives", "WEEKDAYS", "entry SPLIT: field alternatives: is not a list"),
    (OWN, SPLIT, "alternatives", [7], "entry SPLIT, alternative 1: is not a mapping"),
    (
        OWN,
        SPLIT,
        "alternatives",
        [SAME],
        "entry SPLIT, alternative 1: field not_coded: does not agree",
    ),
    (
        OWN,
        SPLIT,
        "alternatives",
        [OTHER, OTHER],
        "entry SPLIT: field alternatives: .* stands twice",
    ),
    (
        OWN,
        UFB,
        "alternatives",
        [],
        "entry UFB: field alternatives: says nothing of BENEFIT, which is coded",
    ),
    (OWN, ("not_coded", 0), "reason", ..., "entry not_coded 1: field reason: missing"),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_refused_by_file_entry_and_field(damage: Damage) -> None:
    check_refused(damage)
