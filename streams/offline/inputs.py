"""The lines that a command reads: from files, one after the other, or standard input."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO


def opened(stack: ExitStack, name: str) -> BinaryIO:
    """Open a file until the stack is left; `-` is standard input."""
    return sys.stdin.buffer if name == "-" else stack.enter_context(Path(name).open("rb"))


class Reader:
    """The lines of several files, and an estimate of their number by the bytes read so far."""

    def __init__(self, files: list[BinaryIO]) -> None:
        self._files = tuple(files)
        self._lines = self._bytes = 0
        stats = [os.fstat(file.fileno()) for file in files]
        self._total_bytes = (
            sum(stat.st_size for stat in stats)
            if all(S_ISREG(stat.st_mode) for stat in stats)
            else None
        )

    def __iter__(self) -> Iterator[bytes]:
        for file in self._files:
            for line in file:
                self._lines += 1
                self._bytes += len(line)
                yield line

    def estimated(self) -> int | None:
        """Estimate the number of lines in all; None for a pipe."""
        return (
            self._total_bytes * self._lines // self._bytes
            if self._total_bytes and self._bytes
            else None
        )
