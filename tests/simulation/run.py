"""Runs one seed in a process of its own, and says how it went.

The child ends without cleaning up: killed processes of the simulated world must not run a `finally`
of theirs, not even when Python frees what they were in the midst of. What it leaves behind goes to
its parent, where no defect is planted, for the audit.
"""

import logging
import os
import pickle
import sys
import traceback
from collections import Counter
from typing import NamedTuple
from unittest.mock import patch

from domain.citizen.aggregate import apply_report
from streams.citizens import settler
from streams.engine import tenure
from streams.ledger import writer
from streams.stages import citizens, disk, intake_position
from streams.stages.journal_entries import settleable
from tests.simulation import versions
from tests.simulation.auditor import audit
from tests.simulation.clock import ProcessTime, SimulatedLoop
from tests.simulation.defects import PLANTS
from tests.simulation.ledger_table import SimulatedTable
from tests.simulation.names import POSTINGS
from tests.simulation.plan import Plan, plan_of
from tests.simulation.population import POISON_SETTLE, POISON_STEP
from tests.simulation.world import Listener, World

FEW_AT_ONCE = 3
"""Citizens that a recalculation looks at in one transaction here."""
SMALL_BATCH = 5
LARGEST_BATCH = 40


class Outcome(NamedTuple):
    """The end of a seed: the failure in words, or nothing."""

    failure: str
    faults: Counter[str]
    simulated_s: float
    postings: int
    events: list[str]


def run_seed(seed: int, defect: str = "") -> Outcome:
    """Run one seed as it is drawn; a defect of `PLANTS` is planted before."""
    return run_plan(plan_of(seed), defect)


def run_plan(plan: Plan, defect: str = "", *, is_fine: bool = False) -> Outcome:
    """Run a plan to its end, and audit what is left; `is_fine` traces all that happens."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            with os.fdopen(writing, "wb") as answer:
                pickle.dump(_simulated(plan, defect, is_fine=is_fine), answer)
        except BaseException:  # noqa: BLE001 - the parent is told
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        content = answer.read()
    os.waitpid(child, 0)
    if not content:
        return Outcome("the process died", Counter(), 0.0, 0, [])
    outcome, remains = pickle.loads(content)  # noqa: S301 - our own child's
    if outcome.failure:
        return outcome
    try:
        audit(remains)
    except Exception as error:  # noqa: BLE001 - every failure is told with its seed
        return outcome._replace(failure=f"{type(error).__name__}: {error}")
    return outcome


def _simulated(plan, defect, *, is_fine):
    world, loop = World(plan, is_fine=is_fine), SimulatedLoop()
    _install(world, loop)
    if defect:
        PLANTS[defect]()
    failure, remains = "", None
    try:
        loop.run_until_complete(world.run())
        remains = world.remains()
    except Exception as error:  # noqa: BLE001 - as above
        failure = f"{type(error).__name__}: {error}"
    postings = sum(len(log.committed()) for (topic, _), log in world.cluster.logs.items()
                   if topic == POSTINGS)  # fmt: skip
    faults = world.faults + world.network.faults
    return Outcome(failure, faults, loop.time(), postings, world.cluster.events), remains


def _install(world, loop) -> None:
    """Put the simulated world in the place of the real one, in this process."""
    loop.set_exception_handler(lambda *_: None)  # tasks of killed processes never end
    loop.work_s = world.work_s
    log = logging.getLogger("refusion")
    log.handlers[:] = [Listener(world)]
    log.propagate = False
    log.setLevel(logging.WARNING)
    sys.unraisablehook = lambda _: None
    world.points.install()
    versions.install()
    for module, name, stand_in in (
        (disk, "RocksStore", world.disks.open),
        (disk, "rmtree", world.disks.remove),
        (citizens, "time", ProcessTime()),
        (tenure, "time", ProcessTime()),
        (citizens, "LOOKED_AT", FEW_AT_ONCE),
        (settler, "apply_report", _failing_at(POISON_SETTLE, apply_report, 2)),
        (citizens, "settleable", _failing_at(POISON_STEP, settleable, 0)),
        (writer, "LedgerTable", _Tables(world)),
    ):
        patch.object(module, name, stand_in).start()
    if plan_has_small_batches(world.plan):
        for module, name, number in (
            (tenure, "BATCH_RECORDS", LARGEST_BATCH),
            (tenure, "SMALL_RECORDS", SMALL_BATCH),
            (intake_position, "LOOKED_BACK", LARGEST_BATCH + 1),
        ):
            patch.object(module, name, number).start()


def plan_has_small_batches(plan) -> bool:
    """Tell if batches are so small that a backlog takes several."""
    return plan.seed % 2 == 0


def _failing_at(prefix, real, position):
    """A function that raises for a report with such an id; the report is an argument, or in one."""

    def failing(*arguments):
        report = getattr(arguments[position], "report", arguments[position])
        report = getattr(report, "report", report)  # a copy has it in itself
        if str(getattr(report, "report_id", "")).startswith(prefix):
            raise ZeroDivisionError("a defect that this report meets")
        return real(*arguments)

    return failing


class _Tables:
    """Opens the simulated table where the program would open the real one."""

    def __init__(self, world) -> None:
        self._world = world

    def make(self, _uri, _topic, identity, _partitions) -> SimulatedTable:
        """Open the table, or make it."""
        return SimulatedTable.make(self._world, identity)
