"""Opening rows from the files `beregning` of an earlier system.

Differences are summed, gaps are filled, and lines that cannot be loaded are listed.
"""

import asyncio
import gzip
import io
import json
from collections import Counter

import orjson
import pytest
from click.testing import CliRunner

from domain.basics.weeks import day, day_text
from projections.imports.opening_files import UnloadableLine, ore_of
from projections.runs.files import LedgerRow, Municipality, Names, municipality_of, write_csv
from streams.citizens.rule_sets import load_rule_set
from streams.cli.main import main
from streams.operations.openings import Files, OpeningError
from streams.operations.openings import load as load_files
from streams.settings import Settings
from streams.wire import journal
from tests.support import product
from tests.support.lives import life

RULES = load_rule_set()
NAMES = Names(
    {code: benefit.name for code, benefit in RULES.benefits.items()}, RULES.municipalities
)
HEADER = (
    "Uge;CPR nummer;Ydelse;Finansiering Kommunenavn;Indberetning udbetalingsbeløb;"
    "Beregnet udbetalingsbeløb;Refusionssats;Refusionsbeløb;"
    "Medfinansieringssats;Medfinansieringsbeløb"
)
ANNA = "6101801234"
KTH = f"2024-01-08;{ANNA};Kontanthjælp;Randers;2709,68;2709,68;80;2167,74;0;0,00"
KTH_BACK = f"2024-01-08;{ANNA};Kontanthjælp;Randers;-2709,68;-2709,68;80;-2167,74;0;0,00"
KTH_LOW = f"2024-01-08;{ANNA};Kontanthjælp;Randers;2709,68;2709,68;40;1083,87;0;0,00"
ADP = f"2024-01-29;{ANNA};Arbejdsløshedsdagpenge;-;700,03;693,03;0;0,00;20;138,61"


@pytest.fixture
def read(tmp_path):
    """The opening rows of files (name: lines), and what is listed."""

    def read(files, municipality=None, header=HEADER):
        paths = [tmp_path / name for name in files]
        for path, lines in zip(paths, files.values(), strict=True):
            path.write_text(
                "\n".join([*([header] if path.suffix == ".csv" else []), *lines]) + "\n",
                encoding="utf-8",
            )
        reader = Files(RULES, True, municipality)
        return [accepted for _, accepted in reader.rows(paths)], reader.listed

    return read


def name(run, municipality="730"):
    return f"yr-ydelsesrefusion-beregning-{municipality}-{run:04d}-2024-03-09.csv"


def test_differences_of_several_runs_are_summed_and_weeks_without_money_are_left_out(read):
    ((row, cpr),), listed = read({name(48): [KTH], name(49): [KTH_BACK, KTH_LOW]})
    assert (row.benefit, row.paying, row.financing, row.rate, row.result_ore) == (
        "KTH",
        "730",
        "730",
        40,
        108387,
    )
    assert (cpr, listed) == (ANNA, [])


def test_equal_lines_of_one_file_count_once_and_of_two_files_twice(read):
    ((row, _),), _ = read({name(48): [KTH + ";a;;b", KTH + ";c;;d"], name(49): [KTH]})
    assert row.amount_ore == 2 * 270968


def test_a_week_in_two_months_is_divided_by_days_and_keeps_its_sum(read):
    rows, _ = read({name(49): [ADP]})
    assert [
        (row.month - 24288, row.amount_ore, row.atp_ore, row.result_ore) for row, _ in rows
    ] == [
        (0, 29701, 300, 5940),
        (1, 39602, 400, 7921),
    ]
    assert {(row.paying, row.financing, row.mechanism) for row, _ in rows} == {
        (None, "730", "medfinansiering")
    }


def test_good_lines_are_loaded_and_the_others_are_listed_without_a_person(read):
    lines = {
        "unknown citizen": KTH.replace(ANNA, "6199801234"),
        "unknown benefit": KTH.replace("Kontanthjælp", "Kaffepenge"),
        "a benefit that nobody finances": KTH.replace("Kontanthjælp", "Statens uddannelsesstøtte"),
        "unknown municipality": KTH.replace("Randers", "Andeby"),
        "not a Monday": KTH.replace("2024-01-08", "2024-01-09"),
        "not an amount": KTH.replace("2167,74", "2.167,74"),
        "both mechanisms": KTH.replace("0;0,00", "20;1,00"),
        "half a percent": KTH.replace(";80;", ";80,5;"),
        "too short": "2024-01-08",
        "good": KTH,
        "other rate": KTH_LOW.replace("2024-01-08", "2024-01-15"),
        "and another": KTH.replace("2024-01-08", "2024-01-15"),
    }
    rows, listed = read({name(49): lines.values()})
    assert [row.rate for row, _ in rows] == [80]
    assert Counter(line.reason for line in listed) == {
        "bad_line": 5, "bad_cpr": 1, "unknown_benefit": 2, "unknown_municipality": 1,
        "two_rates": 1,
    }  # fmt: skip
    numbers = dict(enumerate(lines, 2))
    by_line = {numbers[int(line.place.rpartition(":")[2])]: line for line in listed}
    assert set(by_line) == set(lines) - {"good", "and another"}
    assert by_line["half a percent"].field == "Refusionssats"
    assert "40 % and 80 % at once" in by_line["other rate"].detail
    assert not any(ANNA in str(line) or "6199801234" in str(line) for line in listed)


def test_json_lines_are_the_records_themselves(read):
    record = {
        "schema": 1, "type": "opening", "reported_at": "2024-03-01T08:00:00Z", "cpr": ANNA,
        "month": "2024-01", "week": "2024-01-08", "benefit": "KTH", "paying": "730",
        "amount_ore": 270968, "rate": 80, "mechanism": "refusion", "refusion_ore": 216774,
    }  # fmt: skip
    run = {
        "schema": 1,
        "type": "run",
        "run": 82,
        "closed_at": "2026-11-02T08:00:00Z",
        "data_month": "2026-10",
    }
    ((row, _),), (listed,) = read({"opening.jsonl": ["", json.dumps(record), json.dumps(run)]})
    assert (row.financing, row.result_ore) == ("730", 216774)
    assert listed == UnloadableLine("opening.jsonl:3", "unknown_type", "type", listed.detail)


@pytest.mark.parametrize(
    ("names", "header", "said"),
    [
        (["a.csv"], HEADER, "does not say whose it is"),
        ([name(49, "999")], HEADER, "does not say whose it is"),
        ([name(49)], "Uge;CPR", "is neither a file `beregning` nor JSON Lines"),
    ],
)
def test_a_file_that_cannot_be_understood_is_named(read, names, header, said):
    with pytest.raises(OpeningError, match=said):
        read({file: [KTH] for file in names}, header=header)


def test_a_file_in_another_encoding_is_named(tmp_path):
    path = tmp_path / name(49)
    path.write_bytes((HEADER + "\n" + KTH + "\n").encode("utf-8") + KTH.encode("latin-1"))
    with pytest.raises(OpeningError, match=r"0049.*UTF-8"):
        list(Files(RULES, True, None).rows([path]))


@pytest.mark.parametrize(
    ("text", "ore"), [("1,5", 150), ("-0,05", -5), ("7", 700), ("", None), ("1.000", None)]
)
def test_kroner_are_read(text, ore):
    assert ore_of(text) == ore


def files_of(messages, cpr):
    """Files `beregning` of all municipalities, a run after every few messages."""
    files = {}
    for run in range(0, len(messages), 3):
        parts: dict[str, Municipality] = {}
        for message in messages[run : run + 3]:
            for position, row in enumerate(message["rows"]):
                values = {"atp_ore": 0, "reverses": None} | row
                values |= {name: message[name] for name in ("citizen", "cause")}
                entry = LedgerRow(*(values.get(name, position) for name in LedgerRow._fields))
                parts.setdefault(municipality_of(entry), Municipality(NAMES)).rows.append(entry)
        for code, part in parts.items():
            text = io.StringIO()
            write_csv("beregning", part.specification(lambda _: cpr), text)
            files[name(run + 1, code)] = text.getvalue().splitlines()[1:]
    return files


def by_week(rows):
    """Amount and result by the columns that distinguish lines, whatever the month."""
    sums: dict[tuple, list[int]] = {}
    for row in rows:
        entry = sums.setdefault(
            tuple(row[column] for column in ("week", "benefit", "financing", "mechanism", "rate")),
            [0, 0],
        )
        entry[0] += row["amount_ore"]
        entry[1] += row["refusion_ore"] + row["medfinansiering_ore"]
    return {key: sums for key, sums in sums.items() if any(sums)}


@pytest.mark.parametrize(
    "theme", ["plan_of", "a_faulty_upstream", "crowded_weeks", "old_cases", "late_wages"]
)
def test_the_files_of_this_program_are_an_earlier_system_for_the_next(theme, read):
    """Files that are read back, with the same reports again, change no week's amount.

    Its result changes by rounding alone.
    """
    for seed in range(900, 905):
        reports = life(theme, seed)
        cpr = reports[0]["cpr"]
        messages = product.settle_all(reports).messages
        accepted, listed = read(files_of(messages, cpr))
        assert listed == []
        openings = [
            orjson.loads(journal.encode_opening(row, "", "2024-03-01T08:00:00Z")) | {"cpr": cpr}
            for row, _ in accepted
        ]
        for opening in openings:
            del opening["cpr_sealed"]
        assert by_week(openings) == by_week(product.standing_rows(messages))
        settled = product.settle_all(openings + reports)
        assert by_week(settled.rows) == by_week(openings)
        posted = [
            row
            for message in settled.messages
            for row in message["rows"]
            if row["kind"] != "opening"
        ]
        for (week, *_), (amount_ore, result_ore) in by_week(posted).items():
            assert amount_ore == 0
            assert abs(result_ore) <= 1
            assert week[5:7] != day_text(day(week) + 6)[5:7]


def test_the_program_shows_what_it_would_load(tmp_path, monkeypatch):
    monkeypatch.setenv("REFUSION_DEMO", "1")
    path = tmp_path / name(49)
    path.write_text(
        f"{HEADER}\n{KTH}\n{KTH.replace('Kontanthjælp', 'Kaffepenge')}\n", encoding="utf-8"
    )
    done = CliRunner().invoke(main, ["opening", "load", "--dry-run", str(path)])
    assert done.exit_code == 0
    assert done.stdout == (
        "1 opening rows of 1 citizens would be loaded,"
        " 2,167.74 kr. of refusion and medfinansiering; 1 listed\n"
    )
    assert done.stderr.startswith(f"{path.name}:3: unknown_benefit: ")


def test_no_kafka_is_said(tmp_path):
    path = tmp_path / name(49)
    path.write_text(f"{HEADER}\n{KTH}\n", encoding="utf-8")
    settings = Settings.load({"REFUSION_DEMO": "1", "REFUSION_BOOTSTRAP": "127.0.0.1:1"})
    with pytest.raises(
        OpeningError, match=r"no Kafka answers at 127\.0\.0\.1:1 .* load everything again"
    ):
        asyncio.run(load_files(settings, Files(RULES, True, None), [path], False, lambda _: None))


# --- one bad byte ---------------------------------------------------------------------------------


def test_a_stray_quote_spoils_its_own_line_alone(read):
    """It had swallowed the 589 lines after it, and the load ended with status 0."""
    lines = [KTH.replace(ANNA, f"61019{number:05d}") for number in range(20_000, 20_060)]
    lines[10] = lines[10].replace("Randers", '"Randers')
    lines[20] = lines[20].replace("Randers", 'Ran"ders')
    rows, listed = read({name(49): lines})
    assert len(rows) == 58
    assert [(line.place, line.reason) for line in listed] == [
        (f"{name(49)}:12", "bad_line"),
        (f"{name(49)}:22", "unknown_municipality"),
    ]


@pytest.mark.parametrize("column", [";2709,68;", ";80;", ";2167,74;"])
@pytest.mark.parametrize("digits", ["9" * 20, "9" * 5_000, "٢" * 4, "9" * 200_000])
def test_a_number_of_any_length_is_a_bad_line_and_stops_nothing(read, column, digits):
    other = KTH.replace("2024-01-08", "2024-01-15")
    rows, listed = read({name(49): [KTH.replace(column, f";{digits};", 1), other]})
    assert len(rows) == 1
    assert [line.reason for line in listed] == ["bad_line"]


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([KTH], 0),
        ([KTH, "rubbish"], 0),
        (["rubbish"], 1),
        ([KTH.replace(ANNA, "123456789")], 1),
        (['2024-01-08;"' + ANNA], 1),
        ([], 1),
        ([KTH, KTH.replace("2709,68", "-2709,68").replace("2167,74", "-2167,74")], 0),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_load_that_loaded_nothing_is_no_success(tmp_path, lines, status, packed):
    path = tmp_path / name(49)
    content = "\n".join([HEADER, *lines]).encode()
    path.write_bytes(gzip.compress(content) if packed else content)
    arguments = ["opening", "load", "--dry-run", "--json", str(path)]
    done = CliRunner().invoke(
        main, arguments, env={"REFUSION_DEMO": "1", "REFUSION_BOOTSTRAP": "x"}
    )
    assert done.exit_code == status, done.output
    assert json.loads(done.stdout)["lines"] == len(lines)
