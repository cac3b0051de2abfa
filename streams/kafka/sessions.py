"""Logs a connection on again before the brokers end its session, over the connection itself.

Brokers with `connections.max.reauth.ms`, and those that were shown a token, tell a client how long
its log-on is good for (KIP-368), and cut the connection at the first request after that. aiokafka
does not look at it. Here the first request after most of a session is held until the connection has
been logged on again, so nothing is cut, and a connection that nobody uses costs nothing.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Final

from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError, KafkaError
from aiokafka.protocol.admin import (
    ApiVersionRequest,
    SaslAuthenticateRequest,
    SaslHandShakeRequest,
)

log = logging.getLogger("refusion")

USED: Final = (0.80, 0.90)
"""Parts of a session, one of which at random is over when it is renewed: Java's clients have 0.85
to 0.95. Many connections that begin together are not renewed together."""
LEAST_S: Final = 1.1
"""Seconds from one log-on to the next: brokers refuse a second one within a second."""
OF_LOGON: Final = (ApiVersionRequest, SaslHandShakeRequest, SaslAuthenticateRequest)
"""Requests with which a connection is logged on; they are not held."""

_is_said = False


class Session:
    """The time for which the log-on of one connection is good, and its renewal."""

    def __init__(
        self, log_on: Callable[[], Coroutine[Any, Any, None]], cut: Callable[[Exception], None]
    ) -> None:
        """`log_on` logs the connection on again, `cut` closes it because of an error."""
        self._log_on = log_on
        self._cut = cut
        self._due_s: float | None = None
        self._earliest_s = 0.0
        self._renewal: asyncio.Task[None] | None = None

    def began(self, lifetime_ms: int) -> None:
        """Note a log-on and for how long it is good; 0 is without end."""
        if lifetime_ms <= 0:
            self._due_s = None
            return
        _say(lifetime_ms)
        used_s = lifetime_ms / 1000 * random.uniform(*USED)
        now_s = time.monotonic()
        self._due_s, self._earliest_s = now_s + used_s, now_s + LEAST_S

    def must_wait(self) -> bool:
        """Return whether a request has to wait for a renewal, which is under way or due."""
        return self._renewal is not None or (
            self._due_s is not None and time.monotonic() >= self._due_s
        )

    async def renewed(self) -> None:
        """Wait for the renewal. Raises KafkaConnectionError, as for any connection that is lost."""
        if self._renewal is None:
            self._renewal = asyncio.create_task(self._renew())
            self._renewal.add_done_callback(_heard)
        # One request that is given up, or times out, must not end what the others wait for.
        await asyncio.shield(self._renewal)

    async def _renew(self) -> None:
        try:
            await asyncio.sleep(self._earliest_s - time.monotonic())
            await self._log_on()
        except (KafkaError, OSError, TimeoutError, ValueError) as error:
            log.warning(
                "a log-on at the brokers could not be renewed (%s): connects anew",
                type(error).__name__,
            )
            self._cut(error)
            raise KafkaConnectionError("the log-on could not be renewed") from error
        finally:
            self._renewal = None


def _say(lifetime_ms: int) -> None:
    """Say it once in a process; the time of a token differs from one log-on to the next."""
    global _is_said  # noqa: PLW0603 - a process has one log
    if not _is_said:
        _is_said = True
        log.info(
            "the brokers end log-ons, this one after %.0f s: each connection renews its own",
            lifetime_ms / 1000,
        )


def renew_sessions() -> None:
    """Let each connection of aiokafka renew its session. `streams.kafka.patches` calls it once."""
    connect, send = AIOKafkaConnection.connect, AIOKafkaConnection.send

    @wraps(connect)
    async def with_session(self: AIOKafkaConnection) -> Any:
        self.session = Session(
            self._do_sasl_handshake,
            lambda error: self.close(reason=CloseReason.CONNECTION_BROKEN, exc=error),
        )
        return await connect(self)

    @wraps(send)
    def in_session(self: AIOKafkaConnection, request: Any, expect_response: bool = True) -> Any:
        if isinstance(request, OF_LOGON):
            sent = send(self, request, expect_response)
            return _noted(self.session, sent)
        if not self.session.must_wait():
            return send(self, request, expect_response)
        return _after_renewal(self, lambda: send(self, request, expect_response))

    AIOKafkaConnection.connect = with_session
    AIOKafkaConnection.send = in_session


def _heard(renewal: "asyncio.Task[None]") -> None:
    """Mark an error as heard: whoever waited for the renewal may have given up."""
    if not renewal.cancelled():
        renewal.exception()


async def _noted(session: Session, sent: Any) -> Any:
    response = await sent
    session.began(getattr(response, "session_lifetime_ms", 0))
    return response


async def _after_renewal(connection: AIOKafkaConnection, send: Callable[[], Any]) -> Any:
    await connection.session.renewed()
    return await send()
