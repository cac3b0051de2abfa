"""Operators see some refused records, and some of each."""

import pytest

from streams.operations.dead_letters import (
    Letter,
    RefusalError,
    Wanted,
    check_sendable,
)
from streams.stages.dead_letter import marks

LETTER = Letter(
    3,
    17,
    "2024-03-01T10:00:00Z",
    "intake",
    "bad_period",
    "",
    "t/0/5",
    "",
    0,
    "",
    "",
    b"",
    "12345678",
)


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        (Wanted(), True),
        (Wanted(reason="bad_period", stage="intake", reporter="12345678"), True),
        (Wanted(reason="not_json"), False),
        (Wanted(stage="citizens"), False),
        (Wanted(reporter="87654321"), False),
        (Wanted(since="2024-03-01", until="2024-03-02"), True),
        (Wanted(since="2024-03-01T10:00:01Z"), False),
        (Wanted(until="2024-03-01"), False),
    ],
)
def test_which_are_wanted(wanted, fits):
    assert wanted.fits(LETTER) is fits


def test_a_record_that_was_cut_is_never_sent_again():
    with pytest.raises(RefusalError, match="the record had 6,000,000 bytes and was cut"):
        check_sendable(LETTER._replace(cut_from=6_000_000), unchanged=True)


def test_a_mark_of_a_record_that_was_sent_again_lasts_beyond_a_thousand_million_records():
    marked = [("retry-of", b"t.dead-letters/3/12345678901"), ("first", b"other/3/1")]
    assert marks(marked, "t.dead-letters") == marked[:1]
