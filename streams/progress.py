"""Progress of long work: on stderr, on a terminal only, and only when it takes over two seconds."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

QUIET_SECONDS = 2.0


class Meter:
    """Counts work done; `total` may be estimated anew while the work goes on."""

    def __init__(self, unit: str, total: int | None) -> None:
        self._unit, self._total = unit, total
        self._started = time.monotonic()
        self._is_shown = sys.stderr.isatty()
        self._shown: Progress | None = None

    def show(self, done: int, total: int | None = None) -> None:
        """`done` units are done, of `total`."""
        self._total = total if total is not None else self._total
        if self._shown is None:
            if not self._is_shown or time.monotonic() - self._started < QUIET_SECONDS:
                return
            from streams.progressbar import started  # noqa: PLC0415 - not for those who see nothing

            self._shown = started(self._unit, self._total)
        self._shown.update(self._shown.task_ids[0], completed=done, total=self._total)

    def stop(self) -> None:
        """Take the display away."""
        if self._shown is not None:
            self._shown.stop()


@contextmanager
def meter(unit: str, total: int | None = None) -> Iterator[Meter]:
    """A meter that leaves nothing on the terminal."""
    shown = Meter(unit, total)
    try:
        yield shown
    finally:
        shown.stop()
