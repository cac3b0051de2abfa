"""Keeps on disk which reports a partition of the journal has, so that repetitions are known.

The file follows from the journal: where it is lost, damaged or of another journal, it is made
again from there. It holds digests of names and contents, the places of raw records, and no number
of anybody.
"""

import sqlite3
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

_SCHEMA: Final = """
    create table if not exists reports (
        name blob primary key, content text, raw text, seen_at integer
    ) without rowid;
    create table if not exists progress (value text not null);
"""


class FirstDelivery(NamedTuple):
    """A report as it came first: its content's digest, its raw record, its offset."""

    content: str
    raw: str
    offset: int


class SeenReports:
    """The reports of a partition by citizen, reporter and id; changes count once they are kept."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: sqlite3.Connection | None = None
        self._changes: dict[bytes, FirstDelivery | None] = {}
        self.position = 0
        self.checked_from: int | None = None
        self.controls: Mapping[str, int] = {}
        self._next = 0
        self._identity = ""

    def open(self, identity: str) -> None:
        """Open the file, or begin a new one where it is damaged or of another journal."""
        self._identity = identity
        for is_second in (False, True):
            try:
                if self._opened():
                    return
            except sqlite3.DatabaseError:
                if is_second:
                    raise
            self.close()
            for ending in ("", "-wal", "-shm"):
                self._path.with_name(self._path.name + ending).unlink(missing_ok=True)

    def _opened(self) -> bool:
        """Open the file and read how far it is; False where it is of another journal."""
        self._file = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        self._file.execute("pragma journal_mode = wal")
        self._file.execute("pragma synchronous = normal")
        self._file.executescript(_SCHEMA)
        row = self._file.execute("select value from progress").fetchone()
        progress: dict[str, Any] = orjson.loads(row[0]) if row else {"identity": self._identity}
        self.position = progress.get("position", 0)
        self.checked_from = progress.get("checked_from")
        self.controls = progress.get("controls", {})
        return bool(progress["identity"] == self._identity)

    def begin(self, position: int) -> None:
        """Begin a batch that ends at a position; changes that were not kept are dropped."""
        self._changes.clear()
        self._next = position

    def believed(self, checked_from: int | None, controls: Mapping[str, int]) -> None:
        """Note what is believed of the journal so far."""
        self.checked_from, self.controls = checked_from, controls

    def get(self, name: str) -> FirstDelivery | None:
        """Return a report, as the batch at hand has left it."""
        key = _digest(name)
        if key in self._changes:
            return self._changes[key]
        assert self._file is not None, "the file is not open"
        row = self._file.execute(
            "select content, raw, seen_at from reports where name = ?", (key,)
        ).fetchone()
        return None if row is None else FirstDelivery(*row)

    def add(self, name: str, report: FirstDelivery) -> None:
        """Note a report."""
        self._changes[_digest(name)] = report

    def forget(self, name: str) -> None:
        """Forget a report: its id is free again."""
        self._changes[_digest(name)] = None

    def keep(self) -> None:
        """Keep the batch's changes and its end, in one transaction."""
        assert self._file is not None, "the file is not open"
        self.position = self._next
        progress = {
            "identity": self._identity,
            "position": self.position,
            "checked_from": self.checked_from,
            "controls": dict(self.controls),
        }
        added = [(key, *report) for key, report in self._changes.items() if report is not None]
        gone = [(key,) for key, report in self._changes.items() if report is None]
        self._file.execute("begin immediate")
        self._file.executemany("delete from reports where name = ?", gone)
        self._file.executemany("insert or replace into reports values (?, ?, ?, ?)", added)
        self._file.execute("delete from progress")
        self._file.execute("insert into progress values (?)", (orjson.dumps(progress).decode(),))
        self._file.execute("commit")
        self._changes.clear()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _digest(name: str) -> bytes:
    return blake2b(name.encode(), digest_size=16).digest()
