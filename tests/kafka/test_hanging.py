"""A transaction that hangs at a real broker is found, said, and ended by `refusion repair`."""

import asyncio
import json
import os
import subprocess

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from streams.devtools.local_kafka import QUICK_START, LocalKafka
from streams.kafka import topics
from streams.kafka.topics import ensure_topics
from tests.support.pipeline import PROGRAM, settings_for
from tests.support.records import records_of

pytestmark = pytest.mark.long
UNVERIFIED = {"transaction.partition.verification.enable": "false"}
"""With it a broker takes what it should not: that is how transactions came to hang in Kafka."""


@pytest.fixture(scope="module")
def careless():
    """A broker that takes records of transactions without asking their coordinator."""
    with LocalKafka(properties=UNVERIFIED, java_options=QUICK_START) as running:
        yield running


@pytest.fixture
def settings(careless, prefix, tmp_path):
    made = settings_for(careless, prefix, tmp_path / "state")
    asyncio.run(ensure_topics(careless.bootstrap, prefix, made.partitions, replicas=1))
    return made


async def leave_hanging(settings, *places):
    """Write to partitions within a transaction of which no coordinator is told."""
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.bootstrap, transactional_id=f"{settings.prefix}careless"
    )
    await producer.start()
    await producer.begin_transaction()
    manager = producer._txn_manager
    manager._txn_partitions |= {TopicPartition(settings.topic(topic), at) for topic, at in places}
    for topic, at in places:
        await producer.send_and_wait(settings.topic(topic), b"{}", key=b"nobody", partition=at)
    manager._txn_partitions.clear()
    await producer.abort_transaction()
    await producer.stop()


def repair(settings, *arguments):
    """Ask as an operator does: again, where the program says so of brokers that are starting."""
    given = {
        name: value for name, (value, origin) in settings.values.items() if origin == "environment"
    }
    command = [PROGRAM, "repair", "transactions", "--older-than", "1", *arguments]
    for _ in range(30):
        done = subprocess.run(
            command, env={**os.environ, **given}, capture_output=True, text=True, check=False
        )
        if "ask again" not in done.stderr:
            break
    return done


async def publish_behind(settings, topic, at):
    async with AIOKafkaProducer(bootstrap_servers=settings.bootstrap) as producer:
        await producer.send_and_wait(settings.topic(topic), b"{}", partition=at)


def committed(settings, topic, at):
    """The records that whoever reads committed comes to."""
    return asyncio.run(records_of(settings.bootstrap, settings.topic(topic)))[at]


def test_a_transaction_that_hangs_is_said_and_then_ended_with_its_act(settings):
    assert repair(settings, "--dry-run").stdout == "no transaction hangs\n"
    asyncio.run(leave_hanging(settings, (topics.CITIZENS, 1), (topics.POSTINGS, 1)))
    asyncio.run(publish_behind(settings, topics.POSTINGS, 1))
    asyncio.run(asyncio.sleep(1.2))
    said = repair(settings, "--dry-run")
    assert said.returncode == 1, said.stderr
    assert said.stdout.count("--apply would end it") == 2
    assert committed(settings, topics.POSTINGS, 1) == []
    done = repair(settings, "--apply", "--json")
    assert done.returncode == 0, done.stderr
    assert {each["topic"] for each in json.loads(done.stdout)["hanging"]} == {
        settings.topic(topics.CITIZENS), settings.topic(topics.POSTINGS)
    }  # fmt: skip
    (behind,) = committed(settings, topics.POSTINGS, 1)
    assert behind.value == b"{}"
    assert repair(settings, "--dry-run").stdout == "no transaction hangs\n"


def test_one_that_hangs_in_postings_alone_is_left_alone(settings):
    """Its state may be committed: ended, its rows would be lost."""
    asyncio.run(leave_hanging(settings, (topics.POSTINGS, 0)))
    asyncio.run(asyncio.sleep(1.2))
    done = repair(settings, "--apply")
    assert done.returncode == 1, done.stderr
    assert "left alone: it hangs in some of its topics only" in done.stdout
    assert repair(settings, "--dry-run").returncode == 1


def test_one_that_its_coordinator_will_end_is_no_hanging_one(settings):
    async def begun():
        producer = AIOKafkaProducer(
            bootstrap_servers=settings.bootstrap, transactional_id=f"{settings.prefix}slow"
        )
        await producer.start()
        await producer.begin_transaction()
        await producer.send_and_wait(settings.topic(topics.NOTICES), b"{}", partition=0)
        await asyncio.sleep(1.2)
        told = await asyncio.to_thread(repair, settings, "--apply")
        await producer.commit_transaction()
        await producer.stop()
        return told

    assert asyncio.run(begun()).stdout == "no transaction hangs\n"


def test_one_of_the_two_ways_must_be_chosen(settings):
    assert repair(settings).returncode == 2
    assert repair(settings, "--apply", "--dry-run").returncode == 2
