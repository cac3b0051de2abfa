"""Reads the notices of a run: those about reports between two run markers in the journal.

A notice's header `ce_id` has the place of its report in the journal, and the ledger has the places
of the run's marker and of the one before it. So a run has the same notices whenever they are read.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from streams.kafka.clients import KafkaClients
from streams.kafka.errors import explained
from streams.kafka.reading import TopicReader, open_topics
from streams.kafka.topics import NOTICES
from streams.kit.errors import UserError
from streams.kit.foreign import passed_over
from streams.settings import Settings
from streams.wire.cloudevents import source_offset
from streams.wire.readers import notice_reader

Notices = Mapping[str, list[Mapping[str, Any]]]
"""The notices of each citizen."""
Spans = Mapping[int, tuple[int, int]]
"""The journal offsets of each partition after which, and up to which, a run's reports are."""


class NoticesError(UserError):
    """The notices of a run cannot be read; the message says why and what to do."""


async def notices_of(settings: Settings, spans: Spans) -> Notices:
    """Read a run's notices.

    Raises:
        NoticesError: some may have expired, or no broker answers.
    """
    with explained(
        settings.bootstrap,
        NoticesError,
        no_answer=", where the notices are; start it, or export without them (--without-notices)",
        advice="look at the brokers, or export without the notices (--without-notices)",
    ):
        async with open_topics(KafkaClients(settings.bootstrap, "refusion-export")) as topics_read:
            return await _read(topics_read, settings.topic(NOTICES), spans)


async def _read(topics_read: TopicReader, topic: str, spans: Spans) -> Notices:
    """Read the partitions to their ends."""
    notices: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    starts, ends = await topics_read.starts(topic), await topics_read.ends(topic)
    for partition, (start, end) in spans.items():
        is_lost = starts[partition] > 0
        records = topics_read.records(topic, partition, starts[partition], ends[partition])
        reader, seen = notice_reader(topic, partition), set[tuple[int, bytes]]()
        async for record, notice in reader.ours(records):
            offset = source_offset(record.headers)
            if offset <= start:
                is_lost = False  # what has expired was of earlier runs
            elif offset <= end and "citizen" in notice:
                once = offset, record.value or b""
                if once in seen:
                    passed_over(reader.place_of(record))  # a copy: a record leads to a notice once
                    continue
                seen.add(once)
                notices[notice["citizen"]].append(notice)
        if is_lost:
            raise NoticesError(
                "notices of the run have expired (they are kept for a year), so that `advisering`"
                " would not be whole; export the other files alone (--without-notices)"
            )
    return notices
