"""Limits the records that are processed at a time, so that a process never stands still for long.

While a batch is processed the event loop stands still, and so do the heartbeats. After half a
session a process must assume that others have its partitions (`streams.engine.liveness.Pulse`). The
usual 4,000 reports take a fifth of a second. But a citizen with many thousand reports in a month
takes milliseconds for each, and such a partition would be given up and begun again for ever. So the
pace is kept beside the work, and outlives its failures.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from streams.engine.timing import BATCH_RECORDS, SESSION_S

LONGEST_S: Final = SESSION_S / 6
"""Seconds of one call of `process` at most: the interval of a heartbeat."""

Item = TypeVar("Item")


@dataclass
class Pace:
    """The pace of one partition: at most `most` records at a time."""

    most: int = BATCH_RECORDS

    def first_of(self, records: Sequence[Item]) -> Sequence[Item]:
        """The records to process next."""
        return records[: self.most]

    def took(self, records: int, seconds: float) -> None:
        """Learn how long records took: take fewer after a long time, more after a short one."""
        if seconds > LONGEST_S:
            self.most = max(1, int(records * LONGEST_S / seconds / 2))
        elif seconds < LONGEST_S / 4:
            self.most = min(BATCH_RECORDS, 2 * self.most)
