"""The reports of an invented population, as upstream systems would send them.

It builds lives, reporters and their habits. It uses the domain's types and calendar. The same seed
gives the same bytes. Start with `arrival.py`.
"""

from streams.simulation.arrival import simulate
from streams.simulation.options import FAULTS, HISTORIC, SimulationOptions
from streams.simulation.reporters import Owner, owner_of
from streams.simulation.truth import SimulatedTruth, truth

__all__ = [
    "FAULTS",
    "HISTORIC",
    "Owner",
    "SimulatedTruth",
    "SimulationOptions",
    "owner_of",
    "simulate",
    "truth",
]
