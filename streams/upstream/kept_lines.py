"""Keeps which reports each line of eIndkomst has become, so that no line is paid twice.

A line stays what it is, but the tables change: a person's move becomes known late, an account gets
another benefit. Then the line becomes other reports, and those that it was before are reversed. A
line's reports have their **version**; each that came before is taken back whenever the line is seen
again, so that a conversion whose output was lost can be run again.

The file lies in the folder of tables, which holds residences by CPR number; it holds no number, but
digests keyed with a salt. The salt lies in the same file: who has the file and knows all else about
a line can try all numbers. So it is kept as the table of residences is.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from pathlib import Path
from secrets import token_bytes
from types import TracebackType
from typing import Any, Final

from domain.basics.cache import Memo
from streams.kit.errors import UserError

FILE: Final = "lines.sqlite"
WAIT_S: Final = 60
"""Seconds to wait for another conversion with the same tables."""
_CANNOT_WRITE: Final = (
    f"{FILE} in the folder of tables, which keeps what each line has become, cannot be written: the"
    " folder is read-only, the file is damaged, or another conversion with these tables is at work"
)
_NOT_KEPT: Final = (
    f"{FILE} in the folder of tables could not be read or written on, so what the lines have become"
    " is not kept: leave the output out and convert again, when the disk has room; if the file is"
    " damaged, put the last good copy of it back first"
)
_SCHEMA: Final = """
    create table if not exists salt (value blob not null);
    create table if not exists versions (
        line blob, version integer, content blob, reports integer, primary key (line, version)
    ) without rowid;
    create table if not exists ids (are_former integer not null);
    create table if not exists owners (
        line blob primary key, former blob not null unique, letters text not null,
        kept_as blob not null
    ) without rowid;
"""
_IS_THERE: Final = "select count(*) from sqlite_master where name = 'versions'"
_OWN: Final = "insert into owners values (?, ?, ?, ?) on conflict do nothing"
_FIRST: Final = "insert into versions values (?, 1, ?, ?) on conflict do nothing"


class KeptLines:
    """The versions of lines in a file; what is new is kept when the block ends without an error."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._salt = b""
        self.has_former = False
        """Some of its lines may have the ids that they had before money was in them."""

    def __enter__(self) -> "KeptLines":
        """Open the file, or make it. Raises UserError."""
        try:
            self._file = sqlite3.connect(self._path, timeout=WAIT_S, isolation_level=None)
            self._at = self._file.cursor()
        except sqlite3.Error:
            raise UserError(_CANNOT_WRITE) from None
        try:
            self._file.execute("begin immediate")
            was_there: tuple[int] = self._file.execute(_IS_THERE).fetchone()
            for statement in _SCHEMA.split(";"):
                self._file.execute(statement)
            self._salt = self._salted()
            self.has_former = self._told_former(was_there[0])
        except sqlite3.Error:
            self._file.close()
            raise UserError(_CANNOT_WRITE) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, _trace: TracebackType | None
    ) -> None:
        """Keep what is new, or nothing after an error. Raises UserError where the file fails."""
        try:
            if kind is None:
                self._file.execute("commit")
            elif self._file.in_transaction:  # SQLite ends it itself where the disk is full
                self._file.execute("rollback")
        except sqlite3.Error:
            if kind is None:
                raise UserError(_NOT_KEPT) from None
        finally:
            self._file.close()
        if isinstance(error, sqlite3.Error):
            raise UserError(_NOT_KEPT) from None

    def _salted(self) -> bytes:
        known: tuple[bytes] | None = self._file.execute("select value from salt").fetchone()
        if known is None:
            known = (token_bytes(16),)
            self._file.execute("insert into salt values (?)", known)
        return known[0]

    def _told_former(self, was_there: int) -> bool:
        """Tell whether lines were kept before ids had the money; say so in the file once."""
        told: tuple[int] | None = self._file.execute("select are_former from ids").fetchone()
        if told is None:
            told = (was_there,)
            self._file.execute("insert into ids values (?)", told)
        return bool(told[0])

    def key(self, start: int, *content: object) -> bytes:
        """Give the key of a line: lines of the same time lie together."""
        digest = blake2b(repr(content).encode(), key=self._salt, digest_size=13).digest()
        return start.to_bytes(3, "big") + digest

    def former_of(self, line: bytes) -> tuple[str, bytes] | None:
        """Give the letters of the former id that a line owns, and the key that it is kept by."""
        found: tuple[str, bytes] | None = self._file.execute(
            "select letters, kept_as from owners where line = ?", (line,)
        ).fetchone()
        return found

    def owns(self, line: bytes, former: bytes, letters: str, kept_as: bytes) -> bool:
        """Give a former id to a line that is kept under it; tell if no other line owns it."""
        if not self.versions(kept_as):
            return False
        self._at.execute(_OWN, (line, former, letters, kept_as))
        return bool(self._at.rowcount)

    def versions(self, line: bytes) -> list[tuple[int, int]]:
        """List the versions of a line, each with the number of its reports."""
        found = self._file.execute(
            "select version, reports from versions where line = ? order by version", (line,)
        )
        return found.fetchall()

    def version_of(self, line: bytes, reports: Sequence[dict[str, Any]]) -> int:
        """Give the version that a line's reports are, kept as the latest where it is new."""
        told = ", ".join([_TOLD_OF[tuple(each)] % each for each in reports])
        content = blake2b(f"[{told}]".encode(), key=self._salt, digest_size=8).digest()
        if reports:  # nearly all lines are new or as they were: one statement tells
            self._at.execute(_FIRST, (line, content, len(reports)))
            if self._at.rowcount:
                return 1
        latest: tuple[int, bytes] | None = self._file.execute(
            "select version, content from versions where line = ? order by version desc limit 1",
            (line,),
        ).fetchone()
        if latest is not None and latest[1] == content:
            return latest[0]
        version = latest[0] + 1 if latest else 1
        if latest or reports:
            self._file.execute(
                "insert into versions values (?, ?, ?, ?)", (line, version, content, len(reports))
            )
        return version


def _told_of(names: tuple[str, ...]) -> str:
    """Give the form of what a report says, whatever its id and the time of the answer.

    It is a list of its fields with their values, as Python writes one: known versions have digests
    of that. To fill a form in takes half the time of making the list.

    >>> _told_of(("report_id", "benefit", "atp_ore")) % {"atp_ore": 5, "benefit": "KTH"}
    "[('atp_ore', 5), ('benefit', 'KTH')]"
    """
    # What is new in all reports alike (a schema, a constant field) must not enter here: it would
    # make each line another one, and reverse and pay all of them anew.
    told = sorted({*names} - {"schema", "report_id", "reported_at"})
    return f"[{', '.join([f'({name!r}, %({name})r)' for name in told])}]"


_TOLD_OF: Final = Memo(_told_of, 1 << 8)
"""The form of what reports with these fields say."""


def ids_of(base: str, version: int, reports: int) -> Iterable[str]:
    """Give the ids of the reports that a version of a line is made of.

    >>> [*ids_of("A", 1, 2)], [*ids_of("A", 2, 2)]
    (['A', 'A/2'], ['A/v2', 'A/v2/2'])
    """
    named = base if version == 1 else f"{base}/v{version}"
    for number in range(1, reports + 1):
        yield named if number == 1 else f"{named}/{number}"
