"""Finds the record for which a partition's batches fail again and again: it is passed over then.

Most failures pass: brokers are away, a disk is full. One that comes `TIMES` times at the same
place, out of the work on the records themselves, does not. Without this the partition would begin
again for ever. The records of that batch are halved until those that work are done, and one is
left, which failed alone too.
"""

from collections.abc import Sequence
from typing import Final

from streams.engine.ports import Record, Refused

TIMES: Final = 3
"""Failures at the same place after which a record is looked for."""
NOWHERE: Final = -1


class Suspicion:
    """Remembers the failures of one partition."""

    def __init__(self) -> None:
        self._at, self._failures = NOWHERE, 0
        self._most = 0
        """The number of records that are taken at most while a record is looked for; else 0."""
        self._until = NOWHERE
        """The offset after the records among which one is looked for."""
        self._found = NOWHERE
        self._reason: Refused = "internal_error"

    def part(self, records: Sequence[Record]) -> Sequence[Record]:
        """Return the first of these records that are to be taken together."""
        first = records[0].offset
        if first == self._found:
            return records[:1]
        return records[: self._most] if self._most and first < self._until else records

    def found(self, records: Sequence[Record]) -> Refused | None:
        """Return why the first of the records is to be passed over, or None."""
        return self._reason if records[0].offset == self._found else None

    def failed(self, records: Sequence[Record], reason: Refused, *, for_sure: bool = False) -> None:
        """Note that the work on these records failed; `for_sure` it would fail again."""
        first = records[0].offset
        if self._most and first < self._until:
            self._narrow(records, reason)
            return
        self._failures = self._failures + 1 if first == self._at else 1
        self._at = first
        if for_sure or self._failures >= TIMES:
            self._until = records[-1].offset + 1
            self._narrow(records, reason)

    def _narrow(self, records: Sequence[Record], reason: Refused) -> None:
        self._most = max(1, len(records) // 2)
        if len(records) == 1:
            self._found, self._reason = records[0].offset, reason

    def done(self, position: int) -> None:
        """Note that all before a position is done."""
        if position > self._at:
            self._at, self._failures = NOWHERE, 0
        if position >= self._until:
            self._most, self._until, self._found = 0, NOWHERE, NOWHERE
