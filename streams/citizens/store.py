"""Citizen state on disk: RocksDB behind the port that the aggregate reads through.

Raw bytes, never the pickling default. One block cache serves all databases of a process, and
memtables are small, so that memory depends on neither citizens nor partitions.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from rocksdict import (
    BlockBasedIndexType,
    BlockBasedOptions,
    Cache,
    DBCompressionType,
    Options,
    Rdict,
    WriteBatch,
    WriteBufferManager,
    WriteOptions,
)

from streams.citizens.store_port import OWN
from streams.kit.errors import UserError

BLOCK_CACHE_BYTES = 64 << 20
MEMTABLE_BYTES = 8 << 20
ALL_MEMTABLES_BYTES = 48 << 20
"""The bytes of all memtables of a process; else each partition adds the two that it may have."""
BLOOM_BITS = 10
"""Bits for each key: one miss in a hundred reads the disk, and most report ids are new."""
MEMTABLE_BLOOM = 0.1
"""The part of a memtable's bytes that its own Bloom filter takes: it saves 2 to 3 µs a report."""


@cache
def _block_cache() -> Cache:
    return Cache(BLOCK_CACHE_BYTES)


@cache
def _memtables() -> WriteBufferManager:
    return WriteBufferManager(ALL_MEMTABLES_BYTES, allow_stall=False)


def _options() -> Options:
    tables = BlockBasedOptions()
    tables.set_block_cache(_block_cache())
    tables.set_bloom_filter(BLOOM_BITS, block_based=False)
    tables.set_cache_index_and_filter_blocks(
        True
    )  # else filters grow with the state, outside the cache
    # In small parts: a large file's whole filter fits into no part of the cache, and would be read
    # for every key.
    tables.set_index_type(BlockBasedIndexType.two_level_index_search())
    tables.set_partition_filters(True)
    tables.set_pin_top_level_index_and_filter(True)
    tables.set_pin_l0_filter_and_index_blocks_in_cache(True)
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_block_based_table_factory(tables)
    options.set_write_buffer_size(MEMTABLE_BYTES)
    options.set_write_buffer_manager(_memtables())
    options.set_memtable_prefix_bloom_ratio(MEMTABLE_BLOOM)
    options.set_memtable_whole_key_filtering(True)
    options.set_compression_type(DBCompressionType.lz4())
    return options


class DiskError(UserError):
    """The disk does not take the state: it is full, gone, or not ours."""


def _cause(error: Exception) -> str:
    """Give the system's own message, the last part of RocksDB's text."""
    return str(error).rpartition(": ")[2]


class RocksStore:
    """The store on disk: a RocksDB in a folder of its own.

    A batch's changes are written at once, without a log. The journal (or the input of `settle`) is
    the log: state that a crash loses is made again.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with self._disk():
            self._database = Rdict(str(folder), _options())
        self.get: Callable[[bytes], bytes | None] = self._database.get
        """The value of a key, or None."""
        self._unlogged = WriteOptions()
        self._unlogged.disable_wal = True  # type: ignore[method-assign, assignment]  # a property; the stub errs

    def citizens(self, after: str) -> Iterator[str]:
        """Give the citizens that have state, in order, from the one after `after` on."""
        keys = self._database.iter()
        keys.seek(_behind(after))
        while keys.valid():
            key: bytes = keys.key()
            citizen, _, part = key.partition(b"/")
            if part and not key.startswith(OWN):
                yield citizen.decode()
            keys.seek(_behind(citizen.decode()))

    def keys(self, prefix: bytes) -> Iterator[bytes]:
        """Give the keys with a prefix, in order."""
        keys = self._database.iter()
        keys.seek(prefix)
        while keys.valid() and (key := keys.key()).startswith(prefix):
            yield key
            keys.next()

    def write(self, changes: Iterable[tuple[bytes, bytes]]) -> None:
        """Keep all changes, or none. An empty value deletes."""
        batch = WriteBatch(raw_mode=True)
        for key, value in changes:
            if value:
                batch.put(key, value)
            else:
                batch.delete(key)
        with self._disk():
            self._database.write(batch, self._unlogged)

    @contextmanager
    def _disk(self) -> Iterator[None]:
        """Turn RocksDB's plain exceptions into DiskError, which an operator can act on."""
        try:
            yield
        except Exception as error:
            if type(error) is not Exception:
                raise
            raise DiskError(
                f"the state in {self._folder} cannot be written: {_cause(error)}"
            ) from error

    def close(self) -> None:
        """Release the folder."""
        self._database.close()


def _behind(citizen: str) -> bytes:
    """Give a key behind all of a citizen's keys, and before the next citizen's."""
    return citizen.encode() + b"0" if citizen else b""
