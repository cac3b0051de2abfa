"""A record that makes its batches fail again and again is found, passed over, and nothing else."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.engine import tenure
from streams.engine.liveness import StalledError
from streams.engine.ports import Batch, Processed
from streams.engine.suspicion import TIMES, Suspicion
from streams.kit.errors import UserError
from tests.streams.engine.test_tenure import World, run_in, until

END = 40


class TooLargeError(Exception):
    """A message is too large, as the broker says."""


class Poisoned(World):
    """A world in which some records make their batch fail, in the work or in the commit."""

    blameless = (LookupError,)

    def __init__(self, poison, error: Any = ValueError, *, in_commit=False):
        super().__init__()
        self.end = END
        self.poison, self.error, self.in_commit = set(poison), error, in_commit
        self.left = 10**6
        self.at_hand: set[int] = set()
        self.done: list[int] = []
        self.refused: list[tuple[int, str]] = []
        self.failures = 0

    def is_too_large(self, error):
        return isinstance(error, TooLargeError)

    async def fetch(self, _partition, max_records, _patience_s):
        await asyncio.sleep(0)
        last = min(self.end, self.at + max_records)
        records: list[Any] = [SimpleNamespace(offset=offset) for offset in range(self.at, last)]
        self.at = last
        return Batch(records, last)

    def _strike(self):
        if self.at_hand & self.poison and self.left:
            self.left -= 1
            self.failures += 1
            raise self.error("the text is of no use")

    def process(self, records, _position):
        self.at_hand = {record.offset for record in records}
        if not self.in_commit:
            self._strike()
        return Processed(sorted(self.at_hand), len(records))

    def refuse(self, record, _position, reason):
        self.at_hand = set()
        self.refused.append((record.offset, reason))
        return Processed([], 1)

    async def commit(self, outputs, _position):
        await asyncio.sleep(0)
        if self.in_commit:
            self._strike()
        self.done += outputs
        return {}


def worked(world, enough=lambda world: world.kept[-1:] == [END]):
    async def work():
        run = run_in(world)
        await until(lambda: enough(world))
        run.revoke()
        await asyncio.wait({run.task})

    asyncio.run(work())
    return world


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(tenure, "PAUSE_S", 0.0)


@pytest.mark.parametrize("poison", [[0], [17], [END - 1], [0, 1], [3, 4, 30]])
def test_the_records_that_fail_are_passed_over_and_all_others_are_done(poison, caplog):
    world = worked(Poisoned(poison))
    assert world.done == [offset for offset in range(END) if offset not in poison]
    assert world.refused == [(offset, "internal_error") for offset in poison]
    assert caplog.text.count("is passed over (internal_error)") == len(poison)
    assert world.failures < len(poison) * 12 + TIMES


def test_outputs_that_are_too_large_are_looked_for_at_once():
    world = worked(Poisoned([17], TooLargeError, in_commit=True))
    assert world.refused == [(17, "too_large")]
    assert world.failures < 10


@pytest.mark.parametrize("times", [1, TIMES - 1])
def test_a_failure_that_passes_costs_no_record(times):
    world = Poisoned([17])
    world.left = times
    assert worked(world).refused == []
    assert world.done == list(range(END))


@pytest.mark.parametrize("error", [OSError, UserError, LookupError])
def test_no_record_is_passed_over_for_a_disk_a_user_or_the_state(error):
    world = worked(Poisoned([17], error), lambda world: world.failures > 20)
    assert world.refused == []
    assert world.done == []


def test_no_record_is_passed_over_because_a_broker_fails():
    world = Poisoned([17], ConnectionError, in_commit=True)
    assert worked(world, lambda world: world.failures > 20).refused == []


def test_work_that_takes_longer_than_a_session_is_held_against_its_records(monkeypatch):
    """It looks like a process that stood still, each time."""
    monkeypatch.setattr(tenure, "SLOW_S", -1.0)
    world = Poisoned([])

    def check(_self):
        if 17 in world.at_hand:
            world.failures += 1
            raise StalledError

    monkeypatch.setattr("streams.engine.liveness.Pulse.check", check)
    assert worked(world).refused == [(17, "internal_error")]
    assert world.done == [offset for offset in range(END) if offset != 17]
    monkeypatch.setattr(tenure, "SLOW_S", 1.0)
    world = Poisoned([])
    assert worked(world, lambda world: world.failures > 10).refused == []


@given(st.sets(st.integers(0, 199), max_size=6), st.integers(1, 60))
def test_whatever_fails_the_others_are_done(poison, size):
    """The loop in small: records in batches, a batch fails with any poison in it."""
    suspicion, position, done, refused = Suspicion(), 0, [], []
    for _ in range(3_000):
        if position == 200:
            break
        last = min(200, position + size)
        batch: list[Any] = [SimpleNamespace(offset=offset) for offset in range(position, last)]
        part = suspicion.part(batch)
        offsets = [record.offset for record in part]
        if suspicion.found(part):
            refused += offsets[:1]
            position = offsets[0] + 1
        elif poison & set(offsets):
            suspicion.failed(part, "internal_error")
            continue
        else:
            done += offsets
            position = offsets[-1] + 1
        suspicion.done(position)
    assert refused == sorted(poison)
    assert done == [offset for offset in range(200) if offset not in poison]
