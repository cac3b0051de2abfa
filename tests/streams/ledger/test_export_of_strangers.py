"""An export keeps apart what strangers wrote in the ledger or as notices, and unopened seals."""

import csv
import json

import pytest

from projections.runs.files import LedgerRow
from projections.runs.left_out import are_as_written, own_notice, what_is_wrong
from streams.ledger.cuts import cuts_of
from streams.ledger.export import Export, FileChoice
from tests.support.postings import IDENTITY, ledger_of, marker, posting
from tests.support.run_of_randers import ANNA, BO, CARL, HIGH, NAMES, contents, values


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


def test_a_seal_that_does_not_open_stops_nobody_elses_files(export_of, tmp_path, export_program):
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

    told = export_program(49)
    assert told.returncode == 1
    assert "left out: municipality 730, citizen" in told.stderr
    assert "2 rows, 4,335.48 kr.: sealed with a key that is not in" in told.stderr
    assert json.loads(told.stdout)["left_out"] == [listed]


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


SOUND = LedgerRow(
    *(7, 0, "0" * 32, "12345678/a", "x-1-0", None, "2024-01", "2024-01-01", "KTH", "730", "751"),
    *(100, 0, "refusion", 80, 80, 0, None),
)


@pytest.mark.parametrize("column", LedgerRow._fields)
@pytest.mark.parametrize("value", [None, "strange"])
def test_looked_at_by_columns_the_same_rows_are_sound(column, value):
    """Rows are looked at one by one only where their columns say that one is none of ours."""
    rows = [SOUND, SOUND._replace(**{column: value}), SOUND]
    by_row = not any(what_is_wrong(row, NAMES) for row in rows)
    assert are_as_written([*zip(*rows, strict=True)], NAMES) is by_row
    assert are_as_written([(each,) for each in SOUND], NAMES)
