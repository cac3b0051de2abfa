"""Topics on the broker, read to their ends: what is committed, and nothing else."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from streams.kafka import topics
from streams.kafka.clients import KafkaClients
from streams.kafka.reading import open_topics
from streams.kafka.topics import TopicError, ensure_topics

WAIT_S = 30


def asked(kafka, question):
    """The answer to a question that is asked of an open reader."""

    async def ask():
        async with open_topics(KafkaClients(kafka.bootstrap, "refusion-test")) as reader:
            return await question(reader)

    return asyncio.run(ask())


async def offsets_read(reader, topic, start, end, counted=lambda _: None):
    return [record.offset async for record in reader.records(topic, 0, start, end, counted)]


@pytest.fixture
def journal(kafka, pipeline, settings):
    """A journal in whose partition 0 two transactions follow each other: offsets 0, 1 and 3, 4."""
    asyncio.run(ensure_topics(settings.bootstrap, settings.prefix, settings.partitions))
    topic = settings.topic(topics.REPORTS)
    for end in (3, 6):
        pipeline.control({"type": "run", "run": 1}, {"type": "run", "run": 2})
        asked(kafka, lambda reader, end=end: committed_up_to(reader, topic, end))
    return topic


async def committed_up_to(reader, topic, end):
    """Wait for the marker of a transaction: the broker writes it after the commit is answered."""
    async with asyncio.timeout(WAIT_S):
        while (await reader.ends(topic))[0] < end:
            await asyncio.sleep(0.05)


def test_records_are_read_from_an_offset_up_to_another(kafka, journal):
    assert asked(kafka, lambda reader: offsets_read(reader, journal, 0, 6)) == [0, 1, 3, 4]
    assert asked(kafka, lambda reader: offsets_read(reader, journal, 1, 4)) == [1, 3]
    assert asked(kafka, lambda reader: offsets_read(reader, journal, 3, 3)) == []


def test_what_is_read_is_counted(kafka, journal):
    counts: list[int] = []
    asked(kafka, lambda reader: offsets_read(reader, journal, 1, 4, counts.append))
    assert sum(counts) == 2


def test_an_open_transaction_is_behind_the_end_of_what_is_committed(kafka, journal, pipeline):
    with pipeline.open_transaction(topics.REPORTS, 0):
        assert asked(kafka, lambda reader: reader.ends(journal))[0] == 6
        assert asked(kafka, lambda reader: reader.written_ends(journal))[0] == 7
        assert asked(kafka, lambda reader: offsets_read(reader, journal, 0, 6)) == [0, 1, 3, 4]


def test_a_moment_is_an_offset(kafka, journal):
    now = datetime.now(UTC)
    hour = timedelta(hours=1)
    assert asked(kafka, lambda reader: reader.since(journal, now - hour))[0] == 0
    assert asked(kafka, lambda reader: reader.since(journal, now + hour))[0] == 6


def test_a_topic_that_is_not_there_has_no_partitions_and_is_named(kafka, prefix):
    assert asked(kafka, lambda reader: reader.partitions(f"{prefix}reports")) == []
    with pytest.raises(TopicError, match=f"there is no topic {prefix}reports; see REFUSION_PREFIX"):
        asked(kafka, lambda reader: reader.ends(f"{prefix}reports"))


def test_a_group_that_never_began_has_committed_nothing(kafka, prefix):
    assert asked(kafka, lambda reader: reader.committed(f"{prefix}nobody")) == {}
