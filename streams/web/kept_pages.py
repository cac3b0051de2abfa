"""Keeps what pages of views say, packed, up to a size; the least asked for goes first.

What is said of one build of the marts never changes. Kept is a page's own part, without the frame,
which has the visitor's name. Whoever keeps a page gives it a key of all that it is made of, the
rights of who asked among them; no page that names citizens, or lists lines of theirs, is to be
kept. The pages of a build go when one of another build is kept.
"""

import zlib
from collections import OrderedDict
from typing import Final, NamedTuple

from streams.lis.store import Build

MOST_BYTES: Final = 12_000_000
"""Bytes that are kept: some 2,000 pages, as all municipalities have after a run was closed."""
KEY_BYTES: Final = 300
"""Bytes that a page counts for beside its own."""
FASTEST: Final = 1


class ToldPage(NamedTuple):
    """A page tells its title, and its own part of the HTML."""

    title: str
    main: str


class KeptPages:
    """Keeps pages by build and key. For one thread: that of the site's loop."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most = most
        self._build: Build | None = None
        self._packed: OrderedDict[str, tuple[str, bytes]] = OrderedDict()
        self._bytes = 0

    def find(self, build: Build, key: str) -> ToldPage | None:
        """Return a page that is kept."""
        if build != self._build or key not in self._packed:
            return None
        self._packed.move_to_end(key)
        title, packed = self._packed[key]
        return ToldPage(title, zlib.decompress(packed).decode())

    def keep(self, build: Build, key: str, page: ToldPage) -> None:
        """Keep a page, in the place of those of other builds and of those long not asked for."""
        if build != self._build:
            self._build, self._bytes = build, 0
            self._packed.clear()
        if key in self._packed:
            return
        packed = zlib.compress(page.main.encode(), FASTEST)
        self._packed[key] = page.title, packed
        self._bytes += len(packed) + KEY_BYTES
        while self._bytes > self._most:
            _, (_, freed) = self._packed.popitem(last=False)
            self._bytes -= len(freed) + KEY_BYTES
