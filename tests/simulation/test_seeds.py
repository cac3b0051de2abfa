"""Seeds of the simulated world: those that found a defect, and fixed ones; `make hunt` tries more.

What a kept seed draws changes when the world is given more to draw; the defect that it found has a
test of its own beside the program too.
"""

import re
from pathlib import Path

import pytest

from tests.simulation.__main__ import main
from tests.simulation.defects import PLANTS
from tests.simulation.plan import changed, plan_of, read_words
from tests.simulation.run import run_plan, run_seed
from tests.simulation.shrink import kind_of, shrunk
from tests.support.sizes import sized

KEPT = [
    words
    for line in Path(__file__).with_name("kept_seeds.txt").read_text().splitlines()
    if (words := line.partition("#")[0].split())
]
FIXED_SEEDS = range(1, 9)
MORE_SEEDS = range(100, sized(140, 1_000))
SEEDS_FOR_A_DEFECT = range(1000, 1200)
PROMISES = Path(__file__).with_name("promises.md").read_text()
SEEDS_TAKEN = {
    name.strip().replace(" ", "_"): int(number)
    for name, number in re.findall(r"\| ([a-z' ]+) \| ([0-9]+) (?=\|)", PROMISES)
}
"""The table of planted defects: how many seeds each took, from the first of the range on."""


def assert_fine(outcome):
    assert not outcome.failure, "\n".join([*outcome.events[-60:], outcome.failure])
    assert outcome.faults.total() > 0


@pytest.mark.parametrize("seed", FIXED_SEEDS)
def test_nothing_is_lost_and_nothing_is_there_twice(seed):
    assert_fine(run_seed(seed))


@pytest.mark.parametrize("words", KEPT, ids=lambda words: words[0])
def test_a_seed_that_found_a_defect_finds_none_any_more(words):
    seed, *changes = words
    assert_fine(run_plan(changed(plan_of(int(seed)), read_words(changes))))


def test_a_seed_decides_everything():
    assert run_seed(3).events == run_seed(3).events


def test_a_failing_seed_is_made_smaller_and_still_fails():
    failure = run_seed(1000, "changes_are_not_kept").failure
    assert failure
    changes, outcome = shrunk(1000, {}, "changes_are_not_kept", failure, tries=4)
    again = run_plan(changed(plan_of(1000), changes), "changes_are_not_kept")
    assert changes
    assert outcome is not None
    assert kind_of(again.failure) == kind_of(failure)


@pytest.mark.long
def test_many_seeds_lose_and_double_nothing():
    failures = {seed: failure for seed in MORE_SEEDS if (failure := run_seed(seed).failure)}
    assert not failures


def test_the_page_says_of_each_planted_defect_how_many_seeds_it_took():
    assert SEEDS_TAKEN.keys() == PLANTS.keys()


@pytest.mark.long
@pytest.mark.parametrize("defect", PLANTS)
def test_every_planted_defect_is_found(defect):
    """The seed that found it last is tried first."""
    known = SEEDS_FOR_A_DEFECT[SEEDS_TAKEN[defect] - 1]
    assert any(run_seed(seed, defect).failure for seed in (known, *SEEDS_FOR_A_DEFECT))


@pytest.mark.parametrize("asked", ["4x", "citizens=3", "5 nope=3", "--plant nothing 5"])
def test_the_command_says_in_a_sentence_what_it_cannot_run(asked, capsys):
    with pytest.raises(SystemExit) as ended:
        main(asked.split())
    assert ended.value.code == 2
    assert "refusion-sim: error: " in capsys.readouterr().err
