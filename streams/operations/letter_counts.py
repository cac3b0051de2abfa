"""Counts dead letters for a page: counts and the newest ones, however many there are."""

from collections import Counter
from datetime import datetime
from heapq import heappush, heappushpop
from typing import Final, NamedTuple

from streams.operations.dead_letters import (
    OUR_FAULTS,
    DeadLetterReader,
    Letter,
    Wanted,
    age_of,
)

NEWEST: Final = 100
"""Letters that are kept."""
MOST_READ: Final = 200_000
"""Letters that are read, the newest of each partition."""


class LetterCounts(NamedTuple):
    """Letters counted by stage, reason and reporter, and the newest ones, without their records.

    `is_cut`: there are more than are read, so the oldest are not counted.
    """

    counts: dict[tuple[str, str, str], int]
    newest: list[Letter]
    is_cut: bool

    @property
    def total(self) -> int:
        """All that were counted."""
        return sum(self.counts.values())

    @property
    def ours(self) -> int:
        """Those that a defect of this program refused."""
        return sum(n for (_, reason, _), n in self.counts.items() if reason in OUR_FAULTS)


async def counted(reader: DeadLetterReader, wanted: Wanted, since: datetime) -> LetterCounts:
    """Count the letters that fit, and keep the newest; of very many, not all are read."""
    starts, is_cut = await reader.starts(since, MOST_READ)
    counts = Counter[tuple[str, str, str]]()
    newest: list[tuple[tuple[str, int, int], Letter]] = []
    async for letter in reader.fitting(wanted, starts):
        counts[letter.stage, letter.reason, letter.reporter] += 1
        kept = age_of(letter), letter._replace(sealed=b"")
        if len(newest) < NEWEST:
            heappush(newest, kept)
        else:
            heappushpop(newest, kept)
    letters = [letter for _, letter in sorted(newest, reverse=True)]
    return LetterCounts(dict(counts.most_common()), letters, is_cut)
