"""How many records are worked out at a time, so that a process never stands still for long.

While a batch is worked out the event loop stands still, and with it the heartbeats: after half a
session a process must take it that its partitions are others' (`streams.engine.loop.Pulse`). The
usual 4,000 reports take a fifth of a second. But a citizen with many thousand reports in a month
takes milliseconds for each, and one such partition would be given up and begun again for ever. So
the pace is kept beside the work, and outlives its failures.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from streams.engine.timing import BATCH_RECORDS, SESSION_S

LONGEST_S: Final = SESSION_S / 6
"""For one go: a heartbeat's interval."""

Item = TypeVar("Item")


@dataclass
class Pace:
    """Of one partition: at most so many records at a time."""

    most: int = BATCH_RECORDS

    def first_of(self, records: Sequence[Item]) -> Sequence[Item]:
        """As many as can be worked out in one go."""
        return records[: self.most]

    def took(self, records: int, seconds: float) -> None:
        """Learn from a go: less at a time after a long one, more after a short one."""
        if seconds > LONGEST_S:
            self.most = max(1, int(records * LONGEST_S / seconds / 2))
        elif seconds < LONGEST_S / 4:
            self.most = min(BATCH_RECORDS, 2 * self.most)
