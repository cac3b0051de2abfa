"""Operators see some refused records, and some of each."""

import asyncio
from typing import Any, NamedTuple

import pytest

from streams.operations.dead_letters import (
    DeadLetterReader,
    Letter,
    RefusalError,
    Wanted,
)
from streams.operations.letter_dispatch import check_sendable, sendable
from streams.settings import Settings
from streams.stages.dead_letter import RefusedRecord, dead_letter, marks
from streams.wire.rejections import INTERNAL_ERROR, UNKNOWN_REPORTER

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
        source="refusion.reports.raw/0/5",
        sealed=settings.identity().seal_record(b"{}"),
        is_proved=True,
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


def test_marks_of_anybody_are_one_of_each_name_and_no_cpr_number():
    """They are in the journal for ever, and any reporter may publish with any headers."""
    place, other = b"t.dead-letters/3/7", b"t.dead-letters/3/8"
    many = [("retry-of", place), ("first", place), *[("retry-of", other)] * 1000, ("first", other)]
    assert marks(many, "t.dead-letters") == many[:2]
    persons = [
        ("retry-of", b"t.dead-letters/0/0101801234"),
        ("first", b"t.dead-letters/0/6101801234"),
    ]
    assert marks([*persons, *many], "t.dead-letters") == many[:2]


# --- letters that somebody else wrote -------------------------------------------------------------

SETTINGS = Settings.load({"REFUSION_DEMO": "1", "REFUSION_BOOTSTRAP": "127.0.0.1:1"})


class Record(NamedTuple):
    offset: int
    value: bytes | None
    headers: Any = ()
    key: None = None
    timestamp: int = 0


def written(raw="refusion.reports.raw.kmd", reason=INTERNAL_ERROR, offset=5):
    """A dead letter of intake, at the offset of its raw record."""
    refused = RefusedRecord("intake", raw, 0, offset, b"{}", [])
    _, sealed, headers = dead_letter(SETTINGS.identity(), reason, refused)
    return Record(offset, sealed, headers)


def said(record, **headers):
    """The record with other headers, as somebody copies it."""
    return record._replace(
        headers=[
            (name, headers[name].encode() if name in headers else content)
            for name, content in record.headers
        ]
    )


class Topics:
    """Topics in memory, each of one partition."""

    def __init__(self, **records) -> None:
        self.of = {f"refusion.{name.replace('_', '-')}": these for name, these in records.items()}

    async def partitions(self, topic):
        return [0] if topic in self.of else []

    async def starts(self, _topic):
        return {0: 0}

    async def ends(self, topic):
        return {0: max((record.offset + 1 for record in self.of[topic]), default=0)}

    async def records(self, topic, _partition, start, end):
        for record in self.of[topic]:
            if start <= record.offset < end:
                yield record


def letters_of(*records, **others):
    topics: Any = Topics(dead_letters=list(records), **others)
    reader = DeadLetterReader(SETTINGS, topics)
    return reader, asyncio.run(reader.letters(Wanted()))


def chosen(reader, letters, **asked):
    return asyncio.run(sendable(SETTINGS, reader, letters, **asked))[0]


def test_no_letter_of_somebody_else_sends_a_record_to_the_topic_of_another_source():
    """The topic says who speaks for a reporter, and an operator would speak for another one."""
    ours = written(reason=UNKNOWN_REPORTER)
    copied = said(ours, topic="refusion.reports.raw.other")._replace(offset=6)
    reader, letters = letters_of(ours, copied, written(offset=7))
    assert [letter.is_proved for letter in letters] == [True, False, True]
    can_be = chosen(reader, letters, unchanged=True)
    assert [letter.offset for letter in can_be] == [5, 7]
    raw = {"reports.raw.other": [Record(5, b"another record")]}
    reader, letters = letters_of(copied, **raw)
    assert chosen(reader, letters, unchanged=True) == []
    raw = {"reports.raw.other": [Record(5, b"{}")]}
    reader, letters = letters_of(copied, **raw)
    assert chosen(reader, letters, unchanged=True) == letters, "a letter of a former version"


def test_no_letter_of_somebody_else_makes_an_error_in_content_one_of_ours():
    """One person sends again what is our fault, and two all else."""
    forged = said(written(reason=UNKNOWN_REPORTER), reason="internal_error")
    raw = {"reports.raw.kmd": [Record(5, b"{}")]}
    reader, letters = letters_of(forged, **raw)
    assert chosen(reader, letters) == []
    assert chosen(reader, letters, unchanged=True) == letters
    reader, letters = letters_of(written())
    assert chosen(reader, letters) == letters


def test_a_letter_that_somebody_else_wrote_first_hides_none_of_ours():
    ours = written(offset=9)
    forged = ours._replace(offset=3, value=b"k00000000.x")
    _, letters = letters_of(forged, ours, ours._replace(offset=11), forged._replace(offset=12))
    assert [(letter.offset, letter.is_proved) for letter in letters] == [(3, False), (9, True)]
