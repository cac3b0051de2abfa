"""The topics on the broker: created as the contract promises, refused if they would lose data."""

import asyncio
import shlex
import subprocess
from contextlib import asynccontextmanager

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from streams.devtools.local_kafka.broker import QUICK_START
from streams.devtools.local_kafka.jars import broker_jars, java
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
access       | 3 | delete  | -1
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
        return await topics.described(admin, [prefix + topic.name for topic in TOPICS])


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


def test_all_times_are_the_brokers_and_no_broker_that_missed_records_leads(kafka, prefix):
    asyncio.run(ensure_topics(kafka.bootstrap, prefix, 1))
    for topic in asyncio.run(described(kafka, prefix)).values():
        assert topic.settings["message.timestamp.type"] == "LogAppendTime"
        assert topic.settings["unclean.leader.election.enable"] == "false"
        assert topic.settings["min.insync.replicas"] == "1"


def test_topics_are_not_made_with_fewer_replicas_than_asked_for(kafka, prefix):
    with pytest.raises(TopicError, match=r"1 brokers answer, .* need 3 \(REFUSION_REPLICAS\)"):
        asyncio.run(ensure_topics(kafka.bootstrap, prefix, 1, replicas=3))
    asyncio.run(ensure_topics(kafka.bootstrap, prefix, 1))
    warnings = asyncio.run(ensure_topics(kafka.bootstrap, prefix, 1, replicas=3))
    assert len(warnings) == len(TOPICS)  # they are there, and are worked with
    assert all("has 1 replicas, 3 are asked for" in warning for warning in warnings)


def test_a_wrong_number_of_partitions_is_refused_before_another_topic_is_made_with_it(
    kafka, prefix
):
    """The advice is walked to its end: the number that it names works."""
    wanted = {name.replace(".", "_"): text for name, text in topics.REPORTS.settings.items()}
    asyncio.run(created(kafka, f"{prefix}reports", 5, **wanted))
    with pytest.raises(TopicError, match="set REFUSION_PARTITIONS=5"):
        asyncio.run(ensure_topics(kafka.bootstrap, prefix, 2))
    assert asyncio.run(ensure_topics(kafka.bootstrap, prefix, 5)) == []


def test_what_the_former_version_made_is_worked_with_and_what_is_to_be_mended_is_said(
    kafka, prefix
):
    for name in ("reports", "postings", "notices", "dead-letters"):
        kept = FOR_EVER if name in ("reports", "postings") else str(400 * DAY_MS)
        large = {"max_message_bytes": "8388608"}
        asyncio.run(created(kafka, prefix + name, 2, retention_ms=kept, **large))
    warnings = asyncio.run(ensure_topics(kafka.bootstrap, prefix, 2))
    assert len(warnings) == 4
    assert all("message.timestamp.type=CreateTime" in warning for warning in warnings)


def test_advice_is_walked_to_its_end_with_kafkas_own_tool(kafka, prefix):
    """Two topics with many faults, one command each, and nothing is left to say."""
    wrong = {"cleanup_policy": "compact", "unclean_leader_election_enable": "true"}
    asyncio.run(created(kafka, f"{prefix}reports", 2, **wrong))
    with pytest.raises(TopicError) as caught:
        asyncio.run(ensure_topics(kafka.bootstrap, prefix, 2))
    walked(str(caught.value))
    asyncio.run(created(kafka, f"{prefix}reports.raw", 3))  # by somebody else, as Kafka makes it
    (warning,) = asyncio.run(ensure_topics(kafka.bootstrap, prefix, 2))
    assert "reports.raw has message.timestamp.type=CreateTime and would lose data" in warning
    walked(warning)
    assert asyncio.run(ensure_topics(kafka.bootstrap, prefix, 2)) == []


def walked(sentence):
    """Run the command of a sentence, with the class that the script of its name starts."""
    _, command, *arguments = shlex.split(sentence[sentence.index(" kafka-configs.sh") - 4 :])
    assert command == "kafka-configs.sh"
    end = arguments.index("--add-config") + 2
    done = subprocess.run(
        [
            java(),
            *QUICK_START,
            "-cp",
            f"{broker_jars()}/*",
            "kafka.admin.ConfigCommand",
            *(argument.rstrip(",") for argument in arguments[:end]),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
