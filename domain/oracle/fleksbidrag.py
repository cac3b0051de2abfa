"""Fleksbidrag: a municipality's refusion for fleksløntilskud on the last step (item 16).

One row a month, computed from the month's fleksløntilskud, the citizen's wages and the basis of
the year (B in the formula of item 16, `flex_basis` in the rule set).
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from fractions import Fraction

from domain.oracle.days import days_from, monday_of, month_of
from domain.oracle.payments import (
    days_of_slices,
    is_before_transfer,
    period_of,
    split,
)
from domain.oracle.reports import Facts, JsonObject, payments_of
from domain.oracle.weeks import CountedWeeks, ordinal_of_money
from domain.ruledata.ruleset import RuleSet


def fleksbidrag_rows(
    rows: Iterable[JsonObject],
    valid: list[JsonObject],
    weeks: CountedWeeks,
    facts: Facts,
    rules: RuleSet,
) -> list[JsonObject]:
    """The row of every month that has one, from all other rows and the valid reports."""
    by_month: dict[str, list[JsonObject]] = defaultdict(list)
    for row in rows:
        if gives_fleksbidrag(row, facts, rules):
            by_month[row["month"]].append(row)
    fleksbidrag = []
    for month, entitling in by_month.items():
        kroner = fleksbidrag_kroner(month, entitling, valid, facts, rules)
        if kroner > 0:
            fleksbidrag.append(fleksbidrag_row(month, entitling, kroner, weeks, rules))
    return fleksbidrag


def gives_fleksbidrag(row: JsonObject, facts: Facts, rules: RuleSet) -> bool:
    """True if a row is positive fleksløntilskud on the last step of the staircase."""
    return (
        row["benefit"] == "FLT"
        and rules.benefits["FLT"].rate == "staircase"
        and not is_before_transfer(date.fromisoformat(row["week"]), facts)
        and row["rate"] == rules.fleksbidrag.only_at_refusion
        and row["amount_ore"] > 0
        and row["month"] >= rules.dates.rates_from_month
    )


def fleksbidrag_row(
    month: str, entitling: list[JsonObject], kroner: int, weeks: CountedWeeks, rules: RuleSet
) -> JsonObject:
    """The row of a month: in its first entitling week, for the municipalities of its last row."""
    in_order = sorted(
        entitling, key=lambda row: (row["week"], row["paying"] or "", row["financing"] or "")
    )
    first, last = in_order[0], in_order[-1]
    amount_ore = kroner * 100
    return {
        "month": month,
        "week": first["week"],
        "benefit": "FB",
        "paying": last["paying"],
        "financing": last["financing"],
        "amount_ore": amount_ore,
        "ordinal": ordinal_of_money(date.fromisoformat(first["week"]), weeks, rules),
        "mechanism": "refusion",
        "rate": 100,
        "refusion_ore": amount_ore,
        "medfinansiering_ore": 0,
        "account": rules.accounts.get(("FB", "refusion", 100)),
    }


def fleksbidrag_kroner(
    month: str,
    entitling: list[JsonObject],
    valid: list[JsonObject],
    facts: Facts,
    rules: RuleSet,
) -> int:
    """F of one month in whole kroner; 0 where the wages or the year's B are not known.

    The letters are those of rules item 16: r is the month's refusion, w its wages, b the year's B.
    """
    basis = rules.flex_basis.get(int(month[:4]))
    wages_ore = wages_of(month, valid)
    days = days_paid(month, valid, facts)
    if basis is None or wages_ore is None or not days:
        return 0
    law = rules.fleksbidrag
    b = Fraction(basis.kroner)
    r = Fraction(sum(row["refusion_ore"] for row in entitling), 100)
    w = Fraction(wages_ore, 100)
    cap = Fraction(half_up(Fraction(law.cap_percent, 100) * b))
    share = Fraction(law.share_percent, 100)
    before_cap = share * b - r if rules.switches["FB_READING"] == "A" else share * (b - r)
    monthly = min(before_cap, cap) - Fraction(law.wage_reduction_percent, 100) * w
    entitling_weeks = {row["week"] for row in entitling}
    entitling_days = [day for day in days if monday_of(day).isoformat() in entitling_weeks]
    return half_up(monthly * prorated(len(entitling_days), len(days), rules))


def prorated(entitling_days: int, days: int, rules: RuleSet) -> Fraction:
    """The part of a month's fleksbidrag that is due: d4 / d, or what FB_PRORATION says instead."""
    if rules.switches["FB_PRORATION"] == "WHOLE_MONTH":
        return Fraction(1)
    if rules.switches["FB_PRORATION"] == "NONE":
        return Fraction(int(entitling_days == days))
    return Fraction(entitling_days, days)


def wages_of(month: str, valid: Iterable[JsonObject]) -> int | None:
    """The wages of a month in øre, without pension; None where no wage has days in the month."""
    wages = []
    for report in valid:
        if report["type"] == "income" and report["kind"] in ("wage", "flex_job_wage"):
            parts = split(report["amount_ore"], days_of_slices(*period_of(report)))
            wages += [amount_ore for slice_, amount_ore in parts.items() if slice_.month == month]
    return sum(wages) if wages else None


def days_paid(month: str, valid: Iterable[JsonObject], facts: Facts) -> set[date]:
    """The days of a month with positive fleksløntilskud, without those of weeks of an old case."""
    return {
        day
        for payment in payments_of(valid)
        if payment["benefit"] == "FLT"
        and payment["amount_ore"] > 0
        and not payment.get("outside_act", False)
        for day in days_from(*period_of(payment))
        if month_of(day) == month and not is_before_transfer(monday_of(day), facts)
    }


def half_up(amount: Fraction) -> int:
    """The nearest whole number, half up.

    >>> half_up(Fraction(1, 2)), half_up(Fraction(-1, 2))
    (1, 0)
    """
    return (amount + Fraction(1, 2)).__floor__()
