"""The console of the commands: settings, work with progress, JSON, and tables.

Every command imports this module, so everything heavy is imported when it is used.
"""

import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Protocol, TypeVar

import click

from streams.kit.errors import AwaitingApproval

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from streams.kit.progress import Bar
    from streams.settings import Settings

Result = TypeVar("Result")
Show = Callable[[int, int | None], None]
"""A function that is told how many units of work are done, and of how many if that is known."""

INPUT: Final = click.Path(dir_okay=False, allow_dash=True)
"""A file to read; `-` is standard input."""
OUTPUT: Final = click.Path(dir_okay=False)
"""A file to write."""
PURPOSE: Final = click.option(
    "--purpose", metavar="TEXT", default="", help="Why you look; it is recorded with your name."
)
"""The option of commands that show a citizen."""
LANGUAGE: Final = click.option(
    "--language",
    type=click.Choice(["da", "en"]),
    default="en",
    show_default=True,
    help="The language of what is said in words.",
)
"""The option of commands that explain."""
JOBS: Final = click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    help="How many processes.  [default: one for each core; few records: 1]",
)
"""The option of commands that share out their work."""
FEW_JOBS: Final = click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    help="How many processes.  [default: one for each core, 4 at most; few records: 1]",
)
"""The same where each process takes much memory."""
DIFFERS: Final = 1
"""The exit status where something that was compared is not the same."""
WIDTH: Final = 140
"""Columns of a table that is not shown on a terminal, such as in a log."""


def load_settings() -> "Settings":
    """Read the settings from the environment."""
    from streams.settings import Settings

    return Settings.load()


# --- work --------------------------------------------------------------------------------------


def run_async(work: Coroutine[Any, Any, Result]) -> Result:
    """Run asynchronous work to its end, with the clients' logs quiet."""
    import asyncio

    from streams.kit.logs import quiet_clients

    quiet_clients()
    return asyncio.run(work)


def run_with_progress(
    unit: str, work: Callable[["Settings", Show], Coroutine[Any, Any, Result]]
) -> Result:
    """Run `work(settings, show)` to its end, with a bar that counts `unit` on a terminal."""
    from streams.kit.progress import meter

    settings = load_settings()
    with meter(unit) as progress:
        return run_async(work(settings, progress.show))


def draw_bar(unit: str, total: int | None) -> "Bar":
    """Draw a progress bar. Imports rich only now: most commands show none."""
    from streams.cli.progress_bar import RichBar

    return RichBar(unit, total)


def output() -> BinaryIO:
    """Return standard output for bytes."""
    from streams.kit.standard_streams import demand_output

    demand_output()
    return sys.stdout.buffer


# --- for programs ------------------------------------------------------------------------------


@contextmanager
def answering(as_json: bool) -> Iterator[None]:
    """Let the answer of an act that waits for approval within a block be JSON, if wanted."""
    try:
        yield
    except AwaitingApproval as waiting:
        waiting.as_json = as_json
        raise


def echo_json(value: Any, *, indent: bool = False, err: bool = False) -> None:
    """Print a value as JSON: on one line, or indented for people who read it too."""
    import orjson

    option = orjson.OPT_INDENT_2 if indent else None
    click.echo(orjson.dumps(value, option=option), err=err)  # bytes: JSON is UTF-8 in any locale


class Findings(Protocol):
    """The outcome of a command, for programs and for people."""

    def as_json(self) -> dict[str, Any]:
        """Return it for a program; `fine` is false where something is not as it must be."""

    def sentence(self) -> str:
        """Say it to people."""


def end_with(found: Findings, *, as_json: bool) -> None:
    """Show what was found, and end with status 1 where it is not fine."""
    told = found.as_json()
    if as_json:
        echo_json(told)
    else:
        click.echo(found.sentence())
    if not told.get("fine", True):
        sys.exit(DIFFERS)


# --- for people --------------------------------------------------------------------------------


def terminal() -> "Console":
    """Return a console on standard output, which wraps lines on a terminal only."""
    from streams.cli.reader_console import ReaderConsole

    is_terminal = sys.stdout.isatty()
    width = None if is_terminal else WIDTH
    return ReaderConsole(width=width, soft_wrap=not is_terminal, highlight=False)


def table(title: str, first: str, *numbers: str) -> "Table":
    """Return an empty table: a column of names, then columns of numbers to the right."""
    from rich.box import SIMPLE
    from rich.table import Table

    shown = Table(title=title, title_justify="left", box=SIMPLE if sys.stdout.isatty() else None)
    shown.add_column(first)
    for name in numbers:
        shown.add_column(name, justify="right")
    return shown
