"""The options of a simulation."""

from dataclasses import dataclass

from domain.basics.weeks import month_number, month_text
from streams.kit.cores import cores
from streams.simulation.lives import MOST_CITIZENS

FAULTS = frozenset(
    (
        "late",
        "late_by_years",
        "reversed",
        "repaid",
        "delivered_twice",
        "two_channels",
        "facts",
        "extraordinary",
    )
)
"""The faults: everything that makes a life or its reports difficult.

`facts` are case facts, `extraordinary` is the 1 % of extraordinary lives.
"""

HISTORIC = frozenset(
    (
        "double_channel",
        "silent_reporter",
        "swapped_code",
        "mass_reopen",
        "bulk_negative",
        "missing_municipality",
        "legacy_on_new",
        "split_reversal",
    )
)
"""Faults that have happened once (`streams.simulation.historic`); they are asked for by name."""

EARLIEST_MONTH = month_number("2014-07")
LATEST_MONTH = month_number("2095-12")


@dataclass(frozen=True, slots=True)
class SimulationOptions:
    """A population, its months and the faults of upstream systems.

    The months are numbers of `domain.basics.weeks`, both included. `late` is the share (0 to 1) of
    reports that come one to four months late; None is the usual share. `faults` are the names of
    FAULTS and HISTORIC that occur. `jobs` is the number of processes, which does not change a byte.
    With `seasons` more people stop being self-supporting in winter than in summer, and some come
    for the first time after the first month.

    Raises:
        ValueError: an option is out of range.
    """

    citizens: int
    first_month: int
    last_month: int
    seed: int
    late: float | None = None
    faults: frozenset[str] = FAULTS
    jobs: int = 0
    seasons: bool = False

    def __post_init__(self) -> None:
        unknown = sorted(self.faults - FAULTS - HISTORIC)
        if unknown:
            known = ", ".join([*sorted(FAULTS), *sorted(HISTORIC)])
            raise ValueError(f"unknown fault {unknown[0]}: choose from {known}")
        if not 0 <= self.citizens <= MOST_CITIZENS:
            raise ValueError(
                f"citizens must be 0 to {MOST_CITIZENS}: there are no more fictive numbers"
            )
        if not EARLIEST_MONTH <= self.first_month <= self.last_month <= LATEST_MONTH:
            bounds = f"{month_text(EARLIEST_MONTH)} and {month_text(LATEST_MONTH)}"
            raise ValueError(f"months must lie between {bounds}, the first not after the last")
        if self.late is not None and not 0 <= self.late <= 0.9:
            raise ValueError("late must be a share from 0 to 0.9")

    @property
    def processes(self) -> int:
        """The number of processes: as asked for, or one for each core."""
        return max(1, self.jobs or cores())
