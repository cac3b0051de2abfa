"""Counts the records of the topics by their offsets, and the disks: no record is read."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from streams.kafka.clients import KafkaClients
from streams.kafka.errors import explained
from streams.kafka.reading import open_topics
from streams.kafka.topics import ACCESS, DEAD_LETTERS, NOTICES, POSTINGS, REPORTS
from streams.kit.errors import UserError
from streams.operations.duty import DiskDuty, disks
from streams.settings import Settings

COUNTED: Final = (REPORTS, POSTINGS, NOTICES, DEAD_LETTERS, ACCESS)


class SizesError(UserError):
    """The topics cannot be seen; the message says why."""


class TopicSizes(NamedTuple):
    """The offsets in use of each topic, markers of transactions among them, and the disks."""

    records: Mapping[str, int]
    disks: Sequence[DiskDuty]


async def topic_sizes(settings: Settings) -> TopicSizes:
    """Count the records of what people are shown. Raises SizesError."""
    found: dict[str, int] = {}
    with explained(settings.bootstrap, SizesError):
        async with open_topics(KafkaClients(settings.bootstrap, "refusion-sizes")) as reader:
            for topic in COUNTED:
                name = settings.topic(topic)
                starts, ends = await reader.starts(name), await reader.ends(name)
                found[topic.name] = sum(end - starts[at] for at, end in ends.items())
    return TopicSizes(found, list(disks(settings)))
