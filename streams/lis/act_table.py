"""Keeps a copy of the topic `access` as a Delta table beside the ledger, to be searched quickly.

The topic is kept for ever, and reading it takes as long as it is. A line of the table has a record
as it was written, with its MAC, so that a reader believes it as a record of the topic; what nobody
of ours wrote is not copied. The next offset is the table's application transaction, named by the
topic's identity: each record is copied once, whoever dies.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import orjson
from arro3.core import Array, DataType, Table
from deltalake import CommitProperties, DeltaTable, Field, QueryBuilder, Schema, Transaction
from deltalake import write_deltalake as append
from deltalake.exceptions import TableNotFoundError
from deltalake.schema import PrimitiveType

from streams.acts.chain import AccessRecord, Entry
from streams.ledger.native import native_errors, quiet_panics
from streams.ledger.sql import sql_text
from streams.lis.store import LisError

SUFFIX: Final = "-access"
COLUMNS: Final = {
    "topic": "string", "offset": "long", "at": "string", "month": "string", "type": "string",
    "act": "string", "user": "string", "key": "string", "value": "string", "headers": "string",
}  # fmt: skip
"""`topic` is the topic's identity; `value` is the record, `headers` the names with their bytes in
hexadecimal."""
BY: Final = "month"
COMPACT_EVERY: Final = 100
"""Commits after which the small files of the table become larger ones."""
_ARROW: Final = {"string": DataType.string(), "long": DataType.int64()}


class ActTable:
    """The table beside a ledger; it is made when the first record is copied."""

    def __init__(self, ledger: str) -> None:
        self.place = f"{ledger.rstrip('/')}{SUFFIX}"
        quiet_panics()

    def position(self, identity: str) -> int:
        """Return the offset of the first record that is not copied yet. Raises LisError."""
        with self._told("be read"):
            table = self._table()
            return (table and table.transaction_version(identity)) or 0

    def append(self, identity: str, entries: Sequence[Entry], end: int) -> None:
        """Add records, up to an offset. Raises LisError."""
        with self._told("be written"):
            table = self._table() or self._made()
            lines = [_line(identity, entry) for entry in entries]
            arrays = [
                Array([line[number] for line in lines], type=_ARROW[kind])
                for number, kind in enumerate(COLUMNS.values())
            ]
            append(
                table,
                Table.from_arrays(arrays, names=[*COLUMNS]),
                mode="append",
                commit_properties=CommitProperties(app_transactions=[Transaction(identity, end)]),
            )
            if table.version() % COMPACT_EVERY == COMPACT_EVERY - 1:
                table.optimize.compact()

    def take(
        self, identity: str, since: datetime | None, take: Callable[[AccessRecord], bool]
    ) -> int:
        """Hand in the copied records of a topic since a moment; return the offset to go on at.

        Raises LisError.
        """
        with self._told("be read"):
            table = self._table()
            if table is None:
                return 0
            end = table.transaction_version(identity) or 0
            for record in _records(table, identity, since):
                take(record)
            return end

    def _table(self) -> DeltaTable | None:
        try:
            return DeltaTable(self.place)
        except TableNotFoundError:
            return None

    def _made(self) -> DeltaTable:
        if "://" not in self.place:
            Path(self.place).mkdir(parents=True, exist_ok=True)
        fields = [Field(name, PrimitiveType(kind)) for name, kind in COLUMNS.items()]
        return DeltaTable.create(self.place, Schema(fields), mode="ignore", partition_by=[BY])

    def _told(self, what: str) -> AbstractContextManager[None]:
        return native_errors(
            lambda error: LisError(
                f"the copy of the acts at {self.place} cannot {what}:"
                f" {' '.join(str(error).split())[:300]}; it can be deleted, and is made again"
            )
        )


def _line(identity: str, entry: Entry) -> tuple[Any, ...]:
    record, fields = entry.record, entry.fields
    headers = orjson.dumps([[name, value.hex()] for name, value in record.headers]).decode()
    return (
        identity, record.offset, fields["at"], fields["at"][:7], fields["type"],
        fields.get("act"), fields.get("user"), (record.key or b"").decode(),
        (record.value or b"").decode(), headers,
    )  # fmt: skip


def _records(table: DeltaTable, identity: str, since: datetime | None) -> Iterator[AccessRecord]:
    """Read the records of a topic; of a moment and later by what they say of themselves."""
    moment = since.strftime("%Y-%m-%dT%H:%M:%S") if since else ""
    batches = (
        QueryBuilder()
        .register("acts", table)
        .execute(
            'SELECT "offset", key, value, headers FROM acts'
            f" WHERE topic = {sql_text(identity)} AND at >= {sql_text(moment)}"
            f" AND month >= {sql_text(moment[:7])}"
        )
    )
    for batch in batches:
        columns = [batch.column(number).to_pylist() for number in range(batch.num_columns)]
        for offset, key, value, headers in zip(*columns, strict=True):
            told = [(name, bytes.fromhex(text)) for name, text in orjson.loads(headers)]
            yield AccessRecord(offset, key.encode() or None, value.encode(), told)
