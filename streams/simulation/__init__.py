"""Makes a population's reports as upstream would send them: lives, reporters, habits.

Touches: the domain's types and calendar. Same seed, same bytes.
Start with `arrival.py`.
"""

from streams.simulation.arrival import simulate
from streams.simulation.options import FAULTS, SimulationOptions
from streams.simulation.reporters import Owner, owner_of
from streams.simulation.truth import Truth, truth

__all__ = ["FAULTS", "Owner", "SimulationOptions", "Truth", "owner_of", "simulate", "truth"]
