"""Kafka's errors as sentences that a user can act on: the one place that words them."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    NodeNotReadyError,
    RequestTimedOutError,
)

from streams.kit.errors import UserError

__all__ = [
    "KafkaError",
    "explained",
    "explanation",
    "is_outage",
    "no_kafka",
    "pass_over_unheard",
    "refused",
]

SETTING: Final = "REFUSION_BOOTSTRAP"
"""The setting with the addresses of the brokers, as error messages name it."""
LOOK: Final = "look at the brokers"
"""Advice where a broker answered with an error that nobody expects."""

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


def pass_over_unheard(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Say nothing of Kafka's error in a future inside the client that nobody awaits any more.

    It is the handler of an event loop. The batch loop hears of the same error by what it awaits,
    and says it in a line; asyncio would write a stack trace.
    """
    if not isinstance(context.get("exception"), KafkaError):
        loop.default_exception_handler(context)


def no_kafka(bootstrap: str, advice: str = "") -> str:
    """Say that no broker answers; `advice` continues the sentence, as in ", start it"."""
    return f"no Kafka answers at {bootstrap} ({SETTING}){advice}"


def refused(error: BaseException, advice: str, what: str = "a request") -> str:
    """Say that a broker answered with an error; only its class, which holds no value."""
    return f"Kafka refused {what} ({type(error).__name__}); {advice}"


def explanation(error: BaseException, bootstrap: str, advice: str = "") -> str:
    """Explain an error of Kafka in a sentence that ends with an advice, if there is one."""
    if is_outage(error):
        return no_kafka(bootstrap, f"; {advice}" if advice else "")
    return refused(error, advice or LOOK)


@contextmanager
def explained(
    bootstrap: str,
    as_error: type[UserError],
    *,
    no_answer: str = "",
    advice: str = LOOK,
) -> Iterator[None]:
    """Turn Kafka's errors within a block into a user error.

    `no_answer` continues the sentence where no broker answers, `advice` where one refused.
    """
    try:
        yield
    except KafkaError as error:
        if is_outage(error):
            raise as_error(no_kafka(bootstrap, no_answer)) from error
        raise as_error(refused(error, advice)) from error
