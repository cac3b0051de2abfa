"""Keeps what began, in this process, until it comes back or is too old: log-ons and sign-ups."""

import secrets
import time
from collections.abc import Callable
from typing import Final, Generic, NamedTuple, TypeVar

from streams.web.provider import LogOnAttempt

ATTEMPT_S: Final = 600
"""Seconds that a log-on may take."""
MOST: Final = 10_000
"""Things at a time; the oldest goes first."""
Thing = TypeVar("Thing")


class Begun(NamedTuple):
    """An attempt, and the page that was wanted."""

    attempt: LogOnAttempt
    wanted: str


class Unfinished(Generic[Thing]):
    """Things that began, by random ids that nobody guesses; each is taken out once."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._by_id: dict[str, tuple[float, Thing]] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def put(self, thing: Thing) -> str:
        """Keep a thing, and return its id."""
        now = self._clock()
        for old, (began, _) in list(self._by_id.items()):
            if now - began < self._seconds and len(self._by_id) < MOST:
                break  # those behind it are younger
            self._by_id.pop(old, None)  # another thread may have taken it
        thing_id = secrets.token_urlsafe(32)
        self._by_id[thing_id] = now, thing
        return thing_id

    def take(self, thing_id: str) -> Thing | None:
        """Take a thing out; None where there is none that is young enough."""
        began, thing = self._by_id.pop(thing_id, (0.0, None))
        return thing if self._clock() - began < self._seconds else None


class Attempts(Unfinished[Begun]):
    """The log-ons that began, by the ids of their cookies."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(ATTEMPT_S, clock)
