"""Says how far a stage is behind: how many records wait before it, and for about how long.

Brokers write the time of each record, and tell from which offset on records are of a moment or
later. So the time is found by asking for a few moments, and no record is read: the site may not
read reports as they were sent.
"""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from streams.kafka import topics
from streams.kafka.reading import Offsets
from streams.kafka.topics import Topic
from streams.operations.run_survey import RunTopics

MINUTE_S: Final = 60
HOUR_S: Final = 60 * MINUTE_S
DAY_S: Final = 24 * HOUR_S
LENGTHS_S: Final = (
    *(MINUTE_S * minutes for minutes in (1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 45)),
    *(HOUR_S * hours for hours in (1, 2, 3, 4, 6, 8, 12, 18)),
    *(DAY_S * days for days in (1, 2, 3, 5, 7, 14, 31)),
)
"""The lengths of time that are told apart."""
LONGER_S: Final = LENGTHS_S[-1] + 1
"""It stands for all that is longer than the last one."""


class StageLag(NamedTuple):
    """It counts the records before a stage, and the seconds that the first has waited, about.

    `waited_s` is one of `LENGTHS_S`, the shortest that is not exceeded, or LONGER_S; 0 where
    nothing waits.
    """

    records: int
    waited_s: int


async def lag_of_stage(read: RunTopics, stage: str, topic: Topic, now: datetime) -> StageLag:
    """Say how far a stage is behind that reads one topic."""
    ends = await read.ends(topic)
    behind = await read.behind(stage, topic, ends)
    return await _lag(read, topic, behind, ends, now)


async def lag_of_intake(read: RunTopics, now: datetime) -> StageLag:
    """Say how far intake is behind with the raw topics of all sources, by offsets alone."""
    lags = []
    for source, ends in (await read.raw_ends()).items():
        topic = topics.raw_of(source)
        committed = await read.committed(topics.intake_of(source))
        starts = await read.starts(topic)
        positions = {at: max(committed.get(at, 0), starts[at]) for at in ends}
        behind = {at: place for at, place in positions.items() if place < ends[at]}
        lags.append(await _lag(read, topic, behind, ends, now))
    return StageLag(sum(lag.records for lag in lags), max(lag.waited_s for lag in lags))


async def _lag(
    read: RunTopics, topic: Topic, behind: Offsets, ends: Offsets, now: datetime
) -> StageLag:
    if not behind:
        return StageLag(0, 0)
    waiting = sum(ends[at] - place for at, place in behind.items())
    return StageLag(waiting, await _waited_s(read, topic, behind, now))


async def _waited_s(read: RunTopics, topic: Topic, behind: Offsets, now: datetime) -> int:
    """Look for the shortest length whose beginning a stage has passed in each partition."""

    async def is_passed(length_s: int) -> bool:
        since = await read.since(topic, now - timedelta(seconds=length_s))
        return all(since[at] <= place for at, place in behind.items())

    first, end = 0, len(LENGTHS_S)
    while first < end:
        middle = (first + end) // 2
        if await is_passed(LENGTHS_S[middle]):
            end = middle
        else:
            first = middle + 1
    return (*LENGTHS_S, LONGER_S)[first]
