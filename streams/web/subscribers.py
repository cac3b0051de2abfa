"""Keeps who gets news by mail: addresses and what was sent to them, in one file that is ours alone.

An address is in it from its confirmation to its sign-off, and is then wiped out of the file. What
was sent is noted address by address, so that a stop in the middle sends nobody the same news again
but, at worst, the one mail that was under way.
"""

import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple, cast

from streams.web.own_file import own_file
from streams.web.words import Language

NAME: Final = "news-subscribers.sqlite"
MOST: Final = 10_000
"""Addresses at most."""
_SCHEMA: Final = """
PRAGMA secure_delete = ON;
CREATE TABLE IF NOT EXISTS subscribers
    (mail TEXT COLLATE NOCASE PRIMARY KEY, code TEXT NOT NULL UNIQUE, language TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS told (item TEXT, code TEXT, PRIMARY KEY (item, code));
CREATE TABLE IF NOT EXISTS finished (item TEXT PRIMARY KEY);
"""


class SubscribersError(Exception):
    """The file of addresses cannot be read or written, or is full."""


class Subscriber(NamedTuple):
    """Somebody who gets news; `code` signs off."""

    mail: str
    code: str
    language: Language


class Subscribers:
    """The file in a state folder. Each call opens it anew: they come from several threads."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME

    def add(self, mail: str, language: Language) -> None:
        """Add an address that was confirmed; one that is there stays as it is."""
        with self._open() as file:
            (there,) = file.execute("SELECT count(*) FROM subscribers").fetchone()
            if there >= MOST:
                raise SubscribersError("the list is full")
            values = (mail, secrets.token_urlsafe(32), language)
            file.execute("INSERT OR IGNORE INTO subscribers VALUES (?, ?, ?)", values)

    def remove(self, code: str) -> bool:
        """Remove the address of a code. Returns whether it was there."""
        if not self._path.exists():
            return False
        with self._open() as file:
            file.execute("DELETE FROM told WHERE code = ?", (code,))
            return bool(file.execute("DELETE FROM subscribers WHERE code = ?", (code,)).rowcount)

    def begin(self, items: Iterable[str]) -> bool:
        """Note the news that were there before the list: they are sent to nobody.

        Returns whether that was done now, which is once.
        """
        with self._open() as file:
            (version,) = file.execute("PRAGMA user_version").fetchone()
            if version:
                return False
            file.executemany("INSERT OR IGNORE INTO finished VALUES (?)", ((one,) for one in items))
            file.execute("PRAGMA user_version = 1")
            return True

    def waiting(self, item: str) -> list[Subscriber]:
        """Return to whom a piece of news is still to be sent."""
        with self._open() as file:
            if file.execute("SELECT 1 FROM finished WHERE item = ?", (item,)).fetchone():
                return []
            rows = file.execute(
                "SELECT mail, code, language FROM subscribers"
                " WHERE code NOT IN (SELECT code FROM told WHERE item = ?) ORDER BY mail",
                (item,),
            ).fetchall()
        return [Subscriber(mail, code, cast("Language", language)) for mail, code, language in rows]

    def note(self, item: str, subscriber: Subscriber) -> None:
        """Note that a piece of news was sent to somebody."""
        with self._open() as file:
            file.execute("INSERT OR IGNORE INTO told VALUES (?, ?)", (item, subscriber.code))

    def finish(self, item: str) -> None:
        """Note that a piece of news is sent to nobody any more."""
        with self._open() as file:
            file.execute("INSERT OR IGNORE INTO finished VALUES (?)", (item,))
            file.execute("DELETE FROM told WHERE item = ?", (item,))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """Yield the file within one transaction. Raises SubscribersError."""
        try:
            with own_file(self._path, _SCHEMA) as file:
                yield file
        except (OSError, sqlite3.Error) as error:
            raise SubscribersError(type(error).__name__) from error
