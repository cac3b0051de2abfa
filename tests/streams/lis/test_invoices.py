"""The basis of invoices: units × price by month, to the øre, for all municipalities or none."""

import csv
import io
import json
from fractions import Fraction

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from projections.lis.inhabitants import Inhabitants, InhabitantsError, read_inhabitants
from projections.lis.invoices import (
    InvoiceError,
    InvoicePrice,
    invoice_lines,
    months_of,
    read_prices,
)
from streams.citizens.rule_sets import LawBook
from streams.cli.main import main

HEAD = "valid_from;valid_to;unit;kroner_a_year;reference"
NAMES = {"730": "Randers", "751": "Aarhus"}
PEOPLE = {("730", "2027"): Inhabitants(62_001, "x"), ("751", "2027"): Inhabitants(230_000, "x")}


def prices(*rows):
    return read_prices([HEAD, *rows])


def test_inhabitants_times_half_of_the_price_of_a_year():
    price = prices("2027-01;;inhabitant;4,75;aftale")
    randers, aarhus = invoice_lines("2027-1", NAMES, price, PEOPLE, {})
    # 62,001 × 475 øre × 6/12 = 14,725,237.5 øre, rounded up
    assert (randers.units, randers.amount_ore) == (62_001, 14_725_238)
    assert (aarhus.first, aarhus.last, aarhus.amount_ore) == ("2027-01", "2027-06", 54_625_000)


def test_a_price_that_changes_gives_a_line_for_each_part_of_the_half_year():
    changed = prices("2027-01;2027-09;inhabitant;4,80;a", "2027-10;;inhabitant;2,40;b")
    first, second = invoice_lines("2027-2", {"751": "Aarhus"}, changed, PEOPLE, {})
    assert (first.first, first.last, first.amount_ore) == ("2027-07", "2027-09", 27_600_000)
    assert (second.first, second.last, second.amount_ore) == ("2027-10", "2027-12", 13_800_000)
    assert (first.reference, second.reference) == ("a", "b")


def test_citizens_are_added_up_over_the_months():
    price = prices("2027-01;;citizen;12,00;aftale")
    citizens = {("730", "2027-01"): 100, ("730", "2027-06"): 20, ("730", "2027-07"): 9_999}
    randers, aarhus = invoice_lines("2027-1", NAMES, price, {}, citizens)
    assert (randers.units, randers.amount_ore) == (120, 12_000)
    assert (aarhus.units, aarhus.amount_ore) == (0, 0)


def test_all_inhabitants_are_counted_where_the_price_is_for_all_ages():
    table = ["municipality;year;inhabitants_16_66;region;inhabitants", "751;2027;230000;x;355000"]
    price = prices("2027-01;;inhabitant_of_all_ages;4,75;aftale")
    (line,) = invoice_lines("2027-1", {"751": "Aarhus"}, price, read_inhabitants(table), {})
    assert (line.unit, line.units) == ("inhabitant_of_all_ages", 355_000)
    assert line.amount_ore == 84_312_500  # 355,000 × 475 øre × 6/12
    with pytest.raises(InvoiceError, match="no inhabitants of all ages of 2027 for 730, 751"):
        invoice_lines("2027-1", NAMES, price, PEOPLE, {})


def test_a_table_of_inhabitants_has_the_fifth_column_in_every_line_or_in_none():
    head = "municipality;year;inhabitants_16_66;region"
    with pytest.raises(InhabitantsError, match="line 2 has 5 cells and not 4"):
        read_inhabitants([head, "751;2027;230000;x;355000"])
    with pytest.raises(InhabitantsError, match="line 2 has 4 cells and not 5"):
        read_inhabitants([f"{head};inhabitants", "751;2027;230000;x"])
    with pytest.raises(InhabitantsError, match="a whole number without dots"):
        read_inhabitants([f"{head};inhabitants", "751;2027;230000;x;355.000"])
    with pytest.raises(InhabitantsError, match="inhabitants may follow"):
        read_inhabitants([f"{head};people"])


@given(st.integers(0, 10**7), st.integers(0, 10**5), st.integers(0, 10**5), st.integers(7, 11))
def test_the_parts_of_a_half_year_are_the_whole_to_half_an_ore_each(people, one, other, last):
    both = [
        InvoicePrice("2027-01", f"2027-{last:02}", "inhabitant", one, "a"),
        InvoicePrice(f"2027-{last + 1:02}", "", "inhabitant", other, "b"),
    ]
    known = {("751", "2027"): Inhabitants(people, "x")}
    lines = invoice_lines("2027-2", {"751": "Aarhus"}, both, known, {})
    months = last - 6
    exact = Fraction(people * (one * months + other * (6 - months)), 12)
    assert len(lines) == 2
    assert abs(sum(line.amount_ore for line in lines) - exact) <= 1


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["2027-13;;inhabitant;4,75;a"], "line 2: a month is written"),
        (["2027-01;;house;4,75;a"], "a unit is inhabitant, inhabitant_of_all_ages, citizen"),
        (["2027-01;;inhabitant;4.7.5;a"], "a price is kroner"),
        (["2027-01;;inhabitant;4,75;"], "where the price was agreed"),
        (["2027-01;;inhabitant;4,75"], "line 2 has 4 cells and not 5"),
        (
            ["2027-01;;inhabitant;4,75;a", "2027-05;;inhabitant;4,60;b"],
            "two prices are valid in 2027-05",
        ),
    ],
)
def test_a_table_of_prices_that_is_wrong_is_told_by_its_line(rows, said):
    with pytest.raises(InvoiceError, match=said):
        prices(*rows)


def test_nothing_is_guessed():
    price = prices("2027-02;;inhabitant;4,75;a")
    with pytest.raises(InvoiceError, match="no price is valid in 2027-01"):
        invoice_lines("2027-1", NAMES, price, PEOPLE, {})
    with pytest.raises(InvoiceError, match="no line of 2028 for 730, 751"):
        invoice_lines("2028-1", NAMES, price, PEOPLE, {})
    with pytest.raises(InvoiceError, match="no half year"):
        months_of("2027-3")


@pytest.fixture
def refusion(tmp_path, monkeypatch):
    names = LawBook().catalogue().municipalities
    people = [f"{code};2027;1000;x" for code in names]
    head = "municipality;year;inhabitants_16_66;region"
    (tmp_path / "people.csv").write_text("\n".join([head, *people]))
    (tmp_path / "prices.csv").write_text(f"{HEAD}\n2027-01;;inhabitant;4,75;bilag 14\n")
    monkeypatch.setenv("REFUSION_INHABITANTS", str(tmp_path / "people.csv"))
    monkeypatch.setenv("REFUSION_PRICES", str(tmp_path / "prices.csv"))
    return lambda *arguments: CliRunner().invoke(main, ["invoices", *map(str, arguments)])


def test_the_program_writes_a_table_of_all_and_one_for_each(refusion, tmp_path):
    done = refusion("--half", "2027-1", "--out", tmp_path / "out")
    assert (done.exit_code, done.stderr) == (0, "")
    files = {path.name for path in (tmp_path / "out").iterdir()}
    assert len(files) == 99
    assert {"invoices-2027-1.csv", "invoice-2027-1-730.csv"} <= files
    text = (tmp_path / "out" / "invoice-2027-1-730.csv").read_bytes().decode("utf-8-sig")
    (line,) = csv.DictReader(io.StringIO(text), delimiter=";")
    assert (line["name"], line["units"], line["amount"]) == ("Randers", "1000", "2375,00")
    told = json.loads(refusion("--half", "2027-1", "--json").stdout)
    assert told["amount_ore"] == 98 * 237_500 == sum(each["amount_ore"] for each in told["lines"])


def test_the_program_says_what_is_missing(refusion, monkeypatch):
    assert "no half year" in refusion("--half", "2027").stderr
    assert "no price is valid in 2026-01" in refusion("--half", "2026-1").stderr
    monkeypatch.delenv("REFUSION_PRICES")
    done = refusion("--half", "2027-1")
    assert (done.exit_code, "REFUSION_PRICES is not set" in done.stderr) == (2, True)
