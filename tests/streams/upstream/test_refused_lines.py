"""Lines that are refused are gone from memory when they were told."""

import gc

from streams.upstream.refund_lines import Refused
from tests.streams.upstream.test_eindkomst import (
    CPR,
    LINE,
    answer,
    converted,
    folder,
    period,
    refund,
)

__all__ = ["folder"]  # the fixture


def refusals():
    gc.collect()
    return [each for each in gc.get_objects() if isinstance(each, Refused)]


def test_a_refused_line_is_not_kept(folder):
    before = refusals()  # of other tests of the process
    bad = (*LINE[:1], (202, "0999"), *LINE[2:])
    _, refused, _ = converted(folder, answer((CPR, period(refund(bad)), period(refund(LINE)))))
    assert [each["reason"] for each in refused] == ["unknown_account"]
    assert [each for each in refusals() if each not in before] == []
