"""Gives the program the standard streams that it was started without.

A scheduler, a service manager or `2>&-` may start a program with standard input, output or error
closed. Python then has None in place of the stream, and the next file that is opened gets its
number: what a library writes to standard error would go into that file.

Standard error may also be a file on a full disk, or a pipe whose reader has gone. What cannot be
written there is lost, and changes neither the work nor its exit status.
"""

import io
import os
import sys
from contextlib import suppress
from typing import BinaryIO, Final, TextIO

from streams.kit.errors import UserError

_STREAMS: Final = (0, 1, 2)


class _LossyText(io.TextIOWrapper):
    """Text of which is lost what cannot be written."""

    def write(self, text: str, /) -> int:
        """Write a text, if it can be."""
        with suppress(OSError):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        """Write what waits, if it can be."""
        with suppress(OSError):
            super().flush()


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
    elif type(sys.stderr) is io.TextIOWrapper and sys.stderr is sys.__stderr__:
        encoding, errors = sys.stderr.encoding, sys.stderr.errors
        sys.stderr = lossy_text(sys.stderr.detach(), encoding, errors)
        vars(sys)["__stderr__"] = sys.stderr  # the one before is of no use any more
    if sys.stdout is None and output:
        sys.stdout = _to(1)


def _to(number: int) -> TextIO:
    return open(number, "w", encoding="utf-8", errors="backslashreplace", closefd=False)


def lossy_text(file: BinaryIO, encoding: str, errors: str | None) -> TextIO:
    """Write text to a file, line by line, and lose what cannot be written."""
    return _LossyText(file, encoding, errors, line_buffering=True)


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
