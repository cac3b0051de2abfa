"""The law computed from scratch for one citizen: slow, plain, and apart from the product.

It computes rules 4.2 items 1-17 in the order of rules 4.5, with any answers to the open questions
of section 11 that a rule set may choose. It shares nothing with the product but the rule data
(`domain.ruledata.ruleset.RuleSet`), so that an error in the calendar, the rounding or the counting
of one is not in the other. The tests compare the product with it, and so does
`refusion verify --deep`; nothing that settles uses it.

Reports are JSON objects as upstream publishes them (contract section 2), each valid by itself, in
the order of the citizen's journal. Weeks are the `date` of their Monday, months are `YYYY-MM`,
money is whole øre.
"""

from collections.abc import Iterable
from datetime import date
from typing import NamedTuple

from domain.oracle.days import monday_of
from domain.oracle.fleksbidrag import fleksbidrag_rows
from domain.oracle.payments import money_of_slices
from domain.oracle.reports import JsonObject, facts_of, payments_of, valid_reports
from domain.oracle.rows import cell_order, rows_of_cells
from domain.oracle.weeks import WeekEnd, counters_of, next_week, weeks_in, weeks_of
from domain.ruledata.ruleset import RuleSet


class ReferenceResult(NamedTuple):
    """The rows and counters that are true of one citizen.

    `rows`: one for each financed cell, with those fields of a posting row (contract section 3) that
    do not depend on the order of posting, sorted by cell. `ordinal` is the count reached in the
    week, which may be 0. `counters` has the form of contract section 3.
    """

    rows: list[JsonObject]
    counters: JsonObject


def settle(reports: Iterable[JsonObject], rules: RuleSet) -> ReferenceResult:
    """Everything about one citizen, from the reports alone (rules 4.5)."""
    valid = valid_reports(reports)
    facts = facts_of(valid, rules)
    lines = money_of_slices(payments_of(valid), rules, facts)
    first_week = monday_of(rules.dates.counting_from)
    last_week = max((line.slice.week for line in lines), default=first_week)
    weeks = weeks_of(lines, last_week, facts, rules)
    rows = rows_of_cells(lines, weeks, rules)
    rows += fleksbidrag_rows(rows, valid, weeks, facts, rules)
    return ReferenceResult(sorted(rows, key=cell_order), counters_of(weeks, facts))


def counters_at(reports: Iterable[JsonObject], rules: RuleSet, day: date) -> tuple[int, int]:
    """Seniority and the number of earned weeks at the end of the week that a day lies in."""
    valid = valid_reports(reports)
    facts = facts_of(valid, rules)
    lines = money_of_slices(payments_of(valid), rules, facts)
    end = weeks_of(lines, monday_of(day), facts, rules).ends[monday_of(day)]
    return end.seniority, len(end.earned)


def counters_later(counters: JsonObject, rules: RuleSet, day: date) -> tuple[int, int]:
    """The same from a message's `counters` alone, for a day in or after their week (contract 3)."""
    if counters["week"] is None:
        return 0, 0
    week = date.fromisoformat(counters["week"])
    after_transfer = counters.get("after_transfer")
    if after_transfer and monday_of(day) >= date.fromisoformat(after_transfer["from"]):
        counters = after_transfer
    seniority = counters["seniority"]
    end = WeekEnd(week, seniority, seniority, weeks_in(counters["earned"]))
    while end.week < monday_of(day):
        end = next_week(end, "S", rules)
    return end.seniority, len(end.earned)
