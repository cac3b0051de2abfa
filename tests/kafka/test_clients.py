"""Clients of Kafka that cannot be made: they end with an error, and nothing waits for ever."""

import asyncio

import pytest
from aiokafka.errors import KafkaTimeoutError
from aiokafka.producer.sender import Sender

from streams.kafka.clients import KafkaClients


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
