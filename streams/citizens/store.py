"""Citizen state on disk: RocksDB behind the port that the aggregate reads through.

Raw bytes, never the pickling default. One block cache serves all databases of a process, and
memtables are small, so that memory depends on neither citizens nor partitions.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from rocksdict import (
    BlockBasedIndexType,
    BlockBasedOptions,
    Cache,
    DbClosedError,
    DBCompressionType,
    Options,
    Rdict,
    RdictIter,
    WriteBatch,
    WriteBufferManager,
    WriteOptions,
)

from streams.citizens.store_port import OWN, CorruptDiskError, DiskError

BLOCK_CACHE_BYTES = 64 << 20
MEMTABLE_BYTES = 8 << 20
ALL_MEMTABLES_BYTES = 48 << 20
"""The bytes of all memtables of a process; else each partition adds the two that it may have."""
ZSTD_LEVEL = 1
DICTIONARY_BYTES = 16 << 10
"""Bytes of a file's dictionary: records of citizens are short, and like each other."""
ZLIB_WINDOW_BITS, ZLIB_STRATEGY = -14, 0
"""RocksDB's own values for another way to compress, which have to be given too."""
BLOOM_BITS = 10
"""Bits for each key: one miss in a hundred reads the disk, and most report ids are new."""
MEMTABLE_BLOOM = 0.1
"""The part of a memtable's bytes that its own Bloom filter takes: it saves 2 to 3 µs a report."""
KEPT_LOGS = 2
"""RocksDB's own logs that are kept, of 30 kB each: by default a thousand, one for each opening."""
DEFAULT_FAMILY = "default"
"""The column family that every RocksDB has, and here the only one."""
STALL_S = 10.0
"""Seconds to wait for a RocksDB that takes no more, because it cannot write its memtables out."""
STALL_PAUSE_S = 0.005
"""Seconds between two attempts meanwhile; on a healthy disk the first or second succeeds."""

_STALLED = "Write stall"
"""RocksDB's words for a write that would have to wait."""
_NO_STATE = (
    "Corruption: ",
    "Invalid argument: ",
    "No such file or directory",
    "Input/output error",
)
"""The beginnings or ends of RocksDB's words for files that are not the state that it wrote.

All else is of the moment: no room, no rights, too many open files, another process in the folder.
"""


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
    # What is not written again soon: half the bytes of lz4, for 1 µs a report more.
    options.set_bottommost_compression_type(DBCompressionType.zstd())
    options.set_bottommost_compression_options(
        ZLIB_WINDOW_BITS, ZSTD_LEVEL, ZLIB_STRATEGY, DICTIONARY_BYTES, enable=True
    )
    options.set_bottommost_zstd_max_train_bytes(100 * DICTIONARY_BYTES, enable=True)
    options.set_keep_log_file_num(KEPT_LOGS)
    return options


def _disk_error(folder: Path, done: str, error: Exception) -> DiskError:
    """Tell in the system's words why state cannot be read or written.

    RocksDB's text begins with the kind of the error and ends with the system's own message; in
    between it names files, and for damage also what is in them, which is left out.
    """
    text = str(error)
    parts = text.split(": ")
    if text.startswith(_NO_STATE):
        return CorruptDiskError(f"the state in {folder} cannot be read: {parts[1]}")
    kind = CorruptDiskError if text.endswith(_NO_STATE) else DiskError
    return kind(f"the state in {folder} cannot be {done}: {parts[-1]}")


class RocksStore:
    """The store on disk: a RocksDB in a folder of its own.

    A batch's changes are written at once, without a log. The journal (or the input of `settle`) is
    the log: state that a crash loses is made again.
    """

    def __init__(self, folder: Path, damaged: Callable[[], None] = lambda: None) -> None:
        """`damaged` is called whenever CorruptDiskError is raised."""
        self._folder = folder
        self._damaged = damaged
        with self._errors("written"):
            options = _options()
            # A folder that is there would go on with the column family's first options: those of a
            # former version, and a cache of its own for each partition.
            families = {DEFAULT_FAMILY: options}
            self._database = Rdict(str(folder), options, column_families=families)
        self.get = self._reader()
        self._unlogged = WriteOptions()
        self._unlogged.disable_wal = True  # type: ignore[method-assign, assignment]  # a property; the stub errs
        # A write that waits would hold the interpreter, and with it the whole process.
        self._unlogged.no_slowdown = True

    def _reader(self) -> Callable[[bytes], bytes | None]:
        """Make `get`: it gives the value of a key, or None. Raises DiskError."""
        read = self._database.get

        def get(key: bytes, /) -> bytes | None:
            try:
                value: bytes | None = read(key)
            except Exception as error:
                if type(error) not in (Exception, DbClosedError):
                    raise
                raise self._error("read", error) from error
            return value

        return get

    def citizens(self, after: str) -> Iterator[str]:
        """Give the citizens that have state, in order, from the one after `after` on.

        Raises DiskError, as `keys`: an iteration that the disk ends is not over.
        """
        keys = self._database.iter()
        keys.seek(_behind(after))
        while (key := self._key_at(keys)) is not None:
            citizen, _, part = key.partition(b"/")
            if part and not key.startswith(OWN):
                yield citizen.decode()
            keys.seek(_behind(citizen.decode()))

    def keys_of(self, citizen: str) -> Iterator[bytes]:
        """Give all keys of a citizen, in order."""
        return self.keys(f"{citizen}/".encode())

    def keys(self, prefix: bytes) -> Iterator[bytes]:
        """Give the keys with a prefix, in order."""
        keys = self._database.iter()
        keys.seek(prefix)
        while (key := self._key_at(keys)) is not None and key.startswith(prefix):
            yield key
            keys.next()

    def _key_at(self, keys: RdictIter) -> bytes | None:
        """Give the key at which an iteration is; None at its end."""
        with self._errors("read"):
            if keys.valid():
                key: bytes = keys.key()
                return key
            keys.status()
        return None

    def write(self, changes: Iterable[tuple[bytes, bytes]]) -> None:
        """Keep all changes, or none. An empty value deletes. Waits for a while, with all else."""
        changes, until = list(changes), time.monotonic() + STALL_S
        while not self.offer(changes):
            if time.monotonic() > until:
                raise self.stalled()
            time.sleep(STALL_PAUSE_S)

    def offer(self, changes: Iterable[tuple[bytes, bytes]]) -> bool:
        """Write as `write` does, but without waiting. Returns whether RocksDB took the changes."""
        batch = WriteBatch(raw_mode=True)
        for key, value in changes:
            if value:
                batch.put(key, value)
            else:
                batch.delete(key)
        try:
            with self._errors("written"):
                self._database.write(batch, self._unlogged)
        except DiskError as error:
            if str(error).endswith(_STALLED):
                return False
            raise
        return True

    def stalled(self) -> DiskError:
        """Make the error for changes that were offered in vain for too long."""
        return DiskError(
            f"the state in {self._folder} cannot be written: the disk has taken nothing for"
            f" {STALL_S:.0f} s"
        )

    @contextmanager
    def _errors(self, done: str) -> Iterator[None]:
        """Turn RocksDB's plain exceptions into DiskError, which an operator can act on."""
        try:
            yield
        except Exception as error:
            if type(error) not in (Exception, DbClosedError) and not isinstance(error, OSError):
                raise
            raise self._error(done, error) from error

    def _error(self, done: str, error: Exception) -> DiskError:
        disk_error = _disk_error(self._folder, done, error)
        if isinstance(disk_error, CorruptDiskError):
            self._damaged()
        return disk_error

    def close(self) -> None:
        """Release the folder; it is released also where this raises DiskError.

        May take long where the disk is full; other threads go on meanwhile.
        """
        with self._errors("written"):
            self._database.close()


def _behind(citizen: str) -> bytes:
    """Give a key behind all of a citizen's keys, and before the next citizen's."""
    return citizen.encode() + b"0" if citizen else b""
