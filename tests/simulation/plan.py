"""Draws a seed's plan: population, brokers, workers, versions, acts of operators, faults, rates.

Each part draws from a source of its own (`chance`), so that a plan with less of one thing has the
same of all others. `changed` makes such a plan: that is how a failing seed shrinks.
"""

import random
from dataclasses import dataclass, field, fields, replace
from typing import Any

from streams.simulation import FAULTS
from tests.simulation.network import Rates

MISHAPS = (
    "kill",
    "kill_at_a_point",
    "stop_at_a_point",
    "stand_still",
    "end_in_order",
    "out_of_memory",
    "slow_reads",
    "outage",
    "broker_dies",
    "cut_from_one",
    "cut_from_all",
    "compact",
    "expire_raw",
    "forget_offsets",
    "disk_full",
    "disk_stalls",
    "disk_torn",
    "disk_set_back",
    "ledger_fails",
    "rebuild",
    "upgrade",
    "disks_mixed_up",
)
"""The kinds of faults that happen at moments of their own."""
SELDOM = {
    "rebuild": 0.2,
    "outage": 0.4,
    "cut_from_all": 0.5,
    "expire_raw": 0.3,
    "forget_offsets": 0.3,
    "disk_set_back": 0.5,
    "disks_mixed_up": 0.5,
}
"""Kinds that happen less often than the others."""
DENSITIES = {"sparse": 8.0, "usual": 2.0, "dense": 0.5}
"""Seconds from a fault to the next, in the mean."""


def chance(seed: int, name: str) -> random.Random:
    """The source of chance of one part of a seed."""
    return random.Random(f"{seed}/{name}")


@dataclass
class Plan:
    """A plan has all that a seed draws."""

    seed: int
    citizens: int
    months: int
    late: float
    partitions: int
    raw_partitions: int
    workers: int
    brokers: int
    faulty_s: float
    pause_s: float
    operator_acts: int
    openings: int
    foreign: int
    merges: int
    """Acts by which two numbers become one person, or two again."""
    poison: int
    repeats: float
    """The share of reports that come again, some with other content."""
    is_former: bool
    """Workers and journal begin as those of the former version."""
    has_ledger: bool
    rates: Rates
    faults: frozenset = field(default=FAULTS)
    mishaps: frozenset = field(default=frozenset(MISHAPS))

    def chance(self, name: str) -> random.Random:
        """The source of chance of one part."""
        return chance(self.seed, name)


def plan_of(seed: int, pause_s: float | None = None, faulty_s: float = 0.0) -> Plan:
    """Draw the plan of a seed; `pause_s` and `faulty_s` make it denser or longer than drawn."""
    rng = chance(seed, "plan")
    share = rng.choice((0.0, 0.005, 0.02, 0.06))
    few = rng.random() < 0.3
    plan = Plan(
        seed=seed,
        citizens=rng.randint(1, 12),
        months=rng.randint(2, 14),
        late=rng.choice((0.02, 0.2, 0.6)),
        partitions=rng.randint(1, 4),
        raw_partitions=rng.randint(1, 3),
        workers=rng.randint(1, 3),
        brokers=rng.choice((1, 3)),
        faulty_s=faulty_s or rng.uniform(20.0, 90.0),
        pause_s=pause_s or rng.choice(tuple(DENSITIES.values())),
        operator_acts=rng.randint(0, 6),
        openings=rng.choice((0, 0, 3)),
        foreign=rng.choice((0, 0, 4)),
        merges=chance(seed, "merges").choice((0, 1, 3, 6)),
        poison=rng.choice((0, 0, 2)),
        repeats=rng.choice((0.0, 0.05, 0.3)),
        is_former=rng.random() < 0.25,
        has_ledger=rng.random() < 0.7,
        rates=Rates(
            lost_request=share * rng.random(),
            lost_answer=share * rng.random(),
            doubled=share * rng.random(),
            slow=share * rng.random(),
            refused=share * rng.random() / 3,
            delay_s=rng.choice((0.005, 0.05)),
            slow_s=rng.choice((1.0, 8.0)),
            marker_s=rng.choice((0.01, 0.5, 3.0)),
        ),
        faults=frozenset(each for each in sorted(FAULTS) if rng.random() < 0.8),
    )
    drawn = frozenset(each for each in MISHAPS if rng.random() < (0.3 if few else 0.9))
    if plan.is_former:  # which knows no merges
        plan = replace(plan, merges=0)
    return replace(plan, mishaps=drawn)


# --- a plan as words ------------------------------------------------------------------------------

_PLAIN = {each.name for each in fields(Plan)} - {"seed", "rates", "faults", "mishaps"}


def changed(plan: Plan, changes: dict[str, str]) -> Plan:
    """Change a plan by words: `citizens=3`, `without=kill,outage`, `lost_answer=0`.

    Raises ValueError for what no plan has.
    """
    for name, text in changes.items():
        if name == "without":
            plan = replace(plan, mishaps=plan.mishaps - set(text.split(",")))
        elif name in Rates.names():
            rates: dict[str, Any] = {name: float(text)}
            plan = replace(plan, rates=replace(plan.rates, **rates))
        elif name in _PLAIN:
            kind = type(getattr(plan, name))
            value: dict[str, Any] = {name: text == "True" if kind is bool else kind(float(text))}
            plan = replace(plan, **value)
        else:
            raise ValueError(f"a plan has no {name}")
    return plan


def words_of(changes: dict[str, str]) -> str:
    """Write changes as `changed` reads them, split at blanks."""
    return " ".join(f"{name}={text}" for name, text in changes.items())


def read_words(words) -> dict[str, str]:
    """Read words `name=value`. Raises ValueError for others."""
    changes = {}
    for word in words:
        name, is_, text = word.partition("=")
        if not is_:
            raise ValueError(f"{word} is no name=value")
        changes[name] = text
    return changes
