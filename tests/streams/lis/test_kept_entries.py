"""A site reads the entries of a citizen as the ledger's own library does, from what stays open."""

import random
from concurrent.futures import ThreadPoolExecutor

import pytest
from arro3.core import Table
from deltalake import DeltaTable, Field, Schema, write_deltalake
from deltalake.schema import PrimitiveType

from projections.ledger.citizen import FIELDS
from projections.ledger.entries import COLUMNS, COUNTERS, LedgerProgress, read_page
from streams.explain.citizen_ledger import OF_RUN
from streams.ledger.kept_open import KeptOpen
from streams.ledger.table import (
    OF_MARKERS,
    PARTITIONED_BY,
    PARTITIONS_KEY,
    Append,
    LedgerError,
    LedgerTable,
    NoLedgerError,
    entries_batch,
)
from streams.lis.kept_entries import KeptEntries
from tests.support.postings import (
    IDENTITY,
    TOPIC,
    append,
    ledger_of,
    marker,
    new_ledger,
    posted,
    posting,
)
from tests.support.run_histories import ledger_of_lives

ANNA, BO = "6101801234", "6202801235"
ALL = (*FIELDS, *COUNTERS)


@pytest.fixture
def kept(tmp_path):
    entries = KeptEntries(KeptOpen(str(tmp_path / "ledger")))
    yield entries
    entries.close()


def wanted(ledger, partition, columns, condition):
    return sorted(ledger.rows_of(partition, columns, condition), key=str)


def test_the_rows_of_random_lives_are_those_of_the_library(tmp_path, kept):
    ledger_of_lives(random.Random(4), 4, tmp_path / "ledger")
    ledger = LedgerTable.open(str(tmp_path / "ledger"))
    assert kept.partitions == ledger.partitions
    asked = 0
    for partition in range(ledger.partitions):
        query = f"SELECT citizen FROM ledger WHERE partition = {partition}"  # noqa: S608
        citizens = {citizen for (citizen,) in ledger.rows(query)} - {None}
        for condition in [OF_MARKERS, *(("citizen", citizen) for citizen in sorted(citizens))]:
            columns = OF_RUN if condition == OF_MARKERS else ALL
            found = sorted(kept.rows_of(partition, columns, condition), key=str)
            assert found == wanted(ledger, partition, columns, condition)
            asked += len(found) > 0
        assert kept.newest_of(partition) == ledger.newest_of(partition)
    assert asked > 2 * ledger.partitions
    assert kept.rows_of(0, ALL, ("citizen", "x' OR 'a'='a")) == []


def test_what_was_read_of_a_file_is_kept(tmp_path, kept, monkeypatch):
    ledger, progress = ledger_of(tmp_path / "ledger", []), LedgerProgress(0)
    read, really, anna = [], kept._read, ("citizen", IDENTITY.of(ANNA)[0])

    def keep(files, columns, condition):
        read.append((condition[0], len(files)))
        return really(files, columns, condition)

    monkeypatch.setattr(kept, "_read", keep)
    for run in range(1, 5):
        append(ledger, progress, [posting(ANNA, run, {}, {}), posting(BO, run, {}), marker(run)])
        for _ in range(2):
            markers = sorted(kept.rows_of(0, OF_RUN, OF_MARKERS))
            assert [row[0] for row in markers] == [*range(1, run + 1)]
            rows = sorted(kept.rows_of(0, ALL, anna), key=str)
            assert rows == wanted(ledger, 0, ALL, anna)
            assert len(rows) == 2 * run
        assert read == [("kind", 1), ("citizen", 1)], "of the second asking nothing is read"
        read.clear()
    ledger.sort_closed([Append(0, 0, 0, entries_batch([]), closed=[0])])
    for columns, condition in ((OF_RUN, OF_MARKERS), (ALL, anna)):
        assert sorted(kept.rows_of(0, columns, condition), key=str) == wanted(
            ledger, 0, columns, condition
        )
    assert read == [("kind", 4), ("citizen", 4)], "a file was made into another one"


def test_the_newest_row_is_looked_for_in_the_files_after_the_last_run(tmp_path, kept):
    ledger, progress = ledger_of(tmp_path / "ledger", []), LedgerProgress(0)
    assert kept.newest_of(0) == -1
    found = []
    for run in range(1, 12):
        for messages in ([posting(ANNA, run, {}), marker(run)], [posting(BO, run, {})]):
            append(ledger, progress, messages)
            found.append(kept.newest_of(0))
            assert found[-1] == ledger.newest_of(0)
    assert found == sorted({*found})


def test_several_threads_ask_at_the_same_time(tmp_path, kept):
    ledger = ledger_of(
        tmp_path / "ledger", [posting(ANNA, 1, {}), posting(BO, 1, {}, {}), marker(1)]
    )
    people = [IDENTITY.of(cpr)[0] for cpr in (ANNA, BO)] * 20
    with ThreadPoolExecutor(8) as threads:
        found = [*threads.map(lambda one: kept.rows_of(0, ALL, ("citizen", one)), people)]
    for citizen, rows in zip(people, found, strict=True):
        assert sorted(rows, key=str) == wanted(ledger, 0, ALL, ("citizen", citizen))
        assert rows


def test_a_ledger_of_before_the_counters_has_none(tmp_path, kept):
    former = {name: kind for name, kind in COLUMNS.items() if name not in COUNTERS}
    place, citizen = str(tmp_path / "ledger"), IDENTITY.of(ANNA)[0]
    table = DeltaTable.create(
        place, Schema([Field(name, PrimitiveType(kind)) for name, kind in former.items()]),
        name=TOPIC, description="cluster/topic", partition_by=PARTITIONED_BY,
        configuration={PARTITIONS_KEY: "1"}, raise_if_key_not_exists=False,
    )  # fmt: skip
    page = read_page(LedgerProgress(0), posted([posting(ANNA, 1, {})]))
    old = Table.from_batches([entries_batch(page.entries)]).select(list(former))
    write_deltalake(table, old, mode="append")
    assert seniorities(kept, LedgerTable.open(place), citizen) == {1: None}
    newer = new_ledger(tmp_path / "ledger")
    append(newer, LedgerProgress(0, revisions={citizen: 1}), [posting(ANNA, 2, {})])
    assert seniorities(kept, newer, citizen) == {1: None, 2: 1}


def seniorities(kept, ledger, citizen):
    """Return what the counters say after each message; both ways of reading agree."""
    found = sorted(kept.rows_of(0, ALL, ("citizen", citizen)), key=str)
    assert found == wanted(ledger, 0, ALL, ("citizen", citizen))
    return {row[ALL.index("revision")]: row[ALL.index("seniority")] for row in found}


def test_what_cannot_be_read_is_told(tmp_path, kept):
    with pytest.raises(NoLedgerError):
        kept.rows_of(0, ALL, OF_MARKERS)
    ledger = ledger_of(tmp_path / "ledger", [posting(ANNA, 1, {}), marker(1)])
    for file in ledger.files_with():
        (tmp_path / "ledger" / file.removeprefix("file://")).write_bytes(b"spoiled")
    with pytest.raises(LedgerError, match=r"cannot be read.*delete the ledger"):
        kept.rows_of(0, OF_RUN, OF_MARKERS)
