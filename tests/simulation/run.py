"""Runs one seed in a process of its own, and says how it went.

The child ends without cleaning up: killed processes of the simulated world must not run a `finally`
of theirs, not even when Python frees what they were in the midst of.
"""

import json
import logging
import os
import sys
from typing import NamedTuple
from unittest.mock import patch

from streams.stages import disk
from tests.simulation.auditor import audit
from tests.simulation.clock import SimulatedLoop
from tests.simulation.defects import PLANTS
from tests.simulation.world import World


class Outcome(NamedTuple):
    """The end of a seed: the failure in words, or nothing."""

    failure: str
    faults: int
    simulated_s: float
    postings: int
    events: list[str]


def run_seed(seed: int, defect: str = "") -> Outcome:
    """Run one seed to its end, and audit what is left; a defect of `PLANTS` is planted before."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            with os.fdopen(writing, "w") as answer:
                json.dump(_outcome(seed, defect), answer)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return Outcome(*json.loads(text)) if text else Outcome("the process died", 0, 0.0, 0, [])


def _outcome(seed: int, defect: str) -> Outcome:
    if defect:
        PLANTS[defect]()
    world, loop = World(seed), SimulatedLoop()
    loop.set_exception_handler(lambda *_: None)  # tasks of killed processes never end
    logging.getLogger("refusion").setLevel(logging.CRITICAL + 1)
    patch.object(disk, "RocksStore", world.disks.open).start()
    patch.object(disk, "rmtree", world.disks.remove).start()
    sys.unraisablehook = lambda _: None
    failure = ""
    try:
        loop.run_until_complete(_both(world))
    except Exception as error:  # noqa: BLE001 - every failure is told with its seed
        failure = f"{type(error).__name__}: {error}"
    return Outcome(
        failure,
        world.faults + world.network.faults,
        loop.time(),
        sum(len(records) for records in world.seen.values()),
        world.events,
    )


async def _both(world: World) -> None:
    await world.run()
    await audit(world)
