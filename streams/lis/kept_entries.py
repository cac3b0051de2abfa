"""The entries of a ledger that stays open, read by an engine that stays: for pages about a citizen.

The ledger's own library begins anew for each question: of ten years that takes 0.7 s of processor
time and, with sixteen who ask, 120 MB.
"""

import threading
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, Final

import duckdb
from duckdb import DuckDBPyConnection as Connection

from streams.ledger.kept_open import KeptOpen
from streams.ledger.table import OF_MARKERS, unusable
from streams.lis.engine import Share, engine, entries_in

SHARE: Final = Share(memory_mb=70, threads=1, at_once=2, gives_back=True)
"""The share of an engine that reads the entries of a citizen, of a few thousand rows a file."""

Rows = list[tuple[Any, ...]]


class KeptEntries:
    """Reads the entries of a ledger at its newest version. For several threads."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._opened = KeptOpen(uri)
        self._lock = threading.Lock()
        self._closing = ExitStack()
        self._connection: Connection | None = None
        self._markers: dict[tuple[int, tuple[str, ...]], tuple[frozenset[str], Rows]] = {}

    @property
    def partitions(self) -> int:
        """The topic's number of partitions. Raises LedgerError."""
        with self._opened.newest() as ledger:
            return ledger.partitions

    def rows_of(self, partition: int, columns: Sequence[str], condition: tuple[str, str]) -> Rows:
        """Return the rows of a partition with a text in a column. Raises LedgerError."""
        with self._opened.newest() as ledger:
            if "://" in self._uri:  # the ledger's own library reads from an object store
                return ledger.rows_of(partition, columns, condition)
            column, text = condition
            files = frozenset(ledger.files_with(("partition", "=", partition), (column, "=", text)))
        if condition != OF_MARKERS:
            return self._read(files, columns, condition)
        return self._known_markers(files, (partition, (*columns,)))

    def newest_of(self, partition: int) -> int:
        """Return the last offset of the journal that a partition has rows of; -1 without any."""
        with self._opened.newest() as ledger:
            return ledger.newest_of(partition)

    def close(self) -> None:
        """Close the engine."""
        with self._lock:
            self._connection = None
            self._closing.close()

    def _known_markers(self, files: frozenset[str], key: tuple[int, tuple[str, ...]]) -> Rows:
        """Return the markers in some files: those of files that were read before are kept."""
        known, rows = self._markers.get(key, (frozenset(), []))
        if not known <= files:  # some were made into others
            known, rows = frozenset(), []
        rows = [*rows, *self._read(files - known, key[1], OF_MARKERS)]
        self._markers[key] = files, rows
        return rows

    def _read(
        self, files: frozenset[str], columns: Sequence[str], condition: tuple[str, str]
    ) -> Rows:
        names = ", ".join(f'"{name}"' for name in columns)
        entries, (column, text) = entries_in(sorted(files)), condition
        query = f'SELECT {names} FROM ({entries}) WHERE "{column}" = ?'
        try:
            return self._cursor().execute(query, [text]).fetchall()
        except duckdb.Error as error:
            raise unusable("be read", self._uri, error) from error

    def _cursor(self) -> Connection:
        with self._lock:
            if self._connection is None:
                self._connection = self._closing.enter_context(engine(SHARE))
            return self._connection.cursor()
