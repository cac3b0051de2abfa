"""Simulated disks: what was written last is lost in a crash, and a full disk refuses."""

from collections.abc import Iterable, Iterator

from streams.citizens.store import DiskError
from streams.citizens.store_port import MemoryStore


class Disks:
    """The folders of all processes, by path."""

    def __init__(self, rng) -> None:
        self._rng = rng
        self._folders: dict[str, Folder] = {}
        self.full: set[str] = set()
        """Paths that begin with one of these have no room."""

    def open(self, path, _damaged=None) -> "SimulatedStore":
        """Open a folder; only one may have it open at a time."""
        folder = self._folders.setdefault(str(path), Folder())
        if folder.is_open:
            raise DiskError(f"the state in {path} is open already")
        folder.is_open = True
        return SimulatedStore(self, str(path), folder)

    def remove(self, path) -> None:
        """Throw a folder away."""
        self._folders.pop(str(path), None)

    def crash(self, prefix: str) -> None:
        """The process that has these folders dies: a part of the last writes was never flushed."""
        for path, folder in self._folders.items():
            if path.startswith(prefix):
                folder.crash(self._rng.randint(0, len(folder.unflushed)))

    def has_room(self, path: str) -> bool:
        """Tell if a folder's disk takes a write."""
        return not any(path.startswith(prefix) for prefix in self.full)


class Folder:
    """A folder has what is flushed for sure, and what was written since."""

    def __init__(self) -> None:
        self.is_open = False
        self.flushed = MemoryStore()
        self.unflushed: list[list[tuple[bytes, bytes]]] = []

    def crash(self, kept: int) -> None:
        """Keep the first so many of the writes that were not flushed."""
        for changes in self.unflushed[:kept]:
            self.flushed.write(changes)
        self.unflushed.clear()
        self.is_open = False


class SimulatedStore:
    """Stands in for `streams.citizens.store.RocksStore`."""

    def __init__(self, disks: Disks, path: str, folder: Folder) -> None:
        self._disks, self._path, self._folder = disks, path, folder
        self._data = MemoryStore(folder.flushed)
        self.get = self._data.get

    def citizens(self, after: str) -> Iterator[str]:
        """Give the citizens that have state, in order."""
        return self._data.citizens(after)

    def keys(self, prefix: bytes) -> Iterator[bytes]:
        """Give the keys with a prefix, in order."""
        return iter(sorted(key for key in self._data if key.startswith(prefix)))

    def write(self, changes: Iterable[tuple[bytes, bytes]]) -> None:
        """Keep all changes, or none."""
        if not self._disks.has_room(self._path):
            raise DiskError(f"the state in {self._path} cannot be written: no space left")
        kept = list(changes)
        self._data.write(kept)
        self._folder.unflushed.append(kept)

    def offer(self, changes: Iterable[tuple[bytes, bytes]]) -> bool:
        """Write, which never has to wait here."""
        self.write(changes)
        return True

    def close(self) -> None:
        """Flush and release the folder."""
        self._folder.crash(len(self._folder.unflushed))
