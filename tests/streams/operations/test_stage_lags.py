"""A stage is behind by what the times of the brokers say: no record is read."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from streams.kafka import topics
from streams.operations.stage_lags import (
    LENGTHS_S,
    LONGER_S,
    StageLag,
    lag_of_intake,
    lag_of_stage,
)
from streams.web.lag_words import lag_text
from streams.web.words import words_in

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


class Written:
    """Topics whose records were written at the given ages in seconds, the oldest first."""

    def __init__(self, ages, committed, sources=("",)):
        self._ages = ages
        self._committed = committed
        self._sources = sources
        self.asked = 0

    async def ends(self, _topic):
        return {at: len(ages) for at, ages in self._ages.items()}

    async def starts(self, _topic):
        return dict.fromkeys(self._ages, 0)

    async def raw_ends(self):
        return {source: await self.ends(None) for source in self._sources}

    async def committed(self, _stage):
        return self._committed

    async def behind(self, _stage, _topic, ends):
        return {at: place for at, place in self._committed.items() if place < ends[at]}

    async def since(self, _topic, moment):
        self.asked += 1
        oldest_s = (NOW - moment).total_seconds()
        return {
            at: next((place for place, age_s in enumerate(ages) if age_s <= oldest_s), len(ages))
            for at, ages in self._ages.items()
        }


def lag_in(read: Any):
    return asyncio.run(lag_of_intake(read, NOW))


def lag_of(read: Any):
    return asyncio.run(lag_of_stage(read, "citizens", topics.REPORTS, NOW))


def lag(ages, committed):
    return lag_of(Written(ages, committed))


def test_the_time_is_that_of_the_first_record_that_waits():
    ages = {0: [9_000, 170, 10], 1: [50_000, 40, 5]}
    assert lag(ages, {0: 1, 1: 2}) == StageLag(3, 180)
    assert lag(ages, {0: 2, 1: 2}) == StageLag(2, 60)
    assert lag(ages, {0: 0, 1: 2}) == StageLag(4, 3 * 3600)
    assert lag(ages, {0: 3, 1: 3}) == StageLag(0, 0)


@pytest.mark.parametrize("length_s", LENGTHS_S)
def test_each_length_is_the_shortest_that_is_not_exceeded(length_s):
    assert lag({0: [length_s]}, {0: 0}).waited_s == length_s
    longer = (*LENGTHS_S, LONGER_S)[LENGTHS_S.index(length_s) + 1]
    assert lag({0: [length_s + 1]}, {0: 0}).waited_s == longer


def test_few_moments_are_asked_for_and_none_where_nothing_waits():
    read = Written({0: [170]}, {0: 0})
    lag_of(read)
    assert 0 < read.asked <= 5
    read = Written({0: [170]}, {0: 1})
    lag_of(read)
    assert read.asked == 0


def test_intake_is_as_late_as_its_latest_source():
    read = Written({0: [400, 20], 1: []}, {0: 1}, sources=("", "a"))
    assert lag_in(read) == StageLag(2, 60)
    read = Written({0: [400, 20]}, {}, sources=("a",))
    assert lag_in(read) == StageLag(2, 420)


def test_a_lag_is_told_in_words():
    told = {seconds: lag_text(words_in("da"), seconds) for seconds in (0, *LENGTHS_S, LONGER_S)}
    assert len({*told.values()}) == len(told)
    assert told[0] == "Ajour"
    assert told[60] == "Bagud med under et minut"
    assert told[180] == "Bagud med omkring 3 minutter"
    assert told[3600] == "Bagud med omkring en time"
    assert told[LENGTHS_S[-1]] == "Bagud med omkring 31 dage"
    assert told[LONGER_S] == "Bagud med mere end 31 dage"
    assert lag_text(words_in("en"), int(timedelta(days=2).total_seconds())) == (
        "Behind by about 2 days"
    )
