"""Simulated partitions: records, markers, the last stable offset, sequences, compaction, retention.

A batch of an idempotent producer has its id, its epoch and the number of its first record. The log
knows each producer's last five batches: one that comes again is acknowledged and not written, one
that does not follow is refused (KIP-98, KIP-360).
"""

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from aiokafka.errors import (
    InvalidProducerEpoch,
    OffsetOutOfRangeError,
    OutOfOrderSequenceNumber,
)

Headers = list[tuple[str, bytes]]

DATA, COMMIT, ABORT = "data", "commit", "abort"
OPEN, COMMITTED, ABORTED = "open", "committed", "aborted"
KNOWN_BATCHES = 5


@dataclass(eq=False, slots=True)
class Entry:
    """A record or a marker; `outcome` is that of its transaction, COMMITTED where it has none."""

    offset: int
    key: bytes | None = None
    value: bytes | None = None
    headers: Headers = field(default_factory=list)
    kind: str = DATA
    outcome: str = COMMITTED
    timestamp: int = 0


class Stamp(NamedTuple):
    """The producer of a batch, its epoch, and the number of the batch's first record."""

    producer: int
    epoch: int
    sequence: int


class _Producer:
    """Remembers of a producer its epoch, and its last batches with their ends."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.next = 0
        self.batches: deque[tuple[int, int, int]] = deque(maxlen=KNOWN_BATCHES)


class Log:
    """One partition of a topic, on brokers that lose nothing that they have acknowledged."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.start = 0
        self.end = 0
        self._open: dict[object, list[Entry]] = {}
        self._producers: dict[int, _Producer] = {}
        self._waiters: list = []

    def __getstate__(self):
        """Give what is left after a seed: the records."""
        return {"entries": self.entries, "start": self.start, "end": self.end, "_open": {}}

    # --- writing ----------------------------------------------------------------------------------

    def append(self, messages, now, transaction=None, stamp=None):
        """Append messages, of a transaction or of none. Returns the offset after the last."""
        known = None if stamp is None else self._known_end(stamp, len(messages))
        if known is not None:
            return known
        for key, value, headers in messages:
            entry = Entry(self.end, key, value, list(headers), timestamp=int(now * 1000))
            if transaction is not None:
                entry.outcome = OPEN
                self._open.setdefault(transaction, []).append(entry)
            self.entries.append(entry)
            self.end += 1
        if stamp is not None:
            producer = self._producers[stamp.producer]
            producer.next = stamp.sequence + len(messages)
            producer.batches.append((stamp.sequence, len(messages), self.end))
        self._wake()
        return self.end

    def _known_end(self, stamp, count):
        """Return the end of a batch that is here already; raise for one that does not follow."""
        producer = self._producers.get(stamp.producer)
        if producer is not None and stamp.epoch < producer.epoch:
            raise InvalidProducerEpoch
        if producer is None or stamp.epoch > producer.epoch:
            if stamp.sequence and producer is not None:
                raise OutOfOrderSequenceNumber
            producer = self._producers[stamp.producer] = _Producer(stamp.epoch)
            producer.next = stamp.sequence
        for first, number, end in producer.batches:
            if (first, number) == (stamp.sequence, count):
                return end
        if stamp.sequence != producer.next:
            raise OutOfOrderSequenceNumber
        return None

    def mark(self, transaction, kind, now, fence=None):
        """End a transaction in this partition with a marker; `fence` is the producer and epoch."""
        for entry in self._open.pop(transaction, ()):
            entry.outcome = COMMITTED if kind == COMMIT else ABORTED
        self.entries.append(Entry(self.end, kind=kind, timestamp=int(now * 1000)))
        self.end += 1
        if fence is not None:
            producer, epoch = fence
            known = self._producers.get(producer)
            if known is None or known.epoch < epoch:
                self._producers[producer] = _Producer(epoch)
        self._wake()

    # --- reading ----------------------------------------------------------------------------------

    @property
    def stable_end(self) -> int:
        """The last stable offset: nobody who reads committed sees anything at or behind it."""
        return min((entries[0].offset for entries in self._open.values()), default=self.end)

    def read(self, start, most):
        """Committed records from an offset on, and the position after them."""
        end = self.stable_end
        records: list[Entry] = []
        for at in range(self._index(start), len(self.entries)):
            entry = self.entries[at]
            if entry.offset >= end or len(records) == most:
                return records, min(end, entry.offset)
            if entry.kind == DATA and entry.outcome == COMMITTED:
                records.append(entry)
        return records, max(start, end)

    def fetch(self, position, most):
        """Read as a consumer does. Raises OffsetOutOfRangeError."""
        if not self.start <= position <= self.end:
            raise OffsetOutOfRangeError
        return self.read(position, most)

    def record(self, offset):
        """The committed record at an offset before the last stable one, or None."""
        at = self._index(offset)
        if at == len(self.entries) or not self.entries[at].offset == offset < self.stable_end:
            return None
        entry = self.entries[at]
        return entry if (entry.kind, entry.outcome) == (DATA, COMMITTED) else None

    def committed(self):
        """All committed records."""
        return self.read(self.start, len(self.entries) + 1)[0]

    def _index(self, start):
        return bisect_left(self.entries, start, key=lambda entry: entry.offset)

    def changes(self, future):
        """Let a future be done when something is written here."""
        self._waiters.append(future)

    def _wake(self):
        waiters, self._waiters = self._waiters, []
        for future in waiters:
            if not future.done():
                future.set_result(None)

    # --- cleaning ---------------------------------------------------------------------------------

    def compact(self):
        """Drop records that have a later one with their key; the last entry always stays.

        A tombstone goes too, as after `delete.retention.ms`.
        """
        end = self.stable_end
        latest = {
            entry.key: entry.offset
            for entry in self.entries
            if entry.kind == DATA and entry.outcome == COMMITTED and entry.offset < end
        }
        self.entries = [
            entry
            for entry in self.entries
            if entry.offset >= end
            or entry.offset == self.end - 1
            or (
                entry.kind == DATA
                and entry.value is not None
                and latest.get(entry.key) == entry.offset
            )
        ]

    def expire(self, offset):
        """Drop what is before an offset, as retention does. Returns the records dropped."""
        offset = min(offset, self.stable_end)
        if offset <= self.start:
            return []
        at = self._index(offset)
        dropped, self.entries = self.entries[:at], self.entries[at:]
        self.start = offset
        return [entry for entry in dropped if (entry.kind, entry.outcome) == (DATA, COMMITTED)]
