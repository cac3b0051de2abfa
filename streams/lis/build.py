"""Builds the marts from the ledger: each closed run once, and the open one as often as wanted.

For a run, in this order (`projections/lis/statements.py` has the statements):

1. `person_months`, `money`, `corrections` and `runs` from the run's entries alone.
2. `persons` and `step_persons`: each citizen's month that the run touched, as it was before it and
   as it is after it.
3. `standing`, `visitors` and `seniorities`: the counters of each citizen's last message, evaluated
   by the domain.
4. `completeness` and `controls`: what `refusion run close` has kept, and the ledger beside it.
5. The sums of the tables must be those of the ledger's own entries.

Each table is written as soon as it is made, and nobody sees any of it before the last commit
(`store.py`). A builder that dies leaves the former build; the next one passes over the runs that
are whole already. A run of which something is kept that its tables do not have is built again. The
same ledger gives the same rows.
"""

import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from duckdb import DuckDBPyConnection as Connection

from projections.lis import statements
from projections.lis.columns import Mart
from projections.lis.comparison_statements import seniorities, step_persons, visitors
from projections.lis.control_statements import controls
from projections.lis.statements import ordered
from projections.lis.tables import MARTS
from streams.engine.fault_points import reached
from streams.ledger.table import LedgerTable
from streams.lis.completeness import KEPT, Kept
from streams.lis.control_sums import KEPT_SUMS, KeptLine, KeptSum, looked_to_table
from streams.lis.counters import LawOf, evaluated_table
from streams.lis.engine import engine, view_of_entries, view_of_mart, view_of_steps, view_of_weeks
from streams.lis.forecast import foresee, name_tables_of_forecast
from streams.lis.spans import Span, spans_of
from streams.lis.store import LisError, MartStore

CHUNK_ROWS: Final = 250_000
"""Rows of `person_months` whose persons are counted at a time; a large city may have more."""

RUN_OF_FILE: Final = re.compile(r"/run=(\d+)/")
"""The run of a file of the tables; the open run has none."""
MOST_RUNS: Final = sys.maxsize
"""More runs than there will ever be."""

OF_CLOSING: Final[Mapping[type[KeptLine], str]] = {Kept: "completeness", KeptSum: "controls"}
"""The tables of what `run close` keeps, by the kind of its lines."""
COUNTED: Final = {"persons": statements.persons, "step_persons": step_persons}
"""The tables that count persons before and after a run, and their statements."""

Show = Callable[[int, int], None]
"""A function that is told how many tables are written, and of how many."""


class BuildRequest(NamedTuple):
    """The runs to build beside the open one: those that are missing, one again, or all again."""

    run: int | None = None
    everything: bool = False


class Built(NamedTuple):
    """The runs that were built, and what the marts have now.

    `without_counters` are citizens whose last entry is of a ledger of an earlier version.
    """

    runs: list[int]
    last_run: int | None
    ledger_version: int
    without_counters: int


def build(
    ledger: LedgerTable,
    store: MartStore,
    law_of: LawOf,
    kept: Iterable[KeptLine],
    wanted: BuildRequest,
    show: Show,
) -> Built:
    """Build what is wanted, and the open run. Raises LisError."""
    *closed, still_open = spans_of(ledger)
    former = store.build()
    if former is not None and former.ledger != ledger.identity:
        raise LisError(
            f"the marts at {store.folder} were made from another ledger than {ledger.uri}; delete"
            " them, or set REFUSION_LIS to another place"
        )
    if wanted.run is not None and wanted.run not in [span.run for span in closed]:
        raise LisError(_not_closed(wanted.run, closed))
    lines = list(kept)
    lacking_runs = _without_kept(store, lines)
    pending = [
        span
        for span in closed
        if wanted.everything
        or span.run == wanted.run
        or span.run in lacking_runs
        or not store.made(span.run or 0)
    ]
    total = (len(pending) + 1) * len(MARTS)
    for at, span in enumerate([*pending, still_open]):
        with engine() as connection:
            making = SpanBuild(connection, ledger, store, span)
            for done, _ in enumerate(making.write(law_of, lines), 1):
                show(at * len(MARTS) + done, total)
            lacking = making.without_counters() if span is still_open else 0
    last_run = closed[-1].run if closed else None
    reached("lis", "before_commit")
    store.commit(ledger.identity, ledger.version, last_run)
    return Built([span.run or 0 for span in pending], last_run, ledger.version, lacking)


def _without_kept(store: MartStore, lines: Iterable[KeptLine]) -> set[int]:
    """Find the runs whose tables have nothing of what is kept of them.

    `run close` keeps it a moment after the marker: a build that came in between was too early.
    """
    kept: dict[str, set[int]] = {name: set() for name in OF_CLOSING.values()}
    for line in lines:
        kept[OF_CLOSING[type(line)]].add(line.run)
    lacking: set[int] = set()
    for name, runs in kept.items():
        found = map(RUN_OF_FILE.search, store.files(name))
        lacking |= runs - {int(run[1]) for run in found if run}
    return lacking


def _not_closed(run: int, closed: list[Span]) -> str:
    there = f"the last one is {closed[-1].run}" if closed else "there is none yet"
    return (
        f"run {run} is not closed in every partition of the ledger, {there}; close it with"
        " `refusion run close`, or wait until `refusion worker projections` has come that far"
    )


class TablePlace(Protocol):
    """The place of the tables: it takes what is made, and has what was made before."""

    folder: Path

    def files(self, name: str, /) -> list[str]:
        """List the files of a table."""

    def write(self, mart: Mart, rows: Any, run: int | None, ledger_version: int, /) -> None:
        """Take a run's rows of a table."""


class SpanBuild:
    """Builds the tables of one run, or of the open one."""

    def __init__(
        self, connection: Connection, ledger: LedgerTable, store: TablePlace, span: Span
    ) -> None:
        self._connection = connection
        self._store = store
        self._span = span
        self._version = ledger.version
        view_of_entries(connection, ledger, span)
        view_of_weeks(connection)

    def write(self, law_of: LawOf, kept: Iterable[KeptLine]) -> Iterator[str]:
        """Write table after table; the name of each is yielded once it is written."""
        span, run = self._span, self._span.run
        yield self._write("person_months", statements.person_months(run))
        self._name_months()
        yield self._write("money", statements.money(run))
        yield self._write("corrections", statements.corrections(run, span.month_of_corrections))
        yield self._write("runs", statements.runs(run, *span.closing))
        view_of_steps(self._connection, law_of, self._rule_sets())
        self._count_persons()
        for name in COUNTED:
            yield self._write(name, f"FROM {name}_made ORDER BY {ordered(MARTS[name])}")
        self._stand(law_of)
        yield self._write("standing", f"FROM standing_made ORDER BY {ordered(MARTS['standing'])}")
        yield self._write("visitors", visitors(run))
        yield self._write("seniorities", seniorities(run))
        lines = [line for line in kept if line.run == run]
        self._register_kept(lines)
        yield self._write("completeness", f"FROM kept ORDER BY {ordered(MARTS['completeness'])}")
        yield self._write("controls", controls(run))
        name_tables_of_forecast(self._connection, self._store.files, run)
        foresee(self._connection, span, law_of)
        for name in ("flows", "forecast"):
            yield self._write(name, f"FROM {name}_made ORDER BY {ordered(MARTS[name])}")
        self._check()

    def _register_kept(self, lines: Iterable[KeptLine]) -> None:
        """Name what is kept of the run: `kept`, `kept_sums`, and how far those `looked`."""
        sums = [line for line in lines if isinstance(line, KeptSum)]
        of_completeness = (line for line in lines if isinstance(line, Kept))
        self._connection.register("kept", KEPT.arrow(of_completeness))
        self._connection.register("kept_sums", KEPT_SUMS.arrow(sums))
        self._connection.register("looked", looked_to_table(sums))

    def without_counters(self) -> int:
        """Count citizens whose last message has no counters in the ledger, as the open run is."""
        files = self._store.files("standing")
        view_of_mart(self._connection, MARTS["standing"], files, "stands")
        (counted,) = self._connection.execute(
            "SELECT count(*) FROM stands WHERE posted_seniority IS NULL AND (run IS NULL OR"
            " run = (SELECT max(run) FROM stands) AND citizen NOT IN"
            " (SELECT citizen FROM stands WHERE run IS NULL))"
        ).fetchall()
        return int(counted[0])

    def _write(self, name: str, statement: str) -> str:
        mart = MARTS[name]
        rows = self._connection.sql(statement)
        assert rows.columns == [column.name for column in mart.columns], f"columns of {name}"
        reached("lis", "before_commit")
        self._store.write(mart, rows, self._span.run, self._version)
        return name

    def _name_months(self) -> None:
        """Name the table of months of the run, and that of all runs before it."""
        files = self._store.files("person_months")
        view_of_mart(self._connection, MARTS["person_months"], files, "all_months")
        run = self._span.run
        of_run, before = (
            ("run IS NULL", "run IS NOT NULL") if run is None else (f"run = {run}", f"run < {run}")
        )
        for name, where in (("run_months", of_run), ("earlier_months", before)):
            self._connection.execute(
                f"CREATE VIEW {name} AS SELECT * FROM all_months WHERE {where}"
            )

    def _count_persons(self) -> None:
        """Make the tables of persons, some municipalities at a time, so that memory is bounded."""
        for number, codes in enumerate(self._portions()):
            for name, statement in COUNTED.items():
                into = f"INSERT INTO {name}_made" if number else f"CREATE TEMP TABLE {name}_made AS"
                self._connection.execute(f"{into} {statement(self._span.run, codes)}")

    def _rule_sets(self) -> list[str]:
        """Name the rule sets of the run's messages and of all runs before it."""
        files = self._store.files("runs")
        view_of_mart(self._connection, MARTS["runs"], files, "all_runs")
        run = MOST_RUNS if self._span.run is None else self._span.run
        named = self._connection.execute(
            f"SELECT rules FROM entries WHERE rules IS NOT NULL UNION SELECT rules FROM all_runs"
            f" WHERE rules IS NOT NULL AND run < {run}"
        ).fetchall()
        return sorted({name for (names,) in named for name in names.split()})

    def _portions(self) -> list[list[str]]:
        """Group municipalities, as many as have CHUNK_ROWS rows together; at least one group."""
        counted = self._connection.execute(
            "SELECT municipality, count(*) FROM run_months WHERE municipality IS NOT NULL"
            " GROUP BY municipality ORDER BY municipality"
        ).fetchall()
        portions: list[list[str]] = [[]]
        rows = 0
        for code, number in counted:
            if rows and rows + number > CHUNK_ROWS:
                portions.append([])
                rows = 0
            portions[-1].append(code)
            rows += number
        return portions

    def _stand(self, law_of: LawOf) -> None:
        """Make the rows of `standing` (`standing_made`) from counters and latest rows."""
        span = self._span
        view_of_mart(
            self._connection, MARTS["standing"], self._files_of_last("standing"), "earlier_standing"
        )
        self._keep("told", statements.told(span.run))
        told = self._connection.execute(f"SELECT DISTINCT {statements.TOLD} FROM told").fetchall()
        self._connection.register("evaluated", evaluated_table(law_of, told, span.data_month))
        self._keep("latest_rows", statements.latest_rows(span.data_month))
        self._keep("citizens", statements.citizens(span.data_month))
        self._keep("standing_made", statements.standing(span.run))

    def _files_of_last(self, name: str) -> list[str]:
        """List the files of a table of the run before this one, none where there is none.

        They are chosen here and not by a condition, for which an engine would read all runs.
        """
        of_runs: dict[int, list[str]] = defaultdict(list)
        for file in self._store.files(name):
            if (found := RUN_OF_FILE.search(file)) and int(found[1]) < (
                self._span.run or MOST_RUNS
            ):
                of_runs[int(found[1])].append(file)
        return of_runs[max(of_runs)] if of_runs else []

    def _keep(self, name: str, statement: str) -> None:
        self._connection.execute(f"CREATE TEMP TABLE {name} AS {statement}")

    def _check(self) -> None:
        """Hold the sums of the tables against those of the ledger's entries. Raises LisError."""
        run = self._span.run
        sums = ", ".join(f"coalesce(sum({name}), 0)" for name in statements.CHECKED)
        ours = self._connection.execute(f"SELECT count(id), {sums} FROM entries").fetchall()
        of_run = "run IS NULL" if run is None else f"run = {run}"
        for name, counted in (("money", "coalesce(sum(rows), 0)"), ("person_months", "NULL")):
            view_of_mart(self._connection, MARTS[name], self._store.files(name), "written")
            theirs = self._connection.execute(
                f"SELECT {counted}, {sums} FROM written WHERE {of_run}"
            ).fetchall()
            if theirs[0][1:] != ours[0][1:] or theirs[0][0] not in (None, ours[0][0]):
                raise LisError(
                    f"the table {name} does not sum to the ledger in {_named(run)}; delete"
                    f" {self._store.folder} and build it again; if it comes again, a file of the"
                    " ledger is damaged: `refusion verify` says so"
                )


def _named(run: int | None) -> str:
    return "the open run" if run is None else f"run {run}"
