"""Progress of long work: on stderr, on a terminal only, and only when it takes over two seconds."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

QUIET_SECONDS = 2.0


class Bar(Protocol):
    """A bar on the terminal."""

    def show(self, done: int, total: int | None) -> None:
        """Draw `done` units of `total`."""

    def stop(self) -> None:
        """Take the bar away."""


_makers: list[Callable[[str, int | None], Bar]] = []


def draw_with(make: Callable[[str, int | None], Bar]) -> None:
    """Let `make(unit, total)` draw the bars. Without it nothing is drawn."""
    _makers[:] = [make]


class Meter:
    """Counts work done; `total` may be estimated anew while the work goes on."""

    def __init__(self, unit: str, total: int | None) -> None:
        self._unit, self._total = unit, total
        self._started = time.monotonic()
        self._is_shown = sys.stderr.isatty() and bool(_makers)
        self._bar: Bar | None = None

    def show(self, done: int, total: int | None = None) -> None:
        """`done` units are done, of `total`."""
        self._total = total if total is not None else self._total
        if self._bar is None:
            if not self._is_shown or time.monotonic() - self._started < QUIET_SECONDS:
                return
            self._bar = _makers[0](self._unit, self._total)
        self._bar.show(done, self._total)

    def stop(self) -> None:
        """Take the display away."""
        if self._bar is not None:
            self._bar.stop()


@contextmanager
def meter(unit: str, total: int | None = None) -> Iterator[Meter]:
    """A meter that leaves nothing on the terminal."""
    shown = Meter(unit, total)
    try:
        yield shown
    finally:
        shown.stop()
