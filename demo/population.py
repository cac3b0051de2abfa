"""The reports that `make run` publishes: those of a simulated population, with some bad lines."""

import io
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from domain.basics.weeks import month_number
from streams.kit.progress import meter
from streams.privacy.identity import Identity
from streams.simulation import SimulationOptions, simulate

MONTHS = ("2023-01", "2024-12")
SEED = 1
BAD_LINES = 40
ARRIVAL = re.compile(rb'"reported_at":"(\d{4}-\d{2})')

JsonObject = dict[str, Any]
Reports = dict[str, list[JsonObject]]
"""All reports by the pseudonym of the citizen, in the order of arrival."""


def simulated(citizens: int) -> list[bytes]:
    """Simulate the population's reports, one JSON object a line, in the order of arrival."""
    out = io.BytesIO()
    first, last = map(month_number, MONTHS)
    with meter("citizens", citizens) as shown:
        simulate(SimulationOptions(citizens, first, last, SEED), out, shown.show)
    return out.getvalue().splitlines(keepends=True)


def with_bad_lines(reports: Sequence[bytes]) -> Iterator[bytes]:
    """Add bad lines between the reports, as upstream should not send them."""
    places = random.Random(SEED).sample(range(len(reports)), min(BAD_LINES, len(reports)))
    bad = dict(zip(places, _bad_changes(), strict=False))
    for place, line in enumerate(reports):
        yield line
        report = orjson.loads(line) if place in bad else {}
        if report.get("type") == "benefit_payment":
            yield orjson.dumps(report | bad[place]) + b"\n"
        elif report:
            yield line[: len(line) // 2] + b"\n"


def _bad_changes() -> Iterator[JsonObject]:
    """Yield the faults of bad lines that repeat a good payment, without end."""
    while True:
        yield {"amount_ore": 1_234_567}  # the same report_id with other content
        yield {"report_id": "bad", "benefit": "FB"}
        yield {"report_id": "bad", "paying_municipality": "999"}
        yield {"report_id": "bad", "period_end": "2022-01-01"}
        yield {"report_id": "bad", "cpr": "3113991234"}


def arrived_by(lines: Sequence[bytes], month: str) -> int:
    """Count the lines, in the order of arrival, that had come by the end of a month."""
    late = (number for number, line in enumerate(lines) if _arrived_after(line, month.encode()))
    return next(late, len(lines))


def _arrived_after(line: bytes, month: bytes) -> bool:
    arrival = ARRIVAL.search(line)
    return arrival is not None and arrival[1] > month


def reports_by_citizen(reports: Sequence[bytes], identity: Identity) -> Reports:
    """Group the reports by citizen."""
    found = defaultdict(list)
    for line in reports:
        report = orjson.loads(line)
        found[identity.of(report["cpr"])[0]].append(report)
    return found
