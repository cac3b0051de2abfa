"""Holds what a seed leaves behind for the auditor, and what the world knows to be true of it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from tests.simulation.logs import Entry, Log
from tests.simulation.plan import Plan


@dataclass
class Remains:
    """Topics, disks and ledger after a seed, beside the truth about what went in."""

    plan: Plan
    logs: dict[tuple[str, int], Log]
    raw_places: list[tuple[int, int, bytes]]
    """Partition, offset and value of everything that upstream published."""
    expired_unread: set[tuple[int, int]]
    """Raw records that retention took before intake had committed them."""
    unread: Counter[int]
    """The records that workers said were gone before they were read, by raw partition."""
    confirmed: list[bytes]
    """Control records that were surely written, in their order."""
    foreign: set[tuple[int, int]]
    """Records of the journal that nobody of ours wrote."""
    disks: Mapping[str, Mapping[bytes, bytes]]
    ledger: list[tuple]
    made_anew: int

    def committed(self, topic: str, partition: int) -> list[Entry]:
        """The committed records of a partition."""
        log = self.logs.get((topic, partition))
        return log.committed() if log is not None else []
