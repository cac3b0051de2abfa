"""Errors of a connection that say more than aiokafka's own, and how they are told from each other.

aiokafka tries each address of the brokers, writes what went wrong to its log, and raises one error
for all of it: "unable to bootstrap". `named` looks at what went wrong (`streams.kafka.patches`).
"""

import socket
import ssl
from collections.abc import Iterator, Sequence
from typing import Final

from aiokafka.errors import (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnknownTopicOrPartitionError,
    UnsupportedSaslMechanismError,
)


class LogonRefusedError(KafkaError):  # type: ignore[misc]  # aiokafka has no types
    """The brokers do not let this client in, or it does not trust them; the text says why."""


class TokenUnavailableError(KafkaConnectionError):  # type: ignore[misc]  # as above
    """The server of tokens does not answer, or not with a token; the text is its address."""


class ConnectionEndedError(KafkaConnectionError):  # type: ignore[misc]  # as above
    """Somebody listens at the address, and ended the connection before Kafka's first answer."""


class NoTopicError(UnknownTopicOrPartitionError):  # type: ignore[misc]  # as above
    """The brokers answer, and have no topic of this name; the text is the name."""


_REFUSALS: Final = (
    AuthenticationFailedError,
    AuthenticationMethodNotSupported,
    IllegalSaslStateError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
_NOBODY: Final = (ConnectionRefusedError, TimeoutError, socket.gaierror)
"""Errors of an address at which nobody listens."""
_ALERTS: Final = {
    "CERTIFICATE_REQUIRED": "the brokers ask for a client certificate",
    "CERTIFICATE_UNKNOWN": "the brokers do not trust the client certificate",
    "UNKNOWN_CA": "the brokers do not trust the client certificate",
    "BAD_CERTIFICATE": "the brokers do not trust the client certificate",
    "CERTIFICATE_EXPIRED": "the client certificate has expired",
}
"""Alerts of TLS in words, by a part of their names in OpenSSL."""


def named(failures: Sequence[BaseException], addresses: int) -> KafkaError | None:
    """Return the error that says most of what went wrong at the addresses of the brokers.

    Returns None where nobody listens at any of them. An address without a failure let the client
    connect and then ended the connection.
    """
    for failure in failures:
        if isinstance(failure, LogonRefusedError | TokenUnavailableError):
            return failure
        if (reason := _refusal(failure)) is not None:
            return LogonRefusedError(reason)
    if len(failures) == addresses and all(_is_nobody(failure) for failure in failures):
        return None
    return ConnectionEndedError()


def _refusal(failure: BaseException) -> str | None:
    """Say why a log-on was refused; None where it was not."""
    for error in _causes(failure):
        if isinstance(error, ssl.SSLCertVerificationError):
            why = getattr(error, "verify_message", "unknown")
            return f"the brokers' certificate is not trusted ({why})"
        if isinstance(error, ssl.SSLError):
            reason = getattr(error, "reason", None) or ""
            return next((said for name, said in _ALERTS.items() if name in reason), None)
        if isinstance(error, _REFUSALS):
            return (str(error.args[0]) if error.args else "") or type(error).__name__
    return None


def _is_nobody(failure: BaseException) -> bool:
    return isinstance(failure, _NOBODY) or (
        isinstance(failure, OSError) and not isinstance(failure, ssl.SSLError | ConnectionError)
    )


def _causes(failure: BaseException) -> Iterator[BaseException]:
    """The error, and what it was raised from."""
    error: BaseException | None = failure
    while error is not None:
        yield error
        error = error.__cause__
