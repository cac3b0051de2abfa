"""Keeps the marts open for the pages: those of the newest build, until a newer one is there.

A page that is being made keeps the build that it began with.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Final

from streams.lis.engine import PROCESSORS, Share
from streams.lis.marts import Marts, open_marts
from streams.lis.store import Build, local_folder, newest_build

LOOK_S: Final = 2.0
"""The pause between two looks for a newer build: a look opens a small table."""
SHARE: Final = Share(memory_mb=70, threads=1, at_once=PROCESSORS, gives_back=True)
"""Many ask at the same time, and little each: a question for each processor, of one thread."""


@dataclass
class _Opened:
    """The marts of one build, and how many pages read them."""

    name: tuple[str, int] | None
    marts: Marts
    closing: AbstractContextManager[Marts]
    readers: int = 0


class MartsShelf:
    """The marts of REFUSION_LIS, opened when a page first needs them."""

    def __init__(self, place: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._place = place
        self._clock = clock
        self._lock = threading.Lock()
        self._newest: _Opened | None = None
        self._looked = float("-inf")

    @property
    def build(self) -> Build | None:
        """The build that is lent; None where there is none."""
        return self._newest.marts.build if self._newest else None

    @contextmanager
    def marts(self) -> Iterator[Marts]:
        """Lend the newest marts. Raises NoMartsError where there are none, and LisError."""
        with self._lock:
            opened = self._looked_up()
            opened.readers += 1
        try:
            yield opened.marts
        finally:
            with self._lock:
                opened.readers -= 1
                self._close_unread(opened)

    def close(self) -> None:
        """Close the marts when nobody reads them any more."""
        with self._lock:
            opened, self._newest = self._newest, None
            if opened is not None:
                self._close_unread(opened)

    def _looked_up(self) -> _Opened:
        now = self._clock()
        if self._newest is not None and now - self._looked < LOOK_S:
            return self._newest
        name = newest_build(local_folder(self._place))
        if self._newest is None or self._newest.name != name:
            closing = open_marts(self._place, SHARE)
            former = self._newest
            self._newest = _Opened(name, closing.__enter__(), closing)
            if former is not None:
                self._close_unread(former)
        self._looked = now
        return self._newest

    def _close_unread(self, opened: _Opened) -> None:
        if opened.readers == 0 and opened is not self._newest:
            opened.closing.__exit__(None, None, None)
