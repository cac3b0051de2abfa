"""Progress bars (`streams.kit.progress`), drawn with rich."""

import sys

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class _Rate(ProgressColumn):
    """A column with the units per second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed or 0:,.0f}/s")


class RichBar:
    """A bar on stderr that is removed when it stops."""

    def __init__(self, unit: str, total: int | None) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(),
        )
        # Standard output is data; rich must not move it above the bar.
        self._drawn = Progress(
            *columns,
            console=Console(file=sys.stderr),
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._drawn.add_task(unit, total=total)
        self._drawn.start()

    def show(self, done: int, total: int | None) -> None:
        """Draw `done` units of `total`."""
        self._drawn.update(self._task, completed=done, total=total)

    def stop(self) -> None:
        """Remove the bar."""
        self._drawn.stop()
