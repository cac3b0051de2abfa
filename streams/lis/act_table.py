"""Keeps a copy of the topic `access` as a Delta table beside the ledger, to be searched quickly.

The topic is kept for ever, and reading it takes as long as it is. The table has a line for each
offset: a record as it was written, with its MAC, so that a reader believes it as a record of the
topic; what has not the form of a record of the topic is a line without a value. Each line has a
seal, a MAC over its offset and the record, so nobody changes, moves or leaves out a line unseen.
The next offset is the table's application transaction, named by the topic's identity: each record
is copied once, whoever dies.
"""

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson
from arro3.core import Array, DataType, Table
from deltalake import CommitProperties, DeltaTable, Field, QueryBuilder, Schema, Transaction
from deltalake import write_deltalake as append
from deltalake.exceptions import TableNotFoundError
from deltalake.schema import PrimitiveType

from streams.acts.chain import AccessRecord, entry_of
from streams.ledger.native import native_errors, quiet_panics
from streams.ledger.sql import sql_text
from streams.lis.store import PROPERTIES, LisError
from streams.privacy.macs import MAC, MacKeys

SUFFIX: Final = "-access"
COLUMNS: Final = {
    "topic": "string", "offset": "long", "at": "string", "month": "string", "type": "string",
    "act": "string", "user": "string", "key": "string", "value": "string", "headers": "string",
    "seal": "string",
}  # fmt: skip
"""`topic` is the topic's identity; `value` is the record, `headers` the names with their bytes in
hexadecimal."""
BY: Final = "month"
MONTH: Final = re.compile(r"20[0-9]{2}-(?:0[1-9]|1[0-2])")
"""Months that are folders; whoever writes to the topic could name others without end."""
COMPACT_EVERY: Final = 100
"""Commits after which the small files of the table become larger ones, and old ones are deleted."""
_ARROW: Final = {"string": DataType.string(), "long": DataType.int64()}
log = logging.getLogger("refusion")


class _CopiedLine(NamedTuple):
    """A line of the table as it was read; what somebody wrote there may be anything."""

    offset: int
    key: str
    value: str
    headers: str
    seal: str

    @property
    def record(self) -> AccessRecord:
        """The record that was copied."""
        told = [(name, bytes.fromhex(text)) for name, text in orjson.loads(self.headers)]
        return AccessRecord(self.offset, self.key.encode() or None, self.value.encode(), told)


class _SeenLines:
    """Notes which lines were read, in one byte for each."""

    def __init__(self) -> None:
        self.count = 0
        self._marks = bytearray()

    def is_new(self, number: int) -> bool:
        """Note a line, and tell whether it comes for the first time."""
        self._marks.extend(bytes(max(0, number + 1 - len(self._marks))))
        was_seen, self._marks[number] = self._marks[number], 1
        self.count += 1
        return not was_seen


class ActTable:
    """The table beside a ledger; it is made when the first record is copied."""

    def __init__(self, ledger: str, macs: MacKeys) -> None:
        self.place = f"{ledger.rstrip('/')}{SUFFIX}"
        self._mac = macs.at("act-copy", 0)
        quiet_panics()

    def position(self, identity: str) -> int:
        """Return the offset of the first record that is not copied yet. Raises LisError."""
        with self._told("be read"):
            return _position(self._table(), identity)

    def append(self, identity: str, records: Sequence[AccessRecord]) -> bool:
        """Add the records of offsets without a gap, and tell whether that was done.

        Nothing is added where another process has copied meanwhile. Raises LisError.
        """
        start, end = records[0].offset, records[-1].offset + 1
        with self._told("be written"):
            table = self._table() or self._made()
            if _position(table, identity) != start:
                return False
            lines = [self._line(identity, record) for record in records]
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
            self._keep_house(table)
        return True

    def take(self, identity: str, start: int, take: Callable[[AccessRecord], bool]) -> int:
        """Hand in the copied records of a topic from an offset on; return where to go on.

        Raises LisError where the table cannot be read, or has not each record as it was copied.
        """
        with self._told("be read"):
            table = self._table()
            end = _position(table, identity)
            if table is None or end <= start:
                return end
            seen = _SeenLines()
            for line in _lines(table, identity, start, end):
                if not (self._is_sealed(identity, line) and seen.is_new(line.offset - start)):
                    raise self._error("be believed", f"somebody changed line {line.offset}")
                if line.value:
                    take(line.record)
            if seen.count != end - start:
                raise self._error("be believed", f"lines are gone: {end - start - seen.count}")
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
        return DeltaTable.create(
            self.place,
            Schema(fields),
            mode="ignore",
            partition_by=[BY],
            configuration={**PROPERTIES},
        )

    def _keep_house(self, table: DeltaTable) -> None:
        """Make small files larger, and delete those that nobody has read for two days.

        A month that is one file already is left as it is. What was copied is copied, so where this
        fails the log says so, and it is tried again later.
        """
        try:
            with self._told("be compacted"):
                table.optimize.compact()
                table.vacuum(dry_run=False)
        except LisError as error:
            log.warning("acts are copied, but: %s", error)

    def _line(self, identity: str, record: AccessRecord) -> tuple[Any, ...]:
        """Make the line of a record; what is not of the topic's form is not kept."""
        entry = entry_of(record)
        fields = entry.fields if entry else {}
        at = fields.get("at", "")
        told = [[name, (value or b"").hex()] for name, value in record.headers] if entry else []
        key = (record.key or b"").decode(errors="replace") if entry else ""
        value = (record.value or b"").decode() if entry else ""
        line = _CopiedLine(record.offset, key, value, orjson.dumps(told).decode(), "")
        _, seal = self._mac.header(*_sealed(identity, line))
        return (
            identity, record.offset, at, at[:7] if MONTH.fullmatch(at[:7]) else "",
            *(_text(fields.get(name)) for name in ("type", "act", "user")),
            *line[1:-1], seal.decode(),
        )  # fmt: skip

    def _is_sealed(self, identity: str, line: _CopiedLine) -> bool:
        place, _, content = _sealed(identity, line)
        seal = str(line.seal).encode()
        return self._mac.is_of(place, content, [(MAC, seal)])

    def _told(self, what: str) -> AbstractContextManager[None]:
        return native_errors(lambda error: self._error(what, " ".join(str(error).split())[:300]))

    def _error(self, what: str, why: str) -> LisError:
        return LisError(
            f"the copy of the acts at {self.place} cannot {what}: {why}; it can be deleted, and is"
            " made again"
        )


def _position(table: DeltaTable | None, identity: str) -> int:
    return (table and table.transaction_version(identity)) or 0


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _sealed(identity: str, line: _CopiedLine) -> tuple[bytes, bytes, bytes]:
    """Return what the seal of a line is over: its place, a type, and the record."""
    return f"{identity}/{line.offset}".encode(), b"", orjson.dumps(line[1:-1])


def _lines(table: DeltaTable, identity: str, start: int, end: int) -> Iterator[_CopiedLine]:
    batches = (
        QueryBuilder()
        .register("acts", table)
        .execute(
            'SELECT "offset", key, value, headers, seal FROM acts'
            f' WHERE topic = {sql_text(identity)} AND "offset" >= {start} AND "offset" < {end}'
        )
    )
    for batch in batches:
        columns = [batch.column(number).to_pylist() for number in range(batch.num_columns)]
        yield from map(_CopiedLine, *columns)
