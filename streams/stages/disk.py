"""A partition's state on disk, with the position in the changelog that it has reached."""

import logging
from pathlib import Path
from shutil import rmtree
from typing import Any, Final

import orjson

from streams.citizens.store import RocksStore
from streams.engine.ports import Changelog

CHECKPOINT: Final = b"_checkpoint"
"""Key of the entry with cluster, topic and offset of the changelog; it is on disk alone."""

log = logging.getLogger("refusion")


class Disk:
    """A partition's RocksDB and the position in the changelog that it has reached.

    It may be thrown away at any time: it is restored from the changelog.
    """

    store: RocksStore

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._identity = ""
        self._open = False
        self.position = 0

    def open(self, changelog: Changelog) -> None:
        """Open the folder; throw away state of another changelog, or ahead of this one."""
        self._identity = changelog.identity
        self._open_store()
        point = orjson.loads(self.store.get(CHECKPOINT) or b"{}")
        if (
            point.get("changelog", self._identity) == self._identity
            and point.get("offset", 0) <= changelog.end
        ):
            self.position = point.get("offset", 0)
            return
        log.warning(
            "%s: its state is not of this changelog, or ahead of it: thrown away", self._folder.name
        )
        self.close()
        rmtree(self._folder)
        self._open_store()

    def _open_store(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self.store = RocksStore(self._folder)
        self._open = True

    def write(self, changes: list[tuple[bytes, bytes]], position: int) -> None:
        """Write changes and the position of the changelog after them, in one write."""
        assert position >= self.position, "the disk would go back in the changelog"
        point: dict[str, Any] = {"changelog": self._identity, "offset": position}
        self.store.write([*changes, (CHECKPOINT, orjson.dumps(point))])
        self.position = position

    def close(self) -> None:
        """Close the folder."""
        if self._open:
            self._open = False
            self.store.close()
