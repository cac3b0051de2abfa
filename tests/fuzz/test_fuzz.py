"""Bad input of every kind is refused in words, harms no neighbour, and is never let through."""

import logging
import tempfile

import pytest

from domain.citizen.reports import CaseFact
from streams.wire.outcomes import Accepted
from streams.wire.validator import Validator
from tests.fuzz.every_kind import NAMES, kind_named
from tests.fuzz.kinds import Case, cases, kept_cases
from tests.support.memory_folder import MEMORY
from tests.support.sizes import sized

FEW, SLOW_FEW = 300, 60
MANY, SLOW_MANY = sized(3_000, 100_000), sized(900, 100_000)
SLOW = {"ledger", "rules", "state"}
"""Kinds of which a case costs milliseconds."""


@pytest.fixture(scope="module", autouse=True)
def _folder():
    """Each case writes files: in memory, where the system has such a folder."""
    with (
        tempfile.TemporaryDirectory(prefix="fuzz-", dir=MEMORY) as folder,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(tempfile, "tempdir", folder)
        kind_named.cache_clear()
        yield
        kind_named.cache_clear()


@pytest.fixture(autouse=True)
def _quiet():
    """A log takes what is passed over, for each case."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def check_all(name, count, seed):
    """Try cases, of which some are accepted and most are not."""
    kind = kind_named(name)
    accepted = 0
    for number, case in enumerate(cases(kind, count, seed)):
        try:
            accepted += kind.check(case)
        except Exception as error:
            error.add_note(f"case {number} of {name} with seed {seed}: {case.sample}")
            error.add_note(repr(case.content[:2_000]))
            raise
    return accepted


@pytest.mark.parametrize("name", NAMES)
def test_what_once_went_wrong_goes_right(name):
    for case in kept_cases(kind_named(name)):
        kind_named(name).check(case)


@pytest.mark.parametrize("name", NAMES)
def test_spoiled_input_is_refused_in_words_and_harms_no_neighbour(name):
    count = SLOW_FEW if name in SLOW else FEW
    assert check_all(name, count, seed=1) < count


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_much_spoiled_input_is_refused_in_words_and_harms_no_neighbour(name):
    count = SLOW_MANY if name in SLOW else MANY
    assert check_all(name, count, seed=2) < count


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_cases(name):
    kind = kind_named(name)
    assert [*cases(kind, 20, 7)] == [*cases(kind, 20, 7)] != [*cases(kind, 20, 8)]


def test_a_program_that_lets_everything_through_would_be_noticed(monkeypatch):
    let_through = Accepted(CaseFact("12345678", "1", "death", 730000, 730000), "0101801234", "")
    monkeypatch.setattr(Validator, "parse", lambda *_: let_through)
    with pytest.raises(AssertionError):
        check_all("raw", 20, seed=1)


def test_good_samples_are_taken():
    for name in set(NAMES) - {"rules", "state", "journal"}:
        kind = kind_named(name)
        assert all(kind.check(Case(*sample)) for sample in kind.samples.items()), name
