"""Simulated partitions: records, transaction markers, the last stable offset, compaction."""

from dataclasses import dataclass, field

Headers = list[tuple[str, bytes]]

DATA, COMMIT, ABORT = "data", "commit", "abort"
OPEN, COMMITTED, ABORTED = "open", "committed", "aborted"


@dataclass(eq=False)
class Entry:
    """A record or a marker; `outcome` is that of its transaction, COMMITTED where it has none."""

    offset: int
    key: bytes | None = None
    value: bytes | None = None
    headers: Headers = field(default_factory=list)
    kind: str = DATA
    outcome: str = COMMITTED
    timestamp: int = 0


class Log:
    """One partition of a topic, on brokers that lose nothing that they have acknowledged."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.start = 0
        self.end = 0
        self._open: dict[object, list[Entry]] = {}

    def append(self, messages, now, transaction=None):
        """Append messages, of a transaction or of none. Returns the offset after the last."""
        for key, value, headers in messages:
            entry = Entry(self.end, key, value, list(headers), timestamp=int(now * 1000))
            if transaction is not None:
                entry.outcome = OPEN
                self._open.setdefault(transaction, []).append(entry)
            self.entries.append(entry)
            self.end += 1
        return self.end

    def mark(self, transaction, kind, now):
        """End a transaction in this partition with a marker."""
        for entry in self._open.pop(transaction, ()):
            entry.outcome = COMMITTED if kind == COMMIT else ABORTED
        self.entries.append(Entry(self.end, kind=kind, timestamp=int(now * 1000)))
        self.end += 1

    @property
    def stable_end(self) -> int:
        """The last stable offset: nobody who reads committed sees anything at or behind it."""
        return min((entries[0].offset for entries in self._open.values()), default=self.end)

    def read(self, start, most):
        """Committed records from an offset on, and the position after them."""
        end = self.stable_end
        records: list[Entry] = []
        for entry in self._from(start):
            if entry.offset >= end or len(records) == most:
                return records, min(end, entry.offset)
            if entry.kind == DATA and entry.outcome == COMMITTED:
                records.append(entry)
        return records, max(start, end)

    def _from(self, start):
        low, high = 0, len(self.entries)
        while low < high:
            middle = (low + high) // 2
            if self.entries[middle].offset < start:
                low = middle + 1
            else:
                high = middle
        for at in range(low, len(self.entries)):
            yield self.entries[at]

    def committed(self):
        """All committed records."""
        return self.read(self.start, len(self.entries) + 1)[0]

    def compact(self):
        """Drop records that have a later one with their key; the last entry always stays."""
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
            or (entry.kind == DATA and latest.get(entry.key) == entry.offset)
        ]
