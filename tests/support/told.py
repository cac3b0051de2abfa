"""Reports of one citizen, and what the domain explains of them."""

from dataclasses import fields, is_dataclass, replace
from typing import Any

from domain.basics.sentences import Sentence
from domain.basics.weeks import day, week_of
from domain.citizen.reports import Freeing
from domain.explain.life import explain_life
from domain.explain.week import explain_week
from domain.law.staircase import Law
from streams.citizens.rule_sets import load_rule_set
from streams.explain.find import folded
from streams.kit.catalogue import Catalogue
from tests.support import product

RULES = load_rule_set()
CITIZEN = product.IDENTITY.of("6101801234")[0]
HEAD = {
    "schema": 1,
    "cpr": "6101801234",
    "reporter": "12345678",
    "reported_at": "2024-03-01T08:00:00Z",
}


def paid(report_id, start, end, amount_ore=1_200_000, benefit="KTH", **others):
    body = {
        "type": "benefit_payment",
        "report_id": report_id,
        "benefit": benefit,
        "amount_ore": amount_ore,
    }
    place = {
        "period_start": start,
        "period_end": end,
        "paying_municipality": "730",
        "financing_municipality": "730",
    }
    return HEAD | body | place | {"channel": "eindkomst"} | others


def taken_back(reverses, report_id="R1", **others):
    return HEAD | {"type": "reversal", "report_id": report_id, "reverses": reverses} | others


def fact(name, date, report_id="F1"):
    return HEAD | {"type": "case_fact", "report_id": report_id, "fact": name, "date": date}


def report_of(published) -> Any:
    if isinstance(published, Freeing):
        return published
    return tuple(product.record_of(published))[2]


def told(*reports, rules=RULES):
    known = [report_of(report) for report in reports]
    law = Law(rules)
    return law, folded(law, CITIZEN, known), known


def week(monday, *reports, rules=RULES):
    law, citizen, known = told(*reports, rules=rules)
    return in_english(explain_week(law, citizen, known, week_of(day(monday))))


def life_of(*reports, rules=RULES):
    return in_english(explain_life(*told(*reports, rules=rules)))


def in_english(value: Any) -> Any:
    """Say the sentences of an explanation, as the command does."""
    if isinstance(value, Sentence):
        return Catalogue("en").say(value)
    if isinstance(value, list):
        return [in_english(each) for each in value]
    if isinstance(value, dict):
        return {name: in_english(each) for name, each in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        said = {each.name: in_english(getattr(value, each.name)) for each in fields(value)}
        return replace(value, **said)
    return value


JANUARY = paid("january", "2024-01-01", "2024-01-31")
X1 = [
    *(paid("b0", "2016-01-04", "2016-12-31"), paid("b1", "2017-01-01", "2017-01-15")),
    paid("b2", "2017-07-03", "2017-10-08"),
    paid("b3", "2018-04-23", "2018-04-29"),
]
"""54 weeks, 24 of self-support, 14 weeks, 28 of self-support, and a week after the new start."""
