"""The rows that a citizen's money gives: rate, account and result of each cell (items 9-13).

A cell is month, week, benefit, paying and financing municipality; its money is summed, then
multiplied by the rate, then rounded once.
"""

from collections import defaultdict
from collections.abc import Iterable
from fractions import Fraction

from domain.oracle.payments import AT_OLD_PERCENTAGE, MoneyKind, MoneyLine, MonthWeek
from domain.oracle.reports import JsonObject
from domain.oracle.weeks import CountedWeeks, ordinal_of_money
from domain.ruledata.ruleset import Band, Benefit, RuleSet


def rows_of_cells(
    lines: Iterable[MoneyLine], weeks: CountedWeeks, rules: RuleSet
) -> list[JsonObject]:
    """One row for each cell whose amount is not 0 and whose benefit is financed in that month."""
    cells: dict[tuple[MonthWeek, str, str | None, str | None, MoneyKind], list[int]] = defaultdict(
        lambda: [0, 0]
    )
    for line in lines:
        if has_row(line) and is_financed(line.slice, rules.benefits[line.benefit], rules):
            sums = cells[line.slice, line.benefit, line.paying, line.financing, line.kind]
            sums[0] += line.amount_ore
            sums[1] += line.atp_ore
    rows = []
    for ((month, week), code, paying, financing, kind), (amount_ore, atp_ore) in cells.items():
        if amount_ore == 0:
            continue
        cell = {
            "month": month,
            "week": week.isoformat(),
            "benefit": code,
            "paying": paying,
            "financing": financing,
        }
        money = {"amount_ore": amount_ore} | ({"atp_ore": atp_ore} if atp_ore else {})
        ordinal = ordinal_of_money(week, weeks, rules)
        rows.append(cell | money | result(code, amount_ore, ordinal, rules, kind))
    return rows


def has_row(line: MoneyLine) -> bool:
    """True if money of its kind can give a row (items 13-15)."""
    return line.kind == "ordinary" or (line.kind == "legacy" and line.benefit in AT_OLD_PERCENTAGE)


def is_financed(slice_: MonthWeek, benefit: Benefit, rules: RuleSet) -> bool:
    """True if money of a benefit in a slice gives a row (items 10, 11 and 13)."""
    if benefit.mechanism is None:
        return False
    if benefit.turn_of_year_weekly and slice_.week == rules.dates.turn_of_year_week:
        return True
    return slice_.month >= rules.dates.rates_from_month


def result(
    code: str, amount_ore: int, ordinal: int, rules: RuleSet, kind: MoneyKind = "ordinary"
) -> JsonObject:
    """Rate, account and result of an amount (items 9, 10, 12 and 14)."""
    benefit = rules.benefits[code]
    assert benefit.mechanism is not None, "only financed benefits have a result"
    if kind == "legacy":
        rate = rules.legacy.flex_refusion
    elif isinstance(benefit.rate, int):
        rate = benefit.rate
    else:
        rate = staircase_rate(benefit, ordinal, rules)
    result_ore = rounded_result(Fraction(amount_ore * rate, 100), rules)
    is_refusion = benefit.mechanism == "refusion"
    return {
        "ordinal": ordinal,
        "mechanism": benefit.mechanism,
        "rate": rate,
        "refusion_ore": result_ore if is_refusion else 0,
        "medfinansiering_ore": 0 if is_refusion else result_ore,
        "account": rules.accounts.get((code, benefit.mechanism, rate)),
    }


def staircase_rate(benefit: Benefit, ordinal: int, rules: RuleSet) -> int:
    """The percentage of the band that the ordinal lies in; an ordinal below 1 is in the first."""
    (staircase,) = rules.staircases
    (band,) = [band for band in staircase.bands if is_in_band(max(ordinal, 1), band)]
    if benefit.mechanism == "refusion":
        return band.refusion + benefit.state_points
    return band.medfinansiering - benefit.state_points


def is_in_band(n: int, band: Band) -> bool:
    """True if benefit week n lies on a step of the staircase."""
    return band.from_week <= n and (band.to_week is None or n <= band.to_week)


def cell_order(row: JsonObject) -> tuple[str, str, str, str, str]:
    """The key by which rows are sorted."""
    return row["month"], row["week"], row["benefit"], row["paying"] or "", row["financing"] or ""


def rounded_result(ore: Fraction, rules: RuleSet) -> int:
    """A result in whole øre, or in whole kroner where ROUND is ROW_KRONE (item 10)."""
    if rules.switches["ROUND"] == "ROW_KRONE":
        return round_half_away(ore / 100) * 100
    return round_half_away(ore)


def round_half_away(amount: Fraction) -> int:
    """The nearest whole number, half away from zero.

    >>> round_half_away(Fraction(1, 2)), round_half_away(Fraction(-1, 2))
    (1, -1)
    """
    rounded = (abs(amount) + Fraction(1, 2)).__floor__()
    return -rounded if amount < 0 else rounded
