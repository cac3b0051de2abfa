"""Reads the notices of a run: those about reports between two run markers in the journal.

A notice's header `ce_id` has the place of its report in the journal, and the ledger has the places
of the run's marker and of the one before it. So a run has the same notices whenever they are read.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streams.kafka.topics import NOTICES
from streams.kit.errors import UserError
from streams.settings import BOOTSTRAP, Settings
from streams.wire.cloudevents import source_offset

Notices = Mapping[str, list[dict[str, Any]]]
"""The notices of each citizen."""
Spans = Mapping[int, tuple[int, int]]
"""For each partition the journal offsets after which, and up to which, a run's reports are."""


class NoticesError(UserError):
    """The notices of a run cannot be read; the message says why and what to do."""


async def notices_of(settings: Settings, spans: Spans) -> Notices:
    """Read a run's notices. Raises NoticesError where some may have expired, or without Kafka."""
    try:
        async with AIOKafkaConsumer(
            bootstrap_servers=settings.bootstrap,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
        ) as consumer:
            topic = settings.topic(NOTICES)
            places = {TopicPartition(topic, partition): span for partition, span in spans.items()}
            consumer.assign(list(places))
            return await _read(consumer, places)
    except (KafkaError, OSError) as error:
        raise NoticesError(
            f"no Kafka answers at {settings.bootstrap} ({BOOTSTRAP.name}), where the notices are;"
            " start it, or export without them (--without-notices)"
        ) from error


async def _read(
    consumer: AIOKafkaConsumer, places: Mapping[TopicPartition, tuple[int, int]]
) -> Notices:
    """Read the partitions to their ends."""
    notices: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    ends = await consumer.end_offsets(list(places))
    lost = {
        at for at, first in (await consumer.beginning_offsets(list(places))).items() if first > 0
    }
    left = set(places)
    while left := {at for at in left if await consumer.position(at) < ends[at]}:
        for at, records in (await consumer.getmany(timeout_ms=500)).items():
            start, end = places[at]
            offsets = [source_offset(record.headers) for record in records]
            if offsets[0] <= start:
                lost.discard(at)  # the expired notices are those of earlier runs
            for record, offset in zip(records, offsets, strict=True):
                if start < offset <= end and (notice := orjson.loads(record.value)).get("citizen"):
                    notices[notice["citizen"]].append(notice)
    if lost:
        raise NoticesError(
            "notices of the run have expired (they are kept for a year), so that `advisering` would"
            " not be whole; export the other files alone (--without-notices)"
        )
    return notices
