"""Holds what came for merged numbers against the copies of it, in whatever partition they are."""

from collections.abc import Mapping

from projections.audit.copies import Copies
from projections.audit.violations import Violation, Violations


def compare_copies(topic: str, by_partition: Mapping[int, Copies], violations: Violations) -> None:
    """Report each record that counts nowhere: its number was merged, and nobody copied it."""
    copied = {place for copies in by_partition.values() for place in copies.copied}
    for partition, copies in by_partition.items():
        for offset in copies.passed_on:
            if (partition, offset) not in copied:
                text = "it is of a number that was merged with another one, and has no copy there"
                violations.add(Violation("not_reflected", topic, partition, offset, text))
