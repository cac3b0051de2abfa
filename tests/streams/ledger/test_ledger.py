"""The ledger: messages become entries; entries and positions get into a table together."""

import re
from shutil import rmtree

import deltalake
import duckdb
import orjson
import pytest
from arro3.core import Table
from deltalake import DeltaTable, Field, Schema, write_deltalake
from deltalake.schema import PrimitiveType

from projections.ledger.entries import (
    COLUMNS,
    COUNTERS,
    LedgerProgress,
    RevisionGapError,
    advance,
    read_page,
)
from streams.ledger.table import Append, LedgerError, LedgerTable, entries_batch
from tests.support.places import DOCS
from tests.support.postings import TOPIC, append, ledger_of, marker, new_ledger, posted, posting

ANNA, BO = "6101801234", "6202801235"
SQL_BLOCK = re.compile(r"```sql\n(.*?)```", re.DOTALL)


def entries(page):
    return [dict(zip(COLUMNS, entry, strict=True)) for entry in page.entries]


def standing_after(*messages):
    progress = LedgerProgress(3)
    advance(progress, read_page(progress, posted(messages)), 2 * len(messages))
    return progress


# --- messages into entries ------------------------------------------------------------------------


def test_a_row_has_all_of_its_own_fields_and_its_messages():
    counters = {
        "week": "2024-02-26",
        "seniority": 9,
        "earned": [["2023-05-01", 12]],
        "after_transfer": {"from": "2024-03-04", "seniority": 3, "earned": []},
    }
    changes = {"amount_ore": 100, "atp_ore": 5}, {"reverses": "x", "account": "5.57.71.2.011"}
    message = posting(ANNA, 1, *changes, counters=counters)
    one, two = entries(read_page(LedgerProgress(3), posted([message], 8)))
    place = {"after_run": 0, "partition": 3, "offset": 8, "journal_offset": 80}
    of_message = {
        name: message[name]
        for name in ("citizen", "revision", "cause", "reason", "rules", "cpr_sealed")
    }
    nothing = {"run": None, "closed_at": None, "data_month": None}
    counters = {
        "counters_week": "2024-02-26",
        "seniority": 9,
        "earned": '[["2023-05-01",12]]',
        "after_transfer": '{"from":"2024-03-04","seniority":3,"earned":[]}',
    }
    assert one == message["rows"][0] | place | of_message | nothing | counters | {
        "position": 0,
        "reverses": None,
    }
    assert two == message["rows"][1] | place | of_message | nothing | dict.fromkeys(COUNTERS) | {
        "position": 1,
        "atp_ore": 0,
    }


def test_the_columns_that_were_published_stay_as_they_are():
    published = {
        "integer": "after_run partition position revision ordinal rate run",
        "long": "offset journal_offset amount_ore atp_ore refusion_ore medfinansiering_ore",
        "string": "kind citizen cause reason rules cpr_sealed id reverses month week benefit"
        " paying financing mechanism account closed_at data_month",
    }
    frozen = {name: kind for kind, names in published.items() for name in names.split()}
    assert frozen.items() <= COLUMNS.items()
    assert set(list(COLUMNS)[: len(frozen)]) == set(frozen), "new columns come last, as in a table"


def test_a_marker_and_a_message_without_rows_are_entries_too():
    page = read_page(
        LedgerProgress(3), posted([posting(ANNA, 1), marker(49), posting(ANNA, 2, {})])
    )
    counters, run, row = entries(page)
    assert (counters["kind"], counters["revision"], counters["id"], counters["amount_ore"]) == (
        "counters", 1, None, None,
    )  # fmt: skip
    assert (run["kind"], run["run"], run["data_month"], run["citizen"]) == (
        "run",
        49,
        "2024-01",
        None,
    )
    assert [entry["after_run"] for entry in (counters, run, row)] == [0, 0, 49]


def test_a_message_or_marker_that_came_before_is_passed_over():
    progress = standing_after(posting(ANNA, 1, {}), marker(49))
    again = [posting(ANNA, 1, {}), marker(49), posting(ANNA, 2, {}), posting(ANNA, 2, {})]
    (entry,) = entries(read_page(progress, posted(again)))
    assert (entry["revision"], entry["after_run"]) == (2, 49)


@pytest.mark.parametrize(
    "before", [[], [posting(ANNA, 1, {})], [posting(BO, 1, {}), posting(BO, 2, {})]]
)
def test_a_missing_revision_is_an_error_that_names_the_place(before):
    with pytest.raises(
        RevisionGapError, match=r"revision 3 of citizen \w+ comes after [01], at 3/2"
    ):
        read_page(
            standing_after(*before),
            posted([posting(BO, 1, {}) if not before else before[0], posting(ANNA, 3, {})]),
        )


def test_a_page_changes_nothing_until_the_progress_advances():
    progress = LedgerProgress(3)
    page = read_page(progress, posted([posting(ANNA, 1, {}), marker(49)]))
    assert progress == LedgerProgress(3)
    advance(progress, page, 4)
    assert (progress.position, progress.last_run, list(progress.revisions.values())) == (4, 49, [1])


# --- entries and positions into the table ---------------------------------------------------------


def test_a_ledger_of_an_earlier_version_gets_the_new_columns_and_keeps_its_entries(tmp_path):
    former = {name: kind for name, kind in COLUMNS.items() if name not in COUNTERS}
    table = DeltaTable.create(
        str(tmp_path),
        Schema([Field(name, PrimitiveType(kind)) for name, kind in former.items()]),
        name=TOPIC,
        description="cluster/topic",
        partition_by=["after_run", "partition"],
        configuration={"refusion.partitions": "1"},
        raise_if_key_not_exists=False,
    )
    page = read_page(LedgerProgress(0), posted([posting(ANNA, 1, {})]))
    old = Table.from_batches([entries_batch(page.entries)]).select(list(former))
    write_deltalake(table, old, mode="append")
    ledger = new_ledger(tmp_path)
    append(ledger, LedgerProgress(0, revisions={page.entries[0][6]: 1}), [posting(ANNA, 2, {})])
    assert list(LedgerTable.open(str(tmp_path)).rows(
        "SELECT revision, seniority, earned FROM ledger ORDER BY revision"
    )) == [(1, None, None), (2, 1, "[]")]  # fmt: skip


def test_the_progress_of_each_partition_is_read_back(tmp_path):
    ledger_of(
        tmp_path,
        [posting(ANNA, 1, {}), posting(ANNA, 2), marker(49)],
        [posting(BO, 1, {}), marker(49), marker(50)],
    )
    ledger = LedgerTable.open(str(tmp_path))
    assert ledger.partitions == 2
    for number, (position, last_run, revision) in enumerate([(6, 49, 2), (6, 50, 1)]):
        progress = ledger.progress(number)
        assert (progress.position, progress.last_run) == (position, last_run)
        assert list(progress.revisions.values()) == [revision]


def an_append(partition, start, end, message):
    return Append(
        partition,
        start,
        end,
        entries_batch(read_page(LedgerProgress(partition), posted([message])).entries),
    )


def test_of_two_writers_of_a_partition_one_can_go_on(tmp_path):
    one, other = new_ledger(tmp_path, 2), new_ledger(tmp_path, 2)
    one.append([an_append(0, 0, 2, posting(ANNA, 1, {}))])
    with pytest.raises(LedgerError, match="Concurrent transaction failed"):
        other.append([an_append(0, 0, 4, posting(ANNA, 1, {}))])
    assert other.progress(0).position == 2
    with pytest.raises(LedgerError, match="was written by another process"):
        other.append([an_append(0, 0, 4, posting(ANNA, 1, {}))])
    assert list(other.rows("SELECT count(*) FROM ledger")) == [(1,)]


def test_writers_of_different_partitions_do_not_disturb_each_other(tmp_path):
    one, other = new_ledger(tmp_path, 2), new_ledger(tmp_path, 2)
    one.append([an_append(0, 0, 2, posting(ANNA, 1, {}))])
    other.append([an_append(1, 0, 4, posting(BO, 1, {}))])
    assert [one.progress(number).position for number in (0, 1)] == [2, 4]


def test_one_commit_holds_several_partitions_and_a_page_without_entries(tmp_path):
    ledger = new_ledger(tmp_path, 2)
    ledger.append([an_append(0, 0, 2, posting(ANNA, 1, {})), Append(1, 0, 8, entries_batch([]))])
    ledger.append([Append(1, 8, 10, entries_batch([]))])
    assert [ledger.progress(number).position for number in (0, 1)] == [2, 10]


def test_small_files_become_one_and_nothing_is_lost(tmp_path, monkeypatch):
    monkeypatch.setattr("streams.ledger.table.COMPACT_EVERY", 4)
    monkeypatch.setattr("streams.ledger.table.VACUUM_EVERY", 4)
    ledger, progress = new_ledger(tmp_path), LedgerProgress(0)
    for revision in range(1, 5):
        append(ledger, progress, [posting(ANNA, revision, {"amount_ore": revision})])
        ledger.keep_house([0])
    reader = LedgerTable.open(str(tmp_path))
    assert len(reader._table.file_uris()) == 1
    assert list(reader.rows("SELECT sum(amount_ore), count(id) FROM ledger")) == [(10, 4)]
    append(ledger, progress, [posting(ANNA, 5, {})])
    assert ledger.progress(0).revisions == progress.revisions


def test_a_ledger_of_another_topic_is_refused(tmp_path):
    ledger_of(tmp_path, [posting(ANNA, 1, {})])
    with pytest.raises(LedgerError, match=r"made from another topic.*REFUSION_LEDGER"):
        new_ledger(tmp_path, identity="cluster/the topic made anew")


def test_an_error_of_the_table_names_its_place(tmp_path):
    with pytest.raises(
        LedgerError, match=r"there is no ledger at .*nowhere.*refusion worker projections"
    ):
        LedgerTable.open(str(tmp_path / "nowhere"))
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match="file/ledger"):
        new_ledger(tmp_path / "file" / "ledger")
    ledger = ledger_of(tmp_path / "gone", [posting(ANNA, 1, {})])
    rmtree(tmp_path / "gone")
    with pytest.raises(LedgerError, match="gone"):
        append(ledger, LedgerProgress(0, 2), [posting(BO, 1, {})])


# --- closed runs ----------------------------------------------------------------------------------


def test_the_entries_of_a_closed_run_are_put_together_by_citizen(tmp_path):
    cprs = [f"61018{number:05}" for number in range(20)]
    ledger, progress = new_ledger(tmp_path), LedgerProgress(0)
    for revision in (1, 2):
        append(ledger, progress, [posting(cpr, revision, {}) for cpr in cprs])
    append(ledger, progress, [marker(49), posting(ANNA, 1, {})])
    before = sorted(ledger.rows("SELECT * FROM ledger"), key=str)
    ledger.sort_closed([Append(0, 0, 0, entries_batch([]), closed=[0])])
    ledger.refresh()
    assert sorted(ledger.rows("SELECT * FROM ledger"), key=str) == before
    assert ledger.position(0) == progress.position
    (file,) = ledger.files([0])
    citizens = [row[0] for row in duckdb.read_parquet(file).project("citizen").fetchall() if row[0]]
    assert citizens == sorted(citizens)
    assert len(citizens) == 2 * len(cprs)
    append(ledger, progress, [posting(ANNA, 2, {})])  # and it is written on


def test_the_log_has_the_bounds_of_those_columns_only_by_which_files_are_passed_over(tmp_path):
    ledger = ledger_of(tmp_path, [posting(ANNA, 1, {}), marker(48), posting(ANNA, 2, {})])
    ledger.sort_closed([Append(0, 0, 0, entries_batch([]), closed=[0])])
    lines = [
        orjson.loads(line)
        for file in sorted((tmp_path / "_delta_log").glob("*.json"))
        for line in file.read_bytes().splitlines()
    ]
    stats = [orjson.loads(line["add"]["stats"]) for line in lines if "add" in line]
    assert len(stats) > 2
    known = {"offset", "journal_offset", "kind", "citizen", "month", "run"}
    for each in stats:
        assert {*each["nullCount"]} == known
        assert {"offset", "kind"} <= {*each["minValues"]} <= known
    assert {*ledger.files_with(("kind", "=", "run"))} < {*ledger.files_with()}


# --- the documented queries -----------------------------------------------------------------------


def documented():
    """The view and the queries in `docs/ledger.md`."""
    return SQL_BLOCK.findall((DOCS / "ledger.md").read_text().replace("82", "49"))


@pytest.fixture
def booked(tmp_path):
    """Two runs: Anna's amount is corrected after the first was closed."""
    amount = {"amount_ore": 1000, "refusion_ore": 800}
    reversing = {name: -ore for name, ore in amount.items()} | {
        "kind": "correction",
        "reverses": "x",
    }
    new = {"kind": "correction", "amount_ore": 1500, "refusion_ore": 1200}
    anna = [
        posting(ANNA, 1, amount),
        posting(ANNA, 2),
        marker(48),
        posting(ANNA, 3, reversing, new, reason="late_report"),
    ]
    opened = {"kind": "opening", "week": "2024-01-08", "amount_ore": 70, "refusion_ore": 56}
    bo = [
        posting(BO, 1, amount),
        marker(48),
        marker(49),
        posting(BO, 2, amount),
        posting(BO, 3, opened),
    ]
    return ledger_of(tmp_path, [*anna, marker(49)], bo)


def rows_of_duckdb(ledger, query):
    """The rows of a query, by the recipe of the page, with the ledger's place put in."""
    page = (DOCS / "ledger.md").read_text()
    (recipe,) = re.findall(r"# DuckDB.*?\n(files = .*?)\n#", page, re.DOTALL)
    with duckdb.connect() as connection:
        given = {"duckdb": connection, "deltalake": deltalake}
        exec(recipe.replace("refusion-state/ledger", ledger.uri), given)  # noqa: S102 - our page
        connection.execute(documented()[0])
        return connection.execute(query).fetchall()


def rows_of_deltalake(ledger, query):
    view = documented()[0].partition(" AS\n")[2]
    return list(ledger.rows(query.replace("FROM posted", f"FROM ({view}) AS posted")))


@pytest.mark.parametrize("rows_of", [rows_of_duckdb, rows_of_deltalake])
def test_the_documented_queries_give_what_they_say(booked, rows_of):
    _, owed, true_now, why, runs, opened = documented()
    assert rows_of(booked, owed) == [("730", 400, 0)]
    assert sorted(row[6:] for row in rows_of(booked, true_now)) == [
        (70, 56, 0),
        (1500, 1200, 0),
        (2000, 1600, 0),
    ]
    assert rows_of(booked, why) == [("late_report", 2, 400, 0)]
    assert rows_of(booked, opened) == [("730", "730", "KTH", "2024-01", 1, 56, 0)]
    assert rows_of(booked, runs) == [
        (run, "2024-01", "2024-02-10T23:30:00Z", 2) for run in (48, 49)
    ]
    assert rows_of(booked, "SELECT in_run, count(id) FROM posted GROUP BY 1 ORDER BY 1") == [
        (48, 2),
        (49, 2),
        (None, 2),
    ]
