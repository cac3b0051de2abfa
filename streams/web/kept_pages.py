"""Keeps what pages of views say, packed, up to a size; the least asked for goes first.

What is said of one build of the marts never changes. Kept is a page's own part, without the frame,
which has the visitor's name. Whoever keeps a page gives it a key of all that it is made of, the
rights of who asked among them. The pages of a build go when a newer one is asked.

A page that names citizens has marks in the place of their tokens (`citizen_marks`), and their
pseudonyms beside it: each look at it is put on record before the marks are filled. Such pages are
kept in memory alone, and in a place of their own, so that they drive out no others.
"""

import zlib
from typing import Final, NamedTuple

from streams.lis.kept_values import KeptValues
from streams.lis.store import Build

MOST_BYTES: Final = 12_000_000
"""Bytes that are kept: some 2,000 pages, as all municipalities have after a run was closed."""
MOST_BYTES_OF_CITIZENS: Final = 4_000_000
"""Bytes of pages with citizens that are kept: some 700 pages of a hundred rows."""
KEY_BYTES: Final = 300
"""Bytes that a page counts for beside its own."""


class ToldPage(NamedTuple):
    """A page tells its title, and its own part of the HTML.

    `citizens` are the pseudonyms of those whom it names, and `ledger_version` is what it was made
    of, for the record of a look at it.
    """

    title: str
    main: str
    citizens: tuple[str, ...] = ()
    ledger_version: int = 0


class KeptPages:
    """Keeps pages by build and key."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most = most
        self._build: Build | None = None
        self._packed = self._nothing()

    def _nothing(self) -> KeptValues[tuple[str, int, bytes, bytes]]:
        return KeptValues(self._most, self._most + 1, KEY_BYTES)

    @property
    def count(self) -> int:
        """The number of pages that are kept."""
        return len(self._packed)

    def forget_others(self, build: Build) -> None:
        """Let go of the pages of all builds but one."""
        if build != self._build:
            self._build, self._packed = build, self._nothing()

    def find(self, build: Build, key: str) -> ToldPage | None:
        """Return a page that is kept."""
        packed = self._packed.find(key) if build == self._build else None
        if packed is None:
            return None
        title, version, main, citizens = packed
        names = zlib.decompress(citizens).decode().split()
        return ToldPage(title, zlib.decompress(main).decode(), tuple(names), version)

    def keep(self, build: Build, key: str, page: ToldPage) -> None:
        """Keep a page of the build that is asked, in the place of those long not asked for."""
        if build != self._build:
            return
        main = zlib.compress(page.main.encode(), zlib.Z_BEST_SPEED)
        citizens = zlib.compress(" ".join(page.citizens).encode(), zlib.Z_BEST_SPEED)
        packed = (page.title, page.ledger_version, main, citizens)
        self._packed.keep(key, packed, len(main) + len(citizens))
