"""Anybody's table becomes reports by a mapping, and an error names row, column and line."""

import gzip
import io
import json
import random
from typing import Any
from zipfile import ZipFile

import pytest

from streams.kit.errors import UserError
from streams.settings import Settings
from streams.upstream.column_map import TableMapping
from streams.upstream.table_conversion import TableConversion
from tests.streams.upstream.test_round_trip import true_sums

DEMO = Settings.load({"REFUSION_DEMO": "1"})
CPR = "6101901357"
MAPPING = """\
dates: "%d-%m-%Y"
constants:
  type: benefit_payment
  reporter: "12345678"
  reported_at: 2024-02-05T08:00:00Z
  channel: dfdg
  paying_municipality: "730"
fields:
  cpr: CPR-nr
  report_id: Bilag
  benefit:
    column: Ydelse
    codes: {0115: KTH, 0116: UDH}
  period_start: Fra
  period_end: Til
  amount_ore: {column: Beløb}
  atp_ore: {column: ATP, unit: ore, empty: "0"}
  outside_act: {column: Udland, codes: {J: ja, "": nej, N: nej}}
"""
HEADER = "CPR-nr;Bilag;Ydelse;Fra;Til;Beløb;ATP;Udland"
ROW = "610190-1357;A-1;0115;01-01-2024;31-01-2024;12.345,67;9000;N"


@pytest.fixture
def folder(tmp_path):
    return tmp_path


def mapping_of(folder, text):
    path = folder / "mapping.yaml"
    path.write_text(text)
    return TableMapping(path)


def converted(folder, *tables, text=MAPPING, encoding="utf-8"):
    """Reports, rejects and summary of tables, each a list of lines."""
    out, rejects = io.BytesIO(), io.BytesIO()
    conversion = TableConversion(DEMO, mapping_of(folder, text), out, rejects)
    for number, lines in enumerate(tables):
        path = folder / f"table-{number}.csv"
        path.write_bytes(lines if isinstance(lines, bytes) else "\r\n".join(lines).encode(encoding))
        conversion.convert([str(path)])
    reports, refused = ([json.loads(x) for x in f.getvalue().splitlines()] for f in (out, rejects))
    summary = conversion.totals.as_object()
    assert summary["difference_ore"] == 0, summary
    assert all(CPR not in json.dumps(each) for each in refused)
    assert len(refused) == sum(summary["rejects"].values())
    return reports, refused, summary


def test_a_row_becomes_a_report(folder):
    (report,), refused, summary = converted(folder, [HEADER, ROW, ""])
    assert refused == []
    assert report == {
        "schema": 2, "type": "benefit_payment", "reporter": "12345678", "channel": "dfdg",
        "reported_at": "2024-02-05T08:00:00Z", "paying_municipality": "730", "cpr": CPR,
        "report_id": "A-1", "benefit": "KTH", "period_start": "2024-01-01",
        "period_end": "2024-01-31", "amount_ore": 1_234_567, "atp_ore": 9_000,
        "outside_act": False,
    }  # fmt: skip
    assert (summary["in_ore"], summary["out_ore"]) == (1_234_567, {"KTH": 1_234_567})
    sums = true_sums([json.dumps(report).encode()])
    assert sum(ore for place, ore in sums.items() if place[-1] == "amount_ore") == 1_234_567


@pytest.mark.parametrize(
    ("cell", "ore"),
    [
        ("0,05", 5), ("-7", -700), ("100,00-", -10_000), ("+1,5", 150),
        ("1.234.567,00", 123_456_700), ("12,5000", 1_250), ("1234", 123_400), (" 5 ", 500),
    ],
)  # fmt: skip
def test_amounts_are_read_with_a_decimal_comma(folder, cell, ore):
    (report,), _, _ = converted(folder, [HEADER, ROW.replace("12.345,67;9000", f"{cell};")])
    assert (report["amount_ore"], report["atp_ore"]) == (ore, 0)


@pytest.mark.parametrize(
    ("old", "new", "reason", "column", "line"),
    [
        ("12.345,67", "12.50", "bad_amount", "Beløb", 16),
        ("12.345,67", "-1-", "bad_amount", "Beløb", 16),
        ("12.345,67", "1,005", "bad_amount", "Beløb", 16),
        ("12.345,67", "", "missing_field", "Beløb", 16),
        ("9000", "9,5", "bad_amount", "ATP", 17),
        ("9000", "-1", "bad_amount", "ATP", 17),
        ("01-01-2024", "2024-01-01", "wrong_type", "Fra", 14),
        ("31-01-2024", "31-02-2024", "wrong_type", "Til", 15),
        ("31-01-2024", "31-12-2023", "bad_period", "Til", 15),
        ("0115", "115", "unknown_code", "Ydelse", 11),
        (";N", ";?", "unknown_code", "Udland", 18),
        ("610190-1357", "000000-0000", "bad_cpr", "CPR-nr", 9),
        ("A-1", CPR, "cpr_in_id", "Bilag", 10),
        (";N", ";N;", "bad_row", None, None),
        (";N", ';"N', "bad_row", None, None),
    ],
)
def test_an_error_names_row_column_and_line_of_the_mapping(folder, old, new, reason, column, line):
    rows = [HEADER, ROW.replace("A-1", "A-0"), "", ROW.replace(old, new)]
    reports, (refused,), _ = converted(folder, rows)
    assert len(reports) == 1
    assert (refused["reason"], refused["column"]) == (reason, column)
    assert (refused["mapping_line"], refused["row"]) == (line, 4)
    assert refused["detail"]


def test_ids_are_made_from_content_where_no_column_has_one(folder):
    text = MAPPING.replace("  report_id: Bilag\n", "")
    rows = [ROW, ROW, ROW.replace("0115", "0116"), ROW.replace("1357", "1365")]
    reports, _, _ = converted(folder, [HEADER, *rows], text=text)
    expected = {(each["cpr"], each["report_id"]) for each in reports}
    assert len(expected) == 4
    rng = random.Random(3)
    for _ in range(4):
        rng.shuffle(rows)
        later = text.replace("02-05T08", "03-05T08")
        again, _, _ = converted(folder, [HEADER, *rows], text=later)
        assert {(each["cpr"], each["report_id"]) for each in again} == expected
    ids = [each["report_id"] for each in reports]
    assert len(set(ids)) == 3, "a number of a person is no part of an id"


def test_json_is_read_line_by_line_and_as_an_array(folder):
    text = MAPPING.replace("fields:", "format: json\nfields:").replace("Beløb}", "penge.beløb}")
    row = {
        "CPR-nr": CPR, "Bilag": 7, "Ydelse": "0115", "Fra": "01-01-2024", "Til": "31-01-2024",
        "penge": {"beløb": 12345.67}, "ATP": None, "Udland": "N",
    }  # fmt: skip
    line = json.dumps(row).encode()
    array = b"\xef\xbb\xbf" + json.dumps([row], indent=1).encode()
    for table in (line + b"\n", b"\n" + line, array, gzip.compress(line)):
        (report,), refused, _ = converted(folder, table, text=text)
        assert refused == []
        assert (report["amount_ore"], report["report_id"]) == (1_234_567, "7")
    spoiled = [
        (b'{"a":1,"a":2}', "bad_row"), (b"[" * 5000, None), (b'{"penge":NaN}', "bad_row"),
        (b'{"penge":"\xff"}', "bad_row"), (b"7", "bad_row"),
        (line.replace(b"12345.67", b"1e999999999"), "wrong_type"),
        (line.replace(b"12345.67", b"[]"), "wrong_type"),
        (line.replace(b"12345.67", b"1.005"), "bad_amount"),
    ]  # fmt: skip
    for table, reason in spoiled:
        if reason is None:
            with pytest.raises(UserError, match="begins as a JSON array"):
                converted(folder, table, text=text)
            continue
        _, (refused,), _ = converted(folder, table, text=text)
        assert (refused["reason"], refused["row"]) == (reason, 1)


def test_other_encodings_are_read_and_a_wrong_one_is_told(folder):
    text = f"encoding: iso-8859-1\n{MAPPING}"
    (report,), _, _ = converted(folder, [HEADER, ROW], text=text, encoding="latin-1")
    assert report["amount_ore"] == 1_234_567
    ascii_only = MAPPING.replace("Beløb", "Belob")
    rows = [HEADER.replace("ø", "o"), ROW.replace("A-1", "ø"), ROW]
    reports, (refused,), _ = converted(folder, rows, text=ascii_only, encoding="latin-1")
    assert (refused["reason"], refused["row"], len(reports)) == ("bad_row", 2, 1)
    marked = b"\xef\xbb\xbf" + f"{HEADER}\n{ROW}".encode()
    assert converted(folder, marked)[0] == [report]


@pytest.mark.parametrize(
    ("table", "line"),
    [
        ([HEADER.replace("Beløb", "Belob"), ROW], "line 16: the table has no column `Beløb`"),
        ([f"{HEADER};Beløb", f"{ROW};1"], "line 16: the table has 2 columns `Beløb`"),
        ([HEADER.replace(";", ","), ROW.replace(";", ",")], "line 9: the table has no column"),
    ],
)
def test_a_table_without_a_mapped_column_is_an_error_that_names_the_mappings_line(
    folder, table, line
):
    with pytest.raises(UserError, match=line):
        converted(folder, table)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("report_id: Bilag", "report_no: Bilag", "line 10: reports have no such field"),
        ("{column: Beløb}", "{kolonne: Beløb}", "line 16: amount_ore is a column's name, or"),
        ("{column: Beløb}", "{column: Beløb, format: x}", "line 16: `format` is for days"),
        ("period_start: Fra", "period_start: {column: Fra, format: '%d'}", "line 14: the format"),
        ("cpr: CPR-nr", "cpr: {column: CPR-nr, sign: '-1'}", "line 9: `unit` and `sign`"),
        ("report_id: Bilag", "cpr: Bilag", "line 10: the key came before"),
        ("report_id: Bilag", "channel: Bilag", "line 6: channel has a column too"),
        ("2024-02-05T08:00:00Z", "i går", "line 5: the constant reported_at"),
        ("dates:", "datoer:", "line 1: a mapping has no such setting"),
        ("dates:", "format: xml\ndates:", "line 1: `format` has another form"),
        ("dates:", "delimiter: ab\ndates:", "line 1: `delimiter` is one character"),
        ("fields:", "felter:", "line 8: a mapping has no such setting"),
        ("fields:", "fields: [", "this is no YAML"),
    ],
)
def test_a_mistake_in_the_mapping_is_named_with_its_line(folder, old, new, words):
    assert MAPPING.count(old) == 1
    with pytest.raises(UserError, match=words):
        mapping_of(folder, MAPPING.replace(old, new))


@pytest.mark.parametrize(
    "text", ["", "[]", "7", "a: b: c", "\x00", "&a [*a]", "fields: &a {cpr: *a}"]
)
def test_what_is_no_mapping_is_said_to_be_none(folder, text):
    with pytest.raises(UserError):
        mapping_of(folder, text)


def test_codes_of_the_type_give_reversals_and_a_sign_gives_repayments(folder):
    text = """\
constants: {reporter: "12345678", reported_at: 2024-02-05T08:00:00Z}
decimal: "."
delimiter: tab
fields:
  type: {column: art, codes: {ud: benefit_payment, ind: benefit_payment, fra: reversal}}
  benefit: ydelse
  channel: {column: ydelse, codes: {KTH: direct, "": null}, empty: ""}
  paying_municipality: kommune
  cpr: cpr
  report_id: id
  period_start: fra
  period_end: til
  amount_ore: {column: tilbage, sign: "-1"}
  reverses_group: gruppe
"""
    header = "art ydelse kommune cpr id fra til tilbage gruppe".replace(" ", "\t")
    paid = f"ind\tKTH\t730\t{CPR}\t1\t2024-01-01\t2024-01-31\t1,000.50\t"
    taken = f"fra\t\t\t{CPR}\t2\t\t\t\tA-1"
    reports, refused, summary = converted(folder, [header, paid, taken], text=text)
    assert refused == []
    assert [each.get("amount_ore") for each in reports] == [-100_050, None]
    assert summary["reports"] == {"KTH": 1, "reversal": 1}


def test_folders_archives_and_standard_input_are_read(folder, monkeypatch):
    given = folder / "tables"
    given.mkdir()
    text = f"{HEADER}\n{ROW}\n".encode()
    with ZipFile(given / "a.zip", "w") as archive:
        archive.writestr("one.csv", text)
    (given / "b.csv.gz").write_bytes(gzip.compress(text))
    (given / "c.csv").write_bytes(text)
    (given / "readme.txt").write_text("none")
    (folder / "cut.gz").write_bytes(gzip.compress(text)[:-12])
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(text))))
    out, rejects = io.BytesIO(), io.BytesIO()
    conversion = TableConversion(DEMO, mapping_of(folder, MAPPING), out, rejects)
    conversion.convert([str(given), "-", str(folder / "cut.gz")])
    assert len(set(out.getvalue().splitlines())) == 1
    assert conversion.totals.as_object()["reports"] in ({"KTH": 4}, {"KTH": 5})
    (refused,) = map(json.loads, rejects.getvalue().splitlines())
    assert (refused["file"], refused["reason"]) == ("cut.gz", "bad_archive")


def test_spoiled_tables_never_crash(folder):
    rng = random.Random(7)
    text = f"{HEADER}\r\n{ROW}\r\n{ROW}\r\n".encode()
    mapping = mapping_of(folder, MAPPING)
    path = folder / "spoiled.csv"
    done = 0
    for _ in range(300):
        spoiled = bytearray(text)
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(HEADER) if rng.random() < 0.8 else 0, len(spoiled))
            spoiled[at : at + rng.randint(0, 3)] = bytes([rng.choice(b';"\r\n,.-09\x00\xff\xe6')])
        path.write_bytes(spoiled)
        conversion = TableConversion(DEMO, mapping, io.BytesIO(), None)
        try:
            conversion.convert([str(path)])
        except UserError:
            continue
        totals: Any = conversion.totals.as_object()
        assert totals["difference_ore"] == 0
        done += sum(totals["reports"].values())
    assert done > 50
