"""Opens what is to be converted: files, packed with gzip or ZIP, folders, standard input."""

import gzip
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from lzma import LZMAError
from pathlib import Path
from typing import Any, BinaryIO, Final
from zipfile import BadZipFile, ZipFile

from streams.kit.errors import UserError
from streams.kit.input_form import GZIP
from streams.kit.standard_streams import standard_input

ZIP: Final = b"PK\x03\x04"
DAMAGED: Final = (gzip.BadGzipFile, EOFError, zlib.error, BadZipFile, LZMAError)
"""Opening or reading a source raises these where it is damaged, cut off or encrypted."""
DAMAGED_SENTENCE: Final = "the file is damaged, cut off or encrypted; get it again"


def sources(name: str, endings: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Yield the files of a name: standard input, a folder, an archive or one file.

    What is wrong with an archive is raised where its source is opened, one of DAMAGED.
    """
    if name == "-":
        yield "standard input", _unpacked(standard_input())
        return
    path = Path(name)
    if path.is_dir():
        found = sorted(each for each in path.iterdir() if each.name.endswith(tuple(endings)))
        if not found:
            raise UserError(f"{name} has no file that ends in {', '.join(endings)}")
        for each in found:
            yield from sources(str(each), endings)
        return
    with path.open("rb") as file:
        is_zip = file.read(len(ZIP)) == ZIP
    if not is_zip:
        yield path.name, _unpacked(path.open("rb"))
        return
    try:
        archive = ZipFile(path)
    except _BAD_ZIP:
        yield path.name, _of_zip(partial(ZipFile, path))  # raises again where it is opened
        return
    with archive:
        for number, member in enumerate(archive.infolist(), 1):
            if not member.is_dir():
                yield f"{path.name}, member {number}", _of_zip(partial(archive.open, member))


_BAD_ZIP: Final = (BadZipFile, RuntimeError, ValueError)
"""The module zipfile raises these; RuntimeError for a member that is encrypted."""


@contextmanager
def _of_zip(opened: Callable[[], Any]) -> Iterator[Any]:
    """Open an archive, or a member of one, for reading. Raises BadZipFile."""
    try:
        source = opened()
    except _BAD_ZIP as error:
        raise BadZipFile(str(error)) from None
    with source as file:
        yield file


@contextmanager
def _unpacked(file: BinaryIO) -> Iterator[Any]:
    """Open a file for reading, unpacked where it is packed with gzip."""
    with file:
        packed = file.peek(len(GZIP)).startswith(GZIP)  # type: ignore[attr-defined]
        yield gzip.GzipFile(fileobj=file) if packed else file
