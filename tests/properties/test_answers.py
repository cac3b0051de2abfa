"""Under every answer that a rule set may choose, what is kept up report by report is what is
computed from scratch.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from functools import cache
from itertools import islice
from typing import Any

import pytest

from domain.citizen.reports import RulesRecord
from domain.law.staircase import Law
from domain.oracle import reference
from domain.ruledata.ruleset import RuleSet
from domain.ruledata.switches import IMPLEMENTED
from tests.properties.test_control_records import ALL, Laws, books, fold
from tests.properties.test_rule_changes import everything
from tests.support import product
from tests.support.answers import ALTERNATIVES, answering
from tests.support.histories import reports_of, shuffled
from tests.support.history_plans import Fault, Plan
from tests.support.lives import RULES, THEMES, fact_of, life, plan_in_spells, smallest

JsonObject = dict[str, Any]


def long_other_support(rng: random.Random) -> Plan:
    """Weeks that are earned and then fall out of the window under years of SU, just or just not."""
    plan = plan_in_spells(
        rng, gaps=(0, 1, 50, 52, 53, 60), weeks=(1, 5, 52, 103, 104, 105, 155, 157, 160)
    )
    benefits = ("KTH", "SDP-B", "SU", "SU", "FLT", "LTS")
    spells = [spell._replace(benefit=rng.choice(benefits), rhythm="whole") for spell in plan.spells]
    return plan._replace(start=date(2015, 1, rng.randint(1, 28)), spells=spells)


def refugees(rng: random.Random) -> Plan:
    """Refugee help at 100 % before and between other benefits."""
    plan = plan_in_spells(rng, gaps=(0, 0, 1, -1, 26, 52), weeks=(1, 2, 4, 5, 22, 26))
    spells = [
        spell._replace(benefit=rng.choice(("UFB", "UFB", "KTH", "SDP-B"))) for spell in plan.spells
    ]
    return plan._replace(spells=spells)


def flex_jobs_with_wages(rng: random.Random) -> Plan:
    """Fleksløntilskud that reaches the last step inside a month, and wages for most of it."""
    plan = THEMES["late_wages"](rng)
    before, *_ = plan.spells
    spell = before._replace(
        benefit="FLT", weeks=rng.choice((9, 13, 22)), rhythm="monthly", amount_ore=1_700_003
    )
    spells = [before, *(spell._replace(gap_weeks=rng.choice((0, 0, 1))) for _ in range(3))]
    wages = [
        Fault("income", rng.randrange(2000), rng.choice((0, 1, 300, 999)), 100) for _ in range(12)
    ]
    return plan._replace(spells=spells, faults=[*plan.faults, *wages])


def transfers(rng: random.Random) -> Plan:
    """Old cases that are transferred in May 2016, most of them."""
    plan = THEMES["old_cases"](rng)
    referral, job_start = 0, 1
    return plan._replace(
        faults=[*plan.faults, fact_of(rng, referral, 75), fact_of(rng, job_start, 99)]
    )


def _lives_of(*plans: Callable[[random.Random], Plan]) -> Callable[[int], list[JsonObject]]:
    return lambda seed: reports_of(
        plans[seed % len(plans)](random.Random(f"answers {seed}")), RULES
    )


def _any_life(seed: int) -> list[JsonObject]:
    return life(sorted(THEMES)[seed % len(THEMES)], seed)


CONCERNED = {
    "TOUCH": _lives_of(
        *(THEMES[theme] for theme in ("a_faulty_upstream", "crowded_weeks", "plan_of", "old_cases"))
    ),
    "RESET_AT": _lives_of(long_other_support),
    "UFB": _lives_of(refugees),
    "FB_READING": _lives_of(flex_jobs_with_wages),
    "FB_PRORATION": _lives_of(flex_jobs_with_wages),
    "LEGACY_COUNT": _lives_of(THEMES["old_cases"], transfers),
}
"""The lives in which a switch matters, where few others have it; all themes for the other
switches.
"""


@cache
def _under_r_1(
    lives: Callable[[int], list[JsonObject]], seed: int
) -> tuple[list[JsonObject], reference.ReferenceResult]:
    """A life, and what the reference makes of it under R-1: most switches are tried by the same."""
    reports = lives(seed)
    return reports, reference.settle(reports, RULES)


def telling(switch: str, rules: RuleSet, first_seed: int, number: int) -> list[list[JsonObject]]:
    """The number of lives that come out otherwise than under R-1."""
    lives = CONCERNED.get(switch, _any_life)
    tried = (_under_r_1(lives, seed) for seed in range(first_seed, first_seed + 200))
    differ = (life for life, settled in tried if reference.settle(life, rules) != settled)
    found = [*islice(differ, number)]
    assert len(found) == number, "the answer hardly matters in these lives"
    return found


def disagree(reports: Sequence[JsonObject], rules: RuleSet) -> bool:
    books = product.settle_all(reports, batch=6, settled_by=Law(rules))
    rows, counters = reference.settle(reports, rules)
    return (product.true_now(books.rows), books.counters) != (product.true_now(rows), counters)


def _check(reports: Sequence[JsonObject], rules: RuleSet, which: object) -> None:
    if disagree(reports, rules):
        raise AssertionError((which, smallest([*reports], lambda some: disagree(some, rules))))


@pytest.mark.parametrize("answer", ALTERNATIVES)
def test_another_answer_settles_as_the_reference_reads_it_in_any_order(answer):
    rules = answering(**ALTERNATIVES[answer])
    for number, reports in enumerate(telling(answer.split()[0], rules, 9000, 8)):
        _check(reports, rules, number)
        _check(shuffled(reports, random.Random(number)), rules, f"{number} shuffled")


@pytest.mark.parametrize("answer", ALTERNATIVES)
def test_a_citizen_is_settled_anew_under_another_answer(answer):
    """Go from R-1 to the answer, which posts the difference, and again, which posts nothing."""
    rules = answering(**ALTERNATIVES[answer])
    laws, valid = Laws(rules), RulesRecord("r", rules.name, "")
    for reports in telling(answer.split()[0], rules, 9300, 4):
        changed = books(fold([*reports, valid, ALL], laws, batch=5))
        rows, counters = reference.settle(reports, rules)
        assert product.true_now(changed.rows) == product.true_now(rows), reports
        assert changed.counters == counters, reports
        assert changed.messages[-1]["rules"] == rules.name, reports
        assert fold([valid, *reports, ALL], laws, batch=5) == fold(
            [valid, *reports], laws, batch=5
        ), reports


def test_answers_go_together_and_with_other_values():
    for seed in range(9100, 9120):
        rng = random.Random(seed)
        rules = answering(**{switch: rng.choice(values) for switch, values in IMPLEMENTED.items()})
        if seed % 2:
            other = everything(rng)
            rules = replace(other, switches=rules.switches, questions=rules.questions)
        _check(_any_life(seed), rules, (seed, rules.switches))
        _check(reports_of(long_other_support(rng), RULES), rules, (seed, rules.switches))


@pytest.mark.parametrize("answer", ["TOUCH ANY_REPORT", "RESET_AT AT_NEXT_BENEFIT"])
def test_after_every_single_report_the_books_are_the_truth_so_far(answer):
    """These two answers have a fold of their own: an error that a later report repairs is an
    error too.
    """
    rules = answering(**ALTERNATIVES[answer])
    law, lives = Law(rules), CONCERNED[answer.split()[0]]
    short = (reports for seed in range(9200, 9300) if len(reports := lives(seed)) <= 35)
    tried = 0
    for reports in islice(short, 6):
        found = product.outcomes(reports, settled_by=law)
        for number in range(1, len(found) + 1):
            books = product.books(found[:number])
            rows, counters = reference.settle(reports[:number], rules)
            assert product.true_now(books.rows) == product.true_now(rows), reports[:number]
            assert books.counters == counters, reports[:number]
            tried += 1
    assert tried > 60
