"""Kafka's errors as sentences that a user can act on: the one place that words them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    NodeNotReadyError,
    RequestTimedOutError,
)

from streams.kit.errors import UserError

SETTING: Final = "REFUSION_BOOTSTRAP"
"""The setting with the addresses of the brokers, as error messages name it."""

OUTAGES: Final = (
    KafkaConnectionError,
    KafkaTimeoutError,
    NodeNotReadyError,
    RequestTimedOutError,
    TimeoutError,
)


def is_outage(error: BaseException) -> bool:
    """Return whether an error says that no broker answers, not that one answered with an error."""
    return isinstance(error, OUTAGES)


def no_kafka(bootstrap: str, advice: str = "") -> str:
    """Say that no broker answers; `advice` continues the sentence, as in ", start it"."""
    return f"no Kafka answers at {bootstrap} ({SETTING}){advice}"


def refused(error: BaseException, advice: str, what: str = "a request") -> str:
    """Say that a broker answered with an error; only its class, which holds no value."""
    return f"Kafka refused {what} ({type(error).__name__}); {advice}"


def explanation(
    error: BaseException,
    bootstrap: str,
    *,
    no_answer: str = "",
    advice: str = "look at the brokers",
) -> str:
    """Explain an error of Kafka: `no_answer` goes on where no broker answers, else `advice`."""
    if is_outage(error) or isinstance(error, OSError):
        return no_kafka(bootstrap, no_answer)
    return refused(error, advice)


@contextmanager
def explained(
    bootstrap: str,
    as_error: type[UserError],
    *,
    no_answer: str = "",
    advice: str = "look at the brokers",
) -> Iterator[None]:
    """Turn Kafka's errors within a block into a user error with the sentence of `explanation`."""
    try:
        yield
    except KafkaError as error:
        sentence = explanation(error, bootstrap, no_answer=no_answer, advice=advice)
        raise as_error(sentence) from error
