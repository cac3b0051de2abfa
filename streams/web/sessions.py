"""Keeps who is logged on, in this process: the cookie holds a random id and nothing else.

A session ends after half an hour without a page, after eight hours at most, and when the process
ends. An id is never taken over from outside: each log-on gets a new one.
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from streams.web.visitors import Visitor

COOKIE: Final = "__Host-refusion"
IDLE_S: Final = 30 * 60
LONGEST_S: Final = 8 * 60 * 60
MOST: Final = 20_000
"""Sessions at a time; the one that was used least recently goes first."""


@dataclass
class WebSession:
    """Somebody who is logged on.

    `id_token` logs off at the provider; `kept` is what pages keep for the length of the session.
    """

    visitor: Visitor
    began: float
    used: float
    id_token: str = ""
    kept: dict[str, Any] = field(default_factory=dict)


class Sessions:
    """The sessions of this process, by their ids."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._by_id: dict[str, WebSession] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def begin(self, visitor: Visitor, id_token: str = "") -> str:
        """Begin a session, and return its id for the cookie."""
        self._forget_old()
        session_id, now = secrets.token_urlsafe(32), self._clock()
        self._by_id[session_id] = WebSession(visitor, now, now, id_token)
        return session_id

    def get(self, session_id: str) -> WebSession | None:
        """Return a session that goes on, and notice that it was used."""
        session, now = self._by_id.get(session_id), self._clock()
        if session is None:
            return None
        if not self._goes_on(session, now):
            del self._by_id[session_id]
            return None
        session.used = now
        self._by_id[session_id] = self._by_id.pop(session_id)  # the last one is the one just used
        return session

    def end(self, session_id: str) -> WebSession | None:
        """End a session, and return it if there was one."""
        return self._by_id.pop(session_id, None)

    def _forget_old(self) -> None:
        now = self._clock()
        for session_id, session in list(self._by_id.items()):
            if self._goes_on(session, now) and len(self._by_id) < MOST:
                break  # those behind it were used later
            del self._by_id[session_id]

    @staticmethod
    def _goes_on(session: WebSession, now: float) -> bool:
        return now - session.used < IDLE_S and now - session.began < LONGEST_S
