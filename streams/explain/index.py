"""An index of one partition of the journal: the offsets of each citizen's records, on disk.

    <citizen>/<offset, 16 hex digits>    for each record, and each that frees an id of the citizen
    _rules/<offset>                      for each record that names the rule set
    _position                            the journal's identity, the offset read so far, and FORM

The first use reads the whole partition; after that only what is new is read. The folder may be
deleted at any time, and the index of another journal is thrown away.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from shutil import rmtree
from typing import Any, Final

import orjson

from streams.citizens.store_port import CorruptDiskError, DiskError, store_on_disk
from streams.engine.ports import Changelog, Record
from streams.kit.errors import UserError
from streams.wire.belief import control_id
from streams.wire.readers import CITIZEN

POSITION: Final = b"_position"
HERE: Final = b"1"
RULES: Final = "_rules"
"""Stands in the place of the citizen for records that name the rule set."""
FORM: Final = 3
"""The form of the index; one of another form, which knows of less, is made anew."""


class IndexInUseError(UserError):
    """Another process has the index open; the message says what to do."""


class JournalIndex:
    """The index of one partition, in a folder of its own; one process at a time."""

    def __init__(self, folder: Path, identity: str) -> None:
        self._folder, self._identity = folder, identity
        self._open()
        noted = orjson.loads(self._store.get(POSITION) or b"{}")
        if noted and (noted["journal"], noted.get("form")) != (identity, FORM):
            self.close()
            rmtree(folder)
            self._open()
            noted = {}
        self._position: int = noted.get("offset", 0)

    def _open(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            self._store = store_on_disk(self._folder)
        except CorruptDiskError:
            rmtree(self._folder)
            self._store = store_on_disk(self._folder)
        except DiskError as error:  # RocksDB has no other class for it
            if "lock" not in str(error.__cause__).lower():
                raise
            raise IndexInUseError(
                f"another program reads the same partition through {self._folder};"
                " try again when it is done"
            ) from error

    async def catch_up(self, journal: Changelog, shown: Callable[[int, int], None]) -> None:
        """Read what is new in the journal; work done before an interruption is kept."""
        start = self._position
        async for batch in journal.read(start):
            entries = [
                (_key(named, record.offset), HERE)
                for record in batch.records
                if (named := _named(record))
            ]
            noted = orjson.dumps(
                {"journal": self._identity, "offset": batch.position, "form": FORM}
            )
            self._store.write([*entries, (POSITION, noted)])
            self._position = batch.position
            shown(batch.position - start, journal.end - start)

    def offsets(self, citizen: str) -> list[int]:
        """Return the offsets of the citizen's records, in order."""
        prefix = citizen.encode() + b"/"
        return [int(key[len(prefix) :], 16) for key in self._store.keys(prefix)]

    def close(self) -> None:
        """Close the folder; it is a cache, and no error of it hides another."""
        with suppress(DiskError):
            self._store.close()


def _named(record: Record) -> bytes:
    """Return the citizen whom a record is about, or RULES; nothing for any other record."""
    citizen = record.key or freed_citizen(record).encode()
    if not citizen and (control_id(record.value) or "").startswith("rules/"):
        return RULES.encode()
    return citizen if CITIZEN.fullmatch(citizen) else b""


def freed_citizen(record: Record) -> str:
    """Return the citizen an id of whom a control record frees; "" for any other record."""
    if record.key or b'"free"' not in (record.value or b""):
        return ""
    try:
        fields: Any = orjson.loads(record.value or b"")
        return str(fields["citizen"]) if fields["type"] == "free" else ""
    except (ValueError, KeyError, TypeError):
        return ""


def _key(citizen: bytes, offset: int) -> bytes:
    return b"%b/%016x" % (citizen, offset)
