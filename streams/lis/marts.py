"""The marts, asked: all tables as one build left them, by their names in SQL.

`projections/lis/tables.py` says what they hold. A question is SQL with `?` for each value; nothing
that a person typed becomes a part of its text. A table is opened when a question first names it:
that takes longer than most questions, and a view needs three of them.
"""

import re
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from arro3.core import Table
from duckdb import DuckDBPyConnection as Connection

from domain.ruledata.ruleset import RuleSet
from projections.lis.tables import MARTS
from streams.lis.engine import ALONE, Share, engine, engine_errors, rows_in, view_of_mart
from streams.lis.forecast import foresee_under
from streams.lis.kept_values import KeptValues
from streams.lis.store import (
    Build,
    LisError,
    NoMartsError,
    files_of,
    local_folder,
    newest_build,
    read_build,
)

Made = TypeVar("Made")
WORD: Final = re.compile(r"\w+")


class TooManyRowsError(LisError):
    """A question has more rows than whoever asks can take."""


class NamedTables:
    """The tables of one build in an engine, each named when a question first has its name."""

    def __init__(self, connection: Connection, folder: Path, build: Build) -> None:
        self._connection = connection
        self._folder = folder
        self._build = build
        self._unnamed = {*MARTS}
        self._lock = threading.Lock()

    def name(self, words: Iterable[str]) -> None:
        """Name the tables that are among some words. Raises LisError."""
        if self._unnamed.isdisjoint(words):
            return
        with self._lock:
            for name in sorted(self._unnamed.intersection(words)):
                files = files_of(self._folder, self._build, name)
                view_of_mart(self._connection.cursor(), MARTS[name], files)
                self._unnamed.remove(name)


class Marts:
    """The tables of one build. For several threads: each question has a cursor of its own.

    No more than `at_once` questions are asked at a time: each takes memory, and more of them than
    there are processors do not come sooner.
    """

    def __init__(self, connection: Connection, folder: Path, build: Build, at_once: int) -> None:
        self._connection = connection
        self._tables = NamedTables(connection, folder, build)
        self._turns = threading.BoundedSemaphore(at_once)
        self._kept = KeptValues[Any]()
        self.most: int | None = None
        """Rows that a query may have; None: any number."""
        self.build = build
        """The build whose tables they are."""
        self.last_run = build.last_run
        """The last closed run that is in the tables, None where there is none."""
        self.ledger_version = build.ledger_version
        """The version of the ledger that they were made from."""

    def need_run(self, run: int) -> None:
        """Raise LisError where a run is not in the marts."""
        known = self.remembered("SELECT run FROM runs WHERE run IS NOT NULL")
        runs = [number for (number,) in known]
        if run in runs:
            return
        there = f"they have {min(runs)} to {max(runs)}" if runs else "they have none yet"
        raise LisError(
            f"run {run} is not in the marts, {there}; close it with `refusion run close` if that is"
            " not done, and `refusion lis build` takes in what is closed in the ledger"
        )

    def bounded(self, most: int) -> "Marts":
        """Return the same tables for a question of which no query may have more rows."""
        bounded = copy(self)
        bounded.most = most
        return bounded

    def price_by(self, law: RuleSet, other: RuleSet, run: int | None) -> None:
        """Let the forecast of a run (the last one) tell the money under another rule set.

        Raises LisError where the run is not in the marts.
        """
        if run is not None:
            self.need_run(run)
        if (asked := run or self.last_run) is None:
            raise LisError("no run is closed yet, and a forecast is made of a closed one")
        ((data_month,),) = self.rows("SELECT data_month FROM runs WHERE run = ?", [asked])
        with engine_errors():
            self._tables.name(MARTS)
            foresee_under(self._connection, asked, data_month, law, other)

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Ask for the rows of a query. Raises TooManyRowsError where they are bounded."""
        with self._asked(query) as cursor:
            found = cursor.execute(query, values)
            if self.most is None:
                return found.fetchall()
            rows: list[tuple[Any, ...]] = found.fetchmany(self.most + 1)
        if len(rows) > self.most:
            raise TooManyRowsError(f"the answer would have over {self.most:,} rows; ask for less")
        return rows

    def remembered(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Ask once for the rows of a query, and give them again: the tables of a build stay.

        For rows without citizens, such as the runs and the sums of a start page.
        """
        rows = self.kept(
            ("rows", query, *values),
            lambda: self.rows(query, values),
            lambda rows: sum(map(len, rows)),
        )
        return list(rows)

    def kept(self, key: Hashable, make: Callable[[], Made], cells: Callable[[Made], int]) -> Made:
        """Return what was made of these tables before, or make it; `cells` tells its size.

        Nothing that names citizens is to be kept.
        """
        kept: Made = self._kept.get(key, make, cells)
        return kept

    def table(self, query: str, values: Sequence[Any] = ()) -> Table:
        """Ask for a query's answer as Arrow columns."""
        with self._asked(query) as cursor:
            return Table.from_arrow(cursor.sql(query, params=values))

    @contextmanager
    def _asked(self, query: str) -> Iterator[Connection]:
        """Yield a cursor for a query when it is its turn; the tables that it reads are named."""
        with engine_errors():
            self._tables.name(WORD.findall(query.lower()))
            with self._turns:
                yield self._connection.cursor()


@contextmanager
def open_marts(place: str, share: Share = ALONE) -> Iterator[Marts]:
    """Open the marts at REFUSION_LIS. Raises NoMartsError where there are none, and LisError."""
    folder = local_folder(place)
    if newest_build(folder) is None:  # an engine takes 25 ms to begin
        raise _no_marts(folder)
    with engine(share) as connection:
        build = read_build(folder, partial(rows_in, connection.cursor()))
        if build is None:
            raise _no_marts(folder)
        yield Marts(connection, folder, build, share.at_once)


def _no_marts(folder: Path) -> NoMartsError:
    return NoMartsError(
        f"there are no marts at {folder} (REFUSION_LIS); `refusion lis build` makes them from the"
        " ledger"
    )
