"""The store of citizens' state, as the settler sees it: on disk in production, a dict in memory.

`streams.citizens.store` has the one on disk. Keys of a citizen begin with the citizen and `/`;
keys that begin with `OWN` belong to the partition itself.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from streams.kit.errors import UserError

if TYPE_CHECKING:
    from streams.citizens.store import RocksStore

OWN: Final = b"_"
"""Prefix of keys that belong to the partition itself."""


class DiskError(UserError):
    """The disk does not take or give the state: it is full, gone, or not ours."""


class CorruptDiskError(DiskError):
    """The files on the disk are not what was written there; waiting does not mend them."""


class Store(Protocol):
    """State by key, in bytes."""

    def get(self, key: bytes, /) -> bytes | None:
        """Give the value of a key, or None."""

    def write(self, changes: Iterable[tuple[bytes, bytes]]) -> None:
        """Keep all changes, or none. An empty value deletes."""

    def citizens(self, after: str) -> Iterator[str]:
        """Give the citizens that have state, in order, from the one after `after` on."""

    def keys_of(self, citizen: str) -> Iterable[bytes]:
        """Give all keys of a citizen."""


def store_on_disk(folder: Path) -> "RocksStore":
    """Open a store in a folder. Raises DiskError.

    The first one loads RocksDB: 8 MB, which a site has for explanations by the index alone.
    """
    from streams.citizens.store import RocksStore  # noqa: PLC0415

    return RocksStore(folder)


class MemoryStore(dict[bytes, bytes]):
    """A store in memory, for one citizen or a few.

    >>> store = MemoryStore()
    >>> store.write([(b"a/head", b"1"), (b"b/head", b"2"), (b"a/head", b"")])
    >>> list(store.citizens(""))
    ['b']
    """

    def write(self, changes: Iterable[tuple[bytes, bytes]]) -> None:
        """Keep all changes. An empty value deletes."""
        for key, value in changes:
            if value:
                self[key] = value
            else:
                self.pop(key, None)

    def citizens(self, after: str) -> Iterator[str]:
        """Give the citizens that have state, in order, from the one after `after` on."""
        names = {key.partition(b"/")[0].decode() for key in self if not key.startswith(OWN)}
        return iter(sorted(name for name in names if name > after))

    def keys_of(self, citizen: str) -> list[bytes]:
        """Give all keys of a citizen."""
        return [key for key in self if key.startswith(f"{citizen}/".encode())]


class HeldBack:
    """A store beneath changes that are not written to it yet."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.changes: dict[bytes, bytes] = {}

    def get(self, key: bytes, /) -> bytes | None:
        """The value of a key as it is after the changes, or None. An empty value deletes."""
        value = self.changes.get(key)
        return self._store.get(key) if value is None else value or None

    def keys_of(self, citizen: str) -> set[bytes]:
        """Give all keys of a citizen, those of the changes too."""
        own = f"{citizen}/".encode()
        changed = (key for key in self.changes if key.startswith(own))
        return {*self._store.keys_of(citizen), *changed}
