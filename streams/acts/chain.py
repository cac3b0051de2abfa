"""The records of the topic `access`, each chained to the one before it of the same writer.

    {"schema": 1, "type": "act", "id": "hgk2m…", "act": "export", "scope": {"run": 82}, …,
     "writer": "ops1/anna/hhgk…", "number": 3, "before": "9f0c…"}

A writer is a user on a host with a state folder. `before` is the SHA-256 of the value of the
writer's record before this one, in letters, "" for its first. The first one names instead, in
`seen`, the last record of the topic: so a chain cannot be dropped whole, when a later one has seen
it. `former` is the writer's chain in a topic that was there before. The header `mac` shows that a
holder of the system's keys wrote the record.
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple

import orjson

from streams.engine.ports import Headers
from streams.privacy.macs import MacKeys, PlaceMac
from streams.wire.cloudevents import event_headers

_LETTERS: Final = str.maketrans("0123456789", "ghijkmnpqr")
PARTITION: Final = 0
"""Every record is in this partition, whatever others the topic has: so all have one order."""
KINDS: Final = ("act", "request", "approval", "refusal")


class ChainHead(NamedTuple):
    """The last record of a writer: its number, and the hash of its value."""

    writer: str
    number: int = 0
    hash: str = ""

    def after(self, value: bytes) -> "ChainHead":
        """Return the head after one more record."""
        return ChainHead(self.writer, self.number + 1, hash_of(value))


class AccessRecord(NamedTuple):
    """A record of the topic as it was read."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class Entry(NamedTuple):
    """A record that one of ours wrote; `fields` are those of its value."""

    record: AccessRecord
    fields: Mapping[str, Any]

    @property
    def head(self) -> ChainHead:
        """The writer's chain as it ends with this record."""
        value_hash = hash_of(self.record.value or b"")
        return ChainHead(self.fields["writer"], self.fields["number"], value_hash)


def hash_of(value: bytes) -> str:
    """Return the SHA-256 of a value in letters: nobody takes a part of it for a CPR number."""
    return sha256(value).hexdigest().translate(_LETTERS)


def encode(head: ChainHead, fields: Mapping[str, Any]) -> bytes:
    """Make the value of the writer's next record."""
    chain = {"writer": head.writer, "number": head.number + 1, "before": head.hash}
    return orjson.dumps({"schema": 1} | dict(fields) | chain)


def headers(macs: MacKeys, key: bytes, value: bytes) -> Headers:
    """Make the headers of a record, its MAC among them."""
    fields = orjson.loads(value)
    name = f"{fields['writer']}/{fields['number']}".encode()
    kind = b"refusion." + fields["type"].encode()
    made = event_headers(name, kind, b"refusion/acts", fields["at"])
    return [*made, _mac_of(macs).header(key, kind, value)]


def is_genuine(macs: MacKeys, record: AccessRecord) -> bool:
    """Tell whether a holder of the key wrote a record."""
    return _mac_of(macs).is_of(record.key, record.value, record.headers)


def _mac_of(macs: MacKeys) -> PlaceMac:
    """Return the MAC of the topic's records, which are all in one partition."""
    return macs.at("access", PARTITION)


def entry_of(record: AccessRecord) -> Entry | None:
    """Return what a record says; None for one that is not of this topic's form."""
    try:
        fields = orjson.loads(record.value or b"")
    except ValueError:
        return None
    fits = (
        isinstance(fields, dict)
        and fields.get("type") in KINDS
        and all(isinstance(fields.get(name), str) for name in ("id", "at", "writer", "before"))
        and type(fields.get("number")) is int
    )
    return Entry(record, fields) if fits else None


def genuine_entries(macs: MacKeys, records: Iterable[AccessRecord]) -> list[Entry]:
    """Return the entries that holders of the key wrote, in the order of the topic."""
    return [entry for record in records if is_genuine(macs, record) and (entry := entry_of(record))]
