"""A population's reports as upstream would send them: lives, reporters, and upstream's habits."""

from streams.simulation.arrival import simulate
from streams.simulation.options import FAULTS, SimulationOptions
from streams.simulation.reporters import Owner, owner_of
from streams.simulation.truth import Truth, truth

__all__ = ["FAULTS", "Owner", "SimulationOptions", "Truth", "owner_of", "simulate", "truth"]
