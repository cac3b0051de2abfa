"""Keeps what `refusion run close` knows of a run's completeness: a table beside the ledger.

Nobody could make it again: what was expected follows from the journal as it was when the run was
closed, and for which reason it was closed all the same was typed by a person. So it is none of the
marts, which may be deleted, but stands beside the ledger, and the marts copy it. The marker, which
every partition has, keeps its bytes.

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

from projections.lis.tables import COMPLETENESS
from projections.runs.completeness import Received
from streams.ledger.native import native_errors, quiet_panics
from streams.lis.store import LisError

SUFFIX: Final = "-completeness"
APP: Final = "run"
_ARROW: Final = {"string": DataType.string(), "integer": DataType.int32(), "long": DataType.int64()}


class Kept(NamedTuple):
    """A row of the table: `projections.lis.tables.COMPLETENESS` has the meaning of each column."""

    run: int
    reporter: str
    benefit: str
    month: str
    received: int
    received_ore: int
    expected_ore: int | None
    deviation_ore: int | None
    hold: str | None
    accepted: str | None


def kept_lines(run: int, lines: Iterable[Received], accepted: Sequence[str]) -> list[Kept]:
    """Make the rows of a run. The reasons were given for all that held it together."""
    reasons = "; ".join(accepted)
    return [
        Kept(
            run,
            *line[:5],
            line.expected_ore,
            None if line.expected_ore is None else line.received_ore - line.expected_ore,
            line.hold,
            reasons if line.hold and reasons else None,
        )
        for line in lines
    ]


def place_beside(ledger: str) -> str:
    """Name the place of the table: the ledger's own, with a suffix."""
    return f"{ledger.rstrip('/')}{SUFFIX}"


def keep(ledger: str, run: int, lines: Sequence[Kept]) -> None:
    """Write the lines of a run, unless they are there already. Raises LisError."""
    place = place_beside(ledger)
    quiet_panics()
    with _told("be written", place):
        if "://" not in place:
            Path(place).mkdir(parents=True, exist_ok=True)
        fields = [Field(column.name, PrimitiveType(column.type)) for column in COMPLETENESS.columns]
        table = DeltaTable.create(place, Schema(fields), mode="ignore")
        if (table.transaction_version(f"{APP}/{run}") or 0) == run:
            return
        append(
            table,
            table_of(lines),
            mode="append",
            commit_properties=CommitProperties(app_transactions=[Transaction(f"{APP}/{run}", run)]),
        )


def kept_beside(ledger: str) -> list[Kept]:
    """Read all lines of all runs; none where no run was closed since they are kept."""
    place = place_beside(ledger)
    quiet_panics()
    with _told("be read", place):
        try:
            table = DeltaTable(place)
        except TableNotFoundError:
            return []
        names = ", ".join(Kept._fields)
        batches = QueryBuilder().register("kept", table).execute(f"SELECT {names} FROM kept")
        return [
            Kept(*row)
            for batch in batches
            for row in zip(
                *(batch.column(number).to_pylist() for number in range(batch.num_columns)),
                strict=True,
            )
        ]


def table_of(lines: Iterable[Kept]) -> Table:
    """Turn lines into Arrow columns."""
    rows = list(lines)
    columns: Any = zip(*rows, strict=True) if rows else ((),) * len(Kept._fields)
    return Table.from_arrays(
        [
            Array(values, type=_ARROW[column.type])
            for values, column in zip(columns, COMPLETENESS.columns, strict=True)
        ],
        names=list(Kept._fields),
    )


def _told(what: str, place: str) -> AbstractContextManager[None]:
    return native_errors(
        lambda error: LisError(
            f"the table of completeness at {place} cannot {what}: {' '.join(str(error).split())}"
        )
    )
