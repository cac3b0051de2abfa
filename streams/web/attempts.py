"""Keeps log-ons that began, in this process, until they come back or are too old."""

import secrets
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from streams.web.provider import LogOnAttempt

ATTEMPT_S: Final = 600
"""Seconds that a log-on may take."""
MOST: Final = 10_000
"""Log-ons at a time; the oldest goes first."""


class Begun(NamedTuple):
    """An attempt, and the page that was wanted."""

    attempt: LogOnAttempt
    wanted: str


class Attempts:
    """The log-ons that began, by the ids of their cookies; each is taken out once."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._by_id: dict[str, tuple[float, Begun]] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def put(self, begun: Begun) -> str:
        """Keep a log-on, and return its id."""
        now = self._clock()
        for old, (began, _) in list(self._by_id.items()):
            if now - began < ATTEMPT_S and len(self._by_id) < MOST:
                break  # those behind it are younger
            del self._by_id[old]
        attempt_id = secrets.token_urlsafe(32)
        self._by_id[attempt_id] = now, begun
        return attempt_id

    def take(self, attempt_id: str) -> Begun | None:
        """Take a log-on out; None where there is none that is young enough."""
        began, begun = self._by_id.pop(attempt_id, (0.0, None))
        return begun if self._clock() - began < ATTEMPT_S else None
