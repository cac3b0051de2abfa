"""Very many records on pages: the newest of all partitions, chosen before they are cut."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from streams.operations import letter_counts
from streams.operations.dead_letters import DeadLetterReader, Wanted
from streams.operations.notice_shelf import NewestNotices, NoticeLine
from streams.wire.rejections import INTERNAL_ERROR
from tests.streams.operations.test_dead_letters import SETTINGS, Topics, written


def notice(minute, place="730", code="after_death"):
    at = f"2026-11-01T08:{minute:02}:00+00:00"
    return NoticeLine(at, code, "ab" * 16, (place,), "KTH", "", f"P{minute}", "", is_repeat=False)


def shelf_of(lines, **wanted):
    shelf = NewestNotices(most=3, **wanted)
    for line in lines:
        shelf.take(line)
    return shelf


def test_no_partition_pushes_out_the_newer_notices_of_another():
    first, second = [notice(at) for at in (1, 5, 9)], [notice(at) for at in (2, 3, 4, 6)]
    shelf = shelf_of([*first, *second])
    assert [line.cause for line in shelf.lines()] == ["P9", "P6", "P5"]
    assert shelf.is_cut


def test_notices_are_chosen_before_they_are_cut():
    lines = [notice(1, "751"), *[notice(at) for at in (2, 3, 4, 5)], notice(6, code="other")]
    shelf = shelf_of(lines, place="751")
    assert [line.cause for line in shelf.lines()] == ["P1"]
    assert not shelf.is_cut
    assert [line.cause for line in shelf_of(lines, code="other").lines()] == ["P6"]
    assert len(shelf_of([notice(1)] * 9).lines()) == 1


def test_letters_are_all_counted_and_the_newest_kept_without_their_records(monkeypatch):
    class Timed(Topics):
        async def since(self, topic, _moment):
            return await self.starts(topic)

    records = [
        written(reason=INTERNAL_ERROR, offset=at)._replace(offset=at, timestamp=at * 1000)
        for at in range(9)
    ]
    topics: Any = Timed(dead_letters=records)
    reader = DeadLetterReader(SETTINGS, topics)
    monkeypatch.setattr(letter_counts, "NEWEST", 2)

    def counted(**wanted):
        since = datetime(1970, 1, 1, tzinfo=UTC)
        return asyncio.run(letter_counts.counted(reader, Wanted(**wanted), since))

    counts = counted()
    assert (counts.total, counts.ours, counts.is_cut) == (9, 9, False)
    assert [letter.offset for letter in counts.newest] == [8, 7]
    assert all(letter.sealed == b"" for letter in counts.newest)
    assert counted(stage="citizens").total == 0
    monkeypatch.setattr(letter_counts, "MOST_READ", 4)
    assert (counted().total, counted().is_cut) == (4, True)
