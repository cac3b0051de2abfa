"""The cost of a usual report with the law's early exits (decision 7) and without each of them."""

from pathlib import Path
from statistics import mean
from unittest.mock import patch

from bench.aggregate import Lives
from bench.rig import Figure
from domain.citizen import aggregate, touch
from domain.law import recount
from domain.law.staircase import Law

EXITS = {
    "the fast path": (aggregate, "fresh_cells", None),
    "no other week moves": (recount, "_moves_no_other", False),
    "one ordinal for a run of weeks": (Law, "run_of_weeks", None),
    "all weeks gain": (touch, "_all_weeks_gain", False),
}
"""Each early exit: where it is, and its answer that sends a report the long way."""


def usual() -> float:
    """Microseconds of a report at the frontier, the mean of the third year."""
    return mean(Lives().live(range(48))[24:])


def without_each() -> dict[str, float]:
    """Microseconds of the same report without each early exit, and without all."""
    costs = {}
    for name, (owner, attribute, long_way) in EXITS.items():
        with patch.object(owner, attribute, lambda *_, answer=long_way: answer):
            costs[f"without: {name}"] = usual()
    patches = [
        patch.object(owner, attribute, lambda *_, answer=long_way: answer)
        for owner, attribute, long_way in EXITS.values()
    ]
    for one in patches:
        one.start()
    costs["without all of them"] = usual()
    for one in patches:
        one.stop()
    return costs


def figures(_folder: Path) -> list[Figure]:
    """A usual report with the early exits, and without each."""
    cost = usual()
    return [
        ("usual report, with the early exits", f"{cost:.0f} µs", "1.00"),
        *((name, f"{long:.0f} µs", f"{long / cost:.2f}") for name, long in without_each().items()),
    ]
