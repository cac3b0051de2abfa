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


def test_a_refused_line_is_not_kept(folder):
    bad = (*LINE[:1], (202, "0999"), *LINE[2:])
    _, refused, _ = converted(folder, answer((CPR, period(refund(bad)), period(refund(LINE)))))
    assert [each["reason"] for each in refused] == ["unknown_account"]
    gc.collect()
    assert not [each for each in gc.get_objects() if isinstance(each, Refused)]
