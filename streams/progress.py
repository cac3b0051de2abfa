"""Progress of long work: on stderr, on a terminal only, and only when it takes over two seconds."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

QUIET_SECONDS = 2.0


class _Rate(ProgressColumn):
    """Units per second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:,.0f}/s")


class Meter:
    """Counts work done; `total` may be estimated anew while the work goes on."""

    def __init__(self, unit: str, total: int | None, console: Console) -> None:
        self._unit, self._total = unit, total
        self._started = time.monotonic()
        self._shown: Progress | None = None
        self._console = console

    def show(self, done: int, total: int | None = None) -> None:
        """`done` units are done, of `total`."""
        self._total = total if total is not None else self._total
        if self._shown is None:
            if not self._console.is_terminal or time.monotonic() - self._started < QUIET_SECONDS:
                return
            self._shown = self._start()
        self._shown.update(self._shown.task_ids[0], completed=done, total=self._total)

    def _start(self) -> Progress:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
        # Standard output is data here, never text to be moved above the bar.
        shown = Progress(*columns, console=self._console, transient=True, redirect_stdout=False, redirect_stderr=False)
        shown.add_task(self._unit, total=self._total)
        shown.start()
        return shown

    def stop(self) -> None:
        """Take the display away."""
        if self._shown is not None:
            self._shown.stop()


@contextmanager
def meter(unit: str, total: int | None = None) -> Iterator[Meter]:
    """A meter that leaves nothing on the terminal."""
    shown = Meter(unit, total, Console(file=sys.stderr))
    try:
        yield shown
    finally:
        shown.stop()
