"""Learns from copies of merges from before the books begin.

A run's books begin a month or more back, a merge may be years old. Then the books have seen neither
`moved` nor `joined`, but they see the copy of each report that came late for the former number, and
the copy names its source. A source among the records that are read came when the merge held: it is
not counted itself, and nothing of its citizen behind it. A copy of an older record is made by a
rebuild, and changes nothing.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Final

Place = tuple[int, int]
"""Partition and offset of a record in the journal."""
NOTHING: Final[Mapping[int, Mapping[int, str]]] = {}
"""No late reports are known."""


class LateCopies:
    """Keeps the late reports of merges from before the books begin, whose copies were met.

    `starts` are the offsets of the journal at which the books begin, by partition, and `sources`
    the late reports that are known already: a citizen by offset, by partition.
    """

    def __init__(
        self, starts: Mapping[int, int], sources: Mapping[int, Mapping[int, str]] = NOTHING
    ) -> None:
        self._starts = starts
        known = {partition: dict(citizens) for partition, citizens in sources.items()}
        self._sources: defaultdict[int, dict[int, str]] = defaultdict(dict, known)

    def take(self, source: Place | None, citizen: str) -> bool:
        """Take the copy of a merge that was not seen; tell if its source is among what is read."""
        if source is None or source[1] < self._starts.get(source[0], source[1] + 1):
            return False
        partition, offset = source
        self._sources[partition][offset] = citizen
        return True

    @property
    def sources(self) -> Mapping[int, Mapping[int, str]]:
        """Give all that was met and was known: a citizen by offset, by partition."""
        return dict(self._sources)

    def of(self, partition: int) -> Mapping[int, str]:
        """Give the offsets of what went on to others from a partition, each with the citizen."""
        return self._sources[partition]
