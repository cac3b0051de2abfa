"""Keeps which status mails were sent to whom, in one file that is ours alone.

It has digests of addresses, no address: who gets mail is in the operators' `contacts.yaml`. What
was sent is noted address by address, so that a stop in the middle sends nobody the same again but,
at worst, the one mail that was under way.
"""

import sqlite3
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Final

from streams.web.own_file import own_file

NAME: Final = "status-mails.sqlite"
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS events
    (key TEXT PRIMARY KEY, first_tried TEXT, not_before TEXT, finished INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS told (key TEXT, address TEXT, PRIMARY KEY (key, address));
"""


class ToldEventsError(Exception):
    """The file cannot be read or written."""


class ToldEvents:
    """The file in a state folder. Each call opens it anew: they come from several threads."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME

    def begin(self, kind: str, keys: Iterable[str]) -> bool:
        """Note the events of a kind that were there before the file: they are told to nobody.

        Returns whether that was done now, which is once for each kind.
        """
        add = "INSERT OR IGNORE INTO events (key, finished) VALUES (?, 1)"
        with self._open() as file:
            if not file.execute(add, (f"begun/{kind}",)).rowcount:
                return False
            file.executemany(add, ((key,) for key in keys))
            return True

    def waiting(self, key: str, addresses: Collection[str], now: datetime) -> list[str]:
        """Return to which of the addresses an event is to be sent now."""
        with self._open() as file:
            event = file.execute(
                "SELECT finished, not_before FROM events WHERE key = ?", (key,)
            ).fetchone()
            if event is not None and (event[0] or (event[1] or "") > now.isoformat()):
                return []
            rows = file.execute("SELECT address FROM told WHERE key = ?", (key,)).fetchall()
        told = {digest for (digest,) in rows}
        return [address for address in sorted(addresses) if _digest(address) not in told]

    def note(self, key: str, address: str) -> None:
        """Note that an event was sent to somebody."""
        with self._open() as file:
            file.execute("INSERT OR IGNORE INTO told VALUES (?, ?)", (key, _digest(address)))

    def end_look(
        self, key: str, now: datetime, left: int, again: timedelta, tried: timedelta
    ) -> None:
        """Note how sending ended: try again later where some are left, and not for ever."""
        with self._open() as file:
            file.execute(
                "INSERT OR IGNORE INTO events (key, first_tried) VALUES (?, ?)",
                (key, now.isoformat()),
            )
            (first, before) = file.execute(
                "SELECT first_tried, not_before FROM events WHERE key = ?", (key,)
            ).fetchone()
            if before is not None and before > now.isoformat():
                return
            is_over = first is None or now - datetime.fromisoformat(first) > tried
            if left and not is_over:
                later = (now + again).isoformat()
                file.execute("UPDATE events SET not_before = ? WHERE key = ?", (later, key))
            else:
                file.execute("UPDATE events SET finished = 1 WHERE key = ?", (key,))
                file.execute("DELETE FROM told WHERE key = ?", (key,))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """Yield the file within one transaction. Raises ToldEventsError."""
        try:
            with own_file(self._path, _SCHEMA) as file:
                yield file
        except (OSError, sqlite3.Error) as error:
            raise ToldEventsError(type(error).__name__) from error


def _digest(address: str) -> str:
    return sha256(address.encode()).hexdigest()
