"""Clients of Kafka that cannot be made: they end with an error, and nothing waits for ever."""

import asyncio

import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaTimeoutError
from aiokafka.producer.sender import Sender

from streams.kafka.clients import KafkaClients
from streams.kafka.errors import explained
from streams.kit.errors import UserError

NOT_THERE = "refusion-test.no-such-topic"


def test_a_producer_that_gets_no_id_gives_up(kafka, monkeypatch):
    """The broker goes after it told who it is: aiokafka itself would ask without end."""
    asked = []

    async def unanswered(_sender, node):
        asked.append(node)
        return False

    monkeypatch.setattr(Sender, "_do_init_pid", unanswered)

    async def start():
        clients = KafkaClients(kafka.bootstrap, "refusion-test")
        async with clients.producer(start_s=1.0, enable_idempotence=True):
            raise AssertionError("it has started")

    with pytest.raises(KafkaTimeoutError, match="within 1 s"):
        asyncio.run(asyncio.wait_for(start(), 30.0))
    assert asked


async def _partitions(bootstrap, has_started=lambda: None):
    """Ask for the partitions of a topic that is not there, as a command does; wait for 1 s."""
    with explained(bootstrap, UserError):
        clients = KafkaClients(bootstrap, "refusion-test", request_timeout_ms=1_000)
        async with clients.producer() as producer:
            has_started()
            await producer.partitions_for(NOT_THERE)


def test_a_client_of_a_topic_that_is_not_there_is_told_so(kafka):
    with pytest.raises(UserError) as caught:
        asyncio.run(asyncio.wait_for(_partitions(kafka.bootstrap), 30.0))
    said = str(caught.value)
    assert said.startswith(f"there is no topic {NOT_THERE}; see REFUSION_PREFIX ")
    assert f"{kafka.bootstrap} (REFUSION_BOOTSTRAP)" in said
    assert "`refusion worker` makes the topics" in said


def test_a_client_whose_brokers_go_before_they_tell_of_a_topic_is_told_so(kafka, monkeypatch):
    """aiokafka itself says that the topic is unknown."""

    async def nobody(*_, **__):
        return None

    def go():
        monkeypatch.setattr(AIOKafkaClient, "_get_conn", nobody)

    with pytest.raises(UserError) as caught:
        asyncio.run(asyncio.wait_for(_partitions(kafka.bootstrap, go), 30.0))
    assert str(caught.value) == f"no Kafka answers at {kafka.bootstrap} (REFUSION_BOOTSTRAP)"
