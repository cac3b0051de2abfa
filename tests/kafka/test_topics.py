"""The topics on the broker: created as the contract promises, refused if they would lose data."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from streams.kafka import topics
from streams.kafka.topics import TOPICS, TopicError, ensure_topics

DAY_MS = 86_400_000
FOR_EVER = "-1"

# name, partitions where 3 are asked for the citizens' topics, cleanup.policy, retention.ms
CONTRACT = """
reports.raw  | 3 | delete  | 604800000
reports      | 3 | delete  | -1
postings     | 3 | delete  | -1
citizens     | 3 | compact |
notices      | 3 | delete  | 31536000000
dead-letters | 3 | delete  | 7776000000
"""
ROWS = [[cell.strip() for cell in line.split("|")] for line in CONTRACT.strip().splitlines()]


@asynccontextmanager
async def admin_of(kafka):
    client = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def described(kafka, prefix):
    async with admin_of(kafka) as admin:
        return await topics._described(admin, [prefix + topic.name for topic in TOPICS])


async def created(kafka, name, partitions, **settings):
    settings = {key.replace("_", "."): value for key, value in settings.items()}
    async with admin_of(kafka) as admin:
        response = await admin.create_topics(
            [NewTopic(name, partitions, 1, topic_configs=settings)]
        )
        assert [code for _, code, *_ in response.topic_errors] == [0]
        await topics._wait_for_leaders(admin, {name})


def test_the_topics_are_those_of_the_contract(kafka, prefix):
    asyncio.run(ensure_topics(kafka.bootstrap, prefix, 3))
    there = asyncio.run(described(kafka, prefix))
    assert [row[0] for row in ROWS] == [name.removeprefix(prefix) for name in there]
    for (_, partitions, cleanup, retention), topic in zip(ROWS, there.values(), strict=True):
        assert topic.partitions == int(partitions)
        assert topic.settings["cleanup.policy"] == cleanup
        assert topic.settings["retention.bytes"] == FOR_EVER
        assert not retention or topic.settings["retention.ms"] == retention


def test_a_record_that_comes_in_fits_into_the_dead_letters(kafka, prefix):
    asyncio.run(ensure_topics(kafka.bootstrap, prefix, 1))
    there = asyncio.run(described(kafka, prefix))
    most = {
        name.removeprefix(prefix): int(topic.settings["max.message.bytes"])
        for name, topic in there.items()
    }
    assert most["dead-letters"] > 2 * most["reports.raw"]


def test_the_time_in_raw_records_is_the_brokers(kafka, prefix):
    asyncio.run(ensure_topics(kafka.bootstrap, prefix, 1))
    there = asyncio.run(described(kafka, prefix))
    assert there[f"{prefix}reports.raw"].settings["message.timestamp.type"] == "LogAppendTime"


def test_several_may_create_them_at_once_and_again(kafka, prefix):
    async def all_at_once():
        await asyncio.gather(*(ensure_topics(kafka.bootstrap, prefix, 2) for _ in range(5)))
        await ensure_topics(kafka.bootstrap, prefix, 2)

    asyncio.run(all_at_once())


@pytest.mark.parametrize("topic", ["reports", "postings", "citizens", "notices"])
def test_another_number_of_partitions_is_refused(kafka, prefix, topic):
    cleanup = "compact" if topic == "citizens" else "delete"
    asyncio.run(created(kafka, prefix + topic, 5, cleanup_policy=cleanup, retention_ms=FOR_EVER))
    with pytest.raises(
        TopicError, match=rf"{prefix}{topic} has 5 partitions, 2 are .* set REFUSION_PARTITIONS=5"
    ):
        asyncio.run(ensure_topics(kafka.bootstrap, prefix, 2))


def test_the_raw_topic_may_have_any_number(kafka, prefix):
    asyncio.run(created(kafka, f"{prefix}reports.raw", 5, retention_ms=str(DAY_MS)))
    asyncio.run(ensure_topics(kafka.bootstrap, prefix, 2))


@pytest.mark.parametrize(
    ("topic", "settings", "said"),
    [
        ("reports", {"retention_ms": "604800000"}, "retention.ms=604800000"),
        (
            "postings",
            {"retention_ms": FOR_EVER, "retention_bytes": "1000000"},
            "retention.bytes=1000000",
        ),
        (
            "reports",
            {"retention_ms": FOR_EVER, "cleanup_policy": "compact"},
            "cleanup.policy=compact",
        ),
        ("citizens", {"retention_ms": FOR_EVER}, "cleanup.policy=delete"),
        ("citizens", {"cleanup_policy": "compact,delete"}, "cleanup.policy=compact,delete"),
        ("reports.raw", {"cleanup_policy": "compact"}, "cleanup.policy=compact"),
    ],
)
def test_a_topic_that_would_lose_data_is_refused(kafka, prefix, topic, settings, said):
    asyncio.run(created(kafka, prefix + topic, 2, **settings))
    with pytest.raises(TopicError, match="would lose data") as caught:
        asyncio.run(ensure_topics(kafka.bootstrap, prefix, 2))
    assert f"topic {prefix}{topic} has {said} " in str(caught.value)
