"""The marts, asked: all tables as one build left them, by their names in SQL.

`projections/lis/tables.py` says what they hold. A question is SQL with `?` for each value; nothing
that a person typed becomes a part of its text.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from typing import Any

from arro3.core import Table
from duckdb import DuckDBPyConnection as Connection

from projections.lis.tables import MARTS
from streams.ledger.native import quiet_panics
from streams.lis.engine import engine, engine_errors, view_of_mart
from streams.lis.store import Build, LisError, NoMartsError, files_of, local_folder, read_build


class TooManyRowsError(LisError):
    """A question has more rows than whoever asks can take."""


class Marts:
    """The tables of one build. For several threads: each question has a cursor of its own."""

    def __init__(self, connection: Connection, build: Build) -> None:
        self._connection = connection
        self._remembered: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
        self.most: int | None = None
        """Rows that a query may have; None: any number."""
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

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Ask for the rows of a query. Raises TooManyRowsError where they are bounded."""
        with engine_errors():
            found = self._connection.cursor().execute(query, values)
            if self.most is None:
                return found.fetchall()
            rows: list[tuple[Any, ...]] = found.fetchmany(self.most + 1)
        if len(rows) > self.most:
            raise TooManyRowsError(f"the answer would have over {self.most:,} rows; ask for less")
        return rows

    def remembered(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Ask once for the rows of a query, and give them again: the tables of a build stay.

        For small lists that every page needs, such as the runs: some hundred queries at most.
        """
        key = (query, *values)
        if key not in self._remembered:
            self._remembered[key] = self.rows(query, values)
        return list(self._remembered[key])

    def table(self, query: str, values: Sequence[Any] = ()) -> Table:
        """Ask for a query's answer as Arrow columns."""
        with engine_errors():
            return Table.from_arrow(self._connection.cursor().sql(query, params=values))


@contextmanager
def open_marts(place: str) -> Iterator[Marts]:
    """Open the marts at REFUSION_LIS. Raises NoMartsError where there are none, and LisError."""
    quiet_panics()
    folder = local_folder(place)
    build = read_build(folder)
    if build is None:
        raise NoMartsError(
            f"there are no marts at {folder} (REFUSION_LIS); `refusion lis build` makes them from"
            " the ledger"
        )
    with engine() as connection:
        for name, mart in MARTS.items():
            view_of_mart(connection, mart, files_of(folder, build, name))
        yield Marts(connection, build)
