"""Keeps what `refusion run close` knows, in Delta tables beside the ledger.

Nobody could make it again: it follows from the journal as it was when the run was closed, and from
what a person typed. So it is none of the marts, which may be deleted, but stands beside the ledger,
and the marts copy it. The marker, which every partition has, keeps its bytes.

The closer writes it after the marker, once for each run: the run is the table's application
transaction.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final, NamedTuple

from arro3.core import Array, DataType, Table
from deltalake import CommitProperties, DeltaTable, Field, QueryBuilder, Schema, Transaction
from deltalake import write_deltalake as append
from deltalake.exceptions import TableNotFoundError
from deltalake.schema import PrimitiveType

from projections.lis.columns import Column
from streams.ledger.native import native_errors, quiet_panics
from streams.lis.store import LisError

APP: Final = "run"
_ARROW: Final = {"string": DataType.string(), "integer": DataType.int32(), "long": DataType.int64()}


class KeptTable(NamedTuple):
    """A table beside the ledger: the suffix of its place, and its columns."""

    suffix: str
    columns: tuple[Column, ...]

    def beside(self, ledger: str) -> str:
        """Name the place of the table: the ledger's own, with a suffix."""
        return f"{ledger.rstrip('/')}{self.suffix}"

    def keep(self, ledger: str, run: int, lines: Sequence[tuple[Any, ...]]) -> None:
        """Write the lines of a run, unless they are there already. Raises LisError."""
        place = self.beside(ledger)
        quiet_panics()
        with _told("be written", place):
            if "://" not in place:
                Path(place).mkdir(parents=True, exist_ok=True)
            fields = [Field(column.name, PrimitiveType(column.type)) for column in self.columns]
            table = DeltaTable.create(place, Schema(fields), mode="ignore")
            if (table.transaction_version(f"{APP}/{run}") or 0) == run:
                return
            done = CommitProperties(app_transactions=[Transaction(f"{APP}/{run}", run)])
            append(table, self.arrow(lines), mode="append", commit_properties=done)

    def rows(self, ledger: str) -> list[tuple[Any, ...]]:
        """Read all lines of all runs; none where no run was closed since they are kept."""
        place = self.beside(ledger)
        quiet_panics()
        with _told("be read", place):
            try:
                table = DeltaTable(place)
            except TableNotFoundError:
                return []
            names = ", ".join(column.name for column in self.columns)
            batches = QueryBuilder().register("kept", table).execute(f"SELECT {names} FROM kept")
            return [
                row
                for batch in batches
                for row in zip(
                    *(batch.column(number).to_pylist() for number in range(batch.num_columns)),
                    strict=True,
                )
            ]

    def arrow(self, lines: Iterable[tuple[Any, ...]]) -> Table:
        """Turn lines into Arrow columns."""
        rows = list(lines)
        columns: Any = zip(*rows, strict=True) if rows else ((),) * len(self.columns)
        return Table.from_arrays(
            [
                Array(values, type=_ARROW[column.type])
                for values, column in zip(columns, self.columns, strict=True)
            ],
            names=[column.name for column in self.columns],
        )


def _told(what: str, place: str) -> AbstractContextManager[None]:
    return native_errors(
        lambda error: LisError(
            f"the table at {place} cannot {what}: {' '.join(str(error).split())}"
        )
    )
