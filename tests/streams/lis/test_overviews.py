"""The files that say what is true as of a run: by hand, and beside a plain, slow count."""

import csv
import random
from collections import defaultdict

import pytest

from projections.runs.files import Names
from streams.citizens.rule_sets import load_rule_set
from streams.ledger.cuts import cuts_of
from streams.ledger.export import Export, FileChoice
from streams.ledger.table import LedgerError, LedgerTable
from streams.lis import overviews
from streams.lis.engine import Share, engine
from streams.lis.overviews import LedgerOverviews
from streams.settings import Settings
from tests.support import lis_reference, product
from tests.support.postings import IDENTITY, ledger_of, marker, posting
from tests.support.run_histories import RUNS, ledger_of_lives
from tests.support.sizes import sized

ANNA, BO, CARL = "6101801234", "6202801235", "6303801236"
RULES = load_rule_set()
NAMES = Names(
    {code: benefit.name for code, benefit in RULES.benefits.items()}, RULES.municipalities
)
KEYS = {"REFUSION_PSEUDONYM_KEY": bytes(32).hex(), "REFUSION_SEAL_KEY": bytes(range(32)).hex()}
"""Those of `tests.support.product`."""
HIGH = {"amount_ore": 100000, "refusion_ore": 80000}
BACK = {"kind": "correction", "amount_ore": -100000, "refusion_ore": -80000, "reverses": "a"}


@pytest.fixture
def demo(tmp_path):
    return Settings.load({"REFUSION_DEMO": "1", "REFUSION_STATE_DIR": str(tmp_path / "state")})


def exported(settings, ledger, run, folder, only=None):
    """Export a run; give the summary, and the bytes of the files by kind and municipality."""
    cuts = cuts_of(ledger, run)
    with engine(Share(200, 2, 1)) as connection:
        read = LedgerOverviews(connection, ledger, cuts, run, only)
        read.read(NAMES, lambda _name: product.law(), lambda *_: None)
        choice = FileChoice(only, overviews=read)
        done = Export(settings, ledger, cuts, run, NAMES).write(folder, choice, lambda *_: None)
    files = {tuple(path.name.split("-")[2:4]): path.read_bytes() for path in folder.glob("*.csv")}
    return done, files


def lines_of(text):
    return [*csv.DictReader(text.decode().splitlines(), delimiter=";")]


SMALL = [
    [
        # An earlier system settled a week of Anna's, which a report takes back and books anew.
        posting(ANNA, 1, HIGH | {"kind": "opening", "week": "2023-12-04", "month": "2023-12"}),
        posting(ANNA, 2, HIGH, HIGH | {"week": "2024-01-08"}),
        # Bo's row is Anna's in all that is seen of it but the person; Carl's first week is gone.
        posting(BO, 1, HIGH, HIGH | {"week": "2024-01-08", "financing": "751"}),
        posting(CARL, 1, HIGH),
        marker(49),
        posting(CARL, 2, BACK, HIGH | {"week": "2024-01-08", "paying": "751"}),
        posting(
            ANNA,
            3,
            HIGH | {"month": "2024-02", "week": "2024-02-05"},
            HIGH | {"benefit": "FB", "month": "2024-02", "week": "2024-02-05"},
            counters={"week": "2024-02-05", "seniority": 7, "earned": [["2023-12-11", 3]]},
        ),
        marker(50, "2024-02", "2024-03-10T00:30:00+01:00"),
        posting(BO, 2, HIGH | {"week": "2024-02-26", "month": "2024-02"}),
    ]
]


def test_the_overviews_of_a_small_municipality_are_those_made_by_hand(tmp_path, demo):
    ledger = ledger_of(tmp_path / "ledger", *SMALL)
    _, files = exported(demo, ledger, 50, tmp_path / "out", "730")
    assert (
        files["ugeoversigt", "730"].decode()
        == """\
Uge;Ydelse;Finansiering Kommunenavn;Antal;Total;Refusion;Medfinansiering
2023-12-04;Kontanthjælp;Randers;1;1000,00;800,00;0,00
2024-01-01;Kontanthjælp;Randers;2;2000,00;1600,00;0,00
2024-01-08;Kontanthjælp;Aarhus;1;1000,00;800,00;0,00
2024-01-08;Kontanthjælp;Randers;1;1000,00;800,00;0,00
2024-02-05;Fleksbidrag fra staten;Randers;0;1000,00;800,00;0,00
2024-02-05;Kontanthjælp;Randers;1;1000,00;800,00;0,00
"""
    )
    # Anna's counters are those of her message; Bo has no row in February, and earns weeks.
    assert (
        files["anciennitet", "730"].decode()
        == """\
CPR nummer;Anciennitet;Trin;Uger til næste trin;Optjente uger;Uger til ny start;\
Næste uge ud af vinduet;Opgjort uge
6101801234;7;2;20;6;46;2026-12-07;2024-02-26
6202801235;1;1;4;8;44;2027-01-04;2024-02-26
"""
    )


def test_as_of_an_earlier_run_they_are_what_they_were(tmp_path, demo):
    ledger = ledger_of(tmp_path / "ledger", *SMALL)
    before = ledger_of(tmp_path / "before", SMALL[0][: SMALL[0].index(marker(49)) + 1])
    _, files = exported(demo, ledger, 49, tmp_path / "out")
    _, then = exported(demo, before, 49, tmp_path / "then")
    assert files == then
    assert len(files) == 4 * 98
    (line,) = [
        line for line in lines_of(files["ugeoversigt", "730"]) if line["Uge"] == "2024-01-01"
    ]
    assert (line["Antal"], line["Total"]) == ("3", "3000,00")


def test_made_again_and_in_parts_they_have_the_same_bytes(tmp_path, demo, monkeypatch):
    ledger = ledger_of(tmp_path / "ledger", *SMALL)
    _, files = exported(demo, ledger, 50, tmp_path / "out")
    monkeypatch.setattr(overviews, "PART_ROWS", 1)
    _, again = exported(demo, ledger, 50, tmp_path / "again")
    assert again == files
    _, alone = exported(demo, ledger, 50, tmp_path / "alone", "730")
    assert alone == {place: text for place, text in files.items() if place[1] == "730"}


def test_a_ledger_at_an_address_gives_the_same_files(tmp_path, demo, monkeypatch):
    _, files = exported(demo, ledger_of(tmp_path / "ledger", *SMALL), 50, tmp_path / "out", "730")
    monkeypatch.setattr(overviews, "PART_ROWS", 1)
    ledger = LedgerTable.open(f"file://{tmp_path}/ledger")
    assert exported(demo, ledger, 50, tmp_path / "again", "730")[1] == files


def test_who_has_no_pseudonym_is_in_no_overview(tmp_path, demo):
    stranger = posting(BO, 1, HIGH) | {"citizen": "nobody"}
    ledger = ledger_of(tmp_path / "ledger", [stranger, posting(ANNA, 1, HIGH), marker(49)])
    _, files = exported(demo, ledger, 49, tmp_path / "out", "730")
    (week,) = lines_of(files["ugeoversigt", "730"])
    assert (week["Antal"], week["Total"]) == ("1", "1000,00")
    (anna,) = lines_of(files["anciennitet", "730"])
    assert anna["CPR nummer"] == ANNA


def test_who_cannot_be_named_keeps_back_only_the_run_with_the_row(tmp_path, demo):
    hidden = posting(BO, 1, HIGH) | {"cpr_sealed": "zzz"}
    history = [hidden, posting(ANNA, 1, HIGH), marker(49), posting(ANNA, 2, HIGH)]
    last = marker(50, "2024-01", "2024-03-10T00:30:00+01:00")
    ledger = ledger_of(tmp_path / "ledger", [*history, last])
    done, files = exported(demo, ledger, 49, tmp_path / "out", "730")
    (left,) = done.left_out
    assert (left.citizen, left.rows) == (IDENTITY.of(BO)[0], 1)
    assert [line["CPR nummer"] for line in lines_of(files["anciennitet", "730"])] == ["", ANNA]
    done, files = exported(demo, ledger, 50, tmp_path / "next", "730")
    assert done.left_out == []
    assert [line["CPR nummer"] for line in lines_of(files["anciennitet", "730"])] == ["", ANNA]


def test_a_seal_that_opens_is_found_among_earlier_ones(tmp_path, demo):
    again = posting(ANNA, 2, HIGH | {"week": "2024-01-08"}) | {"cpr_sealed": "zzz"}
    history = [posting(ANNA, 1, HIGH), again, marker(49), posting(BO, 1, HIGH)]
    last = marker(50, "2024-01", "2024-03-10T00:30:00+01:00")
    ledger = ledger_of(tmp_path / "ledger", [*history, last])
    done, files = exported(demo, ledger, 50, tmp_path / "out", "730")
    assert [line["CPR nummer"] for line in lines_of(files["anciennitet", "730"])] == [ANNA, BO]
    assert done.left_out == []


def test_rows_that_nobody_of_ours_wrote_are_in_no_overview(tmp_path, demo):
    strange = posting(BO, 1, HIGH | {"benefit": "=1+1"}), posting(CARL, 1, HIGH | {"week": None})
    ledger = ledger_of(tmp_path / "ledger", [*strange, posting(ANNA, 1, HIGH), marker(49)])
    _, files = exported(demo, ledger, 49, tmp_path / "out", "730")
    (line,) = lines_of(files["ugeoversigt", "730"])
    assert (line["Antal"], line["Total"]) == ("1", "1000,00")


def test_citizens_of_a_ledger_without_counters_have_empty_ones(tmp_path, demo, monkeypatch):
    monkeypatch.setattr(
        "projections.ledger.entries._counters_values", lambda _: (None, None, None, None)
    )
    ledger = ledger_of(tmp_path / "ledger", [posting(ANNA, 1, HIGH), marker(49)])
    _, files = exported(demo, ledger, 49, tmp_path / "out", "730")
    (line,) = lines_of(files["anciennitet", "730"])
    assert line.pop("CPR nummer") == ANNA
    assert set(line.values()) == {""}


def test_a_damaged_ledger_is_one_sentence_that_says_what_to_do(tmp_path):
    ledger = ledger_of(tmp_path / "ledger", *SMALL)
    cuts = cuts_of(ledger, 50)
    with engine(Share(200, 2, 1)) as connection:
        read = LedgerOverviews(connection, ledger, cuts, 50)
        for path in (tmp_path / "ledger").rglob("*.parquet"):
            path.write_bytes(path.read_bytes()[:100])
        with pytest.raises(LedgerError, match="delete the ledger, and") as caught:
            read.read(NAMES, lambda _name: product.law(), lambda *_: None)
    assert "\n" not in str(caught.value)


# --- beside a plain count -------------------------------------------------------------------------


def weeks_by_hand(rows):
    """The lines of `ugeoversigt` by municipality, from posting rows."""
    sums: dict[tuple, list[int]] = defaultdict(lambda: [0, 0, 0])
    persons: dict[tuple, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in rows:
        key = row["municipality"], row["week"], row["benefit"], row["financing"]
        for at, name in enumerate(("amount_ore", "refusion_ore", "medfinansiering_ore")):
            sums[key][at] += row[name]
        persons[key][row["citizen"]] += row["amount_ore"]
    found = {}
    for (place, week, benefit, financing), money in sums.items():
        amounts = persons[place, week, benefit, financing].values()
        number = 0 if benefit == "FB" else sum(ore > 0 for ore in amounts)
        if number or any(money):
            names = NAMES.benefits[benefit], NAMES.municipalities[financing]
            found[place, week, *names] = (number, *money)
    return found


def citizens_by_hand(messages, run):
    """The citizens of `anciennitet` by municipality, with seniority and earned weeks."""
    closed = [{"type": "run", "run": each, "data_month": f"2024-0{each - 48}"} for each in RUNS]
    partition = []
    for each, end in zip(RUNS, closed, strict=True):
        partition += [message for message in messages if message["run"] == each] + [end]
    partition += [message for message in messages if message["run"] is None]
    posted = lis_reference.Postings([partition])
    counters = posted.counters("of", run)
    mine = set(lis_reference.citizens_of_month(posted, "of", run))
    mine |= {
        (place, citizen)
        for citizen, (_, place, *_) in lis_reference.latest_rows(posted, "of", run).items()
        if counters[citizen][2]
    }
    return {key: counters[key[1]] for key in mine}


def _ore(kroner):
    return int(kroner.replace(",", ""))


SEEDS = [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in (3, 5, 7)[: sized(1, 3)])]


@pytest.mark.parametrize("seed", SEEDS)
def test_overviews_are_those_of_a_slow_count(seed, tmp_path):
    rows, messages = ledger_of_lives(random.Random(seed), seed, tmp_path / "ledger")
    settings = Settings.load(KEYS | {"REFUSION_STATE_DIR": str(tmp_path / "state")})
    ledger = LedgerTable.open(str(tmp_path / "ledger"))
    for run in RUNS:
        _, files = exported(settings, ledger, run, tmp_path / str(run))
        weeks = {
            (place, line["Uge"], line["Ydelse"], line["Finansiering Kommunenavn"]): (
                int(line["Antal"]),
                *(_ore(line[name]) for name in ("Total", "Refusion", "Medfinansiering")),
            )
            for (kind, place), text in files.items()
            if kind == "ugeoversigt"
            for line in lines_of(text)
        }
        assert weeks == weeks_by_hand(
            [row for row in rows if row["run"] is not None and row["run"] <= run]
        )
        found = {
            (place, product.IDENTITY.of(line["CPR nummer"])[0]): (
                *(line["Opgjort uge"], int(line["Anciennitet"]), int(line["Optjente uger"])),
            )
            for (kind, place), text in files.items()
            if kind == "anciennitet"
            for line in lines_of(text)
        }
        assert found == citizens_by_hand(messages, run)
    assert weeks
