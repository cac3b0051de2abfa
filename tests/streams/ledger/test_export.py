"""The municipalities' files: one small municipality by hand, and the promises of an export."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from arro3.io import read_parquet

from projections.runs.files import COLUMNS, Municipality, comma_kroner
from projections.runs.overviews import CitizenOverview, WeekOverview
from streams.kit.errors import UserError
from streams.ledger.cuts import ExportError, cuts_of
from streams.ledger.draft import draft_in
from streams.ledger.export import Export, FileChoice
from streams.ledger.receipts import DeliveryError, exported_files
from streams.ledger.table import LedgerTable, NoLedgerError
from streams.privacy.access_log import NAME
from streams.settings import Settings
from tests.support.postings import IDENTITY, ledger_of, marker, posting
from tests.support.run_of_randers import (
    ANNA,
    BO,
    CARL,
    DORTE,
    GOLDEN,
    HIGH,
    NAMES,
    NOTICES,
    RANDERS,
    A,
    contents,
    values,
)


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


@pytest.mark.parametrize("wrong", [lambda rows: rows[1:], lambda rows: [*rows, rows[0]]])
@pytest.mark.parametrize(
    ("places", "told"),
    [
        (("specification", "accounts"), "the files do not sum to the ledger"),
        (("specification",), "two files of a municipality do not sum to the same"),
        (("accounts",), "two files of a municipality do not sum to the same"),
    ],
)
def test_a_row_that_is_lost_or_doubled_in_lines_is_found(
    export, tmp_path, monkeypatch, places, told, wrong
):
    """The rows themselves are whole."""
    for place in places:
        made = getattr(Municipality, place)

        def from_other_rows(part, *given, made=made):
            other = Municipality(NAMES)
            other.rows = wrong(part.rows) if part.rows else []
            return made(other, *given)

        monkeypatch.setattr(Municipality, place, from_other_rows)
    with pytest.raises(AssertionError, match=told):
        export(50, "730")
    assert [*(tmp_path / "out").iterdir()] == []


def test_made_again_the_files_have_the_same_bytes(export, tmp_path):
    export(50)
    before = contents(tmp_path / "out")
    export(50)
    assert contents(tmp_path / "out") == before


def test_rows_and_seals_of_a_portion_are_read_at_once(export, monkeypatch):
    """Each reading goes over all of the run, so a second one costs as much as the first."""
    asked = []
    batches = LedgerTable.batches

    def noted(self, query):
        asked.append(query)
        return batches(self, query)

    monkeypatch.setattr(LedgerTable, "batches", noted)
    done = export(50, notices={})
    assert done.persons
    counted, *portions, checked = [
        query for query in asked if " OR " in query or "kind IN" in query
    ]
    assert "count(*)" in counted
    assert "sum(" in checked
    assert len(portions) == 1


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


def test_by_several_processes_the_files_and_the_summary_are_the_same(export, tmp_path, monkeypatch):
    """A notice that names no municipality goes where its citizen has rows, whoever writes them."""
    unnamed = {"code": "after_death", "cause": "12345678/q", "detail": {}}
    notices = {citizen: [*own, unnamed] for citizen, own in NOTICES.items()}
    alone = export(50, notices=notices, parquet=True, overviews=TwoOverviews())
    files = contents(tmp_path / "out")
    monkeypatch.setattr("streams.ledger.export.PORTION_ROWS", 1)
    shared = export(50, None, notices, "shared", parquet=True, overviews=TwoOverviews(), jobs=2)
    assert contents(tmp_path / "shared") == files
    assert shared == alone
    assert alone.notices > 2


def test_a_process_that_is_killed_is_told_of_and_nothing_is_left(export, tmp_path, monkeypatch):
    monkeypatch.setattr("streams.ledger.export.PORTION_ROWS", 1)
    monkeypatch.setenv("REFUSION_TEST_KILL", "export:before_commit:5")
    with pytest.raises(UserError, match=r"ended from outside.* is not done: ask again, with fewer"):
        export(50, jobs=2)
    assert [*(tmp_path / "out").iterdir()] == []


def test_a_process_that_cannot_open_the_ledger_says_so(settings, tmp_path, monkeypatch):
    monkeypatch.setattr("streams.ledger.export.PORTION_ROWS", 1)
    ledger = ledger_of(tmp_path / "ledger", *RANDERS)
    exporting = Export(settings, ledger, cuts_of(ledger, 50), 50, NAMES)
    ledger.uri = str(tmp_path / "gone")
    with pytest.raises(NoLedgerError, match=r"there is no ledger at .*gone"):
        exporting.write(tmp_path / "out", FileChoice(), lambda *_: None, 2)
    assert [*(tmp_path / "out").iterdir()] == []


def test_a_file_is_there_whole_or_not_at_all(export, tmp_path, monkeypatch):
    export(50, "730")
    before = contents(tmp_path / "out")

    def half(_kind, _lines, file):
        file.write("half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("streams.ledger.portion.write_csv", half)
    with pytest.raises(OSError, match="No space"):
        export(50, "730")
    assert contents(tmp_path / "out") == before


def test_an_export_that_is_killed_shows_no_file_and_is_done_again(export, tmp_path, export_program):
    killed = export_program(50, REFUSION_TEST_KILL="export:before_commit:5")
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

    monkeypatch.setattr("streams.ledger.portion.log_access", refused)
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


class TwoOverviews:
    """Tells what is true as of a run, the same to every municipality."""

    def weeks(self, _municipality):
        return [WeekOverview("2024-01-01", "KTH", "730", 2, 300, 240, 0)]

    def citizens(self, _municipality):
        anna, sealed = IDENTITY.of(ANNA)
        return [CitizenOverview(anna, sealed, "2024-01-29", 60, 4, None, 3, 49, None)]


def test_parquet_has_the_same_lines_with_money_in_ore(export, tmp_path):
    export(50, "730", parquet=True, overviews=TwoOverviews())
    for kind in COLUMNS:
        (path,) = (tmp_path / "out").glob(f"*{kind}*.csv")
        table = read_parquet(path.with_suffix(".parquet")).read_all()
        columns = {name: table.column(name).to_pylist() for name in table.column_names}
        lines = [
            dict(zip(columns, line, strict=True)) for line in zip(*columns.values(), strict=True)
        ]
        shown = [
            {
                name.removesuffix(" (øre)"): comma_kroner(value)
                if "øre" in name
                else str("" if value is None else value)
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
