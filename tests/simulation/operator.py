"""An operator who closes runs and recalculates while things fail: control records, exactly once."""

import asyncio

import orjson

from domain.basics.weeks import month_number, month_text
from streams.wire.control_records import run_of

JOURNAL = "reports"


async def act_as_operator(world) -> None:
    """Write the seed's control records, each to every partition of the journal."""
    month = month_number("2023-01")
    for number in range(world.plan.operator_acts):
        await asyncio.sleep(world.rng.uniform(0, world.plan.faulty_s / 3))
        if world.rng.random() < 0.6:
            value = _run(month)
            month += world.rng.randint(1, 3)
        else:
            value = _recalculation(number)
        world.trace("operator", value["type"])
        for partition in range(world.plan.partitions):
            _write(world, partition, value)


def _run(month):
    text = month_text(month)
    marker = {"schema": 1, "type": "run", "run": run_of(month)}
    return marker | {"closed_at": f"{text}-28T12:00:00Z", "data_month": text}


def _recalculation(number):
    record = {"schema": 1, "type": "recalculate", "id": f"again-{number}", "scope": "all"}
    return record | {"written_at": "2024-02-01T08:00:00Z"}


def _write(world, partition, value):
    text = orjson.dumps(value)
    world.log(JOURNAL, partition).append([(None, text, [])], world.now())
