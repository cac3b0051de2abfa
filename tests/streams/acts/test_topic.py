"""Whoever may write to the topic `access` fills no memory of those who read it."""

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

from streams.acts import topic as acts_topic
from streams.acts.topic import KafkaActTopic


def test_records_of_others_are_not_kept_while_the_topic_is_read(monkeypatch):
    alive: list[int] = []

    class Value(bytes):
        def __del__(self):
            alive.remove(id(self))

    async def records(_topic, _partition, start, end):
        for offset in range(start, end):
            value = Value(b"ours" if offset % 1000 == 0 else b"x" * 10)
            alive.append(id(value))
            assert len(alive) < 30
            yield SimpleNamespace(offset=offset, key=b"", value=value, headers=[])

    async def bounds(_topic):
        return {0: 5000}

    async def starts(_topic):
        return {0: 0}

    @asynccontextmanager
    async def open_topics(_clients):
        yield SimpleNamespace(records=records, ends=bounds, starts=starts)

    monkeypatch.setattr(acts_topic, "open_topics", open_topics)
    nobody: Any = None
    topic = KafkaActTopic(nobody, nobody, "access", "one")
    found = asyncio.run(topic.records(lambda record: record.value == b"ours"))
    assert [record.offset for record in found] == [0, 1000, 2000, 3000, 4000]
