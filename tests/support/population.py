"""A small simulated population, faults of the upstream among its reports."""

from io import BytesIO

from domain.basics.weeks import month_number
from streams.simulation import FAULTS, SimulationOptions, simulate


def reports_of_some_lives():
    """The reports of 120 persons in 2023, in the order in which they arrive, in four portions."""
    written = BytesIO()
    months = month_number("2023-01"), month_number("2023-12")
    options = SimulationOptions(120, *months, seed=4, late=None, faults=FAULTS, jobs=1)
    simulate(options, written, lambda _: None)
    lines = written.getvalue().splitlines()
    quarter = len(lines) // 4 + 1
    return [lines[at : at + quarter] for at in range(0, len(lines), quarter)]
