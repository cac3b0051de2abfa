"""A partition run goes through the steps of `streams.engine.loop`; the names have their numbers."""

import asyncio
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from streams.engine import tenure
from streams.engine.budget import Budget
from streams.engine.liveness import Outage, Pulse
from streams.engine.ports import Batch, Processed
from streams.engine.tenure import MAY_FOLLOW, LoopContext, PartitionRun, State
from streams.kit.errors import UnworkableError

PATIENCE_S = 5.0


class World:
    """A source, a stage, its work and its sink in one, which note what is asked of them."""

    name, topic, source_expires = "stage", "topic", False
    blameless: tuple[type[Exception], ...] = ()

    def __init__(self):
        self.asked: list[str] = []
        self.events: Counter[str] = Counter()
        self.kept: list[int] = []
        self.ending: list[Any] = []
        self.closing: asyncio.Event | None = None
        self.knows: int | None = None
        self.at = 0
        self.end = 0
        self.first = 0
        self.fails: dict[str, Exception] = {}
        self.committing = asyncio.Event()
        self.may_commit = asyncio.Event()
        self.may_commit.set()

    def note(self, what):
        self.asked.append(what)
        if error := self.fails.pop(what, None):
            raise error

    def refusal(self, _error):
        return None

    def is_outage(self, _error):
        return False

    def is_too_large(self, _error):
        return False

    def work(self, _partition):
        return self

    def sink(self, *_whose):
        return self

    async def start(self):
        self.note("fence")

    async def restore(self):
        self.note("restore")

    async def position(self, *committed):
        """The sink's position; of the work, which is told that, the same."""
        if committed:
            return committed[0] if self.knows is None else self.knows
        self.note("position")
        return self.kept[-1] if self.kept else None

    async def bounds(self, _partition):
        return self.first, self.end

    def resume_at(self, _partition, offset):
        self.note(f"resume at {offset}")
        self.at = offset

    async def fetch(self, _partition, max_records, _patience_s):
        await asyncio.sleep(0)
        last = min(self.end, self.at + max_records)
        records: list[Any] = [SimpleNamespace(offset=offset) for offset in range(self.at, last)]
        self.at = last
        return Batch(records, last)

    def process(self, records, _position):
        self.note(f"process {len(records)}")
        return Processed([], min(len(records), 2))

    async def commit(self, _outputs, position):
        self.committing.set()
        await self.may_commit.wait()
        self.note(f"commit {position}")
        return {}

    async def tell_group(self, position):
        await self.commit((), position)

    async def keep(self, _ends, position):
        self.note(f"keep {position}")
        self.kept.append(position)

    async def close(self):
        self.note("close")
        if self.closing:
            await self.closing.wait()

    async def stop(self):
        self.note("stop")


def run_in(world, failures: Any = None, budget: Budget | None = None):
    context = LoopContext(
        world, world, "group", Outage(), budget or Budget(1), Pulse(), 0.0,
        fail=[].append if failures is None else failures.append,
        in_background=lambda ending: world.ending.append(asyncio.ensure_future(ending)),
    )  # fmt: skip
    return PartitionRun(context, world, 0, ())


async def until(condition):
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.001)


def test_the_event_loop_goes_round_between_the_steps_3_of_any_two_partitions():
    """Else no heartbeat is sent while one after the other takes a second."""

    async def work():
        rounds, begun = 0, []

        def process(records, _position):
            begun.append(rounds)
            return Processed([], len(records))

        budget = Budget(4)
        worlds: list[Any] = [World() for _ in range(6)]
        for at, world in enumerate(worlds):
            world.end = 3
            world.process = process
            run_in(world, budget=budget if at % 2 else budget.beside(1))
        while not all(world.kept == [3] for world in worlds):
            await asyncio.sleep(0)
            rounds += 1
        return begun

    begun = asyncio.run(work())
    assert len(begun) == 6
    assert len(set(begun)) == 6


def test_steps_1_to_5_in_their_order_part_by_part():
    async def work():
        world = World()
        world.end = 3
        run = run_in(world)
        await until(lambda: world.kept[-1:] == [3])
        run.revoke()
        await asyncio.wait({run.task})
        await asyncio.sleep(0)
        assert run.state is State.RELEASED
        return world.asked

    assert asyncio.run(work()) == [
        *("fence", "restore", "position", "resume at 0"),
        *("process 3", "commit 2", "keep 2", "process 1", "commit 3", "keep 3"),
        *("close", "stop"),
    ]


@pytest.mark.parametrize("step", ["fence", "restore", "position", "process 2", "commit 2"])
def test_step_6_after_a_failure_begins_again_at_step_1(step, monkeypatch):
    monkeypatch.setattr(tenure, "PAUSE_S", 0.0)

    async def work():
        world = World()
        world.end = 2
        world.fails[step] = ValueError("it fails once")
        run = run_in(world)
        await until(lambda: world.kept == [2])
        run.revoke()
        await asyncio.wait({run.task})
        return world.asked

    asked = asyncio.run(work())
    again = asked[asked.index("fence", 1) :]
    assert again[:4] == ["fence", "restore", "position", "resume at 0"]
    assert asked.count("keep 2") == 1


@pytest.mark.parametrize("ending", ["close", "stop"])
def test_step_6_an_error_of_the_ending_does_not_end_the_run(ending, monkeypatch, caplog):
    monkeypatch.setattr(tenure, "PAUSE_S", 0.0)

    async def work():
        world = World()
        world.end = 2
        world.fails["keep 2"] = ValueError("no room")
        world.fails[ending] = ValueError("no room to close either")
        run = run_in(world)
        await until(lambda: world.kept == [2])
        assert world.events["begun_again"] == 1
        run.revoke()
        await asyncio.wait({run.task})
        await asyncio.gather(*world.ending, return_exceptions=True)

    asyncio.run(work())
    assert len(caplog.messages) == 1, "the first error is told"


def test_step_6_a_failed_ending_of_a_run_without_other_failure_is_told(caplog):
    async def work():
        world = World()
        world.fails["close"] = ValueError("no room")
        run = run_in(world)
        await until(lambda: "resume at 0" in world.asked)
        run.revoke()
        await asyncio.wait({run.task, *world.ending})
        await asyncio.wait(set(world.ending))

    asyncio.run(work())
    (told,) = caplog.messages
    assert told.startswith("stage/0: its disk was closed with an error: ValueError at ")


def test_step_6_a_disk_that_takes_long_to_close_holds_up_no_revocation():
    async def work():
        world = World()
        may_close = asyncio.Event()
        world.closing = may_close
        run = run_in(world)
        await until(lambda: "resume at 0" in world.asked)
        run.revoke()
        await asyncio.wait({run.task}, timeout=PATIENCE_S)
        assert run.state is State.RELEASED
        assert not any(ending.done() for ending in world.ending[:1])
        may_close.set()

    asyncio.run(work())


def test_step_1_a_position_that_the_state_has_is_told_to_the_group():
    async def work():
        world = World()
        world.end = 5
        world.knows = 5
        run = run_in(world)
        await until(lambda: "resume at 5" in world.asked)
        run.revoke()
        await asyncio.wait({run.task})
        return world.asked[:5]

    told = ["fence", "restore", "position", "commit 5", "resume at 5"]
    assert asyncio.run(work()) == told


def test_step_6_a_revocation_lets_step_4_end_and_step_5_follow():
    async def work():
        world = World()
        world.end = 2
        world.may_commit.clear()
        run = run_in(world)
        await until(world.committing.is_set)
        run.revoke()
        await asyncio.sleep(0.01)
        assert (run.state, world.kept) == (State.COMMITTING, [])
        world.may_commit.set()
        await asyncio.wait({run.task}, timeout=PATIENCE_S)
        return run.state, world.kept

    assert asyncio.run(work()) == (State.RELEASED, [2])


def test_an_error_that_no_restart_can_mend_ends_the_run_and_the_loop_hears_of_it():
    failures: list[Exception] = []

    async def work():
        world = World()
        world.fails["restore"] = UnworkableError("another version")
        run = run_in(world, failures)
        await asyncio.wait({run.task}, timeout=PATIENCE_S)
        return run.state

    assert asyncio.run(work()) is State.RELEASED
    assert [str(error) for error in failures] == ["another version"]


def test_a_gap_in_the_source_is_refused_and_logged_once(caplog, monkeypatch):
    monkeypatch.setattr(tenure, "PAUSE_S", 0.0)

    async def work():
        world = World()
        world.kept, world.first, world.end = [3], 5, 9
        run = run_in(world)
        await until(lambda: world.asked.count("position") >= 3)
        run.revoke()
        await asyncio.wait({run.task}, timeout=PATIENCE_S)

    asyncio.run(work())
    assert caplog.messages == [
        "stage/0: begins again after the next offset is 3, but topic has 5 to 9"
    ]


def test_every_state_can_be_reached_and_left():
    for state in State:
        assert state in MAY_FOLLOW
        followers = {after for after, before in MAY_FOLLOW.items() if state in before}
        assert followers > {State.RELEASED} or state is State.RELEASED
