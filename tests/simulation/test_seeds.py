"""Fixed seeds of the simulated world; new ones are hunted by `make hunt`."""

import pytest

from tests.simulation.defects import PLANTS
from tests.simulation.run import run_seed

KEPT_SEEDS = ()
"""Seeds that once found a defect of the program."""
FIXED_SEEDS = range(1, 13)
MORE_SEEDS = range(100, 220)
SEEDS_FOR_A_DEFECT = range(1000, 1120)


@pytest.mark.parametrize("seed", [*KEPT_SEEDS, *FIXED_SEEDS])
def test_nothing_is_lost_and_nothing_is_there_twice(seed):
    outcome = run_seed(seed)
    assert not outcome.failure, "\n".join([*outcome.events[-60:], outcome.failure])
    assert outcome.faults > 0


def test_a_seed_decides_everything():
    assert run_seed(3).events == run_seed(3).events


def test_a_planted_defect_is_found():
    assert run_seed(1000, "changes_are_not_kept").failure


@pytest.mark.long
def test_many_seeds_lose_and_double_nothing():
    failures = {seed: failure for seed in MORE_SEEDS if (failure := run_seed(seed).failure)}
    assert not failures


@pytest.mark.long
@pytest.mark.parametrize("defect", PLANTS)
def test_every_planted_defect_is_found(defect):
    assert any(run_seed(seed, defect).failure for seed in SEEDS_FOR_A_DEFECT)
