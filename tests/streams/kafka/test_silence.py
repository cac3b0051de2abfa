"""A consumer whose brokers have gone: who reads to a known end is told, and does not wait on."""

import asyncio
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaTimeoutError

from streams.kafka import silence
from streams.kafka.errors import explanation
from streams.kafka.reading import KafkaTopicReader, PartitionReader, TopicTail
from streams.kafka.silence import ImpatientFetches

AT = TopicPartition("reports", 0)
GONE = "no Kafka answers at somewhere:9092 (REFUSION_BOOTSTRAP)"


class Consumer:
    """Has some records and then, though there are more, no broker."""

    def __init__(self, records=0):
        self.left = records
        self.at = 0
        self.asked = 0

    def assignment(self):
        return {AT}

    def assign(self, _partitions):
        """Nothing to do."""

    def seek(self, _at, offset):
        self.at = offset

    def highwater(self, _at):
        return None

    async def position(self, _at):
        return self.at

    async def getmany(self, *_partitions, timeout_ms, max_records=None):
        self.asked += 1
        await asyncio.sleep(timeout_ms / 1e6)
        if not self.left:
            return {}
        self.left -= 1
        self.at += 1
        return {AT: ["a record"][:max_records]}


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(silence, "SILENCE_S", 0.02)


async def _read(consumer: Any) -> None:
    async for _ in PartitionReader(consumer, AT, "", 100).read(0):
        pass


async def _tail(consumer: Any) -> None:
    async for _ in TopicTail(consumer).records({0: 100}):
        pass


async def _has_record(consumer: Any) -> None:
    unused: Any = None
    await KafkaTopicReader(unused, unused, consumer, unused).has_record("reports", 0, 0, 100)


async def _is_whole(consumer: Any) -> None:
    await PartitionReader(consumer, AT, "", 100).is_whole()


async def _record_at(consumer: Any) -> None:
    await PartitionReader(consumer, AT, "", 100).record_at(7, 5)


@pytest.mark.parametrize("read", [_read, _tail, _has_record, _is_whole, _record_at])
def test_each_way_of_reading_ends_where_no_broker_answers_any_more(read):
    with pytest.raises(KafkaTimeoutError) as caught:
        asyncio.run(asyncio.wait_for(read(Consumer()), 20))
    assert explanation(caught.value, "somewhere:9092") == GONE


def test_what_was_read_before_is_handed_on():
    seen: list[Any] = []

    async def scenario():
        async for batch in PartitionReader(consumer, AT, "", 100).read(0):
            seen.extend(batch.records)

    consumer: Any = Consumer(records=3)
    with pytest.raises(KafkaTimeoutError):
        asyncio.run(scenario())
    assert len(seen) == 3


def test_a_process_that_stood_still_itself_has_heard_no_silence(monkeypatch):
    clock = iter(range(0, 10_000, 1_000))
    monkeypatch.setattr(silence, "SILENCE_S", 3.0)
    monkeypatch.setattr(silence, "monotonic", lambda: next(clock))

    async def scenario():
        fetches = ImpatientFetches(consumer, AT)
        for _ in range(4):
            await fetches.fetch(1)

    consumer: Any = Consumer()
    asyncio.run(scenario())
    assert consumer.asked == 4
