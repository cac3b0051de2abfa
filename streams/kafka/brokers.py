"""Kafka for one worker process, behind the port `Kafka` of the batch loop."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from functools import cache
from importlib import metadata
from typing import Final

from aiokafka import TopicPartition

from domain.citizen.records import FORMAT
from domain.law.staircase import ENGINE
from streams.engine.clock_skew import ClockSkew
from streams.engine.ports import Changelog, Delivery, Source
from streams.kafka.clients import KafkaClients
from streams.kafka.delivery import IdempotentDelivery, TransactionalDelivery, partition_producer
from streams.kafka.errors import is_outage, is_too_large, refusal
from streams.kafka.groups import AT_VERSION
from streams.kafka.reading import open_partition
from streams.kafka.source import KafkaSource, group_consumer
from streams.privacy.macs import MACS

REQUEST_TIMEOUT_S: Final = 15.0
"""Seconds for one request; shorter than step 4's limit, so that a broker that went silent is
noticed within it."""


@cache
def version() -> str:
    """Return the versions of program, calculation, state and MACs, such as `0.1.0-7-3-1`.

    Together they decide how this program settles, keeps state and is believed.
    """
    return f"{metadata.version('ydelsesrefusion')}-{ENGINE}-{FORMAT}-{MACS}"


def client_id_of(worker_id: str) -> str:
    """Return the name that a worker of this version has for Kafka."""
    return f"refusion-{worker_id}{AT_VERSION}{version()}"


class KafkaBrokers:
    """The brokers, for one worker process."""

    def __init__(self, bootstrap: str, worker_id: str, clock: ClockSkew | None = None) -> None:
        """`worker_id` names this process for as long as its state folder lives."""
        self._clock = clock or ClockSkew()
        self._clients = KafkaClients(
            bootstrap, client_id_of(worker_id), int(REQUEST_TIMEOUT_S * 1000)
        )
        self._worker_id = worker_id
        self._aside = ThreadPoolExecutor(1, "compression")

    def is_outage(self, error: Exception) -> bool:
        """Return whether an error says that no broker answers."""
        return is_outage(error)

    def refusal(self, error: Exception) -> str | None:
        """Say who is refused and which right is missing; None for any other error."""
        return refusal(error, self._clients.bootstrap)

    def is_too_large(self, error: Exception) -> bool:
        """Return whether an error says that a message is larger than its topic takes."""
        return is_too_large(error)

    def source(self, group: str, topic: str) -> KafkaSource:
        """Make a static member of the group: after a crash this process is the same member."""
        consumer = group_consumer(self._clients, group, self._worker_id)
        return KafkaSource(self._clients, consumer, group, topic)

    def delivery(
        self, group: str, source: Source, partition: int, *, transactional: bool
    ) -> Delivery:
        """Make the producer of one partition: its transactional id fences its former producer."""
        assert isinstance(source, KafkaSource)
        at = TopicPartition(source.topic, partition)
        if transactional:
            producer = partition_producer(self._clients, f"{group}-{partition}")
            return TransactionalDelivery(producer, self._aside, group, at, self._clock)
        producer = partition_producer(self._clients, None)
        return IdempotentDelivery(producer, self._aside, source, at, self._clock)

    def changelog(self, topic: str, partition: int) -> AbstractAsyncContextManager[Changelog]:
        """Open one partition of a changelog."""
        return open_partition(self._clients, topic, partition)
