"""A segment is a file with records of one partition of one topic, in their order.

Inside it is a MessagePack array of records; each is an array of offset, the brokers' time in
milliseconds, key, value, and headers as arrays of name and content. That is packed with Zstandard,
then sealed (`streams.privacy.archive_keys`) for its place alone.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import Final, NamedTuple

import msgspec
from cramjam import DecompressionError, zstd

from streams.archive.object_store import ArchiveError
from streams.engine.ports import Record
from streams.privacy.archive_keys import ArchiveKeys, UnopenedError

SEGMENT_BYTES: Final = 16 << 20
"""Bytes of the records of a segment before they are packed, but for a last large record."""
SEGMENT_RECORDS: Final = 50_000
LEVEL: Final = 6
"""Level of compression: twice as long as the usual one, for files that are kept for years."""
UNKNOWN_TIME: Final = -1
OFFSET_DIGITS: Final = 18
NAMED_BY: Final = 16
"""Hex digits of the digest that stand in a segment's name."""


class ArchivedRecord(NamedTuple):
    """A record of a backup; `written_ms` is the brokers' time, in ms since 1970."""

    offset: int
    written_ms: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]

    @classmethod
    def of(cls, record: Record, written_ms: int) -> "ArchivedRecord":
        """Take a record as it was read."""
        return cls(record.offset, written_ms, record.key, record.value, list(record.headers))

    def size(self) -> int:
        """Return about how many bytes it has in a segment."""
        headers = sum(len(name) + len(content or b"") for name, content in self.headers)
        return len(self.key or b"") + len(self.value or b"") + headers


class Segment(msgspec.Struct, frozen=True):
    """A segment as a manifest names it: the records from `first` up to `next`, without it."""

    file: str
    topic: str
    partition: int
    first: int
    next: int
    records: int
    plain_size: int
    size: int
    sha256: str

    def place(self, topic_id: str) -> bytes:
        """Return the place that the segment is sealed for."""
        return place(self.topic, topic_id, self.partition, self.first, self.next)


def place(topic: str, topic_id: str, partition: int, first: int, following: int) -> bytes:
    """Return the place of a segment: its topic by name and identity, partition and offsets."""
    return f"{topic}/{topic_id}/{partition}/{first}/{following}".encode()


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(list[ArchivedRecord]).decode


def packed(
    keys: ArchiveKeys,
    topic: tuple[str, str],
    partition: int,
    bounds: tuple[int, int],
    records: Sequence[ArchivedRecord],
) -> tuple[Segment, bytes]:
    """Make a segment of a topic, given by name and identity, between two offsets."""
    name, topic_id = topic
    first, following = bounds
    plain = _encode(records)
    content = keys.seal(
        bytes(zstd.compress(plain, level=LEVEL)), place(name, topic_id, partition, first, following)
    )
    digest = sha256(content).hexdigest()
    file = f"segments/{name}/{partition:04}/{first:0{OFFSET_DIGITS}}-{digest[:NAMED_BY]}.seg"
    sizes = len(records), len(plain), len(content)
    return Segment(file, name, partition, first, following, *sizes, digest), content


def unpacked(
    keys: ArchiveKeys, segment: Segment, topic_id: str, content: bytes
) -> list[ArchivedRecord]:
    """Return the records of a segment. Raises ArchiveError where it is not what it should be."""
    check_bytes(segment, content)
    try:
        packed_records = keys.open(content, segment.place(topic_id))
        plain = zstd.decompress(packed_records, output_len=segment.plain_size)
        records = _decode(bytes(plain))
    except UnopenedError as error:
        raise ArchiveError(f"{segment.file} cannot be opened: {error}") from None
    except (ValueError, OSError, msgspec.MsgspecError, DecompressionError) as error:
        raise ArchiveError(f"{segment.file} is no segment ({type(error).__name__})") from None
    check_offsets(segment, records)
    return records


def check_bytes(segment: Segment, content: bytes) -> None:
    """Raise ArchiveError where a file is not the one that the manifest names."""
    if len(content) != segment.size or sha256(content).hexdigest() != segment.sha256:
        raise ArchiveError(
            f"{segment.file} is not the file that was written: its SHA-256 is another"
        )


def check_offsets(segment: Segment, records: Sequence[ArchivedRecord]) -> None:
    """Raise ArchiveError where records are missing, or not in their order."""
    before, number = segment.first - 1, len(records)
    for record in records:
        if not before < record.offset < segment.next:
            raise ArchiveError(f"{segment.file} has records that are not in their order")
        before = record.offset
    if number != segment.records:
        raise ArchiveError(f"{segment.file} has {number} records, not {segment.records}")
