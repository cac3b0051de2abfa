"""A line of eIndkomst keeps its id, whatever becomes of the others, and what it became is kept."""

import io
import json
import re
import sqlite3
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import pytest

from streams.kit.errors import UserError
from streams.settings import Settings
from streams.upstream.column_map import TableMapping
from streams.upstream.conversion import AnswerConversion
from streams.upstream.kept_lines import FILE, KeptLines
from streams.upstream.table_conversion import TableConversion
from streams.upstream.tables import UpstreamTables
from tests.streams.upstream.test_eindkomst import (
    CPR,
    LINE,
    WHOLE,
    answer,
    blanket,
    converted,
    folder,
    period,
    refund,
    settled_money,
)

__all__ = ["folder"]  # the fixture
DEMO = Settings.load({"REFUSION_DEMO": "1"})


def two_amounts(marked=(), amounts=(1000, 2000)):
    """Give a report with lines that share art, account and days; some 16000 may be marked."""
    groups = [
        blanket(
            "16000",
            [(19, "0041"), *([(21, "1")] if kroner in marked else [])],
            blanket("16300", ((58, f"{kroner}.00"), *LINE[1:])),
        )
        for kroner in amounts
    ]
    return answer((CPR, period(blanket("11000", [(11, "I"), (12, "6")]), *groups)))


@pytest.mark.parametrize(("marked", "left_ore"), [(1000, 200_000), (2000, 100_000)])
@pytest.mark.parametrize("amounts", [(1000, 2000), (2000, 1000)])
def test_a_mark_takes_back_the_line_with_its_content(folder, marked, left_ore, amounts):
    whole, _, _ = converted(folder, two_amounts())
    assert settled_money(whole) == {("730", "KTH"): 300_000}
    later, refused, summary = converted(folder, two_amounts({marked}, amounts))
    assert refused == []
    assert summary["explained_ore"]["reversals"] == marked * 100
    left = {("730", "KTH"): left_ore}
    assert settled_money(whole, later) == settled_money(later, whole) == left
    assert settled_money(later) == left
    (standing,) = [each for each in later if each["type"] == "benefit_payment"]
    assert standing in whole


def test_two_wage_periods_with_equal_lines_are_paid_each(folder):
    line = ((58, "1000.00"), *LINE[1:])
    halves = [("2024-01-01", "2024-01-15"), ("2024-01-16", "2024-01-31")]
    periods = [period(refund(line), start=start, end=end) for start, end in halves]
    reports, _, _ = converted(folder, answer((CPR, *periods)))
    assert settled_money(reports) == {("730", "KTH"): 200_000}
    assert {(each["period_start"], each["period_end"]) for each in reports} == {
        ("2024-01-01", "2024-01-31")
    }
    again, _, _ = converted(folder, answer((CPR, *reversed(periods))))
    assert sorted(map(str, again)) == sorted(map(str, reports))


# --- what lines have become -----------------------------------------------------------------------


def test_what_is_kept_tells_no_person_without_the_salt(tmp_path):
    folders = [tmp_path / name for name in "ab"]
    for each in folders:
        each.mkdir()
        with KeptLines(each) as kept:
            assert kept.version_of(b"line", [{"cpr": CPR, "schema": 2, "report_id": "A"}]) == 1
            newer = {"cpr": CPR, "schema": 3, "report_id": "B", "reported_at": "later"}
            assert kept.version_of(b"line", [newer]) == 1
            assert kept.version_of(b"line", [newer | {"amount_ore": 1}]) == 2
    contents = [
        sqlite3.connect(each / FILE).execute("select content from versions").fetchall()
        for each in folders
    ]
    assert set(contents[0]).isdisjoint(contents[1])


def keep_until_the_disk_is_full(folder: Path) -> None:
    with KeptLines(folder) as kept:
        (pages,) = kept._file.execute("pragma page_count").fetchone()
        kept._file.execute(f"pragma max_page_count = {pages}")
        for number in range(10_000):
            kept.version_of(b"%d" % number, [{}])


def test_a_full_disk_is_told_in_words_and_nothing_is_kept(tmp_path):
    with KeptLines(tmp_path) as kept:
        kept.version_of(b"first", [{}])
    with pytest.raises(UserError, match="is not kept"):
        keep_until_the_disk_is_full(tmp_path)
    with KeptLines(tmp_path) as kept:
        assert (kept.versions(b"first"), kept.versions(b"0")) == ([(1, 1)], [])


def test_what_cannot_be_kept_at_the_end_is_told_in_words(tmp_path):
    kept = KeptLines(tmp_path)
    with pytest.raises(UserError, match="is not kept"), kept:
        kept._file.execute("rollback")  # SQLite does so after some errors
    with pytest.raises(sqlite3.ProgrammingError):
        kept._file.execute("select 1")


def test_a_file_that_is_no_database_is_told_and_closed(tmp_path):
    (tmp_path / FILE).write_bytes(b"not a database " * 100)
    kept = KeptLines(tmp_path)
    with pytest.raises(UserError, match="damaged"), kept:
        pass
    with pytest.raises(sqlite3.ProgrammingError):
        kept._file.execute("select 1")


# --- archives -------------------------------------------------------------------------------------


def spoiled_archives(folder: Path, text: str, member: str) -> list[str]:
    """Write archives that are whole, cut off, encrypted, and packed in an unknown way."""
    stored = io.BytesIO()
    with ZipFile(stored, "w", ZIP_STORED) as archive:
        archive.writestr(member, text)
    whole = stored.getvalue()
    encrypted, unknown = bytearray(whole), bytearray(whole)
    for local_at, flags_at, method_at in ((0, 6, 8), (whole.rindex(b"PK\x01\x02"), 8, 10)):
        encrypted[local_at + flags_at] |= 1
        unknown[local_at + method_at] = 77
    cut = whole[: len(whole) // 2]
    contents = {"cut": cut, "encrypted": encrypted, "unknown": unknown, "whole": whole}
    for name, content in contents.items():
        (folder / f"{name}.zip").write_bytes(bytes(content))
    return [str(folder / f"{name}.zip") for name in contents]


EXPECTED = [
    ("cut.zip", "bad_archive"),
    ("encrypted.zip, member 1", "bad_archive"),
    ("unknown.zip, member 1", "bad_archive"),
]


def refused_in(rejects: io.BytesIO) -> list[tuple[str, str]]:
    told = [json.loads(line) for line in rejects.getvalue().splitlines()]
    assert all(re.search("cut off or encrypted", each["detail"]) for each in told)
    return [(each["file"], each["reason"]) for each in told]


def test_an_archive_that_cannot_be_opened_is_a_reject_and_others_go_on(folder):
    out, rejects = io.BytesIO(), io.BytesIO()
    conversion = AnswerConversion(DEMO, UpstreamTables(folder), out, rejects)
    conversion.convert(spoiled_archives(folder, WHOLE, "one.xml"))
    assert refused_in(rejects) == EXPECTED
    assert len(out.getvalue().splitlines()) == 2


def test_an_archive_of_tables_that_cannot_be_opened_is_a_reject(tmp_path):
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text(
        "constants: {type: benefit_payment, reporter: '12345678', benefit: KTH, channel: dfdg,\n"
        "  reported_at: 2024-02-05T08:00:00Z, paying_municipality: '730', atp_ore: 0,\n"
        "  outside_act: nej, period_start: 2024-01-01, period_end: 2024-01-31}\n"
        "fields: {cpr: CPR, report_id: Bilag, amount_ore: Beløb}\n"
    )
    table = f"CPR;Bilag;Beløb\n{CPR};A-1;12,50\n"
    out, rejects = io.BytesIO(), io.BytesIO()
    conversion = TableConversion(DEMO, TableMapping(mapping), out, rejects)
    conversion.convert(spoiled_archives(tmp_path, table, "one.csv"))
    assert refused_in(rejects) == EXPECTED
    assert [json.loads(line)["amount_ore"] for line in out.getvalue().splitlines()] == [1_250]
