"""The municipalities' files: one small municipality by hand, and the promises of an export."""

import csv
import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from arro3.io import read_parquet

from projections.runs.files import COLUMNS, Names, comma_kroner
from projections.runs.left_out import own_notice
from streams.citizens.rule_sets import load_rule_set
from streams.ledger.cuts import ExportError, cuts_of
from streams.ledger.draft import draft_in
from streams.ledger.export import Export, FileChoice
from streams.ledger.receipts import DeliveryError, exported_files
from streams.privacy.access_log import NAME
from streams.settings import Settings
from tests.support.postings import IDENTITY, ledger_of, marker, posting

ANNA, BO, CARL, DORTE = "6101801234", "6202801235", "6303801236", "6404801237"
RULES = load_rule_set()
NAMES = Names(
    {code: benefit.name for code, benefit in RULES.benefits.items()}, RULES.municipalities
)

HIGH = {"amount_ore": 270968, "refusion_ore": 216774, "account": "5.57.73.2.002"}
LOW = {
    "kind": "correction",
    "amount_ore": 270968,
    "rate": 40,
    "refusion_ore": 108387,
    "account": "5.57.73.2.011",
}
TAKEN_BACK = {
    "kind": "correction",
    "amount_ore": -270968,
    "refusion_ore": -216774,
    "account": "5.57.73.2.002",
}
DAGPENGE = {
    "week": "2024-01-08", "benefit": "ADP", "paying": None,
    "mechanism": "medfinansiering", "rate": 70,
    "amount_ore": 99050, "atp_ore": 950, "medfinansiering_ore": 69335,
}  # fmt: skip
AWAY = {
    "paying": "730",
    "financing": "751",
    "amount_ore": 100000,
    "refusion_ore": 80000,
    "week": "2024-01-15",
}
OPENING = {"kind": "opening", "amount_ore": 5, "refusion_ore": 4}

RANDERS = [
    [
        posting(ANNA, 1, HIGH, AWAY, cause="12345678/b"),
        posting(ANNA, 2, OPENING, cause="opening"),
        marker(49),
        # Anna's first week moves to 40 %; another row of hers comes and goes in the same run.
        posting(
            ANNA, 3, TAKEN_BACK | {"reverses": "a"}, LOW, cause="12345678/c", reason="late_report"
        ),
        posting(ANNA, 4, HIGH | {"week": "2024-01-22"}, cause="12345678/d"),
        posting(
            ANNA,
            5,
            TAKEN_BACK | {"week": "2024-01-22", "reverses": "b"},
            cause="12345678/e",
            reason="reversal",
        ),
        marker(50, "2024-02", "2024-03-10T00:30:00+01:00"),
        posting(ANNA, 6, HIGH | {"week": "2024-01-29"}, cause="12345678/f"),
    ],
    [
        marker(49),
        posting(
            BO, 1, DAGPENGE, HIGH | {"amount_ore": 1, "refusion_ore": 1}, cause='12345678/x;"y"'
        ),
        posting(
            BO,
            2,
            HIGH | {"amount_ore": -101, "refusion_ore": -81},
            cause="12345678/z",
            reason="adjustment",
        ),
        posting(CARL, 1, HIGH | {"paying": "751", "financing": "730"}, cause="12345678/w"),
        posting(DORTE, 1, cause="12345678/q"),
        marker(50, "2024-02", "2024-03-10T00:30:00+01:00"),
    ],
]
"""Two partitions, two runs and what came after them. Carl's refusion goes to 751, who paid."""

A, B = (IDENTITY.of(cpr)[0][:4] for cpr in (ANNA, BO))
NOTICES = {
    IDENTITY.of(BO)[0]: [
        {
            "code": "after_death",
            "cause": "12345678/z",
            "detail": {"date": "2023-12-31", "benefit": "KTH"},
        }
    ],
    IDENTITY.of(CARL)[0]: [{"code": "future_period", "cause": "12345678/w", "detail": {}}],
}
GOLDEN = {
    "beregning": f"""\
Uge;CPR nummer;Ydelse;Finansiering Kommunenavn;Indberetning udbetalingsbeløb;\
Beregnet udbetalingsbeløb;Refusionssats;Refusionsbeløb;Medfinansieringssats;Medfinansieringsbeløb;\
Resultat-id;Korrektion af;Årsag
2024-01-01;6101801234;Kontanthjælp;Randers;2709,68;2709,68;40;1083,87;0;0,00;{A}-3-1;;12345678/c
2024-01-01;6101801234;Kontanthjælp;Randers;-2709,68;-2709,68;80;-2167,74;0;0,00;{A}-3-0;a;12345678/c
2024-01-01;6202801235;Kontanthjælp;Randers;-1,00;-1,00;80;-0,80;0;0,00;{B}-1-1 {B}-2-0;;\
"12345678/x;""y"" 12345678/z"
2024-01-08;6202801235;Arbejdsløshedsdagpenge;Randers;1000,00;990,50;0;0,00;70;693,35;{B}-1-0;;"12345678/x;""y\"""
""",
    "sumposteringer": """\
Konto;Ydelse;Måned;Refusionssats;Medfinansieringssats;Indberetning udbetalingsbeløb;\
Beregnet udbetalingsbeløb;Refusionsbeløb;Medfinansieringsbeløb
;Arbejdsløshedsdagpenge;2024-01;0;70;1000,00;990,50;0,00;693,35
5.57.73.2.002;Kontanthjælp;2024-01;80;0;-2710,68;-2710,68;-2168,54;0,00
5.57.73.2.011;Kontanthjælp;2024-01;40;0;2709,68;2709,68;1083,87;0,00
""",
    "advisering": """\
CPR nummer;Advis;Betydning;Indberetning;Oplysninger;Handling
6202801235;after_death;Perioden ligger efter dødsdagen;12345678/z;\
"{""benefit"":""KTH"",""date"":""2023-12-31""}";\
Stands og tilbagefør det, der er udbetalt efter dødsdagen, eller få dødsdagen rettet
""",
}


@pytest.fixture
def settings(tmp_path):
    return Settings.load({"REFUSION_DEMO": "1", "REFUSION_STATE_DIR": str(tmp_path / "state")})


@pytest.fixture
def export(tmp_path, settings):
    """Exports a run of the ledger above."""
    ledger = ledger_of(tmp_path / "ledger", *RANDERS)

    def run(number, only=None, notices=NOTICES, folder="out", parquet=False):
        exporting = Export(settings, ledger, cuts_of(ledger, number), number, NAMES)
        choice = FileChoice(only, notices, parquet)
        return exporting.write(tmp_path / folder, choice, lambda *_: None)

    return run


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def values(text):
    header, *lines = csv.reader(text.splitlines(), delimiter=";")
    return [dict(zip(header, line, strict=True)) for line in lines]


def test_the_files_of_a_small_municipality_are_those_made_by_hand(export, tmp_path):
    done = export(50, "730")
    files = contents(tmp_path / "out")
    assert {name: text.decode() for name, text in files.items()} == {
        f"yr-ydelsesrefusion-{kind}-730-0050-2024-03-09.csv": text for kind, text in GOLDEN.items()
    }
    assert (done.municipalities, done.rows, done.persons, done.notices) == (1, 7, 2, 1)
    assert done.sums == (-100 + 100000, -100 + 99050, -108387 - 80, 69335)


def test_a_run_holds_what_came_after_the_one_before_and_opening_rows_are_in_none(export, tmp_path):
    assert export(49).sums == (370968, 370968, 296774, 0)
    (of_randers,) = (tmp_path / "out").glob("*beregning-730-0049-2024-02-10.csv")
    assert [line["Resultat-id"] for line in values(of_randers.read_text())] == [
        f"{A}-1-0",
        f"{A}-1-1",
    ]
    assert [line["Finansiering Kommunenavn"] for line in values(of_randers.read_text())] == [
        "Randers",
        "Aarhus",
    ]


def test_every_municipality_gets_its_files_and_all_of_them_sum_to_the_run(export, tmp_path):
    done = export(50)
    files = contents(tmp_path / "out")
    assert len(files) == done.files == 3 * 98
    sums = dict.fromkeys(("beregning", "sumposteringer"), Decimal(0))
    for name, text in files.items():
        for line in values(text.decode()):
            if "Refusionsbeløb" in line:
                sums[name.split("-")[2]] += Decimal(line["Refusionsbeløb"].replace(",", "."))
    assert set(sums.values()) == {Decimal(done.sums.refusion) / 100}
    assert done.sums.refusion == -216774 + 108387 + 1 - 81 + 216774


def test_made_again_the_files_have_the_same_bytes(export, tmp_path):
    export(50)
    before = contents(tmp_path / "out")
    export(50)
    assert contents(tmp_path / "out") == before


def test_a_notice_reaches_the_municipalities_that_it_names_whoever_has_rows(export, tmp_path):
    """Anna has rows of Randers, and her notice names Lolland alone; Dorte has only counters."""
    dorte, nobody = IDENTITY.of(DORTE)[0], "0" * 32
    about = {
        "code": "rate_missing",
        "cause": "12345678/q",
        "detail": {"municipalities": ["360", "376"], "advice": "…"},
    }
    named = {citizen: [about] for citizen in (IDENTITY.of(ANNA)[0], dorte, nobody)}
    done = export(50, notices=named)
    told = {
        name.split("-")[3]: [line["CPR nummer"] for line in values(text.decode())]
        for name, text in contents(tmp_path / "out").items()
        if "advisering" in name and text.count(b"\n") > 1
    }
    assert told == {"360": ["", ANNA, DORTE], "376": ["", ANNA, DORTE]}
    assert (done.notices, done.persons) == (6, 2 + 1 + 2 * 2)


def test_a_file_is_there_whole_or_not_at_all(export, tmp_path, monkeypatch):
    export(50, "730")
    before = contents(tmp_path / "out")

    def half(_kind, _lines, file):
        file.write("half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("streams.ledger.export.write_csv", half)
    with pytest.raises(OSError, match="No space"):
        export(50, "730")
    assert contents(tmp_path / "out") == before


@pytest.fixture
def program(tmp_path, settings):
    """Runs `refusion export` on a ledger, with the settings of the test."""

    def run(number, **more):
        given = {
            name: value
            for name, (value, origin) in settings.values.items()
            if origin == "environment"
        }
        given |= {"REFUSION_LEDGER": str(tmp_path / "ledger")}
        out = ["--out", str(tmp_path / "out"), "--without-notices", "--no-wait", "--json"]
        return subprocess.run(
            [str(Path(sys.executable).parent / "refusion"), "export", "--run", str(number), *out],
            env=os.environ | given | more,
            check=False,
            capture_output=True,
            text=True,
        )

    return run


def test_an_export_that_is_killed_shows_no_file_and_is_done_again(export, tmp_path, program):
    killed = program(50, REFUSION_TEST_KILL="export:before_commit:5")
    assert killed.returncode == -9
    (draft,) = (tmp_path / "out").iterdir()  # nobody takes it for a part of the run
    assert (draft.name, draft.stat().st_mode & 0o777) == (".run-0050.draft", 0o700)
    with pytest.raises(DeliveryError, match=r"the export of run 50 .* is not finished"):
        exported_files(tmp_path / "out", 50, "730")
    export(50, notices=None)
    assert len(contents(tmp_path / "out")) == 2 * 98
    assert exported_files(tmp_path / "out", 50, "730")


def test_two_exports_of_a_run_do_not_write_to_one_folder_at_once(export, tmp_path):
    with (
        draft_in(tmp_path / "out", "run-0050"),
        pytest.raises(ExportError, match="another export of this run writes to"),
    ):
        export(50)


def forged(message, **fields):
    """A posting message that somebody else changed."""
    return message | fields


@pytest.fixture
def export_of(tmp_path, settings):
    """Exports run 49 of a ledger that has these messages before its marker."""

    def run(*messages, notices=None):
        ledger = ledger_of(tmp_path / "ledger", [*messages, marker(49)])
        exporting = Export(settings, ledger, cuts_of(ledger, 49), 49, NAMES)
        choice = FileChoice(notices=notices)
        return exporting.write(tmp_path / "out", choice, lambda *_: None)

    return run


def test_a_seal_that_does_not_open_stops_nobody_elses_files(export_of, tmp_path, program):
    done = export_of(
        posting(ANNA, 1, HIGH),
        forged(posting(BO, 1, HIGH, HIGH | {"week": "2024-01-08"}), cpr_sealed="zzz"),
        posting(CARL, 1, HIGH | {"paying": "751"}),
    )
    (left,) = done.left_out
    assert left[:2] == ("730", IDENTITY.of(BO)[0])
    assert (left.rows, left.refusion_ore, done.persons) == (2, 2 * 216774, 2)
    files = contents(tmp_path / "out")
    listed = json.loads(files.pop("left-out-run-0049.jsonl"))
    assert listed == left._asdict()
    assert len(files) == 2 * 98
    lines = [
        line
        for name, text in files.items()
        if "beregning" in name
        for line in values(text.decode())
    ]
    assert {line["CPR nummer"] for line in lines} == {ANNA, CARL}
    assert done.sums.refusion == 2 * 216774

    told = program(49)
    assert told.returncode == 1
    assert "left out: municipality 730, citizen" in told.stderr
    assert "2 rows, 4,335.48 kr.: sealed with a key that is not in" in told.stderr
    assert json.loads(told.stdout)["left_out"] == [listed]


def test_the_list_of_what_is_left_out_goes_when_all_seals_open(export, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "left-out-run-0050.jsonl").write_text("{}")
    assert export(50).left_out == []
    assert not (tmp_path / "out" / "left-out-run-0050.jsonl").exists()


def test_a_seal_that_opens_is_taken_before_one_that_does_not(export_of):
    done = export_of(
        forged(posting(ANNA, 1, HIGH), cpr_sealed="zzz"),
        posting(ANNA, 2, HIGH | {"week": "2024-01-08"}),
    )
    assert (done.left_out, done.persons, done.rows) == ([], 1, 2)


@pytest.mark.parametrize(
    ("message", "municipality", "citizen"),
    [
        (forged(posting(BO, 1, HIGH), citizen="x' OR 'a'='a\""), "730", ""),
        (posting(BO, 1, HIGH | {"benefit": "=1+1"}), "730", IDENTITY.of(BO)[0]),
        (posting(BO, 1, HIGH | {"week": None}), "730", IDENTITY.of(BO)[0]),
        (posting(BO, 1, HIGH | {"refusion_ore": None}), "730", IDENTITY.of(BO)[0]),
        (posting(BO, 1, HIGH | {"financing": "999"}), "730", IDENTITY.of(BO)[0]),
        (posting(BO, 1, HIGH | {"paying": "999"}), "999", ""),
        (posting(BO, 1, HIGH | {"paying": None}), "", ""),
    ],
    ids=["citizen", "benefit", "week", "money", "financing", "paying", "nobody"],
)
def test_a_row_that_nobody_of_ours_wrote_stops_nobody_elses_files(
    export_of, message, municipality, citizen
):
    done = export_of(posting(ANNA, 1, HIGH), message)
    ((place, whose, why, rows, *_),) = done.left_out
    assert (place, whose, rows) == (municipality, citizen, 1)
    assert why
    assert (done.files, done.rows, done.sums.refusion) == (2 * 98, 1, 216774)


def test_a_notice_of_somebody_else_begins_no_cell_with_a_formula(export, tmp_path):
    for sign in ("=", "+", "-", "@", "\t", "\r", "\n", " ="):
        notice = {"code": f"{sign}1", "cause": f"{sign}HYPERLINK(1)\r=2", "detail": {}}
        export(50, "730", notices={IDENTITY.of(BO)[0]: [notice]})
        (path,) = (tmp_path / "out").glob("*advisering*")
        with path.open(newline="") as file:
            _, (_, code, _, cause, _, _) = csv.reader(file, delimiter=";")
        begin = {"\t": "' ", "\r": "' ", "\n": " "}.get(sign, f"'{sign}")
        assert (code, cause) == (f"{begin}1", f"{begin}HYPERLINK(1) =2")
    (path,) = (tmp_path / "out").glob("*beregning*")
    assert {line["Refusionsbeløb"] for line in values(path.read_text())} >= {"-2167,74", "-0,80"}


@pytest.mark.parametrize(
    "value",
    [
        {"citizen": "x' OR 'a'='a", "code": "after_death"},
        {"citizen": ["a"], "code": "after_death"},
        {"citizen": "0" * 32},
        {"citizen": "0" * 32, "code": "after_death", "cause": 5},
        {"citizen": "0" * 32, "code": "after_death", "detail": []},
        {"citizen": "0" * 32, "code": "after_death", "detail": {"municipalities": "730"}},
        {"citizen": "0" * 32, "code": "after_death", "detail": {"municipalities": [["730"]]}},
        [],
        "citizen",
        None,
    ],
)
def test_a_notice_that_nobody_of_ours_wrote_is_passed_over(value):
    assert own_notice(value) is None


def test_each_unsealing_is_logged_before_and_without_a_person(
    export, tmp_path, settings, monkeypatch
):
    export(50)
    text = (settings.state_dir / NAME).read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert [
        (line["purpose"], line["run"], line["municipality"], line["persons"]) for line in lines
    ] == [
        ("export", 50, "730", 2),
        ("export", 50, "751", 1),
    ]
    assert all(line["user"] and line["at"].endswith("Z") for line in lines)
    assert not any(cpr in text for cpr in (ANNA, BO, CARL))

    def refused(*_args, **_more):
        raise OSError(13, "Permission denied")

    monkeypatch.setattr("streams.ledger.export.log_access", refused)
    with pytest.raises(OSError, match="Permission"):
        export(50, folder="other")
    assert not any(ANNA.encode() in text for text in contents(tmp_path / "other").values())


def test_a_run_whose_marker_is_missing_somewhere_is_refused(tmp_path):
    ledger = ledger_of(tmp_path / "ledger", [marker(49)], [posting(ANNA, 1, HIGH)], [])
    with pytest.raises(
        ExportError,
        match=r"run 49 is not complete .* in partition 1, 2; close it with `refusion run close`",
    ):
        cuts_of(ledger, 49)


def test_a_seal_that_does_not_open_is_reported(tmp_path, export, monkeypatch):
    other = Settings.load({"REFUSION_DEMO": "1", "REFUSION_SEAL_KEY": "0f" * 32}).identity()
    monkeypatch.setattr(Settings, "identity", lambda _: other)
    with pytest.raises(ExportError, match="REFUSION_SEAL_KEY; add the key"):
        export(50, "730")
    assert list((tmp_path / "out").iterdir()) == []


def test_parquet_has_the_same_lines_with_money_in_ore(export, tmp_path):
    export(50, "730", parquet=True)
    for kind in COLUMNS:
        (path,) = (tmp_path / "out").glob(f"*{kind}*.csv")
        table = read_parquet(path.with_suffix(".parquet")).read_all()
        columns = {name: table.column(name).to_pylist() for name in table.column_names}
        lines = [
            dict(zip(columns, line, strict=True)) for line in zip(*columns.values(), strict=True)
        ]
        shown = [
            {
                name.removesuffix(" (øre)"): comma_kroner(value) if "øre" in name else str(value)
                for name, value in line.items()
            }
            for line in lines
        ]
        assert shown == values(path.read_text())


def test_without_notices_there_is_no_advisering(export, tmp_path):
    export(50, "730", notices=None)
    assert [path.name.split("-")[2] for path in sorted((tmp_path / "out").iterdir())] == [
        "beregning",
        "sumposteringer",
    ]


def test_only_its_owner_can_read_a_file(export, tmp_path):
    export(50, "730")
    assert {Path(path).stat().st_mode & 0o077 for path in (tmp_path / "out").iterdir()} == {0}


@pytest.mark.parametrize(
    ("ore", "text"),
    [
        (0, "0,00"),
        (5, "0,05"),
        (-5, "-0,05"),
        (-101, "-1,01"),
        (123456, "1234,56"),
        (-100, "-1,00"),
    ],
)
def test_kroner(ore, text):
    assert comma_kroner(ore) == text
