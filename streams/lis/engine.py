"""DuckDB for the marts: a process of its own memory, no files, and no extension to download.

Tables are Parquet files; their list comes from the Delta log. Each request takes a cursor of its
own and reads its answer to the end: a connection with an unread answer refuses other work.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import duckdb
from arro3.core import Array, DataType, Table
from duckdb import DuckDBPyConnection as Connection

from projections.ledger.entries import COLUMNS
from projections.lis.columns import Mart
from projections.lis.scopes import rates_by_step
from projections.lis.statements import month_weeks
from streams.kit.cores import cores
from streams.kit.scratch import scratch_folder
from streams.kit.stopping import stop_again
from streams.ledger.sql import sql_text
from streams.ledger.table import SCHEMA, LedgerTable
from streams.lis.counters import LawOf
from streams.lis.spans import Span
from streams.lis.store import LisError


class TooLargeError(LisError):
    """A question needs more memory than its engine may have."""


PROCESSORS: Final = cores()
SQL_TYPES: Final = {"string": "VARCHAR", "integer": "INTEGER", "long": "BIGINT"}
TEXT: Final = 300


class Share(NamedTuple):
    """The share of the machine that an engine may have.

    What does not fit into its memory is put on disk; the process has some 300 MB beside it.
    `threads` work on one question, `at_once` questions are asked at a time. One that `gives_back`
    keeps little of what it has freed, so that others may have it, and no footers of files: of the
    tables of ten years they take 13 MB, and to read them again 2 ms a page.
    """

    memory_mb: int
    threads: int
    at_once: int
    gives_back: bool = False


KEPT_FREE: Final = "4MB"
"""The memory that an engine keeps of what it has freed, where it gives back."""
ALONE: Final = Share(1500, PROCESSORS, PROCESSORS)
"""The share of a command that does one thing."""


@contextmanager
def engine(share: Share = ALONE) -> Iterator[Connection]:
    """Yield a database in memory. Errors of the engine within the block are raised as LisError."""
    with scratch_folder("lis") as spill:
        connection = duckdb.connect(
            config={
                "memory_limit": f"{share.memory_mb}MB",
                "threads": share.threads,
                "temp_directory": str(spill),
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            }
        )
        connection.execute("SET enable_progress_bar = false")  # it would stand in the answer
        connection.execute("SET preserve_insertion_order = false")  # it takes memory; we sort
        # Files are never changed. GLOBAL, or the cursors that questions are asked on have it not.
        keeps_footers = "false" if share.gives_back else "true"
        connection.execute(f"SET GLOBAL parquet_metadata_cache = {keeps_footers}")
        if share.gives_back:
            connection.execute("SET allocator_background_threads = true")
            for name in (
                "allocator_flush_threshold",
                "allocator_bulk_deallocation_flush_threshold",
            ):
                connection.execute(f"SET {name} = '{KEPT_FREE}'")
        try:
            with engine_errors():
                yield connection
        finally:
            connection.close()


@contextmanager
def engine_errors() -> Iterator[None]:
    """Raise errors of the engine within the block as LisError.

    A signal that comes within a question is an error of the engine's: it is raised as what it was.
    """
    try:
        yield
    except RuntimeError:
        stop_again()
        raise
    except duckdb.OutOfMemoryException as error:
        raise TooLargeError("the question needs more memory than it may have") from error
    except duckdb.Error as error:
        text = " ".join(str(error).split())[:TEXT]
        raise LisError(f"the marts of LIS cannot be built or asked: {text}") from error


def rows_in(connection: Connection, files: Sequence[str]) -> list[dict[str, Any]]:
    """Read all rows of some files."""
    found = connection.execute("SELECT * FROM read_parquet(?)", [[*files]])
    names = [name for name, *_ in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def view_of_mart(connection: Connection, mart: Mart, files: Sequence[str], name: str = "") -> None:
    """Give a mart its name, or another one."""
    columns = {column.name: column.type for column in mart.columns}
    source = (
        f"SELECT {_quoted(columns)} FROM read_parquet({_listed(files)}, hive_partitioning = true,"
        " hive_types = {'run': INTEGER})"
        if files
        else _no_rows(columns)
    )
    connection.execute(f"CREATE OR REPLACE VIEW {name or mart.name} AS {source}")


def view_of_entries(
    connection: Connection, ledger: LedgerTable, span: Span, name: str = "entries"
) -> None:
    """Name the entries of a part of the ledger, markers aside: `entries`, or another name.

    Files of a version without some columns have them too, empty. A ledger in an object store is
    read by its own library into a table of the engine.
    """
    if "://" in ledger.uri:
        batches = list(ledger.batches(_entries_of("ledger", span)))
        connection.register(name, Table.from_batches(batches, schema=None if batches else SCHEMA))
        return
    source = entries_in(ledger.files(span.after_runs))
    connection.execute(f"CREATE OR REPLACE VIEW {name} AS {_entries_of(f'({source})', span)}")


def entries_in(files: Sequence[str], *, are_alike: bool = False) -> str:
    """Write the statement that reads all entries of some files of a ledger, markers too.

    Files that are alike have all columns, and none is looked at before all are read. Where one is
    not, the engine refuses, with a ProgrammingError, to read a column that it lacks.
    """
    source = _no_rows(COLUMNS)
    if not files:
        return source
    of_files = (
        f"{_listed(files)}, hive_partitioning = true,"
        " hive_types = {'after_run': INTEGER, 'partition': INTEGER}"
    )
    if are_alike:
        return f"SELECT * FROM read_parquet({of_files})"
    every = f"SELECT * FROM read_parquet({of_files}, union_by_name = true)"
    return f"{every} UNION ALL BY NAME {source}"


def view_of_weeks(connection: Connection) -> None:
    """Name the numbered weeks of each month: `month_weeks`."""
    months, weeks, numbers = zip(*month_weeks(), strict=True)
    text, number = DataType.string(), DataType.int32()
    arrays = [Array(months, type=text), Array(weeks, type=text), Array(numbers, type=number)]
    connection.register("month_weeks", Table.from_arrays(arrays, names=["month", "week", "number"]))


def view_of_steps(connection: Connection, law_of: LawOf, rule_sets: Iterable[str]) -> None:
    """Name the steps of benefits and rates in some rule sets: `steps`."""
    steps = {
        (code, rate, step)
        for name in rule_sets
        for code, rates in rates_by_step(law_of(name).rules).items()
        for step, rate in enumerate(rates, 1)
    }
    codes, rates, numbers = zip(*sorted(steps), strict=True) if steps else ((), (), ())
    text, number = DataType.string(), DataType.int32()
    arrays = [Array(codes, type=text), Array(rates, type=number), Array(numbers, type=number)]
    connection.register("steps", Table.from_arrays(arrays, names=["benefit", "rate", "step"]))


def _entries_of(source: str, span: Span) -> str:
    runs = ", ".join(map(str, span.after_runs))
    return (
        f"SELECT {_quoted(COLUMNS)} FROM {source} AS ledger"
        f" WHERE kind <> 'run' AND after_run IN ({runs}) AND ({span.where})"
    )


def _no_rows(columns: Mapping[str, str]) -> str:
    nothing = (f'CAST(NULL AS {SQL_TYPES[kind]}) AS "{name}"' for name, kind in columns.items())
    return f"SELECT {', '.join(nothing)} WHERE FALSE"


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _listed(files: Sequence[str]) -> str:
    return f"[{', '.join(map(sql_text, files))}]"
