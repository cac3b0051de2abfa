"""The entries of a ledger that stays open, read by an engine that stays: for pages about a citizen.

The ledger's own library begins anew for each question: of ten years that takes 0.7 s of processor
time and, with sixteen who ask, 120 MB. What was read of a file is kept, packed: files never change,
and who looks at a citizen asks several times, of which the first takes 0.2 s and the next 0.006.
"""

import sys
import threading
import zlib
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, Final, NamedTuple

import duckdb
import orjson
from duckdb import DuckDBPyConnection as Connection

from streams.ledger.kept_open import KeptOpen
from streams.ledger.table import LedgerError, LedgerTable, run_before, unusable
from streams.lis.engine import Share, engine, entries_in
from streams.lis.kept_values import KeptValues

SHARE: Final = Share(memory_mb=70, threads=2, at_once=2, gives_back=True)
"""The share of an engine that reads the entries of a citizen: of ten years 120 files, two at a
time, of a few thousand rows each."""
MOST_BYTES: Final = 3_000_000
"""Bytes of entries that are kept: those of a hundred citizens with ten years."""
FILE_BYTES: Final = 40
"""Bytes that a file takes in a set; its name is there once, whatever versions have it."""

Rows = list[tuple[Any, ...]]


class _Read(NamedTuple):
    """Rows that some files of a partition have, packed."""

    files: frozenset[str]
    packed: bytes

    @property
    def rows(self) -> Rows:
        return [*map(tuple, orjson.loads(zlib.decompress(self.packed)))]

    @property
    def size(self) -> int:
        return len(self.packed) + FILE_BYTES * len(self.files)


NOTHING: Final = _Read(frozenset(), zlib.compress(b"[]"))


class KeptEntries:
    """Reads the entries of a ledger at its newest version. For several threads."""

    def __init__(self, opened: KeptOpen) -> None:
        self._opened = opened
        self._lock = threading.Lock()
        self._turns = threading.BoundedSemaphore(SHARE.at_once)
        self._closing = ExitStack()
        self._connection: Connection | None = None
        self._kept = KeptValues[_Read](MOST_BYTES, MOST_BYTES // 4)
        self._listed: dict[int, tuple[tuple[str, int], frozenset[str]]] = {}

    @property
    def partitions(self) -> int:
        """The topic's number of partitions. Raises LedgerError."""
        with self._opened.newest() as ledger:
            return ledger.partitions

    def rows_of(self, partition: int, columns: Sequence[str], condition: tuple[str, str]) -> Rows:
        """Return the rows of a partition with a text in a column. Raises LedgerError."""
        with self._opened.newest() as ledger:
            if "://" in ledger.uri:  # the ledger's own library reads from an object store
                return ledger.rows_of(partition, columns, condition)
            files = self._files(ledger, partition)
            key = partition, (*columns,), condition
            known = self._kept.find(key) or NOTHING
            if not known.files <= files:  # some were made into others
                known = NOTHING
            if unread := files - known.files:
                of_partition = "partition", "=", partition
                column, text = condition
                unread &= {*ledger.files_with(of_partition, (column, "=", text))}
        rows = known.rows
        if files != known.files:
            rows += self._read(unread, columns, condition)
            read = _Read(files, zlib.compress(orjson.dumps(rows), zlib.Z_BEST_SPEED))
            self._kept.keep(key, read, read.size)
        return rows

    def newest_of(self, partition: int) -> int:
        """Return the last offset of the journal that a partition has rows of; -1 without any."""
        with self._opened.newest() as ledger:
            if "://" in ledger.uri:
                return ledger.newest_of(partition)
            files = self._files(ledger, partition)
        last = max(map(run_before, files), default=0)
        those = [file for file in files if run_before(file) == last]
        ((newest,),) = self._asked(f"SELECT max(journal_offset) FROM ({entries_in(those)})")
        return -1 if newest is None else int(newest)

    def close(self) -> None:
        """Close the engine."""
        with self._lock:
            self._connection = None
            self._closing.close()

    def _files(self, ledger: LedgerTable, partition: int) -> frozenset[str]:
        """List the files of a partition, once for a version of the ledger."""
        state, listed = self._listed.get(partition, (None, frozenset()))
        if state != ledger.state:
            found = ledger.files_with(("partition", "=", partition))
            listed = frozenset(map(sys.intern, found))
            self._listed[partition] = ledger.state, listed
        return listed

    def _read(
        self, files: frozenset[str], columns: Sequence[str], condition: tuple[str, str]
    ) -> Rows:
        names, (column, text) = ", ".join(f'"{name}"' for name in columns), condition
        query, listed = f'SELECT {names} FROM ({{}}) WHERE "{column}" = ?', sorted(files)
        try:
            return self._asked(query.format(entries_in(listed, are_alike=True)), text)
        except LedgerError as error:
            if not isinstance(error.__cause__, duckdb.ProgrammingError):
                raise
        return self._asked(query.format(entries_in(listed)), text)  # some lack columns

    def _asked(self, query: str, *values: str) -> Rows:
        try:
            with self._turns:
                return self._cursor().execute(query, values).fetchall()
        except duckdb.Error as error:
            raise unusable("be read", self._opened.uri, error) from error

    def _cursor(self) -> Connection:
        with self._lock:
            if self._connection is None:
                self._connection = self._closing.enter_context(engine(SHARE))
            return self._connection.cursor()
