"""The lines that a command reads: from files, one after the other, or standard input.

A file may be packed with gzip. Nothing is held of a line but `WHOLE_BYTES` at most, however long it
is and however small it was packed: the limit is checked while reading.
"""

import gzip
import io
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO, Final

from streams.kit.errors import UserError
from streams.kit.input_form import GZIP, HEAD_BYTES, OddForm, odd_form
from streams.kit.standard_streams import standard_input

WHOLE_BYTES: Final = 1 << 20
"""Bytes of the longest line that is handed on whole: the largest record that Kafka takes."""
KEPT_BYTES: Final = (64 << 10) + 1
"""Bytes that are kept of a longer one: over the limit of a report, so that it is refused by it."""
READ_BYTES: Final = 1 << 16
NAME_OF_INPUT: Final = "standard input"


class CutLine(bytes):
    """The beginning of a line that was too long to be handed on whole; `length` is the line's."""

    length: int


def opened(stack: ExitStack, name: str) -> "InputFile":
    """Open a file until the stack is left; `-` is standard input."""
    if name == "-":
        return InputFile(NAME_OF_INPUT, standard_input())
    return InputFile(name, stack.enter_context(Path(name).open("rb")))


class InputFile:
    """One file of lines, unpacked where it is packed. Nothing is read before the first line."""

    def __init__(self, name: str, file: BinaryIO) -> None:
        self.name = name
        self.stat = os.fstat(file.fileno())
        self.is_packed = False
        self._file = file
        self._head = b""

    @property
    def odd(self) -> OddForm | None:
        """The form of the file, by the lines read so far, if it is no JSON Lines."""
        return odd_form(self._head)

    def __iter__(self) -> Iterator[bytes]:
        """Yield the lines, with their ends."""
        with _explained(self.name):
            lines = self._unpacked()
            while len(self._head) < HEAD_BYTES and (line := _next_line(lines)):
                self._head += line[: HEAD_BYTES - len(self._head)]
                yield line
            while line := lines.readline(WHOLE_BYTES + 1):
                yield line if len(line) <= WHOLE_BYTES or _is_whole(line) else _cut(line, lines)

    def _unpacked(self) -> BinaryIO:
        assert isinstance(self._file, io.BufferedReader)
        self.is_packed = self._file.peek(len(GZIP)).startswith(GZIP)
        if not self.is_packed:
            return self._file
        return io.BufferedReader(gzip.GzipFile(fileobj=self._file), READ_BYTES)


def _next_line(lines: BinaryIO) -> bytes:
    line = lines.readline(WHOLE_BYTES + 1)
    return line if _is_whole(line) else _cut(line, lines)


def _is_whole(line: bytes) -> bool:
    return len(line) <= WHOLE_BYTES or line.endswith(b"\n")


def _cut(line: bytes, lines: BinaryIO) -> CutLine:
    """Pass over the rest of a line that is too long."""
    kept = CutLine(line[:KEPT_BYTES])
    kept.length = len(line)
    while rest := lines.readline(READ_BYTES):
        kept.length += len(rest)
        if rest.endswith(b"\n"):
            break
    return kept


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Name the file in what goes wrong while it is read."""
    try:
        yield
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise UserError(
            f"{name} is packed with gzip, and is damaged or cut off; what was read before that is"
            " done; get the file again"
        ) from None
    except OSError as error:
        raise UserError(f"{name} cannot be read on: {error.strerror or error}") from error


def checked(file: InputFile) -> Iterator[bytes]:
    """Yield the lines of a file. Raises UserError before the first where it is no JSON Lines.

    For what is not looked at before it goes out: each line would be refused much later.
    """
    for number, line in enumerate(file):
        if number == 0 and file.odd and file.odd.is_hopeless:
            raise UserError(f"{file.name} is {file.odd.words}")
        yield line


class Reader:
    """The lines of several files, and an estimate of their number by the bytes read so far."""

    def __init__(
        self,
        files: Sequence[InputFile],
        lines: Callable[[InputFile], Iterator[bytes]] = iter,
    ) -> None:
        """`lines` reads a file: as it is, or with a look at what it is."""
        self._files = files
        self._read = lines
        self._lines = self._bytes = 0
        self._total_bytes = (
            sum(file.stat.st_size for file in files)
            if all(S_ISREG(file.stat.st_mode) for file in files)
            else None
        )

    def __iter__(self) -> Iterator[bytes]:
        for file in self._files:
            for line in self._read(file):
                self._lines += 1
                self._bytes += len(line)
                yield line

    def estimated(self) -> int | None:
        """Estimate the number of lines in all; None for a pipe or a packed file."""
        return (
            self._total_bytes * self._lines // self._bytes
            if self._total_bytes and self._bytes and not any(f.is_packed for f in self._files)
            else None
        )

    def odd_forms(self, *, guesses: bool) -> list[str]:
        """Say, a sentence each, which files are no JSON Lines and what they are, once read."""
        return [
            f"{file.name} is {odd.words}"
            for file in self._files
            if (odd := file.odd) and (guesses or not odd.is_guess)
        ]
