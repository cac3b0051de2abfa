"""A member of a group says in words what the brokers answer to it."""

import asyncio
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from streams.engine.tenure import described
from streams.kafka.source import KafkaSource, NextRecordGoneError


class SetBack:
    """A client whose brokers do not have what it asks for."""

    async def getmany(self, at, **_limits):
        raise OffsetOutOfRangeError({at: 7})


def test_brokers_that_were_set_back_under_a_worker_are_told_in_a_sentence():
    clients: Any = None
    consumer: Any = SetBack()
    source = KafkaSource(clients, consumer, "refusion.citizens", "refusion.reports")
    with pytest.raises(NextRecordGoneError) as caught:
        asyncio.run(source.fetch(2, 10, 0.1))
    said = described(caught.value)
    assert "refusion.reports/2/7" in said
    assert "set back" in said
    assert TopicPartition.__name__ not in said
