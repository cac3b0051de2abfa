"""A worker that starts while brokers come back waits until they answer well."""

import asyncio
import logging

import pytest
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    NotCoordinatorForGroupError,
    TopicAuthorizationFailedError,
)

from streams.engine.liveness import Outage
from streams.kafka import topics
from streams.kafka.topics import TopicNotReadyError
from streams.kit.errors import UnworkableError
from streams.settings import Settings
from streams.worker import preparation


@pytest.fixture
def start(monkeypatch, tmp_path):
    """Start a worker's stages at brokers that answer with some errors first."""
    settings = Settings.load(
        {
            "REFUSION_BOOTSTRAP": "somewhere:9092",
            "REFUSION_STATE_DIR": str(tmp_path),
            "REFUSION_DEMO": "1",
            "REFUSION_DEMO_ANYWHERE": "1",
        }
    )
    monkeypatch.setattr(preparation, "RETRY_S", 0.001)

    def start(*errors):
        left = iter(errors)

        async def begins(_settings):
            if (error := next(left, None)) is not None:
                raise error

        async def fits(*_arguments, **_named):
            return ()

        async def states_its_keys(_settings):
            return True

        for name in ("ensure_topics_of", "check_partitions"):
            monkeypatch.setattr(preparation, name, fits)
        monkeypatch.setattr(preparation, "check_keys", states_its_keys)
        monkeypatch.setattr(preparation, "begin_journal", begins)

        async def prepared():
            await preparation.prepare(["intake"], settings, Outage(), asyncio.Event())

        asyncio.run(prepared())
        return next(left, None)

    return start


def wrapped(cause):
    """An error as the client wraps it."""
    error = KafkaError(repr(cause))
    error.__cause__ = cause
    return error


def test_it_waits_through_what_brokers_answer_that_come_back(start, caplog):
    caplog.set_level(logging.WARNING)
    lost, other = wrapped(KafkaConnectionError("closed")), NotCoordinatorForGroupError()
    assert start(lost, TimeoutError(), other, other, lost) is None
    said = [line.partition(" (")[0] for line in caplog.messages]
    assert said == [
        "Kafka does not answer",
        "cannot start yet, and tries again: Kafka refused a request",
        "Kafka answers again after 0 s",
    ]


def test_it_waits_for_partitions_to_have_a_leader_again(start, caplog):
    """One that was started while most brokers were away ended, and nobody started it again."""
    caplog.set_level(logging.WARNING)
    leaderless = TopicNotReadyError("partitions of reports have no leader after 30 s")
    assert start(leaderless, leaderless) is None
    assert caplog.messages == [f"cannot start yet, and tries again: {leaderless}"]


class Brokers:
    """Stands in for an admin client: all know a topic, and nobody leads it."""

    async def describe_topics(self):
        led_by_nobody = [{"partition": 0, "leader": -1}]
        return [{"topic": "reports", "error_code": 0, "partitions": led_by_nobody}]


def test_a_topic_without_leaders_is_told_from_one_that_is_wrong(monkeypatch):
    monkeypatch.setattr(topics, "VISIBLE_SECONDS", 0.0)
    with pytest.raises(TopicNotReadyError, match="no leader"):
        asyncio.run(topics._wait_for_leaders(Brokers(), {"reports"}))


def test_it_does_not_wait_for_a_right_that_it_lacks(start):
    with pytest.raises(UnworkableError, match="the right Write on topic reports"):
        start(TopicAuthorizationFailedError("reports"))
