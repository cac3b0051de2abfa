"""Keeps how many records waited and stood over the last month, in one bounded file that is ours.

The board hands in what it has seen; one sample is kept in ten minutes. Names are `waiting/` and a
stage, `records/` and a topic, `disk/` and a disk's name (percent in use).
"""

import logging
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from streams.web.own_file import own_file

NAME: Final = "site-samples.sqlite"
EVERY: Final = timedelta(minutes=10)
KEPT: Final = timedelta(days=31)
MOST_POINTS: Final = 96
"""Points of a course that is drawn: more cannot be told apart."""
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS samples
    (name TEXT, at TEXT, value INTEGER NOT NULL, PRIMARY KEY (name, at)) WITHOUT ROWID;
"""
log = logging.getLogger("refusion")


class SamplePoint(NamedTuple):
    """A value at a moment."""

    at: datetime
    value: int


Courses = dict[str, list[SamplePoint]]
"""Samples by their names, in the order of time."""


class SampleBook:
    """The file in a state folder. Each call opens it anew: they come from several threads."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._last: datetime | None = None
        self._is_told = False

    def keep(self, at: datetime, values: Mapping[str, int]) -> None:
        """Keep a sample, unless the last one is newer than ten minutes; the oldest ones go.

        Where the file cannot be written, nothing is kept, and the log says so once, until it can.
        """
        if self._last is not None and at - self._last < EVERY:
            return
        is_first, self._last = self._last is None, at
        moment, oldest = _text(at), _text(at - KEPT)
        try:
            with own_file(self._path, _SCHEMA) as file:
                if (
                    is_first
                    and file.execute(
                        "SELECT 1 FROM samples WHERE at > ? LIMIT 1", (_text(at - EVERY),)
                    ).fetchone()
                ):
                    return
                rows = [(name, moment, value) for name, value in values.items()]
                file.executemany("INSERT OR REPLACE INTO samples VALUES (?, ?, ?)", rows)
                file.execute("DELETE FROM samples WHERE at < ?", (oldest,))
            self._is_told = False
        except (OSError, sqlite3.Error) as error:
            if not self._is_told:
                log.warning("samples of sizes and lags cannot be kept: %s", type(error).__name__)
            self._is_told = True

    def seen(self, since: datetime) -> Courses:
        """Return all samples of each name since a moment; empty where nothing can be read."""
        try:
            with own_file(self._path, _SCHEMA) as file:
                rows = file.execute(
                    "SELECT name, at, value FROM samples WHERE at >= ? ORDER BY name, at",
                    (_text(since),),
                ).fetchall()
        except (OSError, sqlite3.Error):
            return {}
        courses: Courses = {}
        for name, at, value in rows:
            courses.setdefault(name, []).append(SamplePoint(datetime.fromisoformat(at), value))
        return courses


def drawn(points: Sequence[SamplePoint], since: datetime, now: datetime) -> list[SamplePoint]:
    """Return as many points of a course as a picture shows.

    A point is the largest value of its piece of time; the last one is what was seen last.
    """
    piece, largest = (now - since) / MOST_POINTS, dict[int, SamplePoint]()
    for point in points:
        number = int((point.at - since) / piece)
        if number not in largest or point.value >= largest[number].value:
            largest[number] = point
    last = points[-1]
    return [*(point for point in largest.values() if point.at < last.at), last]


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S+00:00")
