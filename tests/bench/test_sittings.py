"""A measurement in several sittings does each step once, and never half of one."""

import asyncio
import math

import pytest

from bench.rig import BenchError, Spent
from bench.sittings import OutOfTimeError, Sitting

STEPS = ("simulated", "first month", "second month")


async def do_all(sitting, done):
    for name in STEPS:

        async def act(name=name):
            done.append(name)
            sitting.figures.append((name, "1 s", ""))
            sitting.add(Spent(1.0, 2.0))
            sitting.reports += 10

        await sitting.step(name, act)


def test_a_later_sitting_goes_on_where_the_first_one_has_ended(tmp_path):
    done: list[str] = []
    first = Sitting(tmp_path, math.inf)

    async def only_the_first():
        await first.step("simulated", lambda: _append(done, "simulated"))

    asyncio.run(only_the_first())
    second = Sitting(tmp_path, math.inf)
    asyncio.run(do_all(second, done))
    assert done == [*STEPS]
    assert second.has_done("second month")


async def _append(done, name):
    done.append(name)


def test_figures_and_sums_of_all_sittings_stay(tmp_path):
    asyncio.run(do_all(Sitting(tmp_path, math.inf), []))
    again = Sitting(tmp_path, math.inf)
    assert again.figures == [(name, "1 s", "") for name in STEPS]
    assert (again.reports, again.spent) == (30, Spent(3.0, 6.0))


def test_no_step_begins_when_the_time_is_over(tmp_path):
    done: list[str] = []
    with pytest.raises(OutOfTimeError):
        asyncio.run(do_all(Sitting(tmp_path, 0.0), done))
    asyncio.run(do_all(Sitting(tmp_path, math.inf), done))
    assert done == [*STEPS]


def test_what_was_ended_amid_a_step_is_refused(tmp_path):
    async def killed():
        raise KeyboardInterrupt

    sitting = Sitting(tmp_path, math.inf)
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(sitting.step("first month", killed))
    with pytest.raises(BenchError, match="amid its step first month"):
        Sitting(tmp_path, math.inf)
