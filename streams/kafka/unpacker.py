"""Unpacks batches of records in bounded memory; one that cannot be read is an `UnreadBatch`.

A batch of 64 kB may unpack to gigabytes, and the client would unpack it whole, in the event loop's
thread. Here each codec stops at `MAX_BATCH_BYTES`. A fetch may hold hundreds of batches that unpack
to a little less, and the client would hand out the records of all: it stops at `TAKEN_BYTES`.
"""

import struct
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from functools import wraps
from mmap import mmap
from typing import Any, Final, NamedTuple

import cramjam
from aiokafka.consumer.fetcher import READ_COMMITTED, FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.legacy_records import LegacyRecordBatch

from streams.engine.ports import Record, UnreadBatch

MAX_BATCH_BYTES: Final = 64 << 20
"""Bytes to which a batch may unpack. Brokers take 1 MB compressed, or 8 MB where messages are ours;
a client's batch of 16 kB to 1 MB is usual before compression."""
TAKEN_BYTES: Final = 16 << 20
"""Unpacked bytes after which no further batch is begun for records that are asked for together:
more than the 16,000 records of a large batch of ours."""
SCRATCH_BYTES: Final = 2 << 20
"""Bytes of the memory into which a batch is unpacked first: nearly every one has room there."""
_FULL: Final = "failed to write whole buffer"
"""The codecs' words for an output that has no room for more."""
_XERIAL: Final = b"\x82SNAPPY\x00"
_XERIAL_HEADER_BYTES: Final = 16

_scratch = threading.local()


class _Unpacked(threading.local):
    """Counts the bytes that this thread has unpacked for the records that it takes now."""

    total = 0


_unpacked = _Unpacked()
Unpack = Callable[[Any, Any], int]
"""Unpacks the first argument into the second, and returns how many bytes that were."""


class TransactionEnd(NamedTuple):
    """A marker of a transaction's end, for a consumer that asks by `with_ends`."""

    offset: int


def with_ends(content: bytes | None) -> bytes | None:
    """Return content unchanged; as its key deserializer, a consumer asks for `TransactionEnd`s."""
    return content


class TooLargeBatchError(Exception):
    """A batch unpacks to more than `MAX_BATCH_BYTES`."""


# --- the codecs -----------------------------------------------------------------------------------


def _into(unpack: Unpack, packed: Any) -> bytes:
    """Unpack by a codec that writes into memory that it is given."""
    if not hasattr(_scratch, "memory"):
        _scratch.memory = bytearray(SCRATCH_BYTES)
    try:
        return bytes(memoryview(_scratch.memory)[: unpack(packed, _scratch.memory)])
    except cramjam.DecompressionError:
        pass
    with mmap(-1, MAX_BATCH_BYTES) as memory:  # pages that are not written to take no room
        try:
            return memory[: unpack(packed, memory)]
        except cramjam.DecompressionError as error:
            if _FULL in str(error):
                raise TooLargeBatchError from error
            raise


def unpack_zstd(packed: Any) -> bytes:
    """Unpack zstd. Raises TooLargeBatchError, as all of these."""
    return _into(cramjam.zstd.decompress_into, packed)


def unpack_lz4(packed: Any) -> bytes:
    """Unpack frames of lz4."""
    return _into(cramjam.lz4.decompress_into, packed)


def unpack_gzip(packed: Any) -> bytes:
    """Unpack one or more members of gzip."""
    parts: list[bytes] = []
    left, rest = MAX_BATCH_BYTES, bytes(packed)
    while rest:
        member = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        parts.append(member.decompress(rest, left + 1))
        left -= len(parts[-1])
        if left < 0:
            raise TooLargeBatchError
        if not member.eof:
            raise CorruptRecordException("a member of gzip has no end")
        rest = member.unused_data
    return b"".join(parts)


def unpack_snappy(packed: Any) -> bytes:
    """Unpack snappy, plain or in the blocks of the Java library."""
    content = memoryview(packed)
    if bytes(content[: len(_XERIAL)]) != _XERIAL:
        return _unpack_block(content, MAX_BATCH_BYTES)
    parts: list[bytes] = []
    left, at = MAX_BATCH_BYTES, _XERIAL_HEADER_BYTES
    while at < len(content):
        (size,) = struct.unpack_from("!i", content, at)
        at += 4
        if not 0 < size <= len(content) - at:
            raise CorruptRecordException("a block of snappy has no end")
        parts.append(_unpack_block(content[at : at + size], left))
        left -= len(parts[-1])
        at += size
    return b"".join(parts)


def _unpack_block(block: memoryview, left: int) -> bytes:
    """Unpack a block of snappy, which begins with the length that it unpacks to."""
    length = shift = 0
    for byte in block[:5]:
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    if length > left:
        raise TooLargeBatchError
    return bytes(cramjam.snappy.decompress_raw(block))


CODECS: Final = {
    "gzip_decode": unpack_gzip,
    "snappy_decode": unpack_snappy,
    "lz4_decode": unpack_lz4,
    "zstd_decode": unpack_zstd,
}
"""Functions that stand in the place of the client's own."""


def _counted(unpack: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    @wraps(unpack)
    def counted(packed: Any) -> bytes:
        content = unpack(packed)
        _unpacked.total += len(content)
        return content

    return counted


# --- the batches ----------------------------------------------------------------------------------


def bound_unpacking() -> None:
    """Let aiokafka unpack in bounded memory, and hand out what it cannot read as one record.

    Protection, measured: 63,770 bytes that unpack to 2 GB took 4 GB and more than a session. A
    usual batch takes as long as before (0.7 ms for 0.9 MB). Computed: eighty batches of 2 kB, each
    of which unpacks to 63 MB, are one fetch, whose records would be 5 GB.
    """
    for batch in (DefaultRecordBatch, LegacyRecordBatch):
        for name, unpack in CODECS.items():
            if hasattr(sys.modules[batch.__module__], name):
                setattr(sys.modules[batch.__module__], name, _counted(unpack))
    PartitionRecords._unpack_records = _unpack_records  # noqa: SLF001
    FetchResult.getall = _take


def _take(self: Any, max_records: int | None = None) -> list[Any]:
    """Take records of a fetch: the client's own way, but that it ends where they become large."""
    if not self.check_assignment(self._topic_partition) or not self.has_more():
        return []
    taken: list[Any] = []
    _unpacked.total = 0
    for record in self._partition_records:
        taken.append(record)
        if len(taken) == max_records or _unpacked.total >= TAKEN_BYTES:
            self._update_position()
            return taken
    self._update_position()
    self._partition_records = None
    return taken


def _unpack_records(self: Any) -> Iterator[Any]:
    """Yield the records of a fetch: the client's own way, but that each batch is read by itself."""
    while self._records.has_next():
        batch = self._records.next_batch()
        if self._check_crcs and not batch.validate_crc():
            raise CorruptRecordException(f"Invalid CRC - {self._tp}")
        if _is_passed_over(self, batch):
            self.next_fetch_offset = batch.next_offset
            if batch.is_control_batch and self._key_deserializer is with_ends:
                yield TransactionEnd(batch.base_offset)
            continue
        yield from _records_of(self, batch)
        self.next_fetch_offset = batch.next_offset


def _is_passed_over(self: Any, batch: Any) -> bool:
    """Return whether a batch is of an aborted transaction, or marks the end of one."""
    if self._isolation_level == READ_COMMITTED and batch.producer_id is not None:
        self._consume_aborted_up_to(batch.base_offset)
        if batch.is_control_batch and self._contains_abort_marker(batch):
            self._aborted_producers.discard(batch.producer_id)
        if batch.is_transactional and batch.producer_id in self._aborted_producers:
            return True
    return bool(batch.is_control_batch)


def _records_of(self: Any, batch: Any) -> Iterator[Record]:
    """Yield the records of a batch, and for those that cannot be read one `UnreadBatch`."""
    is_too_large = False
    try:
        for record in batch:
            if record.offset < self.next_fetch_offset:
                continue
            read = self._consumer_record(self._tp, record)
            self.next_fetch_offset = record.offset + 1
            yield read
    except TooLargeBatchError:
        is_too_large = True
    except Exception:  # noqa: BLE001 - the bytes may be anything
        is_too_large = False
    else:
        return
    first = max(batch.base_offset, self.next_fetch_offset)
    last = batch.next_offset - 1
    self.next_fetch_offset = batch.next_offset
    if first <= last:
        yield UnreadBatch(first, last, batch.max_timestamp, is_too_large)
