"""The changes of each message, read from a citizen's rows in the ledger."""

import asyncio
from typing import NamedTuple

import pytest

from projections.ledger.citizen import FIELDS, PostedRow, message_sums, posted_sums, standing, steps
from streams.engine.ports import Batch
from streams.explain.citizen_ledger import CitizenLedger, citizen_of_row
from streams.explain.index import IndexInUseError, JournalIndex
from streams.explain.placed import LiveError
from streams.ledger.kept_open import KeptOpen
from streams.lis.kept_entries import KeptEntries
from tests.support.postings import IDENTITY, ledger_of, marker, posting
from tests.support.told import in_english

ANNA, BO = "6101801234", "6202801235"
CITIZEN = IDENTITY.of(ANNA)[0]
FIRST = {"id": "first", "amount_ore": 1000, "refusion_ore": 800}
BACK = {
    "id": "back",
    "kind": "correction",
    "reverses": "first",
    "amount_ore": -1000,
    "refusion_ore": -800,
}
ANEW = {
    "id": "anew",
    "kind": "correction",
    "amount_ore": 1000,
    "rate": 40,
    "ordinal": 5,
    "refusion_ore": 400,
}
GONE = {
    "id": "gone",
    "kind": "correction",
    "reverses": "anew",
    "amount_ore": -1000,
    "rate": 40,
    "refusion_ore": -400,
}
MESSAGES = [
    posting(ANNA, 1, FIRST),
    posting(BO, 1, FIRST | {"id": "other"}),
    marker(49),
    posting(ANNA, 2, BACK, ANEW, cause="12345678/2", reason="late_report"),
    posting(ANNA, 3, cause="12345678/3"),
    marker(50),
    posting(ANNA, 4, GONE | {"ordinal": 5}, cause="12345678/4", reason="reversal"),
]


@pytest.fixture
def table(tmp_path):
    return ledger_of(tmp_path / "ledger", MESSAGES)


@pytest.fixture(params=["opened", "kept"])
def ledger(request, table):
    """Read it as a command does, and as a site does."""
    return CitizenLedger(table if request.param == "opened" else KeptEntries(KeptOpen(table.uri)))


def test_a_citizens_rows_come_in_order_with_the_run_they_are_in(ledger):
    rows = ledger.rows(CITIZEN)
    assert [(row.id, row.run, row.revision) for row in rows] == [
        ("first", 49, 1),
        *(("back", 50, 2), ("anew", 50, 2), (None, 50, 3)),
        ("gone", None, 4),
    ]
    assert rows[0].journal_offset == 0
    assert ledger.newest(0) == 120


def test_the_changes_of_each_message_have_a_before_and_an_after(ledger):
    first, second, counters, last = steps(ledger.rows(CITIZEN))
    (change,) = first.changes
    assert (change.before, change.difference_ore, in_english(change.because)) == (
        None,
        800,
        "nothing stood for it",
    )
    (change,) = second.changes
    assert change.before is not None
    assert change.after is not None
    assert (change.before.id, change.after.id, change.difference_ore) == ("first", "anew", -400)
    assert in_english(change.because) == "benefit week 5 instead of 1"
    assert counters.changes == []
    (change,) = last.changes
    assert (change.after, change.difference_ore) == (None, -400)
    assert in_english(change.because) == "nothing is due for it any more"


def test_rows_that_no_other_row_reverses_stand(ledger):
    rows = ledger.rows(CITIZEN)
    assert standing(rows) == []
    assert [row.id for row in standing(rows[:4])] == ["anew"]
    assert posted_sums(rows) == {}
    assert posted_sums(rows[:4]) == message_sums(MESSAGES[index] for index in (0, 3))


def test_a_row_leads_to_its_citizen(table):
    assert citizen_of_row(table, "anew", None) == citizen_of_row(table, "anew", 50) == CITIZEN
    with pytest.raises(LiveError, match="--run 49 must be the run of their file"):
        citizen_of_row(table, "anew", 49)
    with pytest.raises(LiveError, match="run 7 is not closed"):
        citizen_of_row(table, "anew", 7)


def test_the_columns_are_those_of_a_row():
    assert PostedRow._fields == (*FIELDS, "run")


class Record(NamedTuple):
    offset: int
    key: bytes | None
    value: bytes | None = b"{}"
    headers: tuple = ()


class Log:
    """A partition of the journal in memory."""

    identity = "cluster/topic"

    def __init__(self, *keys):
        self.records = [Record(offset, key) for offset, key in enumerate(keys)]
        self.end = len(keys)
        self.reads: list[int] = []

    async def is_whole(self):
        return True

    async def read(self, start):
        self.reads.append(start)
        for record in self.records[start:]:
            yield Batch([record], record.offset + 1)

    async def record(self, offset):
        return self.records[offset]


def test_the_index_finds_a_citizens_records_and_reads_each_once(tmp_path):
    log = Log(b"a" * 32, b"b" * 32, None, b"a" * 32)
    index = JournalIndex(tmp_path / "0", log.identity)
    asyncio.run(index.catch_up(log, lambda *_: None))
    assert index.offsets("a" * 32) == [0, 3]
    with pytest.raises(IndexInUseError, match="try again"):
        JournalIndex(tmp_path / "0", log.identity)
    index.close()
    again = JournalIndex(tmp_path / "0", log.identity)
    longer = Log(b"a" * 32, b"b" * 32, None, b"a" * 32, b"b" * 32)
    asyncio.run(again.catch_up(longer, lambda *_: None))
    assert longer.reads == [4]
    assert (again.offsets("a" * 32), again.offsets("b" * 32)) == ([0, 3], [1, 4])
    again.close()
    other = JournalIndex(tmp_path / "0", "another cluster")
    assert other.offsets("a" * 32) == []
    other.close()
