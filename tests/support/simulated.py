"""Simulated reports that several tests look at."""

import io
from collections.abc import Iterator
from functools import cache

from domain.basics.weeks import month_number
from domain.citizen.reports import Payment
from streams.citizens.rule_sets import load_rule_set
from streams.simulation import FAULTS, SimulationOptions, simulate
from streams.simulation.arrival import deliveries
from streams.simulation.chance import generator, happens
from streams.simulation.drafts import ArrivingReport
from streams.wire.validator import Validator

ORDINARY = FAULTS - {"extraordinary"}


def options(citizens: int, months: str, seed: int = 7, **more) -> SimulationOptions:
    first, _, last = months.partition("..")
    return SimulationOptions(
        citizens, month_number(first), month_number(last), seed, **{"jobs": 1, **more}
    )


def output(asked: SimulationOptions) -> bytes:
    out = io.BytesIO()
    assert simulate(asked, out) == out.getvalue().count(b"\n")
    return out.getvalue()


@cache
def validator() -> Validator:
    return Validator(load_rule_set(), demo=True)


@cache
def usual_reports() -> tuple[tuple[str, tuple[ArrivingReport, ...]], ...]:
    """Two years of 2,000 ordinary citizens."""
    asked = options(2000, "2023-01..2024-12", faults=ORDINARY)
    return tuple(
        (cpr, tuple(sent))
        for cpr, sent in (deliveries(asked, citizen) for citizen in range(asked.citizens))
    )


def usual_payments() -> Iterator[tuple[int, Payment]]:
    """The payments that upstream meant to send, and when they arrive: without what its habits
    added.
    """
    for _, sent in usual_reports():
        seen = set()
        for at, report, _ in sent:
            number = report.report_id
            if isinstance(report, Payment) and number.count("-") == 2 and number not in seen:
                seen.add(number)
                yield at, report


def odd_citizens(asked: SimulationOptions) -> list[int]:
    """The citizens whose first draw makes them extraordinary."""
    return [n for n in range(asked.citizens) if happens(generator(asked.seed, n, "life"), 1)]
