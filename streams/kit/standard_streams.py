"""Gives the program the standard streams that it was started without.

A scheduler, a service manager or `2>&-` may start a program with standard input, output or error
closed. Python then has None in place of the stream, and the next file that is opened gets its
number: what a library writes to standard error would go into that file.
"""

import os
import sys
from typing import BinaryIO, Final, TextIO

from streams.kit.errors import UserError

_STREAMS: Final = (0, 1, 2)


def open_closed_streams(*, output: bool = False) -> None:
    """Open what is closed to nowhere, for us and for the processes that we start.

    Standard error is replaced: nobody can be told anything, and the work is done all the same.
    Input is not, and output where `output` says so: their absence is an error of the commands that
    need them.
    """
    for number in _STREAMS:
        try:
            os.fstat(number)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            os.set_inheritable(number, True)
    if sys.stderr is None:
        sys.stderr = _to(2)
    if sys.stdout is None and output:
        sys.stdout = _to(1)


def _to(number: int) -> TextIO:
    return open(number, "w", encoding="utf-8", errors="backslashreplace", closefd=False)


def write_any_letter() -> None:
    """Let letters that the terminal's encoding lacks (Latin-1, ASCII) be written as `?`."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace" if stream is sys.stdout else "backslashreplace")


def standard_input() -> BinaryIO:
    """Return standard input. Raises UserError where it is closed."""
    if sys.stdin is None:
        raise UserError("standard input is closed; name a file, or give the input with `<`")
    return sys.stdin.buffer


def demand_output() -> None:
    """Raise UserError where standard output is closed: what is done would be told to nobody."""
    if sys.stdout is None:
        raise UserError(
            "standard output is closed, so nothing was done; give it a place with `> FILE`, which"
            " may be /dev/null"
        )
