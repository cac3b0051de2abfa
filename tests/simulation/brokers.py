"""The brokers: which of them are up, who leads a partition or a group, and how leaders move.

A partition, a group and a transactional id have a leader each. When its broker dies another one
becomes leader after a moment, as long as a majority is up; nothing that was acknowledged is lost.
"""

from zlib import crc32


class Brokers:
    """Knows which of so many brokers are up; `epoch` grows with each change of leaders."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.down: set[int] = set()
        self.epoch = 0
        self._leaders: dict[tuple, int] = {}

    def leader(self, place: tuple) -> int | None:
        """Return the broker that leads a place, None while there is none."""
        broker = self._leaders.get(place)
        if broker is None:
            broker = self._leaders[place] = crc32(repr(place).encode()) % self.number
        return None if broker in self.down or not self.has_majority else broker

    @property
    def has_majority(self) -> bool:
        """True while writes can be acknowledged by enough replicas."""
        return 2 * (self.number - len(self.down)) > self.number

    def elect(self) -> int:
        """Move what a dead broker leads to the others. Returns how many places moved."""
        up = [broker for broker in range(self.number) if broker not in self.down]
        moved = 0
        if not self.has_majority:
            return moved
        for place, broker in self._leaders.items():
            if broker in self.down:
                self._leaders[place] = up[(broker + moved) % len(up)]
                moved += 1
        self.epoch += bool(moved)
        return moved
