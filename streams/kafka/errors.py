"""Kafka's errors as sentences that a user can act on: the one place that words them."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from traceback import extract_tb
from typing import Any, Final

from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    NodeNotReadyError,
    RecordListTooLargeError,
    RequestTimedOutError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)
from aiokafka.structs import TopicPartition

from streams.kafka.connection_errors import (
    ConnectionEndedError,
    LogonRefusedError,
    NoTopicError,
    TokenUnavailableError,
)
from streams.kafka.members import MemberReplacedError
from streams.kafka.security import PROTOCOL, logon_at
from streams.kit.errors import UserError

__all__ = [
    "KafkaError", "explained", "explanation", "is_outage", "is_too_large", "missing_right",
    "no_topic", "pass_over_unheard", "refusal", "refused",
]  # fmt: skip

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
DENIALS: Final = {
    TopicAuthorizationFailedError: "topic",
    GroupAuthorizationFailedError: "group",
    TransactionalIdAuthorizationFailed: "transactional id",
    ClusterAuthorizationFailedError: "cluster",
}
"""The kind of resource that the right is for."""
_RIGHTS_BY_MODULE: Final = {
    "topic": {
        "fetcher": "Read",
        "group_coordinator": "Read",
        "client": "Describe",
        "topic_ids": "Describe",
    },
    "group": {"source": "Read", "groups": "Describe"},
}
"""The right that was lacking, by kind and by a module that the error came through."""
_USUAL_RIGHTS: Final = {"group": "Read"}
"""The right that is lacking elsewhere, by kind, where it is not Write."""


def is_outage(error: BaseException) -> bool:
    """Return whether an error says that no broker answers, not that one answered with an error.

    In places aiokafka wraps the one in a bare KafkaError, which says nothing itself.
    """
    if type(error) is KafkaError and error.__cause__ is not None:
        return is_outage(error.__cause__)
    return isinstance(error, OUTAGES)


def pass_over_unheard(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Say nothing of Kafka's error in a future inside the client that nobody awaits any more.

    It is the handler of an event loop with clients. The batch loop or the command hears of the same
    error by what it awaits, and says it in a line; asyncio would write a stack trace, as of a
    reading that cannot be closed in good order because another error has ended it.
    """
    if "asyncgen" not in context and not isinstance(context.get("exception"), KafkaError):
        loop.default_exception_handler(context)


def is_too_large(error: BaseException) -> bool:
    """Return whether an error says that a message is larger than its topic takes."""
    return isinstance(error, MessageSizeTooLargeError | RecordListTooLargeError)


def refusal(error: BaseException, bootstrap: str) -> str | None:
    """Say that the brokers refuse this client, who it is and what it lacks; None if they do not.

    Or that another one has its place.
    """
    if isinstance(error, LogonRefusedError):
        return (
            f"the log-on of {logon_at(bootstrap).principal} at {bootstrap} ({SETTING}) failed:"
            f" {error.args[0]}; look at REFUSION_KAFKA_… in `refusion settings`"
        )
    if isinstance(error, MemberReplacedError):
        return (
            f"another worker has taken this one's place in group {error.args[0]}: it has the same"
            " name, so the state folder (REFUSION_STATE_DIR) of one of them is a copy of the"
            " other's; this one ends; before you start it again, delete its state folder, which"
            " is restored from Kafka"
        )
    for denial, kind in DENIALS.items():
        if isinstance(error, denial):
            return missing_right(bootstrap, _right(error, kind), kind, _resource(error))
    return None


def missing_right(bootstrap: str, right: str, kind: str, resource: str) -> str:
    """Say which right this client lacks, and on what."""
    return (
        f"Kafka refuses {logon_at(bootstrap).principal} the right {right} on"
        f" {f'{kind} {resource}'.strip()}; `refusion acl` prints the rights that each role needs"
    )


def no_topic(topic: str, bootstrap: str) -> str:
    """Say of a topic that is not there, or hidden from this client, what to look at."""
    return (
        f"there is no topic {topic}; see REFUSION_PREFIX with `refusion settings`, whether"
        f" {bootstrap} ({SETTING}) are the brokers that are meant, and whether"
        f" {logon_at(bootstrap).principal} may Describe it; `refusion worker` makes the topics that"
        " are missing when it starts"
    )


def _right(error: BaseException, kind: str) -> str:
    """Tell the right by the place of the error: brokers do not say which one they looked for."""
    passed = {Path(frame.filename).stem for frame in extract_tb(error.__traceback__)}
    for module, right in _RIGHTS_BY_MODULE.get(kind, {}).items():
        if module in passed:
            return right
    return _USUAL_RIGHTS.get(kind, "Write")


def _resource(error: BaseException) -> str:
    """The names in an error of aiokafka: a text, a partition, or a set of topics."""
    named = error.args[0] if error.args else ""
    names = named if isinstance(named, set | frozenset | list) else [named]
    texts = (name.topic if isinstance(name, TopicPartition) else str(name) for name in names)
    return ", ".join(sorted(texts))


def _no_answer(error: BaseException, bootstrap: str) -> str:
    """Say what did not answer."""
    if isinstance(error, TokenUnavailableError):
        return f"no token came from {error.args[0]} (REFUSION_KAFKA_OAUTH_TOKEN_URL)"
    if isinstance(error, ConnectionEndedError):
        return (
            f"who listens at {bootstrap} ({SETTING}) ended the connection before an answer of"
            f" Kafka; look whether {PROTOCOL.name} ({logon_at(bootstrap).protocol}) is what the"
            " brokers speak there"
        )
    return f"no Kafka answers at {bootstrap} ({SETTING})"


def refused(error: BaseException, advice: str, what: str = "a request") -> str:
    """Say that a broker answered with an error; only its class, which holds no value."""
    return f"Kafka refused {what} ({type(error).__name__}); {advice}"


def explanation(error: BaseException, bootstrap: str, advice: str = "") -> str:
    """Explain an error of Kafka in a sentence that ends with an advice, if there is one."""
    if (said := refusal(error, bootstrap)) is not None:
        return said
    if isinstance(error, NoTopicError):
        return no_topic(_resource(error), bootstrap)
    if is_outage(error):
        return _no_answer(error, bootstrap) + (f"; {advice}" if advice else "")
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
            raise as_error(_no_answer(error, bootstrap) + no_answer) from error
        raise as_error(explanation(error, bootstrap, advice)) from error
