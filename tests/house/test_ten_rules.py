"""docs/ten-rules.md has the numbers of R-1, and the figures of the law cases that it shows."""

import re
from itertools import pairwise

import pytest

from streams.citizens.rule_sets import load_rule_set
from tests.support.places import DOCS

PAGE = (DOCS / "ten-rules.md").read_text()
RULES = [" ".join(part.split()) for part in re.split(r"\n## \d+\. ", PAGE)[1:]]
R_1 = load_rule_set()
MONEY = r"\b\d[\d,]*\.\d\d\b"


def series(values, last=" and "):
    *first, end = map(str, values)
    return ", ".join(first) + last + end


def test_there_are_ten():
    assert len(RULES) == 10


def test_the_steps_are_those_of_the_rule_set():
    (stairs,) = R_1.staircases
    bands = stairs.bands
    weeks = [f"{band.from_week}–{band.to_week}" for band in bands[:-1]]
    assert f"Of weeks {series([*weeks, f'{bands[-1].from_week} onwards'])}" in RULES[1]
    assert f"pays {series(band.refusion for band in bands)} per cent" in RULES[1]
    assert f"{series(band.medfinansiering for band in bands)} per cent" in RULES[1]
    assert all((a.to_week or 0) + 1 == b.from_week for a, b in pairwise(bands))


def test_the_new_start_is_that_of_the_rule_set():
    reset = R_1.reset
    wanted = f"{reset.self_support_weeks} whole weeks of self-support within the last"
    assert f"{wanted} {reset.within_years} years" in RULES[5]


def test_the_dates_are_those_of_the_rule_set():
    assert f"Weeks count from {R_1.dates.counting_from}" in RULES[6]
    assert f"the rates from {R_1.staircases[0].valid_from}" in RULES[6]
    legacy = R_1.legacy
    assert f"referred before {legacy.flex_referred_from}" in RULES[7]
    assert legacy.disability_pension_awarded_from == legacy.flex_referred_from
    assert f"from {legacy.flex_transition_from} to {legacy.flex_transition_to}" in RULES[7]


def test_the_fleksbidrag_is_that_of_the_rule_set():
    rule = R_1.fleksbidrag
    assert f"On the {rule.only_at_refusion} per cent step" in RULES[8]
    assert f"{rule.share_percent} per cent of the year's basis less the refusion" in RULES[8]
    assert f"at most {rule.cap_percent} per cent of the basis" in RULES[8]
    assert f"less {rule.wage_reduction_percent} per cent of the month's wages" in RULES[8]
    assert f"of {R_1.flex_basis[2022].kroner:,}" in RULES[8]


def test_the_switches_are_open_questions_of_the_rule_set():
    named = {name for rule in RULES for name in re.findall(r"`([A-Z_]+)`", rule)}
    assert len(named) >= 3
    assert named <= {question.switch for question in R_1.questions.values()}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.split(" §")[0][:40])
def test_each_has_its_paragraph_its_mark_and_an_example_from_a_law_case(rule):
    assert "§" in rule
    assert re.search(r"\*\*(verified|inferred)\*\*|\*\*Assumed\*\*", rule)
    text, example = rule.split("*Example:*")
    cases = re.findall(r"\]\((\.\./tests/law/cases/\w+\.txt)\)", example)
    shown = "".join((DOCS / case).read_text() for case in cases)
    assert cases
    assert [money for money in re.findall(MONEY, text + example) if money not in shown] == []
