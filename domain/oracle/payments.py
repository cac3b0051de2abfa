"""The money of each payment, split to the weeks and months that its period has days in (items 1-4).

A week that lies in two months is split too: `MonthWeek` is the part of a week in one month.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from fractions import Fraction
from typing import Final, Literal, NamedTuple

from domain.oracle.days import days_from, monday_of, month_of
from domain.oracle.reports import NO_FACTS, Facts, JsonObject
from domain.ruledata.ruleset import Benefit, RuleSet

MoneyKind = Literal["ordinary", "outside", "legacy"]
"""Money of one benefit and week is netted for each kind by itself (item 6)."""

FLEX: Final = ("FLT", "FLS", "LY")
AT_OLD_PERCENTAGE: Final = ("FLT", "FLS")
"""Benefits whose old percentage is known, which an old case keeps (item 14)."""


class MonthWeek(NamedTuple):
    """The days of one week in one month: `2024-01` and Monday 29 January, 3 days (item 3)."""

    month: str
    week: date


class MoneyLine(NamedTuple):
    """The share of one valid payment in one week and month."""

    slice: MonthWeek
    benefit: str
    kind: MoneyKind
    paying: str | None
    financing: str | None
    amount_ore: int
    atp_ore: int


def money_of_slices(
    payments: Iterable[JsonObject], rules: RuleSet, facts: Facts = NO_FACTS
) -> list[MoneyLine]:
    """Each payment's base and ATP, split to its slices from the day that counting begins."""
    first_month = month_of(rules.dates.counting_from)
    return [
        line
        for payment in payments
        for line in lines_of(payment, rules, facts)
        if line.slice.month >= first_month
    ]


def lines_of(payment: JsonObject, rules: RuleSet, facts: Facts) -> list[MoneyLine]:
    """One payment's lines, earliest first. The base is the amount without the ATP (items 1, 2)."""
    benefit = rules.benefits[payment["benefit"]]
    paying, financing = municipalities(payment, benefit)
    atp_ore = payment.get("atp_ore", 0) if benefit.atp_deducted else 0
    weights = weights_of_slices(*period_of(payment), rules)
    amounts = split(payment["amount_ore"] - atp_ore, weights)
    atp_amounts = split(atp_ore, weights)
    return [
        MoneyLine(
            slice_,
            benefit.code,
            kind_of(payment, slice_.week, facts),
            paying,
            financing,
            amounts[slice_],
            atp_amounts[slice_],
        )
        for slice_ in weights
    ]


def period_of(report: JsonObject) -> tuple[date, date]:
    """The first and the last day of a report's period."""
    return date.fromisoformat(report["period_start"]), date.fromisoformat(report["period_end"])


def municipalities(report: JsonObject, benefit: Benefit) -> tuple[str | None, str | None]:
    """Paying and financing municipality; for refusion each defaults to the other (contract 2)."""
    paying, financing = report.get("paying_municipality"), report.get("financing_municipality")
    if benefit.mechanism == "refusion":
        return paying or financing, financing or paying
    return paying, financing


def kind_of(payment: JsonObject, week: date, facts: Facts) -> MoneyKind:
    """Ordinary money, money outside the Act, or money of an old case (items 13-15)."""
    if payment.get("outside_act", False):
        return "outside"
    code = payment["benefit"]
    if code in FLEX and is_before_transfer(week, facts):
        return "legacy"
    return "legacy" if code == "FPN" and facts.old_pension else "ordinary"


def is_before_transfer(week: date, facts: Facts) -> bool:
    """True if flex money in a week is money of an old case (item 14)."""
    return facts.transfer is None or week < facts.transfer


# Splitting (item 4)


def days_of_slices(start: date, end: date) -> dict[MonthWeek, int]:
    """The number of days that an inclusive period has in each slice, earliest slice first."""
    return dict(Counter(MonthWeek(month_of(day), monday_of(day)) for day in days_from(start, end)))


def weights_of_slices(start: date, end: date, rules: RuleSet) -> Mapping[MonthWeek, int | Fraction]:
    """The weight of each slice in the split: its calendar days, or what SPLIT says (item 4)."""
    days = days_of_slices(start, end)
    if rules.switches["SPLIT"] == "EQUAL_PER_TOUCHED_WEEK":
        days_of_week: Counter[date] = Counter()
        for slice_, number in days.items():
            days_of_week[slice_.week] += number
        return {
            slice_: Fraction(number, days_of_week[slice_.week]) for slice_, number in days.items()
        }
    if rules.switches["SPLIT"] == "WEEKDAYS":
        workdays = [
            MonthWeek(month_of(day), monday_of(day))
            for day in days_from(start, end)
            if day.weekday() < 5
        ]
        return {slice_: workdays.count(slice_) for slice_ in days} if workdays else days
    return days


def split(amount_ore: int, weights: Mapping[MonthWeek, int | Fraction]) -> dict[MonthWeek, int]:
    """An amount by weight; øre left over go to the largest remainders, then the earliest (item 4).

    >>> weeks = days_of_slices(date(2024, 1, 6), date(2024, 1, 22))  # 2 days, 7, 7 and 1
    >>> list(split(100, weeks).values())
    [12, 41, 41, 6]
    """
    total = Fraction(sum(weights.values()))
    exact = {slice_: abs(amount_ore) * weight / total for slice_, weight in weights.items()}
    parts = {slice_: share.numerator // share.denominator for slice_, share in exact.items()}
    left_over = abs(amount_ore) - sum(parts.values())
    # `sorted` keeps slices with equal remainders in order of time.
    by_remainder = sorted(exact, key=lambda slice_: parts[slice_] - exact[slice_])
    for slice_ in by_remainder[:left_over]:
        parts[slice_] += 1
    sign = -1 if amount_ore < 0 else 1
    return {slice_: sign * part for slice_, part in parts.items()}
