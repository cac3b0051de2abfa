"""Each row of the program's tables is shown by a case, and both services of eIndkomst are read."""

import json

import pytest
import yaml

from streams.upstream.tables import PACKAGED, UpstreamTables
from streams.wire.validator import Validator
from tests.streams.upstream.test_eindkomst import (
    CPR,
    FUND,
    LINE,
    OTHER,
    SE,
    SOURCED,
    answer,
    blanket,
    converted,
    folder,
    period,
    reasons,
    refund,
)
from tests.support.lives import RULES

__all__ = ["folder"]
PENSIONS = "30000002"
PAYERS = {"municipality": SE, "a_kasse": FUND, "udbetaling_danmark": PENSIONS}

DECIDED = {
    ("a_kasse", "0005"): "ADP",
    ("a_kasse", "0013"): "EFL",
    ("a_kasse", "0014"): "BEF",
    ("a_kasse", "0016"): None,
    ("udbetaling_danmark", "0006"): None,
    ("udbetaling_danmark", "0024"): "DEL",
    ("udbetaling_danmark", "0086"): "FLY",
    ("udbetaling_danmark", "0116"): "TIP",
    ("udbetaling_danmark", "0078"): "BDP",
    ("municipality", "0019"): "SUY",
    ("municipality", "0038"): None,
    ("municipality", "0041"): None,
    ("municipality", "0042"): "REV",
    ("municipality", "0070"): None,
    ("municipality", "0071"): None,
    ("municipality", "0083"): "FLT",
    ("municipality", "0084"): None,
    ("municipality", "0087"): "UDH",
    ("municipality", "0103"): "SDP-B",
    ("municipality", "0170"): "OPO",
}
"""The benefit of a reporter's class and an indtægtsart; None where the account alone decides."""
WITHOUT_16300 = {"0013", "0024", "0086", "0116", "0078"}
"""Indtægtsarter of benefits outside Ydelsesrefusion: their money is in blanket 16001 alone."""
FIELDS = {"057": 1, "058": 1, "070": 1, "071": 1, "078": 1, "095": -1, "216": 1}


@pytest.fixture
def payers(folder):
    """The tables of a test, with the three kinds of payers."""
    with (folder / "reporters.yaml").open("a") as file:
        row = {"se": PENSIONS, "reporter": "udbetaling_danmark"} | SOURCED
        file.write(f"- {row}\n")
    return folder


def test_the_cases_are_those_of_the_tables():
    tables = UpstreamTables(None)
    assert {(reporter, art) for reporter, _, art in tables._types} == DECIDED.keys()
    assert {art for _, _, art in tables._types if _without(tables, art)} == WITHOUT_16300
    assert tables.signs == {int(field): sign for field, sign in FIELDS.items()}


def _without(tables, art):
    return any(
        row.without_16300
        for (_, _, each), rows in tables._types.items()
        for row in rows
        if each == art
    )


@pytest.mark.parametrize(("reporter", "art"), DECIDED)
def test_indtaegtsart_gives_the_benefit_or_leaves_it_to_the_account(payers, reporter, art):
    line = (LINE[0], *LINE[2:])
    given = answer((CPR, period(refund(line, art=art), se=PAYERS[reporter])))
    benefit = DECIDED[reporter, art]
    if benefit is None:
        assert reasons(payers, given) == ["unknown_account"]
        return
    reports, refused, summary = converted(payers, given)
    assert refused == []
    assert {each["benefit"] for each in reports} == {benefit}
    assert sum(each["amount_ore"] for each in reports) == 1_200_000
    assert summary["mapped_by_type"] == {benefit: 1}
    validator = Validator(RULES, demo=True)
    parsed = [validator.parse(json.dumps(each).encode()) for each in reports]
    closed = {"SUY"}  # in force until 2016 only
    assert all(hasattr(each, "report") for each in parsed) == (benefit not in closed), parsed


@pytest.mark.parametrize(("reporter", "art"), DECIDED)
def test_money_of_16001_alone_counts_only_for_benefits_outside_refusion(payers, reporter, art):
    income = ((58, "12000.00"),)
    given = answer((CPR, period(refund(art=art, income=income), se=PAYERS[reporter])))
    if art in WITHOUT_16300:
        reports, refused, _ = converted(payers, given)
        assert refused == []
        assert {each["benefit"] for each in reports} == {DECIDED[reporter, art]}
    else:
        assert reasons(payers, given) == ["unknown_account"]


@pytest.mark.parametrize("art", sorted({art for _, art in DECIDED}))
def test_another_class_of_reporter_with_the_same_indtaegtsart_is_another_row(payers, art):
    for reporter, number in PAYERS.items():
        if (reporter, art) not in DECIDED:
            line = (LINE[0], *LINE[2:])
            given = answer((CPR, period(refund(line, art=art), se=number)))
            assert reasons(payers, given) == ["unknown_account"]


@pytest.mark.parametrize("field", FIELDS)
def test_each_field_with_money_counts_with_its_sign(payers, field):
    money = (int(field), "100.00")
    on_line = field not in ("057", "216")
    below = ((money, *LINE[1:]),) if on_line else (LINE[1:],)
    if field == "057":  # wages alone
        wage = blanket("11000", [(11, "I"), (12, "0")])
        wage += blanket("16000", [(19, "0001")], blanket("16001", [money]))
        given = answer((CPR, period(wage, se="55667788")))
    else:
        given = answer((CPR, period(refund(*below, income=() if on_line else (money,)))))
    (report,), refused, summary = converted(payers, given)
    assert refused == []
    assert report["amount_ore"] == 10_000 * FIELDS[field]
    assert summary["in_ore"] == {field: 10_000 * FIELDS[field]}


# --- service 11 -----------------------------------------------------------------------------------


def of_companies(*companies):
    """An answer of the company service: the persons are in the reporter."""
    inside = "".join(
        "<IndkomstOplysningVirksomhedStruktur><VirksomhedSENummerIdentifikator>"
        f"{number}</VirksomhedSENummerIdentifikator><IndkomstOplysningSamling>"
        f"{''.join(people)}</IndkomstOplysningSamling></IndkomstOplysningVirksomhedStruktur>"
        for number, *people in companies
    )
    whole = answer()
    return whole.replace("</Svar>", f"<IndkomstPersonUddata>{inside}</IndkomstPersonUddata></Svar>")


def person(cpr, *periods):
    number = f"<PersonCivilRegistrationIdentifier>{cpr}</PersonCivilRegistrationIdentifier>"
    wages = "".join(each.split("</VirksomhedSENummerIdentifikator>")[1] for each in periods)
    wages = wages.replace("</IndberetningPligtigVirksomhed>", "")
    return (
        "<IndkomstOplysningPersonStruktur>"
        f"{number if cpr else ''}<IndkomstLoenPeriodeSamling>{wages}</IndkomstLoenPeriodeSamling>"
        "</IndkomstOplysningPersonStruktur>"
    )


def test_an_answer_of_the_company_service_says_what_the_person_service_says(payers):
    line = ((58, "12000.00"), (202, "0115"), (203, "20240101-20240131"))
    from_fund = ((58, "3100.00"), (203, "20240101-20240131"))
    one, two = period(refund(line)), period(refund(line), report="B")
    paid = period(refund(from_fund, art="0005"), se=FUND, report="C")
    by_person = answer((CPR, one, two, paid), (OTHER, one))
    by_company = of_companies(
        (SE, person(CPR, one, two), person(OTHER, one)), (FUND, person(CPR, paid))
    )
    expected, _, summary = converted(payers, by_person)
    reports, refused, found = converted(payers, by_company)
    assert refused == []
    assert sorted(map(str, reports)) == sorted(map(str, expected))
    assert len(reports) == 5
    assert (found["in_ore"], found["out_ore"]) == (summary["in_ore"], summary["out_ore"])
    assert (found["messages"], found["periods"]) == (1, 4)


def test_a_number_holds_for_nobody_beside_the_element_that_it_is_in(payers):
    line = ((58, "12000.00"), (202, "0115"), (203, "20240101-20240131"))
    given = of_companies((SE, person(CPR, period(refund(line))), person("", period(refund(line)))))
    reports, refused, _ = converted(payers, given)
    assert [each["cpr"] for each in reports] == [CPR]
    assert [each["reason"] for each in refused] == ["no_cpr"]
    nobody = of_companies((SE, person(CPR, period(refund(line))))).replace(
        "</IndkomstPersonUddata>", f"{person(OTHER, period(refund(line)))}</IndkomstPersonUddata>"
    )
    reports, refused, _ = converted(payers, nobody)
    assert [each["cpr"] for each in reports] == [CPR]
    assert [each["reason"] for each in refused] == ["no_reporter"]


# --- each row has a case --------------------------------------------------------------------------

DECIDED_BY_ACCOUNT = {
    (row.reporter, row.indtaegtsart, code)
    for row in UpstreamTables(None).type_rows()
    for code in row.may_be
}


def test_no_table_of_the_program_has_a_row_without_a_case():
    """Those of accounts and reporters have none; a row of one's own is tested by its owner."""
    rows = {
        path.name: yaml.safe_load(path.read_text(encoding="utf-8"))
        for path in PACKAGED.iterdir()
        if path.name.endswith(".yaml")
    }
    assert rows.keys() == {
        "accounts.yaml", "amounts.yaml", "by_type.yaml", "reporters.yaml", "service.yaml"
    }  # fmt: skip
    assert (rows["accounts.yaml"], rows["reporters.yaml"]) == ([], [])
    assert sorted(row["field"] for row in rows["amounts.yaml"]) == sorted(FIELDS)
    cases = sorted((row["reporter"], row["indtaegtsart"]) for row in rows["by_type.yaml"])
    assert cases == sorted(DECIDED)
    undecided = {
        (row["reporter"], row["indtaegtsart"])
        for row in rows["by_type.yaml"]
        if row["benefit"] is None
    }
    assert {(reporter, art) for reporter, art, _ in DECIDED_BY_ACCOUNT} == undecided
    unknown = {"reversed_report": None, "marked_beside_equal": None}
    assert rows["service.yaml"] == unknown | {"atp_field": "199"}


@pytest.mark.parametrize(("reporter", "art", "code"), sorted(DECIDED_BY_ACCOUNT))
def test_an_account_decides_each_benefit_that_the_indtaegtsart_may_be(payers, reporter, art, code):
    with (payers / "accounts.yaml").open("a") as file:
        row = {"account": "7777", "benefit": code, "financing": "730"} | SOURCED
        file.write(f"- {row}\n")
    line = (LINE[0], (202, "7777"), *LINE[2:])
    reports, refused, summary = converted(
        payers, answer((CPR, period(refund(line, art=art), se=PAYERS[reporter])))
    )
    assert refused == []
    assert [(each["benefit"], each["amount_ore"]) for each in reports] == [(code, 1_200_000)]
    assert summary["mapped_by_type"] == {}


def test_the_setting_for_the_atp_decides_its_field(payers):
    given = answer((CPR, period(refund(LINE, income=((76, "270.00"), (199, "90.00"))))))
    (plain,), _, _ = converted(payers, given)
    (payers / "service.yaml").write_text("reversed_report: marked\natp_field: '076'\n")
    (payers / "lines.sqlite").unlink()
    (other,), _, _ = converted(payers, given)
    assert (plain["atp_ore"], other["atp_ore"]) == (9_000, 27_000)
    assert plain["report_id"] == other["report_id"]
