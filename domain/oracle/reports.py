"""The reports that count, and what the case facts among them decide (rules 4.2 items 5, 14, 15)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, NamedTuple

from domain.oracle.days import monday_of
from domain.ruledata.ruleset import RuleSet

JsonObject = dict[str, Any]


class Facts(NamedTuple):
    """The decisions that case facts lead to about a citizen's old cases (items 14 and 15).

    `transfer` is the Monday of the first week whose flex money is on the staircase: None for never,
    `date.min` for always. `enters` says that the weeks of the old case enter the count at the
    transfer, `old_pension` that førtidspension was awarded before the reform.
    """

    transfer: date | None
    enters: bool
    old_pension: bool


NEW_IN_2 = frozenset({"group", "reverses", "reverses_group"})
"""Fields that may be null in schema 2."""
NO_FACTS = Facts(date.min, enters=False, old_pension=False)


def valid_reports(reports: Iterable[JsonObject]) -> list[JsonObject]:
    """The reports that count: the first of each id, unless reversed (item 5, contract 2 and 8).

    A reversal may name a group, which takes back each report of it, whenever it comes.

    Where an id is freed, what came before under it, and the reversals of it, are as if they had
    never come; what came before is not believed when it comes again.
    """
    first: dict[tuple[str, str], JsonObject] = {}
    reversed_ids: set[tuple[str, str]] = set()
    reversed_groups: set[tuple[str, str | None]] = set()
    freed: dict[tuple[str, str], JsonObject] = {}
    for report in reports:
        id_ = report["reporter"], report["report_id"]
        if report["type"] == "free":
            if id_ in first and first[id_]["type"] == "reversal":
                continue
            if id_ in first:
                freed[id_] = first.pop(id_)
            elif id_ in reversed_ids:
                freed.pop(id_, None)
            reversed_ids.discard(id_)
        elif id_ not in first and not (id_ in freed and _says_the_same(freed[id_], report)):
            first[id_] = report
            if report["type"] == "reversal" and report.get("reverses_group") is not None:
                reversed_groups.add((report["reporter"], report["reverses_group"]))
            elif report["type"] == "reversal":
                reverses = report["reporter"], report["reverses"]
                reversed_ids.add(reverses)
                if reverses not in first:
                    freed.pop(reverses, None)
    return [
        report
        for id_, report in first.items()
        if report["type"] != "reversal"
        and id_ not in reversed_ids
        and (report["reporter"], report.get("group")) not in reversed_groups
    ]


def _says_the_same(one: JsonObject, other: JsonObject) -> bool:
    """True if two deliveries differ in `reported_at` and `schema` at most."""
    return _content(one) == _content(other)


def _content(report: JsonObject) -> JsonObject:
    """The fields that two deliveries must have in common; null is as if a field were left out."""
    outside = {"reported_at", "schema"}
    return {
        name: value
        for name, value in report.items()
        if name not in outside and not (name in NEW_IN_2 and value is None)
    }


def valid_payments(reports: Iterable[JsonObject]) -> list[JsonObject]:
    """The payments that count."""
    return payments_of(valid_reports(reports))


def payments_of(valid: Iterable[JsonObject]) -> list[JsonObject]:
    """The payments among valid reports."""
    return [report for report in valid if report["type"] == "benefit_payment"]


def facts_of(valid: Iterable[JsonObject], rules: RuleSet) -> Facts:
    """The decisions of the case facts among valid reports; equal facts count once (14, 15)."""
    days: dict[str, set[date]] = defaultdict(set)
    for report in valid:
        if report["type"] == "case_fact":
            days[report["fact"]].add(date.fromisoformat(report["date"]))
    transfer, enters = transfer_of(days, rules)
    award = min(days["disability_pension_award"], default=date.max)
    return Facts(transfer, enters, award < rules.legacy.disability_pension_awarded_from)


def transfer_of(days: Mapping[str, set[date]], rules: RuleSet) -> tuple[date | None, bool]:
    """The `transfer` and the `enters` of `Facts`, from the days of each kind of fact (item 14)."""
    law = rules.legacy
    reform = law.flex_referred_from
    if not days["flex_referral"] or min(days["flex_referral"]) >= reform:
        return date.min, False
    first_referral = min(days["flex_referral"])
    returns = [
        max(referral, reform)
        for left in days["flex_left"]
        if left > first_referral
        for referral in days["flex_referral"]
        if referral >= left
    ]
    if returns:
        return monday_of(min(returns)), False
    events = [day for day in days["flex_job_start"] | days["flex_rereferral"] if day >= reform]
    if events and law.flex_transition_from <= first_referral <= law.flex_transition_to:
        return monday_of(min(events)), rules.switches["LEGACY_COUNT"] == "ON_TRANSFER"
    return None, False
