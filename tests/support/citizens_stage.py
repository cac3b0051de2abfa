"""The citizens stage on a changelog in memory: a life's journal, batches, state on disk."""

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

from streams.citizens.rule_sets import LawBook
from streams.citizens.store import RocksStore
from streams.engine.ports import Batch
from streams.stages.citizens import CitizenStage, CitizenTopics
from streams.wire.journal import encode
from tests.support import product
from tests.support.lives import life

TOPICS = CitizenTopics("reports", "postings", "notices", "citizens", "dead-letters", 1)
AT = "2024-02-01T08:00:00Z"
UNREADABLE = b"{"


class Changelog:
    """The changelog of one partition: the messages that were committed to it."""

    identity = "cluster/citizens"

    def __init__(self):
        self.records: list[Any] = []
        self.open_transactions = 0
        self.read_from: list[int] = []
        self.journal: list[Any] = []
        """First records of the journal; without any its keys are to be stated."""

    @property
    def end(self):
        return len(self.records)

    async def is_whole(self):
        return not self.open_transactions

    async def read(self, start):
        self.read_from.append(start)
        yield Batch(self.records[start:], self.end)

    async def record(self, offset):
        record = self.records[offset]
        return record if record.offset == offset else None

    @asynccontextmanager
    async def changelog(self, topic, _partition):
        if topic == TOPICS.citizens:
            yield self
        else:
            journal = Changelog()
            journal.records = self.journal
            yield journal


def stage_of(folder, changelog):
    return CitizenStage(TOPICS, LawBook(), product.IDENTITY, changelog, folder)


def restored(folder, changelog):
    work = stage_of(folder, changelog).work(0)
    asyncio.run(work.restore())
    return work


async def kept_nothing(_ends, _position):
    """Step 5 that a crash has prevented."""


def closed(work):
    asyncio.run(work.close())


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
    processed = work.process(records, records[-1].offset + 1)
    assert processed.done == len(records)
    messages = {output.topic: [*output.messages] for output in processed.outputs}
    changelog.records += [
        SimpleNamespace(offset=changelog.end + number, key=key, value=value, headers=headers)
        for number, (key, value, headers) in enumerate(messages.get("citizens", ()))
    ]
    asyncio.run(work.keep({"citizens": changelog.end}, records[-1].offset + 1))
    return messages, processed.counts


def state_in(folder):
    store = RocksStore(folder / "citizens-0")
    state = {key: store.get(key) for key in store.keys(b"")}
    store.close()
    return state
