"""Reads what is true as of a run for the files `ugeoversigt` and `anciennitet`, from the ledger.

The marts have it too, but an export must not wait for them, and they have no weeks by financing
municipality. The ledger is read once, a part of the citizens at a time, so that memory does not
grow with the years; sums and counters of all parts are kept in the engine, which puts on disk what
does not fit.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import ceil
from typing import Final

import duckdb
from duckdb import DuckDBPyConnection as Connection

from projections.lis import overviews, statements
from projections.runs.files import Names
from projections.runs.overviews import CitizenOverview, WeekOverview
from streams.ledger.cuts import Cut
from streams.ledger.table import LedgerTable, unusable
from streams.lis.counters import LawOf, evaluated_table
from streams.lis.engine import PROCESSORS, Share, view_of_entries
from streams.lis.spans import Span, spans_of

SHARE: Final = Share(700, PROCESSORS, 1)
"""The engine's share; the lines of a municipality are beside it."""
PART_ROWS: Final = 1_000_000
"""Rows of the ledger that are grouped at a time, some 200 bytes each."""
DIGITS: Final = "0123456789abcdef"
"""The digits that a pseudonym begins with; the entries of closed runs are sorted by it."""


class LedgerOverviews:
    """Tells what is true as of a run, municipality by municipality; `only` is one, None all."""

    def __init__(
        self,
        connection: Connection,
        ledger: LedgerTable,
        cuts: Sequence[Cut],
        run: int,
        only: str | None = None,
    ) -> None:
        self._connection = connection
        self._ledger = ledger
        self._cuts = cuts
        (self._span,) = (span for span in spans_of(ledger) if span.run == run)
        self._only = only

    def read(self, names: Names, law_of: LawOf, shown: Callable[[int, int], None]) -> None:
        """Read the ledger; `shown` is told how many parts are read, of how many."""
        parts = [*self._parts()]
        with self._errors():
            for number, where in enumerate(parts, 1):
                self._read_part(where, names, law_of, is_first=number == 1)
                shown(number, len(parts))
            self._keep("of_weeks", overviews.of_weeks())

    def weeks(self, municipality: str) -> list[WeekOverview]:
        """Give the sums of a municipality, in any order."""
        with self._errors():
            rows = self._connection.execute(
                "SELECT * EXCLUDE (municipality) FROM of_weeks WHERE municipality = $1",
                [municipality],
            ).fetchall()
        return [WeekOverview(*row) for row in rows]

    def citizens(self, municipality: str) -> list[CitizenOverview]:
        """Give the counters of a municipality's citizens, in any order."""
        with self._errors():
            rows = self._connection.execute(
                "SELECT * EXCLUDE (municipality) FROM citizens WHERE municipality = $1",
                [municipality],
            ).fetchall()
        return [CitizenOverview(*row) for row in rows]

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Raise errors of the engine as LedgerError: the ledger is all that it reads."""
        try:
            yield
        except duckdb.Error as error:
            raise unusable("be read", self._ledger.uri, error) from error

    def _read_part(self, where: str, names: Names, law_of: LawOf, *, is_first: bool) -> None:
        """Add what a part of the citizens has to the tables `weeks` and `citizens`."""
        connection, data_month = self._connection, self._span.data_month or ""
        last_run = max(cut.after_run for cut in self._cuts)
        span = Span(self._span.run, data_month, None, range(last_run + 1), where)
        view_of_entries(connection, self._ledger, span)
        self._keep("messages", overviews.messages(self._only))
        self._keep("cells", overviews.cells(names.benefits, names.municipalities))
        self._keep("told", overviews.told())
        told = connection.execute(f"SELECT DISTINCT {statements.TOLD} FROM told").fetchall()
        connection.register("evaluated", evaluated_table(law_of, told, data_month))
        self._keep("latest_rows", overviews.latest_rows(data_month))
        self._keep("counted", statements.counted(self._span.run))
        made = {"weeks": overviews.weeks(), "citizens": overviews.citizens(data_month)}
        for name, statement in made.items():
            into = f"CREATE TEMP TABLE {name} AS" if is_first else f"INSERT INTO {name}"
            connection.execute(f"{into} {statement}")

    def _keep(self, name: str, statement: str) -> None:
        self._connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {statement}")

    def _parts(self) -> Iterator[str]:
        """Write conditions for parts of the citizens, each with about PART_ROWS rows."""
        places = [
            f"partition = {cut.partition} AND after_run <= {cut.after_run}" for cut in self._cuts
        ]
        ((rows,),) = self._ledger.rows("SELECT count(*) FROM ledger")
        if rows <= PART_ROWS:
            yield " OR ".join(f"({place})" for place in places)
            return
        pieces = min(ceil(rows / len(places) / PART_ROWS), len(DIGITS))
        edges = [DIGITS[len(DIGITS) * number // pieces] for number in range(pieces)]
        for place in places:
            for first, end in zip(edges, [*edges[1:], "g"], strict=True):
                yield f"{place} AND citizen >= '{first}' AND citizen < '{end}'"
