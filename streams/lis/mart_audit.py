"""Holds the marts against the ledger, for `refusion verify`: closed runs, which never change.

1. The sums of `money` and `person_months` are those of the ledger, added up by other SQL than the
   build's.
2. Each table of each run is made again, from the ledger and from what the marts hold of the runs
   before, and is row by row the one that is there. So a run is right if those before it are.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Final, NamedTuple

from duckdb import DuckDBPyConnection as Connection

from projections.lis.columns import Mart
from projections.lis.statements import MUNICIPALITY
from projections.lis.tables import MARTS
from streams.ledger.table import LedgerTable
from streams.lis.build import SpanBuild
from streams.lis.control_sums import KeptLine
from streams.lis.counters import LawOf
from streams.lis.engine import engine, view_of_mart
from streams.lis.spans import Span, spans_of
from streams.lis.store import Build, files_of, local_folder, read_build

KEYS: Final = "municipality, month, benefit, rate"
SUMS: Final = ", ".join(
    f"CAST(sum({name}) AS BIGINT) AS {name}"
    for name in ("amount_ore", "refusion_ore", "medfinansiering_ore")
)
OF_LEDGER: Final = f"""
SELECT {KEYS}, {SUMS} FROM (
    SELECT {MUNICIPALITY} AS municipality, month, benefit, rate, amount_ore, refusion_ore,
        medfinansiering_ore
    FROM entries WHERE id IS NOT NULL
) AS named GROUP BY {KEYS}"""
NAMED: Final = 1_000
"""Rows of a table and run that are named."""


class Unlike(NamedTuple):
    """Rows of a table in a run that are not those of the ledger; `keys` names them in words."""

    mart: str
    run: int
    keys: str


class _Held:
    """The tables of a build, in the place of those that a new build would write."""

    def __init__(self, connection: Connection, place: str, build: Build) -> None:
        self._connection = connection
        self.folder = local_folder(place)
        self._build = build
        self.found: list[Unlike] = []

    def files(self, name: str) -> list[str]:
        """List the files of a table."""
        return files_of(self.folder, self._build, name)

    def write(self, mart: Mart, rows: Any, run: int | None, _ledger_version: int) -> None:
        """Compare what would be written with what is there."""
        keys = [column.name for column in mart.keys if column.name != "run"]
        self.compare(mart.name, rows, f"SELECT * FROM held WHERE run = {run}", run or 0, keys)

    def compare(self, name: str, made: Any, statement: str, run: int, keys: Iterable[str]) -> None:
        """Note where rows are not those of a statement over the table, here named `held`."""
        view_of_mart(self._connection, MARTS[name], self.files(name), "held")
        columns = ", ".join(keys) or "run"
        differing = made.query(
            "made",
            f"SELECT DISTINCT {columns} FROM ((FROM made EXCEPT ALL {statement}) UNION ALL"
            f" ({statement} EXCEPT ALL FROM made)) AS differing ORDER BY {columns} LIMIT {NAMED}",
        )
        for row in differing.fetchall():
            named = zip(differing.columns, row, strict=True)
            self.found.append(
                Unlike(name, run, ", ".join(f"{key} {value}" for key, value in named))
            )


def unlike_the_ledger(
    ledger: LedgerTable,
    place: str,
    law_of: LawOf,
    kept: Iterable[KeptLine],
    shown: Callable[[int, int], None],
) -> Iterator[Unlike]:
    """Find what in the marts of closed runs is not as the ledger has it; nothing without marts."""
    build = read_build(local_folder(place))
    if build is None or build.last_run is None:
        return
    lines = list(kept)
    spans = [span for span in spans_of(ledger) if span.run and span.run <= build.last_run]
    for done, span in enumerate(spans, 1):
        with engine() as connection:
            held = _Held(connection, place, build)
            making = SpanBuild(connection, ledger, held, span)
            sums = _unlike_sums(connection, held, span)
            for _ in islice(making.write(law_of, lines), len(MARTS)):
                pass  # each table is compared where it would be written
            told = {unlike.mart for unlike in sums}
            yield from sums
            yield from (unlike for unlike in held.found if unlike.mart not in told)
        shown(done, len(spans))


def _unlike_sums(connection: Connection, held: _Held, span: Span) -> list[Unlike]:
    statement = f"SELECT {KEYS}, {SUMS} FROM held WHERE run = {span.run} GROUP BY {KEYS}"
    for name in ("money", "person_months"):
        held.compare(name, connection.sql(OF_LEDGER), statement, span.run or 0, KEYS.split(", "))
    found, held.found = held.found, []
    return found
