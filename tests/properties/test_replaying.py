"""A dry run says what a recalculation will post: settled once from reports and postings, without
any state.
"""

import random
from typing import Any

import orjson
import pytest

from domain.citizen.reports import Recalculation, RulesRecord, Scope
from projections.whatif.replay import Difference, replay_citizen
from tests.properties.test_control_records import ALL, CHANGED, Laws, fold, other_rules
from tests.properties.test_openings import openings_of
from tests.support import product
from tests.support.answers import ALTERNATIVES, answering
from tests.support.lives import THEMES, life


def dry_run(law, reports, messages, scope=Scope()):  # noqa: B008 - immutable
    found = Difference()
    for citizen in {product.IDENTITY.of(report["cpr"])[0] for report in reports}:
        of_citizen = [
            report for report in reports if product.IDENTITY.of(report["cpr"])[0] == citizen
        ]
        history: list[Any] = [product.record_of(report)[2] for report in of_citizen]
        posted = [message for message in messages if orjson.loads(message)["citizen"] == citizen]
        replay_citizen(law, citizen, history, posted, scope, found)
    return found


@pytest.mark.parametrize("theme", THEMES)
def test_what_stands_posted_by_the_same_rules_is_right(theme):
    for seed in range(7300, 7320):
        reports = life(theme, seed)
        found = dry_run(product.law(), reports, fold(reports, Laws(), batch=9))
        assert (found.messages, found.money, found.largest) == (0, {}, []), seed


@pytest.mark.parametrize("change", CHANGED)
def test_a_dry_run_says_what_a_recalculation_posts(change):
    """After other rules too, and whatever came before; the money by place, and how many
    messages.
    """
    themes = ["late_wages", "old_cases"] if change == "other_old_cases" else sorted(THEMES)
    changed = 0
    for seed in range(8300, 8320):
        rng = random.Random(seed)
        laws = Laws(other_rules(change, seed), other_rules(change, seed + 1000, "third"))
        reports = life(themes[seed % len(themes)], seed)
        entries: list[Any] = list(reports)
        if rng.random() < 0.5:
            entries.insert(rng.randint(0, len(entries)), RulesRecord("r0", "third", ""))
        before = fold(entries, laws)
        after = fold([*entries, RulesRecord("r", "other", ""), ALL], laws)
        found = dry_run(laws.law("other"), reports, before)
        new = [orjson.loads(message) for message in after[len(before) :]]
        expected = Difference()
        for message in new:
            expected.post(message["citizen"], message["rows"], message["reason"])
        assert (found.messages, found.money, found.largest) == (
            len(new),
            expected.money,
            expected.largest,
        ), seed
        changed += len(new)
    assert changed >= 5


def test_the_scope_and_the_sentence():
    laws = Laws(other_rules("other_bands", 3))
    reports = [report for seed in range(40, 60) for report in life("plan_of", seed, citizen=seed)]
    before = fold(reports, laws)
    scope = Scope(municipality="751")
    found = dry_run(laws.law("other"), reports, before, scope)
    after = fold([*reports, RulesRecord("r", "other", ""), Recalculation("m", scope)], laws)
    assert found.messages == len(after) - len(before)
    assert 0 < found.changed <= found.in_scope < found.citizens == 20
    largest = found.largest[0]
    assert f"the State pays {abs(largest.cost_ore) // 100:,}." in largest.sentence
    assert " becomes " in largest.sentence


def test_opening_rows_stand_until_they_are_answered_and_no_rules_or_replay_change_them():
    kept = 0
    for seed in range(7400, 7440):
        rng = random.Random(seed)
        laws = Laws(other_rules("other_bands", seed))
        reports = life(sorted(THEMES)[seed % len(THEMES)], seed)
        cpr = reports[0]["cpr"]
        journal = [*reports, *openings_of(rng, cpr, reports)]
        rng.shuffle(journal)
        before = fold(journal, laws)
        assert fold([*journal, ALL], laws) == before
        after = fold([*journal, RulesRecord("r", "other", ""), ALL], laws)
        payments = [entry for entry in journal if entry["type"] != "opening"]
        same, found = (
            dry_run(laws.law("R-1"), payments, before),
            dry_run(laws.law("other"), payments, before),
        )
        assert (same.money, found.messages) == ({}, len(after) - len(before)), seed
        standing = product.standing_rows([orjson.loads(message) for message in after])
        kept += sum(row["kind"] == "opening" for row in standing)
    assert kept > 50


@pytest.mark.parametrize("answer", ALTERNATIVES)
def test_a_dry_run_follows_the_answers_of_a_rule_set(answer):
    """Go from R-1 to an answer, and back."""
    rules = answering(**ALTERNATIVES[answer])
    laws = Laws(rules)
    for seed in range(7500, 7508):
        reports = life(sorted(THEMES)[seed % len(THEMES)], seed)
        for earlier, later in (("R-1", rules.name), (rules.name, "R-1")):
            entries = [RulesRecord("r", earlier, ""), *reports]
            before = fold(entries, laws)
            new = fold([*entries, RulesRecord("r2", later, ""), ALL], laws)[len(before) :]
            expected = Difference()
            for message in map(orjson.loads, new):
                expected.post(message["citizen"], message["rows"], message["reason"])
            found = dry_run(laws.law(later), reports, before)
            assert (found.messages, found.money) == (len(new), expected.money), (seed, earlier)
