"""Fetches from a partition, and ends the wait for brokers that have gone and do not come back.

aiokafka itself tries for ever: a consumer without a broker has no records, as if it had read all.
Who reads to an end that is known would wait for the rest without one.
"""

from time import monotonic
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaTimeoutError

from streams.engine.ports import Batch

SILENCE_S: Final = 60.0
"""Seconds without anything new, though there is more, after which brokers are gone: longer than a
broker's restart, and than the limit of a single request."""
LONGEST_POLL_S: Final = 1.0
"""Seconds of one poll that count; more were spent by a process that stood still itself."""


class ImpatientFetches:
    """Fetches of one partition, of which it is known that there is more."""

    def __init__(self, consumer: AIOKafkaConsumer, at: TopicPartition) -> None:
        self._consumer = consumer
        self._at = at
        self._position = -1
        self._silent_s = 0.0

    async def fetch(self, patience_ms: int, max_records: int | None = None) -> Batch:
        """The next records, if some come. Raises KafkaTimeoutError after a long silence."""
        began = monotonic()
        records = await self._consumer.getmany(
            self._at, timeout_ms=patience_ms, max_records=max_records
        )
        position = await self._consumer.position(self._at)
        if position != self._position:
            self._position, self._silent_s = position, 0.0
        else:
            self._silent_s += min(monotonic() - began, LONGEST_POLL_S)
            if self._silent_s > SILENCE_S:
                raise KafkaTimeoutError(f"nothing new came for {SILENCE_S:.0f} s")
        return Batch(records.get(self._at, ()), position)
