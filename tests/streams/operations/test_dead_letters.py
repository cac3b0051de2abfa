"""Operators see some refused records, and some of each."""

import asyncio
from typing import Any

import pytest

from streams.operations.dead_letters import (
    Letter,
    RefusalError,
    Wanted,
    check_sendable,
    sendable,
)
from streams.settings import Settings
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
        check_sendable(LETTER._replace(cut_from=6_000_000))


def test_letters_that_nobody_can_send_keep_no_others_back():
    """A record of somebody else in the journal is one; so is whatever he writes as a letter."""
    settings = Settings.load({"REFUSION_DEMO": "1", "REFUSION_BOOTSTRAP": "127.0.0.1:1"})
    ours = LETTER._replace(
        source="refusion.reports.raw/0/5", sealed=settings.identity().seal_record(b"{}")
    )
    foreign = ours._replace(reason="foreign_record")
    forged = ours._replace(sealed=b"anything")
    elsewhere = ours._replace(source="other/0/5")
    reader: Any = None
    letters = [foreign, forged, ours, elsewhere, ours._replace(cut_from=1)]
    can_be, cannot = asyncio.run(sendable(settings, reader, letters))
    assert can_be == [ours]
    assert len(cannot) == len(letters) - 1


def test_a_mark_of_a_record_that_was_sent_again_lasts_beyond_a_thousand_million_records():
    marked = [("retry-of", b"t.dead-letters/3/12345678901"), ("first", b"other/3/1")]
    assert marks(marked, "t.dead-letters") == marked[:1]
