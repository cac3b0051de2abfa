"""A console of rich that leaves it to the program what happens when its reader has gone."""

from typing import NoReturn

from rich.console import Console


class ReaderConsole(Console):
    """A console on standard output; a reader who has gone is BrokenPipeError, as for all output."""

    def on_broken_pipe(self) -> NoReturn:
        """Raise what rich has caught: it would end the program with status 1."""
        raise BrokenPipeError
