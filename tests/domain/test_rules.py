"""The rules as data: their values, and that each of them has its source."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from importlib.resources import files

import pytest

from domain.basics.weeks import day, monday, sunday, week_of, years_before
from domain.ruledata.ruleset import Benefit
from streams.citizens.rule_sets import (
    load_rule_set,
    read_document,
    read_documents,
    rule_set_names,
)

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
101 København, 147 Frederiksberg, 151 Ballerup, 153 Brøndby, 155 Dragør, 157 Gentofte, 159 Gladsaxe,
161 Glostrup, 163 Herlev, 165 Albertslund, 167 Hvidovre, 169 Høje-Taastrup, 173 Lyngby-Taarbæk,
175 Rødovre, 183 Ishøj, 185 Tårnby, 187 Vallensbæk, 190 Furesø, 201 Allerød, 210 Fredensborg,
217 Helsingør, 219 Hillerød, 223 Hørsholm, 230 Rudersdal, 240 Egedal, 250 Frederikssund, 253 Greve,
259 Køge, 260 Halsnæs, 265 Roskilde, 269 Solrød, 270 Gribskov, 306 Odsherred, 316 Holbæk, 320 Faxe,
326 Kalundborg, 329 Ringsted, 330 Slagelse, 336 Stevns, 340 Sorø, 350 Lejre, 360 Lolland,
370 Næstved, 376 Guldborgsund, 390 Vordingborg, 400 Bornholm, 410 Middelfart, 420 Assens,
430 Faaborg-Midtfyn, 440 Kerteminde, 450 Nyborg, 461 Odense, 479 Svendborg, 480 Nordfyns,
482 Langeland, 492 Ærø, 510 Haderslev, 530 Billund, 540 Sønderborg, 550 Tønder, 561 Esbjerg,
563 Fanø, 573 Varde, 575 Vejen, 580 Aabenraa, 607 Fredericia, 615 Horsens, 621 Kolding, 630 Vejle,
657 Herning, 661 Holstebro, 665 Lemvig, 671 Struer, 706 Syddjurs, 707 Norddjurs, 710 Favrskov,
727 Odder, 730 Randers, 740 Silkeborg, 741 Samsø, 746 Skanderborg, 751 Aarhus, 756 Ikast-Brande,
760 Ringkøbing-Skjern, 766 Hedensted, 773 Morsø, 779 Skive, 787 Thisted, 791 Viborg,
810 Brønderslev, 813 Frederikshavn, 820 Vesthimmerland, 825 Læsø, 840 Rebild, 846 Mariagerfjord,
849 Jammerbugt, 851 Aalborg, 860 Hjørring
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
    """All mappings that hold at least one scalar besides a name: what says something, with its
    place.
    """
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
    names = {*DOCUMENTS, *(f"rule-sets/{name}.yaml" for name in rule_set_names(FOLDER))}
    text = "".join((FOLDER / file).read_text(encoding="utf-8") for file in names)
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
    """The window needs no switch for that reason (rules 3.2)."""
    for week in range(week_of(day("2099-12-31")) + 1):
        limit = years_before(sunday(week), RULES.reset.within_years)
        inside = [earned for earned in range(week - 170, week + 1) if monday(earned) > limit]
        assert inside == list(range(week - 155, week + 1))
