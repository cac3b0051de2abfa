"""Kafka's errors as sentences for users."""

import asyncio
import gc
import socket
import ssl

import pytest
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    NodeNotReadyError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
    UnknownTopicOrPartitionError,
    UnsupportedSaslMechanismError,
)

from streams.kafka.connection_errors import (
    ConnectionEndedError,
    LogonRefusedError,
    NoTopicError,
    TokenUnavailableError,
    named,
)
from streams.kafka.errors import (
    explained,
    explanation,
    is_outage,
    pass_over_unheard,
    refusal,
)
from streams.kafka.security import BrokerAddress, Logon
from streams.kit.errors import UserError

AT = BrokerAddress("somewhere:9092", Logon("SASL_SSL", username="anna"))
DENIED = (
    "Kafka refuses User:ANONYMOUS the right Write on topic a topic; `refusion acl` prints the"
    " rights that each role needs"
)
REFUSED = "Kafka refused a request (KafkaError); look at the brokers"
NO_ANSWER = "no Kafka answers at somewhere:9092 (REFUSION_BOOTSTRAP)"


@pytest.mark.parametrize(
    ("error", "advice", "sentence"),
    [
        (KafkaConnectionError(), "", NO_ANSWER),
        (NodeNotReadyError(), "try again", f"{NO_ANSWER}; try again"),
        (
            TopicAuthorizationFailedError("a topic"),
            "",
            DENIED,
        ),
        (
            UnknownTopicOrPartitionError(),
            "try again",
            "Kafka refused a request (UnknownTopicOrPartitionError); try again",
        ),
        (
            NoTopicError("a.topic"),
            "try again",
            (
                "there is no topic a.topic; see REFUSION_PREFIX with `refusion settings`, whether"
                " somewhere:9092 (REFUSION_BOOTSTRAP) are the brokers that are meant, and whether"
                " User:ANONYMOUS may Describe it; `refusion worker` makes the topics that are"
                " missing when it starts"
            ),
        ),
    ],
)
def test_an_error_is_explained_with_an_advice(error, advice, sentence):
    assert explanation(error, "somewhere:9092", advice) == sentence


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (GroupAuthorizationFailedError("g"), "User:anna the right Read on group g;"),
        (TransactionalIdAuthorizationFailed("t-1"), "the right Write on transactional id t-1;"),
        (TopicAuthorizationFailedError({"b", "a"}), "the right Write on topic a, b;"),
        (ClusterAuthorizationFailedError(), "User:anna the right Write on cluster;"),
    ],
)
def test_a_missing_right_is_named_with_principal_and_resource(error, named):
    assert named in explanation(error, AT)
    assert named in (refusal(error, AT) or "")


def test_a_refused_log_on_is_no_outage_and_is_named():
    error = LogonRefusedError("invalid credentials")
    assert not is_outage(error)
    with (
        pytest.raises(UserError, match=r"log-on of User:anna at somewhere:9092.*invalid cred"),
        explained(AT, UserError, no_answer="; never said"),
    ):
        raise error


def test_what_listens_and_is_no_kafka_is_not_said_to_be_absent():
    assert "SECURITY_PROTOCOL (SASL_SSL) is what the" in explanation(ConnectionEndedError(), AT)
    assert "no Kafka answers" not in explanation(ConnectionEndedError(), AT)
    assert "no token came from https://t" in explanation(TokenUnavailableError("https://t"), AT)


@pytest.mark.parametrize(
    ("failures", "error"),
    [
        ([ConnectionRefusedError(), socket.gaierror(), TimeoutError()], None),
        ([ConnectionRefusedError(), ConnectionResetError(), OSError()], ConnectionEndedError),
        ([ConnectionRefusedError(), OSError()], ConnectionEndedError),
        ([SaslAuthenticationFailed("no"), OSError(), OSError()], LogonRefusedError),
        ([UnsupportedSaslMechanismError("PLAIN"), OSError(), OSError()], LogonRefusedError),
        ([ssl.SSLCertVerificationError("x"), OSError(), OSError()], LogonRefusedError),
        ([ssl.SSLError(1, "wrong version"), OSError(), OSError()], ConnectionEndedError),
    ],
)
def test_failed_connections_are_told_apart(failures, error):
    named_error = named(failures, 3)
    assert named_error is None if error is None else isinstance(named_error, error)


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


@pytest.mark.parametrize(
    ("cause", "sentence"),
    [
        (KafkaConnectionError("closed"), NO_ANSWER),
        (UnknownTopicOrPartitionError(), REFUSED),
    ],
)
def test_a_lost_connection_that_the_client_has_wrapped_is_an_outage(cause, sentence):
    """A producer tells it so when it looks for its coordinator while a broker goes."""
    error = KafkaError(repr(cause))
    error.__cause__ = cause
    assert is_outage(error) == (sentence == NO_ANSWER)
    assert explanation(error, "somewhere:9092") == sentence


@pytest.mark.parametrize(("error", "said"), [(KafkaError("x"), 0), (ValueError("x"), 1)])
def test_an_error_of_kafka_that_nobody_awaits_is_no_stack_trace(error, said, caplog):
    """A transactional id that has expired leaves such futures in the client."""

    async def forget():
        asyncio.get_running_loop().set_exception_handler(pass_over_unheard)
        asyncio.get_running_loop().create_future().set_exception(error)
        gc.collect()

    asyncio.run(forget())
    assert caplog.text.count("never retrieved") == said
