"""The stage `projections` through the ports of the batch loop: pages and positions, together."""

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from streams.ledger import writer as ledger_writer
from streams.ledger.table import LedgerError, LedgerTable
from streams.ledger.writer import LedgerWriter
from streams.privacy.macs import MacKeys
from streams.stages.ledger import LedgerStage
from streams.stages.posting_checks import PostingChecks, UndecidedError
from tests.support.postings import TOPIC, marker, posted, posting

ANNA, BO = "6101801234", "6202801235"


class Brokers:
    """Kafka, as far as the stage needs it: the topic's identity and the group's offsets."""

    def __init__(self):
        self.told: list[tuple[int, int]] = []

    @asynccontextmanager
    async def changelog(self, _topic, _partition):
        yield SimpleNamespace(identity="cluster/topic", end=0)

    async def commit(self, partition, position):
        self.told.append((partition, position))


def written(message):
    """A message by hand as one that the citizens stage writes: with counters, and ids of rows."""
    if message["type"] == "run":
        return message
    rows = [row | {"id": f"{at:024x}{at}"} for at, row in enumerate(message["rows"])]
    return message | {"rows": rows}


def records(messages, start=0):
    return [
        SimpleNamespace(
            offset=each.offset, key=b"", value=orjson.dumps(written(each.message)), headers=()
        )
        for each in posted(messages, start)
    ]


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(ledger_writer, "COMMIT_EVERY_S", 0.0)


def stage_of(folder, brokers):
    kafka: Any = brokers
    return LedgerStage(TOPIC, LedgerWriter(str(folder), TOPIC, 2), kafka)


async def acquired(stage, brokers, partition=0):
    """Step 1 of the loop. Returns work, sink and position."""
    work, sink = stage.work(partition), stage.sink(brokers, "group", brokers, partition)
    await sink.start()
    await work.restore()
    return work, sink, await sink.position()


async def booked(work, sink, messages, start, position):
    """Steps 3 to 5 of the loop."""
    processed = work.process(records(messages, start), position)
    assert processed.done == len(messages)
    await work.keep(await sink.commit(processed.outputs, position), position)
    return processed.counts


def test_a_new_ledger_begins_at_0_and_a_restart_where_it_is(tmp_path):
    async def work():
        brokers = Brokers()
        stage = stage_of(tmp_path, brokers)
        worker, sink, position = await acquired(stage, brokers)
        assert (position, brokers.told) == (0, [])
        await booked(worker, sink, [posting(ANNA, 1, {}), marker(49)], 0, 4)
        await booked(worker, sink, [posting(ANNA, 2, {}, {})], 4, 6)
        assert brokers.told == [(0, 4), (0, 6)]
        again = stage_of(tmp_path, brokers)
        worker, sink, position = await acquired(again, brokers)
        assert (position, brokers.told[-1]) == (6, (0, 6))
        await booked(worker, sink, [posting(ANNA, 3, {})], 6, 8)

    asyncio.run(work())
    rows = LedgerTable.open(str(tmp_path)).rows(
        "SELECT after_run, revision FROM ledger WHERE id IS NOT NULL ORDER BY revision"
    )
    assert [*rows] == [(0, 1), (49, 2), (49, 2), (49, 3)]


def test_the_figures_of_a_batch_are_rows_and_money_by_mechanism(tmp_path):
    async def work():
        brokers = Brokers()
        worker, sink, _ = await acquired(stage_of(tmp_path, brokers), brokers)
        medfinansiering = {"mechanism": "medfinansiering", "medfinansiering_ore": 7}
        rows = [{"refusion_ore": 500}, {"refusion_ore": -200}, medfinansiering]
        return await booked(worker, sink, [posting(ANNA, 1, *rows), marker(49)], 0, 4)

    assert asyncio.run(work()) == {
        ("booked_rows", "refusion"): 2,
        ("booked_rows", "medfinansiering"): 1,
        ("booked_ore", "refusion"): 300,
        ("booked_ore", "medfinansiering"): 7,
    }


def test_postings_that_come_again_are_counted_and_no_money(tmp_path, caplog):
    """`verify` names them at night (`order`, `marker`); a metric does so at once."""

    async def work():
        brokers = Brokers()
        stage = stage_of(tmp_path, brokers)
        worker, sink, _ = await acquired(stage, brokers)
        first = [posting(ANNA, 1, {}), marker(49), posting(ANNA, 2, {}), posting(BO, 1, {})]
        await booked(worker, sink, first, 0, 8)
        assert not stage.events
        again = [posting(ANNA, 2, {}), marker(49), posting(ANNA, 3, {}), posting(ANNA, 3, {})]
        await booked(worker, sink, again, 8, 16)
        assert stage.events == {"copied_postings": 3}

    asyncio.run(work())
    rows = LedgerTable.open(str(tmp_path)).rows("SELECT revision FROM ledger WHERE id IS NOT NULL")
    assert sorted(rows) == [(1,), (1,), (2,), (3,)]
    assert caplog.messages == ["projections/0: passed over 3 copies of postings, from 8 on"]


def test_of_two_owners_of_a_partition_one_cannot_commit_and_learns_so_at_step_1(tmp_path):
    async def work():
        brokers = Brokers()
        zombie, owner = stage_of(tmp_path, brokers), stage_of(tmp_path, brokers)
        late, late_sink, _ = await acquired(zombie, brokers)
        worker, sink, _ = await acquired(owner, brokers)
        page = late.process(records([posting(ANNA, 1, {})]), 1).outputs
        await booked(worker, sink, [posting(ANNA, 1, {}), posting(BO, 1, {})], 0, 4)
        with pytest.raises(LedgerError):
            await late_sink.commit(page, 2)
        worker, sink, position = await acquired(zombie, brokers)
        assert position == 4
        await booked(worker, sink, [posting(BO, 2, {})], 4, 6)

    asyncio.run(work())
    rows = LedgerTable.open(str(tmp_path)).rows(
        'SELECT "offset" FROM ledger WHERE id IS NOT NULL ORDER BY 1'
    )
    assert [*rows] == [(0,), (2,), (4,)]


def test_a_missing_posting_stops_the_partition_with_what_to_do(tmp_path):
    async def work():
        brokers = Brokers()
        worker, *_ = await acquired(stage_of(tmp_path, brokers), brokers)
        worker.process(records([posting(ANNA, 2, {})]), 1)

    with pytest.raises(LedgerError, match="has lost a posting; delete the ledger"):
        asyncio.run(work())


def test_a_posting_that_is_no_json_is_passed_over_and_the_ledger_goes_on(tmp_path, caplog):
    """A record that nobody of ours wrote is said and counted; what comes after it is booked."""

    async def work():
        brokers = Brokers()
        worker, *_ = await acquired(stage_of(tmp_path, brokers), brokers)
        ours = records([posting(ANNA, 1, {}), posting(ANNA, 2, {})])
        foreign = [
            SimpleNamespace(offset=1, key=b"x", value=value, headers=[("ce_id", None)])
            for value in (None, b"", b"x", b"{}", b'{"type":"postings"}', b"[]")
        ]
        return worker.process([ours[0], *foreign, ours[1]], 9)

    processed = asyncio.run(work())
    assert processed.done == 8
    assert processed.counts["foreign", ""] == 6
    assert len(processed.outputs.entries) == 2
    assert "projections/0: foreign records passed over: 6, the first is" in caplog.text


# --- postings of others -------------------------------------------------------------------------

MACS = MacKeys([b"k" * 32])
STATED = b'{"schema":1,"type":"keys","id":"first"}'
OF_BEFORE = (
    b'{"schema":1,"type":"run","run":49,"closed_at":"2024-02-01T08:00:00Z","data_month":"2024-01"}'
)


class BegunJournal(Brokers):
    """A journal that begins with a record, or is empty."""

    def __init__(self, *first, posted=9):
        super().__init__()
        self.first = first
        self._posted = posted

    @asynccontextmanager
    async def changelog(self, _topic, _partition):
        async def read(_start):
            yield SimpleNamespace(records=self.first)

        yield SimpleNamespace(identity="cluster/topic", end=self._posted, read=read)


def checked(folder, brokers):
    kafka: Any = brokers
    checks = PostingChecks("reports", TOPIC, MACS)
    return LedgerStage(TOPIC, LedgerWriter(str(folder), TOPIC, 2), kafka, checks)


def first_record(value, *, ours):
    headers = [MACS.at("reports", 0).header(None, b"", value)] if ours else []
    return SimpleNamespace(offset=0, key=None, value=value, headers=headers)


@pytest.mark.parametrize(
    ("first", "booked_rows"),
    [
        ((first_record(STATED, ours=True),), 1),
        ((), 1),
        ((first_record(b"{}", ours=False),), 1),
        ((first_record(OF_BEFORE, ours=False),), 2),
    ],
)
def test_a_posting_that_the_citizens_stage_did_not_write_is_no_money(
    tmp_path, caplog, first, booked_rows
):
    async def book():
        brokers = BegunJournal(*first)
        stage = checked(tmp_path, brokers)
        work, _sink, position = await acquired(stage, brokers)
        ours, forged = records([posting(ANNA, 1), posting(BO, 1)])
        ours.headers = [MACS.at("postings", 0).header(ours.key, b"", ours.value)]
        return work.process([ours, forged], position)

    processed = asyncio.run(book())
    assert processed.done == 2
    assert len(processed.outputs.entries) == booked_rows
    assert ("that nobody of ours wrote, first" in caplog.text) == (booked_rows == 1)


def test_a_former_versions_postings_count_also_where_the_journal_was_empty_before(tmp_path):
    async def book():
        brokers = BegunJournal(posted=0)
        stage = checked(tmp_path, brokers)
        work, _sink, position = await acquired(stage, brokers)
        unmarked = records([posting(ANNA, 1), posting(BO, 1)])
        with pytest.raises(UndecidedError, match="looks at the journal again"):
            work.process(unmarked, position)
        brokers.first = (first_record(OF_BEFORE, ours=False),)
        work, _sink, position = await acquired(stage, brokers)
        return work.process(unmarked, position)

    assert len(asyncio.run(book()).outputs.entries) == 2
