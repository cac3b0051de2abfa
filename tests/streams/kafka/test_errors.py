"""Kafka's errors as sentences for users."""

import asyncio
import gc

import pytest
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    NodeNotReadyError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from streams.kafka.errors import explained, explanation, is_outage, pass_over_unheard
from streams.kit.errors import UserError

NO_ANSWER = "no Kafka answers at somewhere:9092 (REFUSION_BOOTSTRAP)"


@pytest.mark.parametrize(
    ("error", "advice", "sentence"),
    [
        (KafkaConnectionError(), "", NO_ANSWER),
        (NodeNotReadyError(), "try again", f"{NO_ANSWER}; try again"),
        (
            TopicAuthorizationFailedError("a topic"),
            "",
            "Kafka refused a request (TopicAuthorizationFailedError); look at the brokers",
        ),
        (
            UnknownTopicOrPartitionError(),
            "try again",
            "Kafka refused a request (UnknownTopicOrPartitionError); try again",
        ),
    ],
)
def test_an_error_is_explained_with_an_advice(error, advice, sentence):
    assert explanation(error, "somewhere:9092", advice) == sentence


def test_within_a_block_an_error_of_kafka_becomes_the_users():
    with (
        pytest.raises(UserError) as caught,
        explained("somewhere:9092", UserError, no_answer=", where it is"),
    ):
        raise KafkaConnectionError
    assert str(caught.value) == f"{NO_ANSWER}, where it is"


def test_other_errors_go_through():
    with pytest.raises(ZeroDivisionError), explained("somewhere:9092", UserError):
        raise ZeroDivisionError


def test_only_an_error_of_a_missing_broker_is_an_outage():
    assert is_outage(TimeoutError())
    assert not is_outage(TopicAuthorizationFailedError("a topic"))


@pytest.mark.parametrize(("error", "said"), [(KafkaError("x"), 0), (ValueError("x"), 1)])
def test_an_error_of_kafka_that_nobody_awaits_is_no_stack_trace(error, said, caplog):
    """A transactional id that has expired leaves such futures in the client."""

    async def forget():
        asyncio.get_running_loop().set_exception_handler(pass_over_unheard)
        asyncio.get_running_loop().create_future().set_exception(error)
        gc.collect()

    asyncio.run(forget())
    assert caplog.text.count("never retrieved") == said
