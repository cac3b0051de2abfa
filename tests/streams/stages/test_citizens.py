"""The citizens stage through the ports of the batch loop: outputs, figures, state on disk."""

import asyncio
import shutil
from collections import Counter
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from streams.citizens.rule_sets import LawBook
from streams.citizens.store import RocksStore
from streams.engine.ports import Batch
from streams.stages.citizens import CitizenStage, CitizenTopics, OpenTransactionError
from streams.wire.journal import encode
from tests.support import product
from tests.support.lives import life

TOPICS = CitizenTopics("reports", "postings", "notices", "citizens", "dead-letters")
AT = "2024-02-01T08:00:00Z"
UNREADABLE = b"{"


class Changelog:
    """The changelog of one partition: the messages that were committed to it."""

    identity = "cluster/citizens"

    def __init__(self):
        self.records: list[Any] = []
        self.open_transactions = 0
        self.read_from: list[int] = []

    @property
    def end(self):
        return len(self.records)

    async def is_whole(self):
        return not self.open_transactions

    async def read(self, start):
        self.read_from.append(start)
        yield Batch(self.records[start:], self.end)

    @asynccontextmanager
    async def changelog(self, _topic, _partition):
        yield self


def stage_of(folder, changelog):
    return CitizenStage(TOPICS, LawBook(), product.IDENTITY, changelog, folder)


def restored(folder, changelog):
    work = stage_of(folder, changelog).work(0)
    asyncio.run(work.restore())
    return work


def journal_of(seed=1):
    """Reports of a life as records of the journal, and one in the middle that nobody can read."""
    records: list[Any] = []
    for line in life("plan_of", seed):
        settleable: Any = product.record_of(line)
        citizen, sealed, report = settleable
        value = encode(report, sealed, AT)
        records.append(SimpleNamespace(key=citizen.encode(), value=value, headers=[]))
    records.insert(len(records) // 2, SimpleNamespace(key=b"c", value=UNREADABLE, headers=[]))
    for offset, record in enumerate(records):
        record.offset = offset
    return records


def committed(work, changelog, records):
    """Steps 3 to 5 of the loop, in one go. Returns the messages by topic, and the figures."""
    processed = work.process(records)
    assert processed.done == len(records)
    messages = {output.topic: [*output.messages] for output in processed.outputs}
    changelog.records += [
        SimpleNamespace(key=key, value=value) for key, value, _ in messages.get("citizens", ())
    ]
    work.keep({"citizens": changelog.end}, records[-1].offset + 1)
    return messages, processed.counts


def state_in(folder):
    store = RocksStore(folder / "citizens-0")
    state = {key: store.get(key) for key in store.keys(b"")}
    store.close()
    return state


def test_outputs_and_figures_of_a_batch(tmp_path):
    changelog = Changelog()
    work = restored(tmp_path, changelog)
    messages, counts = committed(work, changelog, journal_of())
    work.close()
    postings = [orjson.loads(value) for _, value, _ in messages["postings"]]
    assert len(postings) > 10
    reasons = Counter(message["reason"] for message in postings)
    corrections = Counter(
        message["reason"]
        for message in postings
        for row in message["rows"]
        if row["kind"] == "correction"
    )
    assert corrections
    assert counts == {
        ("rejected", "internal_error"): 1,
        **{("postings", reason): number for reason, number in reasons.items()},
        **{("correction_rows", reason): number for reason, number in corrections.items()},
    }
    ((_, _, headers),) = messages["dead-letters"]
    assert dict(headers)["reason"] == b"internal_error"


def test_step_1_restores_a_lost_disk_from_the_changelog_to_the_same_bytes(tmp_path):
    changelog = Changelog()
    records = journal_of()
    work = restored(tmp_path, changelog)
    committed(work, changelog, records[:20])
    committed(work, changelog, records[20:])
    work.close()
    state = state_in(tmp_path)
    shutil.rmtree(tmp_path / "citizens-0")
    restored(tmp_path, changelog).close()
    assert state_in(tmp_path) == state


def test_step_1_repairs_a_crash_between_steps_4_and_5(tmp_path):
    changelog = Changelog()
    records = journal_of()
    work = restored(tmp_path, changelog)
    committed(work, changelog, records[:20])
    work.keep = lambda *_: None
    committed(work, changelog, records[20:])
    work.close()
    end = changelog.end
    restored(tmp_path, changelog).close()
    assert 0 < changelog.read_from[-1] < end
    repaired = state_in(tmp_path)
    shutil.rmtree(tmp_path / "citizens-0")
    restored(tmp_path, changelog).close()
    assert state_in(tmp_path) == repaired


def test_state_of_another_changelog_or_ahead_of_it_is_thrown_away(tmp_path, caplog):
    changelog = Changelog()
    work = restored(tmp_path, changelog)
    committed(work, changelog, journal_of())
    work.close()
    restored(tmp_path, Changelog()).close()
    assert [key for key in state_in(tmp_path) if not key.startswith(b"_")] == []
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_changelog_with_an_open_transaction_is_not_gone_behind(tmp_path):
    changelog = Changelog()
    changelog.open_transactions = 1
    with pytest.raises(OpenTransactionError, match="neither committed nor aborted"):
        restored(tmp_path, changelog)
