"""The ledger as a Delta Lake table, in a folder or in an object store: appended to here, read by anybody.

Each append is one commit of the table that holds the entries **and**, as Delta's application
transactions, the next offset of every partition that has entries in it. So either both are there or
neither is: exactly once by construction, whatever dies. Two writers of a partition cannot both go
on: a commit fails where the partition's offset is not the one that the writer began at, or where
another commit has moved it meanwhile.

The table is partitioned by (`after_run`, `partition`): the files of a closed run are never
rewritten, a run is read without the others, and a partition's standing without the other
partitions'.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from arro3.core import Array, DataType, RecordBatch, RecordBatchReader, Table
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
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.schema import PrimitiveType

from projections.ledger.entries import BEFORE_ANY_RUN, COLUMNS, Entry, LedgerProgress
from streams.kit.errors import UserError

PARTITIONED_BY: Final = ["after_run", "partition"]
PARTITIONS_KEY: Final = "refusion.partitions"
PROPERTIES: Final = {
    "delta.logRetentionDuration": "interval 2 days",
    "delta.deletedFileRetentionDuration": "interval 2 days",
    "delta.checkpointInterval": "25",
}
"""Readers of an older version have two days; what was compacted away is deleted then. Who opens the table reads the
last checkpoint and the commits after it."""
COMPRESSION: Final = WriterProperties(compression="ZSTD")
COMPACT_EVERY: Final = 100
"""Commits of this process: a file for each partition in each commit becomes one for each partition."""
VACUUM_EVERY: Final = 1_000
"""It lists the whole table."""

_ARROW: Final = {"string": DataType.string(), "integer": DataType.int32(), "long": DataType.int64()}
_SCHEMA: Final = ArrowSchema([ArrowField(name, _ARROW[kind]) for name, kind in COLUMNS.items()])


class LedgerError(UserError):
    """The ledger cannot be read or written, or is another topic's; the message says what to do."""


class Append(NamedTuple):
    """Entries of a partition, from the offset that stands in the table to the one that comes after them."""

    partition: int
    start: int
    end: int
    entries: RecordBatch


def entries_batch(entries: Sequence[Entry]) -> RecordBatch:
    """Entries as Arrow columns."""
    columns = zip(*entries, strict=True) if entries else ((),) * len(COLUMNS)
    arrays = [
        Array(column, type=_ARROW[kind])
        for column, kind in zip(columns, COLUMNS.values(), strict=True)
    ]
    return RecordBatch.from_arrays(arrays, schema=_SCHEMA)


class LedgerTable:
    """The table, as of when it was last refreshed or appended to. Not for two threads at once."""

    def __init__(self, uri: str, table: DeltaTable) -> None:
        self.uri = uri
        self._table = table
        self._appends = 0
        self._positions: dict[
            int, int
        ] = {}  # of the version at hand; to look one up takes Delta Lake 20 ms

    @classmethod
    def make(cls, uri: str, topic: str, identity: str, partitions: int) -> "LedgerTable":
        """Open the ledger of a topic, made where there is none yet; LedgerError where it is another topic's."""
        try:
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
        except (DeltaError, OSError) as error:
            raise _cannot("be opened", uri, error) from error
        ledger = cls(uri, table)
        ledger.check(identity)
        return ledger

    @classmethod
    def open(cls, uri: str) -> "LedgerTable":
        """Open a ledger to read it; LedgerError where there is none."""
        try:
            return cls(uri, DeltaTable(uri))
        except TableNotFoundError:
            raise LedgerError(
                f"there is no ledger at {uri} (REFUSION_LEDGER); run `refusion worker projections`, which makes it"
            ) from None
        except (DeltaError, OSError) as error:
            raise _cannot("be read", uri, error) from error

    def check(self, identity: str) -> None:
        """LedgerError where the ledger was made from another topic, or from one of this name that is gone."""
        if self._table.metadata().description != identity:
            raise LedgerError(
                f"the ledger at {self.uri} was made from another topic than the one that is there now; set"
                " REFUSION_LEDGER to another place, or delete it: it is made again from the topic"
            )

    @property
    def partitions(self) -> int:
        """The topic's number of partitions."""
        return int(self._table.metadata().configuration[PARTITIONS_KEY])

    # --- writing --------------------------------------------------------------------------------

    def progress(self, partition: int) -> LedgerProgress:
        """How far a partition is, as of now."""
        try:
            self._refresh()
            position = self.position(partition)
            if position == 0:
                return LedgerProgress(partition)
            query = f"SELECT max(run) FROM ledger WHERE kind = 'run' AND partition = {partition}"  # noqa: S608 - a number
            ((last_run,),) = self.rows(query)
            revisions = self.rows(
                "SELECT citizen, max(revision) FROM ledger"  # noqa: S608 - a number
                f" WHERE partition = {partition} AND citizen IS NOT NULL GROUP BY citizen"
            )
            return LedgerProgress(partition, position, last_run or BEFORE_ANY_RUN, dict(revisions))
        except (DeltaError, OSError) as error:
            raise _cannot("be read", self.uri, error) from error

    def append(self, appends: Sequence[Append]) -> None:
        """Commit entries and positions of some partitions, all of it or nothing.

        Raises LedgerError where somebody else has written any of the partitions; whether it was
        committed is not known after any other error.
        """
        positions = [Transaction(self._app(each.partition), each.end) for each in appends]
        version = self._table.version()
        try:
            for each in appends:
                if self.position(each.partition) != each.start:
                    raise LedgerError(
                        f"partition {each.partition} of the ledger was written by another process"
                    )
            append(
                self._table,
                Table.from_batches([each.entries for each in appends], schema=_SCHEMA),
                mode="append",
                writer_properties=COMPRESSION,
                commit_properties=CommitProperties(app_transactions=positions),
            )
        except (DeltaError, OSError) as error:
            raise _cannot("be written", self.uri, error) from error
        self._appends += 1
        if self._table.version() == version + 1:
            self._positions |= {each.partition: each.end for each in appends}
        else:  # others committed meanwhile, to whatever partitions
            self._positions.clear()

    def keep_house(self, partitions: Sequence[int]) -> None:
        """From time to time: small files of these partitions into larger ones, and delete what nobody can read.

        What fails here (another process does the same) is done the next time.
        """
        if self._appends % COMPACT_EVERY or not partitions:
            return
        mine = [("partition", "in", [str(partition) for partition in partitions])]
        self._table.optimize.compact(partition_filters=mine, writer_properties=COMPRESSION)
        if self._appends % VACUUM_EVERY == 0 and 0 in partitions:
            self._table.vacuum(dry_run=False, full=True)
        self._positions.clear()

    def _refresh(self) -> None:
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

    def rows(self, query: str) -> Iterator[tuple[Any, ...]]:
        """The rows of a query in SQL over the table `ledger`, all of the same version."""
        for batch in self.batches(query):
            yield from zip(
                *(batch.column(number).to_pylist() for number in range(batch.num_columns)),
                strict=True,
            )

    def batches(self, query: str) -> Iterable[RecordBatch]:
        """The same in Arrow's columns."""
        reader: RecordBatchReader = QueryBuilder().register("ledger", self._table).execute(query)
        return reader


def _cannot(what: str, uri: str, error: Exception) -> LedgerError:
    """Its text is Delta's own, which tells of files and versions; no entry holds a CPR that is not sealed."""
    return LedgerError(
        f"the ledger at {uri} (REFUSION_LEDGER) cannot {what}: {str(error).splitlines()[0]}"
    )
