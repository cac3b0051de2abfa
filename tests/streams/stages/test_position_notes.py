"""A stage says so where nobody of ours committed the offset at which it goes on."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from streams.engine.sink import DeliverySink
from streams.privacy.macs import MacKeys
from streams.stages.position_notes import UNPROVED, PositionNotes

OURS = MacKeys([b"a key of ours"])


class Group:
    """Kafka, as far as a sink needs it: a group's offset, and the note beside it."""

    def __init__(self):
        self.offset: int | None = None
        self.beside = ""

    async def committed(self, _partition):
        return self.offset

    async def note(self, _partition):
        return self.beside

    async def commit(self, _partition, position, note=""):
        self.offset, self.beside = position, note


class Sent:
    """A delivery whose position goes to the group."""

    def __init__(self, group):
        self._group = group

    async def begin(self):
        pass

    async def send(self, _outputs):
        return {}

    async def commit(self, position, note=""):
        await self._group.commit(3, position, note)


@pytest.fixture
def group():
    return Group()


def sink(group, events, macs=OURS, name="refusion.intake", partition=3):
    notes = PositionNotes("intake", macs, name, "refusion.reports.raw", partition, events)
    delivery: Any = Sent(group)
    return DeliverySink("intake", group, partition, delivery, notes)


def found(group, macs=OURS):
    """The position that a worker goes on at, and how many it says that nobody proved."""
    events: Counter[str] = Counter()
    return asyncio.run(sink(group, events, macs).position()), events[UNPROVED]


def test_what_a_worker_commits_is_believed_in_silence(group, caplog):
    assert found(group) == (None, 0), "a group that has committed nothing is no lie"
    asyncio.run(sink(group, Counter()).commit([], 7))
    assert found(group) == (7, 0)
    asyncio.run(sink(group, Counter()).tell_group(9))
    assert found(group) == (9, 0)
    new_before_old = MacKeys([b"a new key", b"a key of ours"])
    assert found(group, new_before_old) == (9, 0)
    assert caplog.text == ""


@pytest.mark.parametrize("note", ["", "no mac", "ø", "x" * 4096])
def test_an_offset_beside_which_stands_no_note_of_ours_is_said_and_counted(group, caplog, note):
    group.offset, group.beside = 700, note
    assert found(group) == (700, 1)
    assert (
        "intake/3: goes on at 700, an offset that no worker of this version committed"
        in caplog.text
    )


@pytest.mark.parametrize(
    "other",
    [
        {"macs": MacKeys([b"no key of ours"])},
        {"name": "refusion2.intake"},
        {"partition": 4},
    ],
    ids=["key", "group", "partition"],
)
def test_a_note_is_good_for_its_own_place_alone(group, other):
    asyncio.run(sink(group, Counter(), **other).commit([], 7))
    assert found(group) == (7, 1)


def test_a_note_is_good_for_its_own_offset_alone(group):
    asyncio.run(sink(group, Counter()).commit([], 7))
    group.offset = 8
    assert found(group) == (8, 1)
