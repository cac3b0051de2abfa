"""A partition's state on disk, with the position in the changelog that it has reached.

The disk is a copy, and is believed only as far as it can be checked: by the changelog's identity,
by a witness (a record of the changelog that it contains, which is read back), and by RocksDB's own
checksums. What does not stand that is thrown away, and restored from the changelog.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from shutil import rmtree
from typing import Any, Final, NamedTuple
from zlib import crc32

import orjson

from streams.citizens.store import STALL_PAUSE_S, STALL_S, RocksStore
from streams.citizens.store_port import CorruptDiskError
from streams.engine.ports import Changelog
from streams.kit.threads import DaemonThreads

CHECKPOINT: Final = b"_checkpoint"
"""Key of the entry with cluster, topic, offset and witness of the changelog; on disk alone."""

DAMAGED: Final = "damaged, or does not fit"
NOT_OURS: Final = "not of this changelog, or ahead of it"

Changes = Sequence[tuple[bytes, bytes]]
"""Keys with their values, in the changelog's order."""

log = logging.getLogger("refusion")

_CLOSING: Final = DaemonThreads()
"""Closes stores: on a full disk that may take seconds, or until there is room."""


class Witness(NamedTuple):
    """The offset of a record of the changelog, and a checksum of its key and value."""

    offset: int
    checksum: int


def witness_of(offset: int, key: bytes, value: bytes) -> Witness:
    """Return the witness that a record is."""
    return Witness(offset, crc32(value, crc32(key)))


class DiskFolder:
    """The folder of one partition, for as long as the process lives."""

    def __init__(self, path: Path, events: Counter[str]) -> None:
        """`events` counts what happens to it."""
        self.path = path
        self._events = events
        self._closing: asyncio.Future[None] | None = None
        self._is_corrupt = False
        self._was_renewed = False

    async def open(self) -> RocksStore:
        """Open the store in it, as soon as the one before is closed."""
        if self._closing is not None:
            await asyncio.wait({self._closing})
        if self._is_corrupt:
            self.throw_away(DAMAGED)
        try:
            return self._opened()
        except CorruptDiskError:
            if not self._is_corrupt:
                raise
        self.throw_away(DAMAGED)
        return self._opened()

    def _opened(self) -> RocksStore:
        self.path.mkdir(parents=True, exist_ok=True)
        return RocksStore(self.path, self._found_damaged)

    def _found_damaged(self) -> None:
        """Have the folder thrown away at the next opening: its files are not as they were written.

        However often that happens, the changelog has what they should hold.
        """
        self._is_corrupt = True

    def distrust(self) -> None:
        """Have the folder thrown away at the next opening, because its content does not fit.

        Once, until something was kept again: where the changelog itself has what does not fit, no
        further restore mends it.
        """
        self._is_corrupt |= not self._was_renewed

    def throw_away(self, why: str) -> None:
        """Delete a closed folder."""
        log.warning("%s: its state is %s: thrown away", self.path.name, why)
        self._events["disk_thrown_away"] += 1
        self._is_corrupt, self._was_renewed = False, True
        rmtree(self.path)

    def kept(self) -> None:
        """Note that a batch was settled and kept."""
        self._was_renewed = False

    async def close(self, store: RocksStore) -> None:
        """Close a store; a full disk may need seconds, or until there is room. Raises DiskError."""
        closing = asyncio.get_running_loop().run_in_executor(_CLOSING, store.close)
        self._closing = closing
        try:
            await asyncio.shield(closing)
        finally:
            if closing.done():
                self._closing = None


class Disk:
    """A partition's RocksDB and the position in the changelog that it has reached.

    It may be thrown away at any time: it is restored from the changelog.
    """

    store: RocksStore

    def __init__(self, folder: DiskFolder) -> None:
        self._folder = folder
        self._identity = ""
        self._is_open = False
        self._witness: Witness | None = None
        self.position = 0

    async def open(self, changelog: Changelog) -> None:
        """Open the folder; throw away state that is not, or no longer, of this changelog."""
        self._identity = changelog.identity
        await self._open_store()
        point = orjson.loads(self.store.get(CHECKPOINT) or b"{}")
        if why := await self._objection(point, changelog):
            await self.close()
            self._folder.throw_away(why)
            await self._open_store()
        else:
            self.position = point.get("offset", 0)
            if "witness" in point:
                self._witness = Witness(*point["witness"])

    async def _objection(self, point: dict[str, Any], changelog: Changelog) -> str:
        """Say what a state is that cannot be believed, by its checkpoint; "" where it can."""
        if point.get("changelog", self._identity) != self._identity:
            return NOT_OURS
        if point.get("offset", 0) > changelog.end:
            return NOT_OURS
        if "witness" not in point:  # nothing is in it yet, or a former version wrote it
            return ""
        expected = Witness(*point["witness"])
        record = await changelog.record(expected.offset)
        if record is None:
            return f"of a changelog that no longer has record {expected.offset}"
        if witness_of(record.offset, record.key or b"", record.value or b"") != expected:
            return f"of a changelog that has another record {expected.offset} now"
        return ""

    async def _open_store(self) -> None:
        self.store = await self._folder.open()
        self._is_open = True

    async def catch_up(self, entries: Sequence[tuple[int, tuple[bytes, bytes]]], to: int) -> None:
        """Write entries of the changelog, with their offsets, and the position after them."""
        last = entries[-1][0] if entries else None
        await self.write([change for _, change in entries], to, last)

    async def write(self, changes: Changes, position: int, last: int | None) -> None:
        """Write changes and the position of the changelog after them, in one write.

        `last` is the offset of the last of the changes, which becomes the witness; None where there
        are no changes, so that the witness stays.
        """
        assert position >= self.position, "the disk would go back in the changelog"
        point: dict[str, Any] = {"changelog": self._identity, "offset": position}
        if last is not None:
            self._witness = witness_of(last, *changes[-1])
        if self._witness is not None:
            point["witness"] = list(self._witness)
        changes = [*changes, (CHECKPOINT, orjson.dumps(point))]
        until = asyncio.get_running_loop().time() + STALL_S
        while not self.store.offer(changes):
            if asyncio.get_running_loop().time() > until:
                raise self.store.stalled()
            await asyncio.sleep(STALL_PAUSE_S)
        self.position = position

    def kept(self) -> None:
        """Note that a batch was settled and kept."""
        self._folder.kept()

    def distrust(self) -> None:
        """Have the folder thrown away when the partition begins again."""
        self._folder.distrust()

    async def close(self) -> None:
        """Close the folder."""
        if self._is_open:
            self._is_open = False
            await self._folder.close(self.store)
