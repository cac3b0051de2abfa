"""Holds the control records of all partitions against each other: they are the same everywhere."""

from collections import Counter
from collections.abc import Sequence

import orjson

from projections.audit.violations import Violation, Violations
from streams.audit.partition import PartitionOutcome


def compare_control_records(
    journal_topic: str, outcomes: Sequence[PartitionOutcome], violations: Violations
) -> None:
    """Add a violation for each control record that a partition lacks and each gap in the runs."""
    by_partition = {
        outcome.partition: outcome.control for outcome in outcomes if outcome.control is not None
    }
    everywhere = Counter(value for control in by_partition.values() for _, value in control)
    for partition, control in by_partition.items():
        here = {value for _, value in control}
        last_offset = control[-1][0] if control else 0
        for value in everywhere:
            if value not in here:
                text = f"{_named(value)} is not in this partition, and it is in others"
                place = journal_topic, partition, last_offset
                violations.add(Violation("control", *place, text))
    _check_runs(journal_topic, next(iter(by_partition.values())), violations)


def _check_runs(
    journal_topic: str, control: Sequence[tuple[int, bytes]], violations: Violations
) -> None:
    """The runs of the first partition follow each other; all others have the same."""
    last = 0
    for offset, value in control:
        record = orjson.loads(value)
        if record["type"] != "run":
            continue
        if last and record["run"] != last + 1:
            text = f"run {record['run']} follows run {last}"
            violations.add(Violation("control", journal_topic, 0, offset, text))
        last = record["run"]


def _named(value: bytes) -> str:
    record = orjson.loads(value)
    if record["type"] == "run":
        return f"the marker of run {record['run']}"
    return f"a control record `{record['type']}`"
