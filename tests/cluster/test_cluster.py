"""A real cluster of three brokers lives through faults: nothing is lost, nothing is there twice."""

import logging

import pytest

from tests.cluster.run import ENOUGH, run
from tests.support.small_disk import on_a_small_disk

FAULTS, LONGEST_S = 15, 6.0
"""Each kind once: there are 13, and two that a machine may not have the means for."""


@pytest.mark.long
@on_a_small_disk
def test_each_fault_of_a_real_cluster_loses_nothing_and_posts_nothing_twice(tmp_path):
    """`make test-night` does 200, and longer ones."""
    logging.disable(logging.CRITICAL)
    try:
        told = run(FAULTS, 20, tmp_path, LONGEST_S)
    finally:
        logging.disable(logging.NOTSET)
    assert sum(told.faults.values()) == FAULTS
    assert len(told.faults) >= 13
    assert told.published > ENOUGH
    assert told.rows > 100
