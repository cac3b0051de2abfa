"""The rules as data: what they say, that all of them say where it comes from, and that damage is refused by name."""

import copy
import re
from collections.abc import Iterator
from datetime import date, timedelta
from importlib.resources import files
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from domain.basics.weeks import day, monday, sunday, week_of, years_before
from domain.ruledata.reading import FILES, rule_set_from
from domain.ruledata.ruleset import Benefit, RuleError
from streams.citizens.rule_sets import load_rule_set, read_document, read_documents
from tests.support.places import ROOT

FOLDER = files("domain") / "rules"
DOCUMENTS = read_documents("R-1", FOLDER)
RULES = load_rule_set()

# Rules appendix C, and the evidence mark of section 2.2's last column, as a copy that people can
# compare.
CATALOGUE = """
| ADP    | Arbejdsløshedsdagpenge                                        | M | S        | yes | yes | 2014-07-01 |            | V |
| AMY    | Midlertidig arbejdsmarkedsydelse                              | M | S        | yes | yes | 2014-07-01 | 2017-12-31 | V |
| SUY    | Særlig uddannelsesydelse                                      | - | -        | yes | yes | 2014-07-01 | 2016-12-31 | I |
| KNY    | Kontantydelse                                                 | R | S        | yes | yes | 2015-01-01 | 2018-12-31 | V |
| KTH    | Kontanthjælp                                                  | R | S        | yes | yes | 2014-07-01 | 2025-06-30 | V |
| KTH25  | Kontanthjælp efter reglerne fra 1. juli 2025                  | R | S        | yes | yes | 2025-07-01 |            | V |
| UDH    | Uddannelseshjælp                                              | R | S        | yes | yes | 2014-07-01 | 2025-06-30 | V |
| SST    | Særlig støtte                                                 | R | S        | yes | yes | 2014-07-01 | 2016-09-30 | V |
| FRV    | Kontant- og uddannelseshjælp under forrevalidering            | R | S        | yes | yes | 2014-07-01 |            | V |
| REV    | Revalideringsydelse                                           | R | S        | yes | yes | 2014-07-01 |            | V |
| SDP-B  | Sygedagpenge til borger                                       | R | S        | yes | yes | 2014-07-01 |            | V |
| SDP-A  | Sygedagpenge til arbejdsgiver                                 | R | S        | yes | yes | 2014-07-01 |            | I |
| RFY    | Ressourceforløbsydelse i ressourceforløb                      | R | S        | yes | yes | 2014-07-01 |            | V |
| JAF-B  | Ressourceforløbsydelse i jobafklaringsforløb til borger       | R | S        | yes | yes | 2014-07-01 |            | V |
| JAF-A  | Ressourceforløbsydelse i jobafklaringsforløb til arbejdsgiver | R | S        | yes | yes | 2014-07-01 |            | I |
| LY     | Ledighedsydelse                                               | R | S        | yes | yes | 2014-07-01 |            | V |
| FLT    | Fleksløntilskud                                               | R | S        | yes | yes | 2014-07-01 |            | V |
| FLS    | Tilskud til selvstændige i fleksordningen                     | R | S        | yes | yes | 2014-07-01 |            | V |
| SHO    | Selvforsørgelses- og hjemrejseydelse                          | R | S        | yes | yes | 2015-09-01 | 2025-06-30 | V |
| OVG    | Overgangsydelse                                               | R | S        | yes | yes | 2020-01-01 | 2025-06-30 | V |
| KTI    | Kontanthjælp i integrationsprogram                            | R | S        | yes | yes | 2014-07-01 | 2016-06-30 | V |
| LTS    | Løntilskud til arbejdsgiver                                   | R | S        | yes | yes | 2014-07-01 |            | V |
| FPN    | Førtidspension                                                | M | S        | yes | yes | 2014-07-01 |            | V |
| SNP    | Seniorpension                                                 | M | S        | yes | yes | 2020-01-01 |            | V |
| MBT    | Midlertidigt børnetilskud                                     | M | S        | no  | no  | 2020-01-01 | 2025-06-30 | I |
| FB     | Fleksbidrag fra staten                                        | R | computed | no  | no  | 2016-01-01 |            | V |
| BEF    | Befordringsgodtgørelse                                        | M | 50       | no  | no  | 2016-01-01 |            | V |
| ATP    | ATP-bidrag                                                    | R | 100      | no  | no  | 2014-07-01 |            | V |
| OPO    | Obligatorisk pensionsordning                                  | R | 100      | no  | no  | 2020-01-01 |            | V |
| UFB    | Hjælp til uledsagede og svært handicappede flygtninge         | R | 100      | no  | yes | 2014-07-01 |            | V |
| SKJ    | Løntilskud til førtidspensionister                            | R | 50       | no  | yes | 2014-07-01 |            | V |
| FJG    | Fleksjob påbegyndt før 2013                                   | R | 65       | no  | yes | 2014-07-01 |            | V |
| LYG    | Ledighedsydelse efter gamle regler                            | - | -        | no  | yes | 2014-07-01 |            | V |
| FPG    | Førtidspension tilkendt før 1. juli 2014                      | - | -        | no  | yes | 2014-07-01 |            | V |
| SU     | Statens uddannelsesstøtte                                     | - | -        | no  | yes | 2014-07-01 |            | V |
| FOP    | Folkepension                                                  | - | -        | no  | yes | 2014-07-01 |            | V |
| EFL    | Efterløn                                                      | - | -        | no  | yes | 2014-07-01 |            | E |
| FLY    | Fleksydelse                                                   | - | -        | no  | yes | 2014-07-01 |            | V |
| BDP    | Barselsdagpenge                                               | - | -        | no  | yes | 2014-07-01 |            | E |
| FDP    | Feriedagpenge                                                 | - | -        | no  | yes | 2014-07-01 |            | E |
| DEL    | Delpension                                                    | - | -        | no  | yes | 2014-07-01 |            | E |
| TIP    | Tidlig pension                                                | - | -        | no  | yes | 2022-01-01 |            | E |
"""  # noqa: E501

# Rules section 7.
MUNICIPALITIES = """
101 København, 147 Frederiksberg, 151 Ballerup, 153 Brøndby, 155 Dragør, 157 Gentofte, 159 Gladsaxe, 161 Glostrup,
163 Herlev, 165 Albertslund, 167 Hvidovre, 169 Høje-Taastrup, 173 Lyngby-Taarbæk, 175 Rødovre, 183 Ishøj, 185 Tårnby,
187 Vallensbæk, 190 Furesø, 201 Allerød, 210 Fredensborg, 217 Helsingør, 219 Hillerød, 223 Hørsholm, 230 Rudersdal,
240 Egedal, 250 Frederikssund, 253 Greve, 259 Køge, 260 Halsnæs, 265 Roskilde, 269 Solrød, 270 Gribskov, 306 Odsherred,
316 Holbæk, 320 Faxe, 326 Kalundborg, 329 Ringsted, 330 Slagelse, 336 Stevns, 340 Sorø, 350 Lejre, 360 Lolland,
370 Næstved, 376 Guldborgsund, 390 Vordingborg, 400 Bornholm, 410 Middelfart, 420 Assens, 430 Faaborg-Midtfyn,
440 Kerteminde, 450 Nyborg, 461 Odense, 479 Svendborg, 480 Nordfyns, 482 Langeland, 492 Ærø, 510 Haderslev,
530 Billund, 540 Sønderborg, 550 Tønder, 561 Esbjerg, 563 Fanø, 573 Varde, 575 Vejen, 580 Aabenraa, 607 Fredericia,
615 Horsens, 621 Kolding, 630 Vejle, 657 Herning, 661 Holstebro, 665 Lemvig, 671 Struer, 706 Syddjurs, 707 Norddjurs,
710 Favrskov, 727 Odder, 730 Randers, 740 Silkeborg, 741 Samsø, 746 Skanderborg, 751 Aarhus, 756 Ikast-Brande,
760 Ringkøbing-Skjern, 766 Hedensted, 773 Morsø, 779 Skive, 787 Thisted, 791 Viborg, 810 Brønderslev,
813 Frederikshavn, 820 Vesthimmerland, 825 Læsø, 840 Rebild, 846 Mariagerfjord, 849 Jammerbugt, 851 Aalborg,
860 Hjørring
"""

MARKS = {"V": "verified", "I": "inferred", "E": "expert"}


def row_of(benefit: Benefit) -> list[str]:
    """A benefit as a row of the table above."""
    rate = (
        "-"
        if benefit.rate is None
        else {"staircase": "S"}.get(str(benefit.rate), str(benefit.rate))
    )
    return [
        benefit.code,
        benefit.name,
        {"refusion": "R", "medfinansiering": "M", None: "-"}[benefit.mechanism],
        rate,
        "yes" if benefit.counts else "no",
        "yes" if benefit.blocks else "no",
        benefit.valid_from.isoformat(),
        benefit.valid_to.isoformat() if benefit.valid_to else "",
        {mark: letter for letter, mark in MARKS.items()}[benefit.source.evidence],
    ]


EXPECTED_ROWS = [
    [cell.strip() for cell in line.split("|")[1:-1]] for line in CATALOGUE.strip().splitlines()
]


def test_the_catalogue_has_the_42_benefits_in_order() -> None:
    assert list(RULES.benefits) == [row[0] for row in EXPECTED_ROWS]
    assert len(RULES.benefits) == 42


@pytest.mark.parametrize("expected", EXPECTED_ROWS, ids=[row[0] for row in EXPECTED_ROWS])
def test_a_benefit_is_as_in_the_table(expected: list[str]) -> None:
    assert row_of(RULES.benefits[expected[0]]) == expected


def test_few_benefits_are_special() -> None:
    special = {
        name: {code for code, benefit in RULES.benefits.items() if getattr(benefit, name) is value}
        for name, value in (
            ("atp_deducted", True),
            ("turn_of_year_weekly", True),
            ("reportable", False),
        )
    }
    assert special == {
        "atp_deducted": {"ADP", "AMY"},
        "turn_of_year_weekly": {"SDP-A", "SDP-B"},
        "reportable": {"FB"},
    }


@pytest.mark.parametrize(
    ("code", "field"), [("AMY", "valid_to"), ("KNY", "valid_to"), ("MBT", "counts")]
)
def test_what_is_only_assumed_of_a_benefit_says_so(code: str, field: str) -> None:
    assert (field, "assumed") in RULES.benefits[code].source.evidence_of


def test_the_staircase() -> None:
    (staircase,) = RULES.staircases
    assert [
        (band.from_week, band.to_week, band.refusion, band.medfinansiering)
        for band in staircase.bands
    ] == [
        (1, 4, 80, 20),
        (5, 26, 40, 60),
        (27, 52, 30, 70),
        (53, None, 20, 80),
    ]
    assert staircase.source.evidence == "verified"


def test_every_benefit_week_has_exactly_one_band() -> None:
    bands = RULES.staircases[0].bands
    for number in range(1, 1000):
        assert sum(band.from_week <= number <= (band.to_week or number) for band in bands) == 1


def test_reset_dates_and_old_cases() -> None:
    assert (RULES.reset.self_support_weeks, RULES.reset.within_years) == (52, 3)
    assert RULES.dates.counting_from == date(2014, 7, 1)
    assert RULES.dates.rates_from_month == "2016-01"
    assert RULES.dates.turn_of_year_week == date(2015, 12, 28)
    assert RULES.dates.turn_of_year_rate_from == date(2016, 1, 4)
    legacy = RULES.legacy
    assert (legacy.flex_transition_from, legacy.flex_transition_to) == (
        date(2013, 1, 1),
        date(2014, 6, 30),
    )
    assert legacy.flex_referred_from == legacy.disability_pension_awarded_from == date(2014, 7, 1)
    assert (legacy.flex_refusion, legacy.source.evidence) == (65, "expert")


def test_fleksbidrag_and_its_basis() -> None:
    flex = RULES.fleksbidrag
    assert (flex.only_at_refusion, flex.share_percent, flex.wage_reduction_percent) == (20, 30, 20)
    assert (flex.cap_2015_kroner, flex.cap_percent, flex.basis_percent) == (4212, 24, 98)
    assert 17_550 * flex.cap_percent == flex.cap_2015_kroner * 100
    assert {
        year: (basis.highest_benefit_kroner, basis.kroner)
        for year, basis in RULES.flex_basis.items()
    } == {
        2016: (18113, 17751),
        2017: (18403, 18035),
        2018: (18633, 18260),
        2019: (18866, 18489),
        2020: (19083, 18701),
        2021: (19322, 18936),
        2022: (19351, 18964),
        2023: (19728, 19333),
        2024: (20359, 19952),
        2025: (21092, 20670),
    }
    assert [
        year for year, basis in RULES.flex_basis.items() if basis.source.evidence == "verified"
    ] == [2022]


def test_only_verified_accounts_are_known() -> None:
    bands = {
        ("refusion", 80): "010",
        ("refusion", 40): "011",
        ("refusion", 30): "012",
        ("refusion", 20): "013",
    }
    sickness = {
        (code, *key): f"5.57.71.2.{group}"
        for code in ("SDP-A", "SDP-B")
        for key, group in bands.items()
    }
    shares = {20: "012", 60: "013", 70: "014", 80: "015"}
    unemployment = {
        ("ADP", "medfinansiering", rate): f"5.57.78.1.{group}" for rate, group in shares.items()
    }
    travel = {("BEF", "medfinansiering", 50): "5.57.78.1.005"}
    assert RULES.accounts == sickness | unemployment | travel


def test_the_98_municipalities() -> None:
    expected = dict(text.strip().split(" ", 1) for text in MUNICIPALITIES.strip().split(","))
    assert len(expected) == 98
    assert RULES.municipalities == expected


def test_every_switch_has_a_source_and_none_of_them_is_law() -> None:
    assert len(RULES.switches) == 18
    assert RULES.switches["SPLIT"] == "CALENDAR_DAYS"
    assert RULES.switches["TOUCH"] == "NET_POSITIVE"
    assert RULES.switches["ROUND"] == "ROW_ORE"
    assert RULES.switches["FB_READING"] == "B"
    assert RULES.switches == {name: question.value for name, question in RULES.questions.items()}
    assert "verified" not in {question.source.evidence for question in RULES.questions.values()}


# Where everything comes from


def entries(value: object, place: str) -> Iterator[tuple[str, dict[str, object]]]:
    """All mappings that hold at least one scalar besides a name: what says something, with its place."""
    if isinstance(value, dict):
        if any(not isinstance(held, dict | list) for held in value.values()):
            yield place, value
        parts = [(key, held) for key, held in value.items() if key not in {"names", "evidence_of"}]
    else:
        parts = list(enumerate(value)) if isinstance(value, list) else []
    for key, held in parts:
        yield from entries(held, f"{place}/{key}")


ENTRIES = [
    (place, entry)
    for file, document in DOCUMENTS.items()
    for place, entry in entries(document, file)
    if place != "rule-sets/R-1.yaml"
]


@pytest.mark.parametrize(("place", "entry"), ENTRIES, ids=[place for place, _ in ENTRIES])
def test_an_entry_says_where_it_comes_from_and_when_it_holds(
    place: str, entry: dict[str, object]
) -> None:
    if "/alternatives/" in place:  # the question around it says the rest
        assert entry["meaning"]
        return
    assert entry["reference"]
    if "/bands/" in place:  # the staircase around it says the rest
        return
    if "/not_coded/" in place:
        assert entry["reason"]
        return
    assert entry["evidence"] in {"verified", "inferred", "expert", "assumed"}
    assert isinstance(entry["valid_from"], date)
    assert "valid_to" in entry
    if any(type(entry.get(field)) is int for field in ("value", "rate", "basis")):
        assert entry["unit"]


def test_every_source_that_a_rule_names_has_an_address_and_none_is_superfluous() -> None:
    every_file = (ROOT / "domain" / "rules").rglob("*.yaml")
    files = [path for path in every_file if path.name != "sources.yaml"]
    text = "".join(path.read_text(encoding="utf-8") for path in files)
    named = {found.rstrip(".") for found in re.findall(r"\bS-[\w§][\w§.-]*", text)}
    sources = read_document(FOLDER, "sources.yaml")
    assert isinstance(sources, dict)
    assert named == sources["sources"].keys()
    assert all(sources["sources"].values())


# Every day and every week


def test_one_staircase_holds_on_every_day_with_rates_and_none_before() -> None:
    first = RULES.dates.turn_of_year_rate_from
    for number in range(RULES.dates.counting_from.toordinal(), date(2037, 1, 1).toordinal()):
        day_ = date.fromordinal(number)
        holding = [
            stairs
            for stairs in RULES.staircases
            if stairs.valid_from <= day_ <= (stairs.valid_to or day_)
        ]
        assert len(holding) == (1 if day_ >= first else 0), day_


def test_the_turn_of_the_year_lies_directly_before_the_first_week_with_rates() -> None:
    dates = RULES.dates
    assert (
        dates.turn_of_year_week + timedelta(weeks=1)
        == dates.turn_of_year_rate_from
        == date(2016, 1, 4)
    )
    assert RULES.staircases[0].valid_from == dates.turn_of_year_rate_from


def test_three_years_by_date_are_the_last_156_weeks() -> None:
    """So no switch is needed for the window (rules 3.2)."""
    for week in range(week_of(day("2099-12-31")) + 1):
        limit = years_before(sunday(week), RULES.reset.within_years)
        inside = [earned for earned in range(week - 170, week + 1) if monday(earned) > limit]
        assert inside == list(range(week - 155, week + 1))


# Damage


def at(document: object, *path: str | int) -> dict[str, object]:
    """The mapping at a path of a parsed document."""
    for step in path:
        assert isinstance(document, dict | list)
        document = document[step]  # type: ignore[index]
    assert isinstance(document, dict)
    return document


STAIRS = ("staircases", 0)
ADP = ("benefits", 0)
SPLIT = ("switches", 0)
UFB = ("switches", 8)
OWN = "rule-sets/R-1.yaml"
SAME = {"value": "CALENDAR_DAYS", "meaning": "The same", "not_coded": "None"}
OTHER = {"value": "BY_MOON", "meaning": "Another", "not_coded": "Not found"}

# file, path to the entry, field, damaged value (... takes the field away), what the error names
DAMAGES: list[tuple[str, tuple[str | int, ...], str, object, str]] = [
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
    (
        "reset.yaml",
        ("not_coded", 0),
        "rule",
        "",
        "entry not_coded 1: field rule: '' does not have the form",
    ),
]


def damaged(file: str, path: tuple[str | int, ...], field: str, value: object) -> dict[str, object]:
    documents = copy.deepcopy(DOCUMENTS)
    entry = at(documents[file], *path)
    if value is ...:
        del entry[field]
    else:
        entry[field] = value
    return documents


@pytest.mark.parametrize(("file", "path", "field", "value", "named"), DAMAGES)
def test_damage_is_refused_by_file_entry_and_field(
    file: str, path: tuple[str | int, ...], field: str, value: object, named: str
) -> None:
    with pytest.raises(RuleError, match=f"^{re.escape(file)}: .*{named}"):
        rule_set_from(OWN, damaged(file, path, field, value))


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place of a document that holds a value: its container and its key there."""
    keys = (
        list(value)
        if isinstance(value, dict)
        else range(len(value))
        if isinstance(value, list)
        else ()
    )
    for key in keys:
        yield value, key
        yield from places(value[key])


@pytest.mark.parametrize("file", [*FILES, OWN])
def test_no_damage_anywhere_ends_in_another_error(file: str) -> None:
    """Whatever stands wherever: the rules load, or the error is one of ours."""
    documents = copy.deepcopy(DOCUMENTS)
    refused = 0
    nonsense: tuple[object, ...] = (None, [[]], {}, -1)
    for container, key in places(documents[file]):
        kept = container[key]
        for value in nonsense:
            container[key] = value
            try:
                rule_set_from(OWN, documents)
            except RuleError as error:
                refused += str(error).startswith(("accounts.yaml: ", f"{file}: "))
        container[key] = kept
    assert refused > 40
    assert rule_set_from(OWN, documents) == RULES


def test_undamaged_documents_give_the_loaded_rule_set() -> None:
    assert rule_set_from(OWN, copy.deepcopy(DOCUMENTS)) == RULES


@pytest.mark.parametrize("file", [*FILES, OWN])
def test_a_missing_an_empty_and_a_misshapen_file_are_named(file: str) -> None:
    without = {name: document for name, document in DOCUMENTS.items() if name != file}
    with pytest.raises(RuleError, match=f"^{re.escape(file)}: missing"):
        rule_set_from(OWN, without)
    contents: tuple[object, ...] = (None, [], "text", 7)
    for content in contents:
        with pytest.raises(
            RuleError, match=f"^{re.escape(file)}: entry .whole file.: is not a mapping"
        ):
            rule_set_from(OWN, without | {file: content})


def test_a_file_that_nobody_reads_is_refused() -> None:
    with pytest.raises(RuleError, match=r"^ceilings\.yaml: unknown"):
        rule_set_from(OWN, {**DOCUMENTS, "ceilings.yaml": {}})


def test_a_second_switch_and_a_missing_one_are_named() -> None:
    documents = copy.deepcopy(DOCUMENTS)
    switches = at(documents[OWN])["switches"]
    assert isinstance(switches, list)
    switches.append(switches[0])
    with pytest.raises(
        RuleError, match="entry SPLIT: field name: 'SPLIT' stands in an earlier entry"
    ):
        rule_set_from(OWN, documents)
    del switches[-1], switches[0]
    with pytest.raises(RuleError, match="field switches: no entry for SPLIT"):
        rule_set_from(OWN, documents)


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


# Files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the rule files that may be damaged."""
    return Path(copytree(Path(str(FOLDER)), tmp_path / "rules"))


def edit(folder: Path, file: str, old: str, new: str) -> None:
    text = (folder / file).read_text(encoding="utf-8")
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1), encoding="utf-8")


def test_a_copy_of_the_files_gives_the_same_rules(folder: Path) -> None:
    assert load_rule_set("R-1", folder) == RULES
    assert load_rule_set("R-1", folder) is load_rule_set("R-1", folder)


@pytest.mark.parametrize(
    ("file", "old", "new", "named"),
    [
        (
            "reset.yaml",
            "    value: 52",
            "    value: 52\n    value: 50",
            r"reset.yaml: line \d+: the key 'value' stands twice",
        ),
        ("reset.yaml", "reset:", "reset: [", r"reset.yaml: line \d+: "),
        ("reset.yaml", "    value: 52", "\tvalue: 52", r"reset.yaml: line \d+: "),
        (
            "reset.yaml",
            "value: 52",
            "value: !!python/name:os.system 52",
            r"reset.yaml: line \d+: could not determine",
        ),
        (
            "catalogue.yaml",
            "2017-12-31",
            "2017-02-29",
            "catalogue.yaml: entry AMY: field valid_to: '2017-02-29' is not",
        ),
        (
            "catalogue.yaml",
            "2017-12-31",
            "2017-12-31T00:00:00Z",
            "entry AMY: field valid_to: .* is not a date",
        ),
        (
            "municipalities.yaml",
            '"147"',
            '"101"',
            r"municipalities.yaml: line \d+: the key '101' stands twice",
        ),
    ],
)
def test_a_damaged_file_is_refused_by_place(
    folder: Path, file: str, old: str, new: str, named: str
) -> None:
    edit(folder, file, old, new)
    with pytest.raises(RuleError, match=named):
        load_rule_set("R-1", folder)


def test_the_line_of_a_syntax_error_is_the_line_in_the_file(folder: Path) -> None:
    (folder / "reset.yaml").write_text(
        "# one\nreset:\n  within_years: {value: 3\n  other: ]\n", encoding="utf-8"
    )
    with pytest.raises(RuleError, match=r"^reset\.yaml: line 4: "):
        load_rule_set("R-1", folder)


def test_a_file_that_is_not_text_or_not_there_is_named(folder: Path) -> None:
    (folder / "reset.yaml").write_bytes(b"reset: \xff")
    with pytest.raises(RuleError, match=r"^reset\.yaml: cannot be read"):
        load_rule_set("R-1", folder)
    (folder / "reset.yaml").unlink()
    with pytest.raises(RuleError, match=r"^reset\.yaml: cannot be read"):
        load_rule_set("R-1", folder)


@pytest.mark.parametrize("name", ["R-9", "", "../catalogue"])
def test_an_unknown_rule_set_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(RuleError, match=r"known are R-1, R-2$"):
        load_rule_set(name)
