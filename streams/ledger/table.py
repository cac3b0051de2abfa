"""The ledger as a Delta Lake table in a folder or an object store: written here, read by anybody.

Each append is one commit of the table that holds the entries **and**, as Delta's application
transactions, the next offset of every partition that has entries in it. Either both are there or
neither is, whichever process dies: exactly once by construction. Two writers of a partition cannot
both go on: a commit fails where the partition's offset is not the one that the writer began at, or
where another commit has moved it meanwhile.

The table is partitioned by (`after_run`, `partition`): the files of a closed run are never
rewritten, a run is read without the others, and so is a partition's progress.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final, NamedTuple

from arro3.core import Array, DataType, RecordBatch, Table
from arro3.core import Field as ArrowField
from arro3.core import Schema as ArrowSchema
from deltalake import (
    CommitProperties,
    DeltaTable,
    Field,
    QueryBuilder,
    Schema,
    Transaction,
    WriterProperties,
)
from deltalake import write_deltalake as append
from deltalake.exceptions import TableNotFoundError
from deltalake.schema import PrimitiveType

from projections.ledger.entries import BEFORE_ANY_RUN, COLUMNS, Entry, LedgerProgress
from streams.kit.errors import UserError
from streams.ledger.native import native_errors, quiet_panics
from streams.ledger.sql import sql_text
from streams.privacy.cpr import without_cpr

PARTITIONED_BY: Final = ["after_run", "partition"]
AFTER_RUN: Final = re.compile(r"after_run=(-?\d+)")
PARTITIONS_KEY: Final = "refusion.partitions"
MOST_PARTITIONS: Final = 100_000
"""Partitions of the largest topic; each is looked at, so that no other number is believed."""
PROPERTIES: Final = {
    "delta.logRetentionDuration": "interval 2 days",
    "delta.deletedFileRetentionDuration": "interval 2 days",
    "delta.checkpointInterval": "25",
    "delta.dataSkippingStatsColumns": "offset,journal_offset,kind,citizen,month,run",
}
"""Settings of a table that is made.

Compacted files are deleted after two days, so a reader of an older version has as long. Opening the
table reads the last checkpoint and the commits after it. The log has the least and the greatest of
the columns by which files are passed over; of all columns it is five times as large, and the table
of ten years takes twice as long to open (72 ms for 36 ms)."""
OF_MARKERS: Final = ("kind", "run")
"""The column and its text by which the markers of closed runs are found."""
LONGEST_TEXT: Final = 300
"""Characters of an error of the library; some tell a whole structure."""
DAMAGED: Final = re.compile(
    r"parquet|json|kernel|not found|no such file|invalid range|range was invalid|gap|corrupt|eof",
    re.IGNORECASE,
)
"""Errors of a table that has lost files or parts of them; it is a copy, and can be made again."""
OF_THE_PLACE: Final = re.compile(
    r"no space|quota|denied|permission|read-only|timed? ?out|connect|credential|too large",
    re.IGNORECASE,
)
"""Errors of the place that the table is in: they go when the place is mended."""
COMPRESSION: Final = WriterProperties(compression="ZSTD")
SORTED: Final = WriterProperties(compression="ZSTD", max_row_group_size=20_000)
"""Settings of the files of closed runs: a reader of one citizen takes 20,000 rows or none."""
COMPACT_EVERY: Final = 100
"""Commits of this process after which the small files of a partition become one."""
VACUUM_EVERY: Final = 1_000
"""Commits of this process after which unused files are deleted, which lists the whole table."""

_ARROW: Final = {"string": DataType.string(), "integer": DataType.int32(), "long": DataType.int64()}
SCHEMA: Final = ArrowSchema([ArrowField(name, _ARROW[kind]) for name, kind in COLUMNS.items()])


class LedgerError(UserError):
    """The ledger cannot be used, or is another topic's; the message says what to do."""


class NoLedgerError(LedgerError):
    """There is no ledger yet."""


class Append(NamedTuple):
    """Entries of a partition: `start` is its offset in the table, `end` the one after them.

    `closed` are the values of `after_run` whose run is closed by a marker among them.
    """

    partition: int
    start: int
    end: int
    entries: RecordBatch
    closed: Sequence[int] = ()


def entries_batch(entries: Sequence[Entry]) -> RecordBatch:
    """Turn entries into Arrow columns."""
    columns = zip(*entries, strict=True) if entries else ((),) * len(COLUMNS)
    arrays = [
        Array(column, type=_ARROW[kind])
        for column, kind in zip(columns, COLUMNS.values(), strict=True)
    ]
    return RecordBatch.from_arrays(arrays, schema=SCHEMA)


class LedgerTable:
    """The table as it was at the last refresh or append. Not for two threads at once."""

    def __init__(self, uri: str, table: DeltaTable) -> None:
        self.uri = uri
        self._table = table
        self._appends = 0
        self._positions: dict[int, int] = {}
        """Positions in the version at hand; Delta Lake takes 20 ms to find one."""

    @classmethod
    def make(cls, uri: str, topic: str, identity: str, partitions: int) -> "LedgerTable":
        """Open the ledger of a topic, or make it. Raises LedgerError for another topic's ledger."""
        quiet_panics()
        with _told("be opened", uri):
            if "://" not in uri:
                Path(uri).mkdir(parents=True, exist_ok=True)
            table = DeltaTable.create(
                uri,
                Schema([Field(name, PrimitiveType(kind)) for name, kind in COLUMNS.items()]),
                mode="ignore",
                name=topic,
                description=identity,
                partition_by=PARTITIONED_BY,
                configuration=PROPERTIES | {PARTITIONS_KEY: str(partitions)},
                raise_if_key_not_exists=False,
            )
        ledger = cls(uri, table)
        ledger.check(identity)
        with _told("be written", uri):
            ledger.add_columns()
        return ledger

    def add_columns(self) -> None:
        """Add the columns that a ledger of an earlier version lacks; its entries have none of them.

        Two workers may do so at the same time: it is done once.
        """
        known = {field.name for field in self._table.schema().fields}
        lacking = [
            Field(name, PrimitiveType(kind)) for name, kind in COLUMNS.items() if name not in known
        ]
        if lacking:
            self._table.alter.add_columns(lacking)

    @classmethod
    def open(cls, uri: str) -> "LedgerTable":
        """Open a ledger to read it. Raises NoLedgerError where there is none."""
        quiet_panics()
        try:
            with _told("be read", uri):
                return cls(uri, DeltaTable(uri))
        except LedgerError as error:
            if not isinstance(error.__cause__, TableNotFoundError):
                raise
            raise NoLedgerError(
                f"there is no ledger at {uri} (REFUSION_LEDGER); run `refusion worker projections`,"
                " which makes it"
            ) from None

    def check(self, identity: str) -> None:
        """Raise LedgerError where the ledger was made from another topic.

        A topic of the same name that was deleted since is another topic too.
        """
        if self._table.metadata().description != identity:
            raise LedgerError(
                f"the ledger at {self.uri} was made from another topic than the one that is there"
                " now; set REFUSION_LEDGER to another place, or delete it: it is made again from"
                " the topic"
            )

    @property
    def partitions(self) -> int:
        """The topic's number of partitions. Raises LedgerError."""
        stated = self._table.metadata().configuration.get(PARTITIONS_KEY) or ""
        if not stated.isdecimal() or not 0 < int(stated[:9]) <= MOST_PARTITIONS:
            raise LedgerError(
                f"the table at {self.uri} (REFUSION_LEDGER) is no ledger of this program: it lacks"
                f" the property {PARTITIONS_KEY}, or has another than ours; set another place, or"
                " delete it:"
                " `refusion worker projections` makes the ledger again"
            )
        return int(stated)

    # --- writing --------------------------------------------------------------------------------

    def progress(self, partition: int) -> LedgerProgress:
        """Read how far a partition is, in the newest version of the table."""
        self.refresh()
        with _told("be read", self.uri):
            position = self.position(partition)
        if position == 0:
            return LedgerProgress(partition)
        ((last_run,),) = self.rows(
            "SELECT max(run) FROM ledger"  # noqa: S608 - a number
            f" WHERE kind = 'run' AND partition = {partition}"
        )
        revisions = self.rows(
            "SELECT citizen, max(revision) FROM ledger"  # noqa: S608 - a number
            f" WHERE partition = {partition} AND citizen IS NOT NULL GROUP BY citizen"
        )
        return LedgerProgress(partition, position, last_run or BEFORE_ANY_RUN, dict(revisions))

    def append(self, appends: Sequence[Append]) -> None:
        """Commit entries and positions of some partitions, all of them or none.

        Raises LedgerError where somebody else has written any of the partitions. After any other
        error it is not known whether they were committed.
        """
        positions = [Transaction(self._app(page.partition), page.end) for page in appends]
        version = self._table.version()
        with _told("be written", self.uri):
            for page in appends:
                if self.position(page.partition) != page.start:
                    raise LedgerError(
                        f"partition {page.partition} of the ledger was written by another process"
                    )
            append(
                self._table,
                Table.from_batches([page.entries for page in appends], schema=SCHEMA),
                mode="append",
                writer_properties=COMPRESSION,
                commit_properties=CommitProperties(app_transactions=positions),
            )
        self._appends += 1
        if self._table.version() == version + 1:
            self._positions |= {page.partition: page.end for page in appends}
        else:  # others have committed meanwhile, to partitions that are not known here
            self._positions.clear()

    def keep_house(self, partitions: Sequence[int]) -> None:
        """Compact the small files of partitions and delete unused files, from time to time.

        If it fails, because another process does the same, the next call tries again.
        """
        if self._appends % COMPACT_EVERY or not partitions:
            return
        mine = [("partition", "in", [str(partition) for partition in partitions])]
        self._table.optimize.compact(partition_filters=mine, writer_properties=COMPRESSION)
        if self._appends % VACUUM_EVERY == 0 and 0 in partitions:
            self._table.vacuum(dry_run=False, full=True)
        self._positions.clear()

    def sort_closed(self, appends: Sequence[Append]) -> None:
        """Put the entries of runs that these appends have closed together by citizen.

        Nothing is added to such a run any more. One citizen's entries are then read without most of
        the others. If it fails, the files stay as they are, which every reader can read too.
        """
        for page in appends:
            for run in page.closed:
                those = [("partition", "=", str(page.partition)), ("after_run", "=", str(run))]
                self._table.optimize.z_order(
                    ["citizen"], partition_filters=those, writer_properties=SORTED
                )
                self._positions.clear()

    def refresh(self) -> None:
        """Go on to the newest version. Raises LedgerError."""
        with _told("be read", self.uri):
            self._table.update_incremental()
        self._positions.clear()

    def _app(self, partition: int) -> str:
        return f"{self._table.metadata().name}/{partition}"

    def position(self, partition: int) -> int:
        """The next offset of a partition in the version at hand, 0 in a new ledger."""
        if partition not in self._positions:
            self._positions[partition] = self._table.transaction_version(self._app(partition)) or 0
        return self._positions[partition]

    # --- reading --------------------------------------------------------------------------------

    @property
    def version(self) -> int:
        """The version of the table at hand."""
        return self._table.version()

    @property
    def state(self) -> tuple[str, int]:
        """The table, which has another id where it was made anew, and the version at hand."""
        return str(self._table.metadata().id), self.version

    @property
    def identity(self) -> str:
        """The topic that the ledger was made from: its id, and its cluster's."""
        return str(self._table.metadata().description)

    @property
    def columns(self) -> frozenset[str]:
        """The names of its columns: a ledger of an earlier version lacks some."""
        return frozenset(field.name for field in self._table.schema().fields)

    def files(self, after_runs: Sequence[int]) -> list[str]:
        """The paths of the Parquet files of some runs, in the version at hand. Raises LedgerError.

        `after_runs` are the runs that were closed before the entries.
        """
        return self.files_with(("after_run", "in", [*after_runs]))

    def files_with(self, *conditions: tuple[str, str, Any]) -> list[str]:
        """The paths of the Parquet files that may have entries of all conditions.

        Each compares a column with values: the table knows the least and the greatest of each file.
        (In SQL it would load the library's own engine, 11 MB.) Raises LedgerError.
        """
        with _told("be read", self.uri):
            return self._table.file_uris(file_pruning_predicate=[*conditions] or None)

    def rows_of(
        self, partition: int, columns: Sequence[str], condition: tuple[str, str]
    ) -> list[tuple[Any, ...]]:
        """The rows of a partition with a text in a column; columns that it lacks are empty."""
        known = self.columns
        names = (f'"{name}"' if name in known else f'NULL AS "{name}"' for name in columns)
        where = f'partition = {partition} AND "{condition[0]}" = {sql_text(condition[1])}'
        # Columns of ours, a number and a literal.
        query = f"SELECT {', '.join(names)} FROM ledger WHERE {where}"  # noqa: S608
        return [*self.rows(query)]

    def newest_of(self, partition: int) -> int:
        """The last offset of the journal that a partition has rows of; -1 without any."""
        query = f"SELECT max(journal_offset) FROM ledger WHERE partition = {partition}"  # noqa: S608
        ((newest,),) = self.rows(query)
        return -1 if newest is None else int(newest)

    def rows(self, query: str) -> Iterator[tuple[Any, ...]]:
        """The rows of a query in SQL over the table `ledger`, all of the same version."""
        for batch in self.batches(query):
            yield from zip(
                *(batch.column(number).to_pylist() for number in range(batch.num_columns)),
                strict=True,
            )

    def batches(self, query: str) -> Iterator[RecordBatch]:
        """The result of a query as Arrow batches. Raises LedgerError, also between two of them."""
        with _told("be read", self.uri):
            reader = iter(QueryBuilder().register("ledger", self._table).execute(query))
        while True:
            with _told("be read", self.uri):
                batch = next(reader, None)
            if batch is None:
                return
            yield batch


def _told(what: str, uri: str) -> AbstractContextManager[None]:
    """Raise the library's errors within a block as LedgerError, with the library's own text.

    It names files and versions; entries hold no open CPR.
    """
    return native_errors(lambda error: unusable(what, uri, error))


def run_before(file: str) -> int:
    """Return the run that was closed before the entries of a file, by its path.

    One that is of no run is among the last.
    """
    found = AFTER_RUN.search(file)
    return int(found[1]) if found else sys.maxsize


def unusable(what: str, uri: str, error: BaseException) -> LedgerError:
    """Make the error of a ledger that a library cannot read or write, with what to do."""
    text = without_cpr(" ".join(str(error).split()))[:LONGEST_TEXT] or type(error).__name__
    is_damaged = DAMAGED.search(text) and not OF_THE_PLACE.search(text)
    advice = (
        "; what it has lost is in the topic: delete the ledger, and `refusion worker projections`"
        " makes it again, with the same entries"
        if is_damaged
        else ""
    )
    return LedgerError(f"the ledger at {uri} (REFUSION_LEDGER) cannot {what}: {text}{advice}")
