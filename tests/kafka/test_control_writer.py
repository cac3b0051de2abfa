"""The writer of control records: it fences others of its kind, and is quiet when it is fenced."""

import asyncio
import gc
import threading
import time

import pytest
from aiokafka.producer.sender import EndTxnHandler, Sender

from streams.engine.fault_points import Point
from streams.kafka import topics
from streams.kafka.clients import KafkaClients
from streams.kafka.control import (
    ControlRecord,
    KeyedRecord,
    OvertakenError,
    UnconfirmedError,
    UnwrittenError,
    control_writer,
)
from streams.kafka.topics import ensure_topics

RECORDS = [ControlRecord(b'{"schema": 1, "type": "run", "run": %d}' % run, []) for run in (1, 2)]


@pytest.fixture
def journal(settings):
    asyncio.run(ensure_topics(settings.bootstrap, settings.prefix, settings.partitions))
    return settings.topic(topics.REPORTS)


def watched(work):
    """Return the result of some work, and what asyncio would write to stderr meanwhile."""
    said: list[str] = []

    async def main():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: said.append(str(context)))
        result = await work()
        gc.collect()
        await asyncio.sleep(0)
        return result

    return asyncio.run(main()), said


def test_every_partition_gets_the_records_and_their_last_offset_is_told(
    settings, journal, pipeline
):
    async def write():
        clients = KafkaClients(settings.bootstrap, "refusion-test")
        async with control_writer(
            clients, settings.macs(), f"{settings.prefix}control", "run"
        ) as writer:
            notice = KeyedRecord(settings.topic(topics.NOTICES), b"12345678", b"{}", [])
            return await writer.write(journal, settings.partitions, RECORDS, [notice])

    offsets, said = watched(write)
    assert offsets == dict.fromkeys(range(settings.partitions), 1)
    assert said == []
    for records in pipeline.records(topics.REPORTS).values():
        assert [record.value for record in records] == [record.value for record in RECORDS]
    notices = [
        record for records in pipeline.records(topics.NOTICES).values() for record in records
    ]
    assert [(record.key, record.value) for record in notices] == [(b"12345678", b"{}")]


@pytest.mark.parametrize("is_late", [False, True], ids=["before it writes", "before it commits"])
def test_a_writer_that_was_overtaken_says_so_and_nothing_else(
    settings, journal, pipeline, monkeypatch, is_late
):
    clients = KafkaClients(settings.bootstrap, "refusion-test")
    transactional_id = f"{settings.prefix}control"

    async def overtake():
        async with control_writer(clients, settings.macs(), transactional_id, "run"):
            """Fenced by its start."""

    def overtake_late(_name: str, point: Point) -> None:
        assert point == "before_commit"
        other = threading.Thread(target=lambda: asyncio.run(overtake()))
        other.start()
        other.join()

    if is_late:
        monkeypatch.setattr("streams.kafka.control.reached", overtake_late)

    async def write():
        async with control_writer(clients, settings.macs(), transactional_id, "run") as writer:
            if not is_late:
                await overtake()
            await writer.write(journal, settings.partitions, RECORDS)

    async def be_overtaken():
        with pytest.raises(OvertakenError):
            await write()

    _, said = watched(be_overtaken)
    assert said == []
    assert not any(pipeline.records(topics.REPORTS).values())


@pytest.mark.parametrize("stuck", ["start", "block", "commit"])
def test_all_steps_have_one_deadline_and_what_was_surely_not_written_is_told(
    settings, journal, monkeypatch, stuck
):
    """A producer that gets no id, a block that does not end, and a commit without an answer."""
    monkeypatch.setattr("streams.kafka.control.COMMIT_S", 2.0)

    async def unanswered(*_):
        await asyncio.sleep(3600.0)

    async def never(_sender, _node):
        return False

    if stuck == "start":
        monkeypatch.setattr(Sender, "_do_init_pid", never)
    if stuck == "commit":
        monkeypatch.setattr(EndTxnHandler, "do", unanswered)

    async def write():
        clients = KafkaClients(settings.bootstrap, "refusion-test")
        name = f"{settings.prefix}control"
        async with (
            control_writer(clients, settings.macs(), name, "run") as writer,
            writer.transaction(),
        ):
            await writer.append(journal, [(0, (b"", b"{}", []))])
            if stuck == "block":
                await unanswered()

    began = time.monotonic()
    with pytest.raises(UnconfirmedError) as said:
        asyncio.run(asyncio.wait_for(write(), 60.0))
    assert time.monotonic() - began < 30.0
    assert isinstance(said.value, UnwrittenError) == (stuck != "commit")
