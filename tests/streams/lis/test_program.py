"""`refusion lis VIEW` as people and programs call it: forms, statuses, CPR numbers."""

import csv
import io
import json
import random

import pytest
from arro3.io import read_parquet
from click.testing import CliRunner

from projections.lis.invoices import months_of
from streams.cli.main import main
from tests.properties.test_lis import built
from tests.support.run_histories import ledger_of_lives

KEYS = {"REFUSION_PSEUDONYM_KEY": bytes(32).hex(), "REFUSION_SEAL_KEY": bytes(range(32)).hex()}
"""Those of `tests.support.product`."""
LOOK = ("--cpr", "--municipality", "751", "--purpose", "sag 12/2024")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("program")
    ledger_of_lives(random.Random(2), 2, made / "ledger")
    built(made)
    return made


@pytest.fixture
def lis(folder, monkeypatch):
    """Call `refusion lis` with the ledger and marts of random lives."""
    places = {name: str(folder / name.lower()) for name in ("LEDGER", "LIS", "STATE_DIR")}
    given = KEYS | {f"REFUSION_{name}": place for name, place in places.items()}
    for name, value in (given | {"REFUSION_DEMO": "1"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("REFUSION_BOOTSTRAP", raising=False)
    return lambda *arguments: CliRunner().invoke(main, ["lis", *map(str, arguments)])


def test_json_and_csv_have_the_same_rows(lis):
    told = json.loads(lis("beloeb", "--as", "of", "--run", 50, "--json").stdout)
    assert (told["view"], told["as"], told["run"], told["rules"]) == ("beloeb", "of", 50, "R-1")
    assert len(told["rows"]) > 10
    written = lis("beloeb", "--as", "of", "--run", 50, "--csv").stdout
    assert written.startswith("\ufeff")
    lines = [*csv.DictReader(io.StringIO(written.removeprefix("\ufeff")), delimiter=";")]
    assert [line["amount"].replace(",", "") for line in lines] == [
        f"{row['amount_ore'] // 100}{row['amount_ore'] % 100:02d}" if row["amount_ore"] >= 0 else
        f"-{-row['amount_ore'] // 100}{-row['amount_ore'] % 100:02d}"
        for row in told["rows"]
    ]  # fmt: skip


def test_each_view_answers_with_a_table_in_the_words_of_the_field(lis):
    for view, word in (
        ("beloeb", "udgiftsgrundlag"), ("udgifter", "konto"), ("personer", "fuldtidspersoner"),
        ("afregning", "finansieringsbeløb"), ("korrektioner", "berørte uger"),
        ("anciennitet", "Anciennitet"), ("paa-vej-ned", "uger til næste trin"),
        ("genoptjening", "Genoptjening"), ("sammenligning", "gns. refusion %"),
        ("udvikling", "personer trin 4"), ("fuldstaendighed", "forventet"),
        ("mellemkommunalt", "finansierende"), ("overgange", "fra ydelse"),
        ("fleksbidrag", "fleksløntilskud"), ("kontrol", "forskel"), ("landet", "refusion"),
        ("ugens-vaerdi", "netto på næste trin"),
    ):  # fmt: skip
        done = lis(view)
        assert (done.exit_code, done.stderr) == (0, ""), view
        assert word in done.stdout, view


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["beloeb", "--as", "of"], "needs --run"),
        (["beloeb", "--as", "of", "--run", "99"], "run 99 is not in the marts"),
        (["beloeb", "--run", "50"], "--run 50 needs --as of"),
        (["beloeb", "--municipality", "999"], "there is no municipality 999"),
        (["beloeb", "--municipality", "Randers"], "no municipality"),
        (["beloeb", "--month", "januar"], "no month"),
        (["beloeb", "--benefit", "XYZ"], "there is no benefit 'XYZ'"),
        (["kontrol", "--svg", "/nowhere.svg"], "have no picture"),
        (["paa-vej-ned", "--cpr"], "--cpr needs --municipality"),
        (["paa-vej-ned", "--cpr", "--municipality", "730"], "--cpr needs --purpose"),
        (["anciennitet", *LOOK], "--cpr goes with --persons"),
        (["borger", "0101900000"], "does not belong on a command line"),
    ],
)
def test_what_cannot_be_answered_is_told_in_a_sentence(lis, arguments, said):
    done = lis(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_parquet_has_the_rows_and_a_picture_its_title(lis, tmp_path):
    told = json.loads(lis("personer", "--json").stdout)["rows"]
    assert lis("personer", "--parquet", tmp_path / "a", "--svg", tmp_path / "b").stdout == ""
    table = read_parquet(tmp_path / "a").read_all()
    assert table.column("persons").to_pylist() == [row["persons"] for row in told]
    assert "<title>Personer efter ydelse og procent</title>" in (tmp_path / "b").read_text()


def test_an_explanation_says_the_paragraph_the_switch_and_that_the_sums_agree(lis):
    said = json.loads(lis("beloeb", "--explain", "--json").stdout)["definition"]
    assert "§§ 3 og 5" in said["Lov"]
    assert said["Valg SPLIT"].startswith("CALENDAR_DAYS: ")
    assert said["Kontrol"].startswith("summen er ledgerens: amount ")
    for asked in (["--as", "of", "--run", "50"], ["--as", "settled", "--run", "51"]):
        for view in ("beloeb", "udgifter", "afregning", "landet"):
            done = lis(view, "--explain", "--municipality", "751", *asked)
            assert "summen er ledgerens" in done.stdout, (view, asked)


def test_cpr_numbers_are_shown_for_a_purpose_and_the_look_is_recorded_first(
    lis, folder, monkeypatch
):
    acts = []

    async def record(_settings, made):
        acts.extend(made)
        assert not (folder / "state_dir" / "access-log.jsonl").exists()

    monkeypatch.setattr("streams.acts.acts.record_acts", record)
    done = lis("genoptjening", "--persons", *LOOK, "--json")
    rows = json.loads(done.stdout)["rows"]
    assert rows
    assert all(len(row["cpr"]) == 10 and len(row["citizen"]) == 32 for row in rows)
    ((name, scope, purpose),) = acts
    assert (name, scope["view"], scope["municipality"]) == ("lis", "genoptjening", "751")
    assert scope["citizens"] == sorted({row["citizen"] for row in rows})
    assert purpose == "sag 12/2024"
    (line,) = (folder / "state_dir" / "access-log.jsonl").read_text().splitlines()
    assert json.loads(line)["persons"] == len(scope["citizens"])


LISTS = (
    ("paa-vej-ned",), ("fleksbidrag", "--csv"), ("anciennitet", "--persons"),
    ("paa-vej-ned", "--municipality", "751", "--purpose", "sag 12/2024", "--json"),
)  # fmt: skip
"""Questions whose answers have citizens in their rows, by pseudonym."""


@pytest.mark.parametrize("asked", LISTS)
def test_a_list_of_citizens_is_recorded_whatever_its_form_and_sums_are_not(lis, monkeypatch, asked):
    acts = []

    async def record(_settings, made):
        acts.extend(made)

    monkeypatch.setattr("streams.acts.acts.record_acts", record)
    done = lis(*asked)
    assert done.exit_code == 0
    ((name, scope, purpose),) = acts
    assert (name, scope["view"], scope["cpr"]) == ("lis", asked[0], False)
    assert purpose == ("sag 12/2024" if "--purpose" in asked else "")
    if "--json" in asked:
        rows = json.loads(done.stdout)["rows"]
        assert scope["citizens"] == sorted({row["citizen"] for row in rows})
    for sums in (["anciennitet", "--csv"], ["beloeb", "--json"], ["personer"]):
        assert lis(*sums).exit_code == 0
    assert len(acts) == 1


@pytest.mark.parametrize("asked", [("genoptjening", "--persons", *LOOK), *LISTS])
def test_nothing_is_shown_where_the_look_cannot_be_recorded(lis, monkeypatch, asked):
    async def refuse(*_):
        raise OSError(5, "no record")

    monkeypatch.setattr("streams.acts.acts.record_acts", refuse)
    assert lis(*asked).stdout == ""


def test_a_purpose_is_checked_before_it_is_kept(lis, monkeypatch):
    monkeypatch.setattr("streams.acts.acts.record_acts", None)
    done = lis("paa-vej-ned", "--purpose", "om 010190" + "1234")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "looks like a CPR number" in done.stderr


def test_books_of_the_municipality_are_held_against_the_sum_postings(lis, tmp_path):
    rows = json.loads(lis("udgifter", "--municipality", "751", "--json").stdout)["rows"]
    row = next(row for row in rows if row["account"])
    books = tmp_path / "books.csv"
    books.write_text(f"account;month;amount\n{row['account']};{row['month']};0,00\n")
    done = lis("afstemning", "--books", books, "--municipality", "751", "--json")
    found = json.loads(done.stdout)["rows"]
    assert {line["month"] for line in found} == {row["month"]}
    assert all(line["difference_ore"] == line["sumpostering_ore"] for line in found)
    books.write_text("x")
    assert "the first line must name" in lis("afstemning", "--books", books).stderr


def test_an_invoice_by_citizens_counts_those_that_the_view_shows(lis, monkeypatch, tmp_path):
    table = tmp_path / "prices.csv"
    head = "valid_from;valid_to;unit;kroner_a_year;reference"
    table.write_text(f"{head}\n2010-01;;citizen;12,00;aftale\n")
    monkeypatch.setenv("REFUSION_PRICES", str(table))
    shown = json.loads(lis("personer", "--municipality", "751", "--json").stdout)["rows"]
    months = {row["month"]: row["persons"] for row in shown if row["persons"]}
    half = f"{min(months)[:4]}-{1 if min(months)[5:] <= '06' else 2}"
    asked = ["invoices", "--half", half, "--json"]
    lines = json.loads(CliRunner().invoke(main, asked).stdout)["lines"]
    (own,) = [line for line in lines if line["municipality"] == "751"]
    counted = sum(months.get(month, 0) for month in months_of(half))
    assert (own["units"], own["amount_ore"]) == (counted, 100 * counted)
    assert counted
