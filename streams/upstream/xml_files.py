"""Reads files of XML answers for a conversion, and tells what is refused, with its place."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from typing import IO, Any, Final, Protocol

import orjson

from streams.upstream.bounded_xml import BoundedXml, XmlTrouble
from streams.upstream.sources import DAMAGED, DAMAGED_SENTENCE, sources

ENDINGS: Final = (".xml", ".xml.gz", ".zip")
"""Files of a folder that are read."""


class XmlTotals(Protocol):
    """Counts what is in the files, for the closing summary."""

    counts: Counter[str]
    rejects: Counter[str]


class XmlFiles(ABC):
    """Reads files one after the other; what is refused is counted, and written to `rejects`."""

    def __init__(self, rejects: IO[bytes] | None, counted: XmlTotals) -> None:
        self._rejects, self._counted = rejects, counted
        self._file = ""

    @abstractmethod
    def _reader(self) -> BoundedXml:
        """Give the reader of a file, which hands on what it finds."""

    def _read_files(self, names: Sequence[str]) -> None:
        """Read all files; those that cannot be read are refused. Raises UserError."""
        for name in names:
            for label, source in sources(name, ENDINGS):
                self._read_file(label, source)

    def _read_file(self, label: str, source: Any) -> None:
        self._file = label
        reader = self._reader()
        try:
            with source as file:
                reader.read(file)
        except XmlTrouble as trouble:
            self._reject(trouble.line, trouble.reason, None, str(trouble))
        except DAMAGED:
            self._reject(0, "bad_archive", None, DAMAGED_SENTENCE)
        self._counted.counts += reader.counts

    def _reject(self, line: int, reason: str, field: str | None, detail: str) -> None:
        self._counted.rejects[reason] += 1
        if self._rejects is not None:
            place = {"file": self._file, "line": line}
            told = place | {"reason": reason, "field": field, "detail": detail}
            self._rejects.write(orjson.dumps(told) + b"\n")
