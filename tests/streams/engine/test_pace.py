"""The pace follows the speed of the work, down and up again."""

import pytest

from streams.engine.pace import LONGEST_S, Pace
from streams.engine.timing import BATCH_RECORDS


@pytest.mark.parametrize("seconds_each", [0.00004, 0.002, 0.02, 5.0])
def test_after_one_long_call_none_is_long_again(seconds_each):
    pace = Pace()
    goes = []
    for _ in range(40):
        taken = len(pace.first_of(range(100_000)))
        goes.append(taken * seconds_each)
        pace.took(taken, goes[-1])
    assert max(goes[1:]) <= max(LONGEST_S, seconds_each)
    assert pace.most >= min(BATCH_RECORDS, LONGEST_S / seconds_each / 8, 1)


def test_it_is_as_fast_as_before_when_the_slow_work_is_over():
    pace = Pace()
    pace.took(4_000, 80.0)
    assert pace.most == 25
    for _ in range(8):
        pace.took(pace.most, 0.001)
    assert pace.most == BATCH_RECORDS
