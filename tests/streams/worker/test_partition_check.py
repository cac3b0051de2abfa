"""Partitions that were added to the journal are noticed; a record that nobody of ours wrote is not
taken for that.
"""

import pytest

from streams.wire.partitioner import partition_of
from streams.worker.partition_check import are_misplaced

KEYS = [f"{number * 7919:032x}".encode() for number in range(20)]


@pytest.mark.parametrize(("before", "now"), [(2, 5), (6, 12), (12, 24), (12, 13)])
def test_citizens_of_another_number_of_partitions_are_misplaced(before, now):
    places = {key: partition_of(key, before) for key in KEYS}
    assert are_misplaced(places, now)
    assert not are_misplaced(places, before)


@pytest.mark.parametrize("citizens", [0, 20])
def test_one_foreign_record_stops_no_worker(citizens):
    places = {key: partition_of(key, 12) for key in KEYS[:citizens]}
    assert not are_misplaced(places | {b"f" * 32: (partition_of(b"f" * 32, 12) + 1) % 12}, 12)
