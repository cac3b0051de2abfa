"""The oldest of some records is found though each is with another broker."""

import asyncio
from typing import Any, NamedTuple

from aiokafka import TopicPartition

from streams.kafka.reading import KafkaTopicReader


class Stamped(NamedTuple):
    """A record with its time alone."""

    timestamp: int


class Brokers:
    """A consumer of partitions on brokers of their own, which answer one after the other."""

    def __init__(self, times):
        self.times = times
        self.asked = []

    def assign(self, partitions):
        self.asked.append(sorted(at.partition for at in partitions))

    def seek(self, _at, _offset):
        """Nothing to do."""

    async def getmany(self, *partitions, timeout_ms):
        numbers = sorted(at.partition for at in partitions)
        self.asked.append(numbers)
        for number in numbers:
            if number in self.times:
                return {TopicPartition("reports", number): [Stamped(self.times[number])]}
        await asyncio.sleep(timeout_ms / 1000)
        return {}


def oldest(brokers, partitions):
    unused: Any = None
    reader = KafkaTopicReader(unused, unused, brokers, unused)
    return asyncio.run(reader.oldest_ms("reports", dict.fromkeys(partitions, 0), 50))


def test_every_broker_is_waited_for():
    brokers = Brokers({0: 300, 1: 100, 2: 200})
    assert oldest(brokers, [0, 1, 2]) == 100
    assert brokers.asked[1:] == [[0, 1, 2], [1, 2], [2]]


def test_a_broker_that_does_not_answer_is_left_out():
    assert oldest(Brokers({0: 300}), [0, 1]) == 300
    assert oldest(Brokers({}), [0, 1]) is None
    assert oldest(Brokers({}), []) is None
