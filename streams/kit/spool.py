"""Spools records by citizen to temporary files: one reading, bounded memory.

Each file has all the records of its citizens, in their order; a block of them is compressed, to
about a tenth.
"""

import marshal
from collections.abc import Iterator
from contextlib import ExitStack
from io import BufferedWriter
from pathlib import Path
from struct import Struct
from typing import Any, BinaryIO, Final
from zlib import crc32

import cramjam

from streams.kit.named_file import NamedFile

BLOCK_BYTES: Final = 64 << 10
"""Bytes of values that are compressed and written together; so much of each file is in memory."""
LEVEL: Final = 1
"""Level of zstd: the fastest."""
_LENGTH: Final = Struct("<I")


class Scattered:
    """Some files of records, closed with a stack before they are read.

    A record is any tuple of plain values.
    """

    def __init__(self, stack: ExitStack, folder: Path, name: str, number: int) -> None:
        self._paths = [folder / f"{name}-{at}" for at in range(number)]
        self._files: list[BinaryIO] = [
            stack.enter_context(BufferedWriter(NamedFile(path, "wb"))) for path in self._paths
        ]
        self._blocks: list[list[tuple[Any, ...]]] = [[] for _ in self._paths]
        self._sizes = [0] * number
        stack.callback(self._end)

    def add(self, citizen: bytes, record: tuple[Any, ...], size: int) -> None:
        """The citizen's next record, which has about so many bytes."""
        self.put(crc32(citizen) % len(self._files), record, size)

    def add_to_all(self, record: tuple[Any, ...], size: int) -> None:
        """A record that concerns every citizen."""
        for at in range(len(self._files)):
            self.put(at, record, size)

    def put(self, at: int, record: tuple[Any, ...], size: int) -> None:
        """A record for the file of a number."""
        self._blocks[at].append(record)
        self._sizes[at] += size
        if self._sizes[at] >= BLOCK_BYTES:
            self._write(at)

    def _write(self, at: int) -> None:
        block = bytes(cramjam.zstd.compress(marshal.dumps(self._blocks[at]), LEVEL))
        self._files[at].write(_LENGTH.pack(len(block)) + block)
        self._blocks[at], self._sizes[at] = [], 0

    def _end(self) -> None:
        for at, block in enumerate(self._blocks):
            if block:
                self._write(at)

    def read(self, at: int) -> Iterator[tuple[Any, ...]]:
        """The records of a file; it is deleted then."""
        yield from records_in(self._paths[at])


def records_in(path: Path) -> Iterator[tuple[Any, ...]]:
    """The records of a file that was written so, in whatever process; it is deleted then."""
    with path.open("rb") as file:
        while length := file.read(_LENGTH.size):
            block = bytes(cramjam.zstd.decompress(file.read(_LENGTH.unpack(length)[0])))
            yield from marshal.loads(block)  # noqa: S302 - written above
    path.unlink()
