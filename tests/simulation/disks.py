"""Simulated disks: what was written last is lost in a crash; they are full, slow, damaged, old.

A crash keeps the first part of the writes that were not flushed (RocksDB flushes whole batches in
their order). A torn write, or a bit that flips, is found by RocksDB's checksums at the next read.
"""

from collections.abc import Iterable, Iterator

import orjson

from streams.citizens.store_port import CorruptDiskError, DiskError, MemoryStore
from streams.stages.disk import CHECKPOINT
from tests.simulation.clock import PROCESS, KilledError
from tests.simulation.versions import kept

MOST_SHORTAGES = 2
"""Reads that fail for want of memory between two writes of a folder."""


class Disks:
    """The folders of all processes, by path."""

    def __init__(self, rng) -> None:
        self._rng = rng
        self._folders: dict[str, Folder] = {}
        self.full: set[str] = set()
        """Paths that begin with one of these have no room."""
        self.stalled: set[str] = set()
        """Paths that begin with one of these take nothing for a while."""
        self.slow: dict[str, float] = {}
        """Seconds that a read takes, by the beginning of its path."""

    def open(self, path, damaged=lambda: None) -> "SimulatedStore":
        """Open a folder; only one may have it open at a time."""
        path = str(path)
        folder = self._folders.setdefault(path, Folder())
        if folder.is_open:
            raise DiskError(f"the state in {path} is open already")
        if folder.is_torn:
            damaged()
            raise CorruptDiskError(f"the state in {path} cannot be read: its files are damaged")
        folder.is_open = True
        return SimulatedStore(self, path, folder, damaged)

    def remove(self, path) -> None:
        """Throw a folder away."""
        self._folders.pop(str(path), None)

    def crash(self, prefix: str, *, is_torn: bool = False) -> None:
        """The process that has these folders dies: a part of the last writes was never flushed."""
        for path, folder in sorted(self._folders.items()):
            if path.startswith(prefix):
                folder.is_torn |= is_torn and bool(folder.unflushed)
                folder.crash(self._rng.randint(0, len(folder.unflushed)))

    def damage(self, prefix: str) -> None:
        """Flip a bit in each of the folders."""
        for path, folder in self._folders.items():
            if path.startswith(prefix):
                folder.is_torn = True

    def set_back(self, prefix: str) -> None:
        """Put an older copy in the place of folders that nobody has open."""
        for path, folder in self._folders.items():
            if path.startswith(prefix) and not folder.is_open and folder.older:
                folder.flushed = MemoryStore(folder.older)

    def mix_up(self, prefix: str) -> None:
        """Give each folder that nobody has open the content of the next one.

        Those without a witness stay: the former version has none, and would believe anything.
        """
        folders = [
            folder
            for path, folder in sorted(self._folders.items())
            if path.startswith(prefix) and not folder.is_open and folder.has_witness
        ]
        contents = [folder.flushed for folder in folders]
        for folder, content in zip(folders, [*contents[1:], *contents[:1]], strict=True):
            folder.flushed = content
            folder.is_of_another |= len(folders) > 1  # one by itself stays what it was

    def keep_copies(self, prefix: str) -> None:
        """Copy what is flushed, for `set_back`."""
        for path, folder in self._folders.items():
            if path.startswith(prefix):
                folder.older = MemoryStore(folder.flushed)

    def contents(self) -> dict[str, MemoryStore]:
        """Return what folders hold that are as they were written, with what is not flushed yet."""
        return {
            path: each.everything()
            for path, each in self._folders.items()
            if not (each.is_torn or each.is_of_another)
        }

    def read_s(self, path: str) -> float:
        """Seconds that a read of a path takes."""
        return next((s for prefix, s in self.slow.items() if path.startswith(prefix)), 0.0)


def is_in(path: str, prefixes: Iterable[str]) -> bool:
    """Tell if a path begins with one of these."""
    return any(path.startswith(prefix) for prefix in prefixes)


class Folder:
    """A folder has what is flushed for sure, and what was written since."""

    def __init__(self) -> None:
        self.is_open = False
        self.is_torn = False
        self.is_of_another = False
        """Nobody has written to it since it was mixed up: who opens it may die before the check."""
        self.flushed = MemoryStore()
        self.older = MemoryStore()
        self.unflushed: list[list[tuple[bytes, bytes]]] = []

    @property
    def has_witness(self) -> bool:
        """Tell if its checkpoint names a record of the changelog."""
        return "witness" in orjson.loads(self.flushed.get(CHECKPOINT) or b"{}")

    def crash(self, number: int) -> None:
        """Keep the first so many of the writes that were not flushed."""
        for changes in self.unflushed[:number]:
            self.flushed.write(changes)
        self.unflushed.clear()
        self.is_open = False

    def everything(self) -> MemoryStore:
        """All that was written."""
        store = MemoryStore(self.flushed)
        for changes in self.unflushed:
            store.write(changes)
        return store


class SimulatedStore:
    """Stands in for `streams.citizens.store.RocksStore`."""

    def __init__(self, disks: Disks, path: str, folder: Folder, damaged) -> None:
        self._disks, self._path, self._folder = disks, path, folder
        self._damaged = damaged
        self._data = folder.everything()
        self._shortages = 0

    def get(self, key: bytes) -> bytes | None:
        """Give the value of a key, or None."""
        process = PROCESS.get()
        if process is not None:
            self._suffer(process)
        return self._data.get(key)

    def _suffer(self, process) -> None:
        """Let a read be slow, find damage, or lack memory."""
        if self._folder.is_torn:
            self._damaged()
            raise CorruptDiskError(f"the state in {self._path} cannot be read: a checksum is wrong")
        if self._disks.slow and (seconds := self._disks.read_s(self._path)):
            process.hold(seconds)
        if process.short_of_memory_until and self._shortages < MOST_SHORTAGES:
            if process.short_of_memory_until > process.now():
                self._shortages += 1
                raise MemoryError
            process.short_of_memory_until = 0.0

    def citizens(self, after: str) -> Iterator[str]:
        """Give the citizens that have state, in order."""
        return self._data.citizens(after)

    def keys_of(self, citizen: str) -> list[bytes]:
        """Give all keys of a citizen."""
        return self._data.keys_of(citizen)

    def keys(self, prefix: bytes) -> Iterator[bytes]:
        """Give the keys with a prefix, in order."""
        return iter(sorted(key for key in self._data if key.startswith(prefix)))

    def write(self, changes: Iterable[tuple[bytes, bytes]]) -> None:
        """Keep all changes, or none."""
        process = PROCESS.get()
        if process is not None and process.is_dead:
            raise KilledError
        if is_in(self._path, self._disks.full):
            raise DiskError(f"the state in {self._path} cannot be written: no space left")
        written = kept(changes)
        self._data.write(written)
        self._folder.unflushed.append(written)
        self._folder.is_of_another = False
        self._shortages = 0

    def offer(self, changes: Iterable[tuple[bytes, bytes]]) -> bool:
        """Write, unless the disk takes nothing for the moment."""
        if is_in(self._path, self._disks.stalled):
            return False
        self.write(changes)
        return True

    def stalled(self) -> DiskError:
        """Make the error for changes that were offered in vain for too long."""
        return DiskError(f"the state in {self._path} cannot be written: the disk takes nothing")

    def flush(self) -> None:
        """Write out what was written since the last time."""
        self._folder.crash(len(self._folder.unflushed))
        self._folder.is_open = True

    def close(self) -> None:
        """Flush and release the folder."""
        self._folder.crash(len(self._folder.unflushed))
