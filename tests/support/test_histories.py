"""The generated histories are what they promise to be: valid, repeatable, and nasty."""

import random
from datetime import date
from itertools import pairwise

import orjson
import pytest
from hypothesis import HealthCheck, given, settings

from domain.oracle import reference
from streams.citizens.rule_sets import load_rule_set
from streams.wire.outcomes import Accepted
from streams.wire.validator import Validator
from tests.support.histories import fictive_cpr, histories, history, shuffled
from tests.support.history_plans import RHYTHMS

RULES = load_rule_set()
VALIDATOR = Validator(RULES, demo=True)
SEEDED = [history(random.Random(seed), RULES, seed) for seed in range(200)]


def rejections(reports):
    parsed = [VALIDATOR.parse(orjson.dumps(report)) for report in reports]
    return [result for result in parsed if not isinstance(result, Accepted)]


def test_seeded_histories_are_valid():
    assert [rejections(reports) for reports in SEEDED] == [[]] * len(SEEDED)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(histories(RULES))
def test_hypothesis_histories_are_valid(reports):
    assert not rejections(reports)


def test_one_seed_is_one_history():
    assert history(random.Random(7), RULES, 7) == SEEDED[7]


def test_citizens_have_numbers_of_their_own():
    assert len({fictive_cpr(citizen) for citizen in range(10_000)}) == 10_000


def test_another_order_keeps_every_report_and_which_of_one_key_is_first():
    for seed, reports in enumerate(SEEDED):
        other = shuffled(reports, random.Random(seed))
        keys = {(report["reporter"], report["report_id"]) for report in reports}
        for key in keys:
            assert [r for r in other if _key(r) == key] == [r for r in reports if _key(r) == key]
        assert len(other) == len(reports)


def _key(report):
    return report["reporter"], report["report_id"]


@pytest.mark.parametrize("seed", range(30))
def test_order_does_not_matter_to_the_truth(seed):
    reports = SEEDED[seed]
    assert reference.settle(shuffled(reports, random.Random(seed)), RULES) == reference.settle(
        reports, RULES
    )


def test_the_nasty_things_occur():
    """Each in at least one history of thirty, so that two thousand histories have plenty."""
    truths = [reference.settle(reports, RULES) for reports in SEEDED]
    rows = [truth.rows for truth in truths]
    occurrences = {
        "a reset": [_falls(r) for r in rows],
        "the fourth band": [any(row["ordinal"] > 52 for row in r) for r in rows],
        "money before the first week": [any(row["ordinal"] == 0 for row in r) for r in rows],
        "more repaid than paid": [any(row["amount_ore"] < 0 for row in r) for r in rows],
        "the turn of 2015/16": [any(row["week"] == "2015-12-28" for row in r) for r in rows],
        "ATP": [any("atp_ore" in row for row in r) for r in rows],
        "two municipalities": [len({row["financing"] for row in r}) > 1 for r in rows],
        "a broken run of earned weeks": [len(truth.counters["earned"]) > 1 for truth in truths],
        "a period before counting": [
            any(p.get("period_start", "2015") < "2014-07-01" for p in h) for h in SEEDED
        ],
        "a report id twice": [len({_key(r) for r in h}) < len(h) for h in SEEDED],
    }
    assert {
        name: sum(seen) for name, seen in occurrences.items() if sum(seen) < len(SEEDED) / 30
    } == {}


def _falls(rows):
    """Tell if the count falls from one benefit week to a later one: only a reset does that."""
    counts = [
        row["ordinal"] for row in sorted(rows, key=lambda row: row["week"]) if row["amount_ore"] > 0
    ]
    return any(later < earlier for earlier, later in pairwise(counts))


def test_every_rhythm_stays_in_order():
    for rhythm in RHYTHMS.values():
        periods = list(rhythm(date(2024, 2, 14), date(2025, 3, 31)))
        assert periods == sorted(periods)
        assert all(first <= last for first, last in periods)
