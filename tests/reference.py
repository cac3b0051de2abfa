"""The law computed from scratch for one citizen: slow, plain, and apart from the product.

Rule set R-1, rules 4.2 items 1-13 and 17, in the order of rules 4.5. It shares
nothing with the product but the rule data (`domain.ruleset.RuleSet`), so that an
error in the calendar, the rounding or the counting of one is not in the other.

Reports are JSON objects as upstream publishes them (contract section 2), each valid
by itself, in the order of the citizen's journal. Weeks are the `date` of their
Monday, months are `YYYY-MM`, money is whole øre.

Items 14 and 15 belong in `money_of_slices`, where a slice gets its `Kind`, and in
`state_of_week`; item 16 adds rows after `rows_of_cells`.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from fractions import Fraction
from typing import Any, Literal, NamedTuple

from domain.ruleset import Band, Benefit, RuleSet

JsonObject = dict[str, Any]
State = Literal["B", "O", "S"]
Kind = Literal["ordinary", "outside"]
"""Money of one code and week is netted for each kind by itself (item 6)."""

WEEK = timedelta(days=7)


class Truth(NamedTuple):
    """What is true of one citizen.

    `rows`: one for each financed cell, with the fields of a posting row (contract
    section 3) that say what is true, sorted by cell. `ordinal` is the count reached in
    the week, which may be 0. `counters` has the form of contract section 3.
    """

    rows: list[JsonObject]
    counters: JsonObject


class Slice(NamedTuple):
    """Where money lies: item 3."""

    month: str
    week: date


class Line(NamedTuple):
    """The share of one valid report in one slice."""

    slice: Slice
    benefit: str
    kind: Kind
    paying: str | None
    financing: str | None
    amount_ore: int
    atp_ore: int


class WeekEnd(NamedTuple):
    """The counters in one week: `ordinal` ranks its money, the others hold at its end, after a reset."""

    week: date
    ordinal: int
    seniority: int
    earned: list[date]


def settle(reports: Iterable[JsonObject], rules: RuleSet) -> Truth:
    """Everything about one citizen, from the reports alone (rules 4.5)."""
    lines = money_of_slices(valid_payments(reports), rules)
    states = states_of_weeks(lines, rules)
    last_week = max((line.slice.week for line in lines), default=monday_of(rules.dates.counting_from))
    ends = {end.week: end for end in count(states, last_week, rules)}
    return Truth(rows_of_cells(lines, states, ends, rules), counters_of(states, ends))


def counters_at(reports: Iterable[JsonObject], rules: RuleSet, day: date) -> tuple[int, int]:
    """Seniority and the number of earned weeks at the end of the week that a day lies in."""
    states = states_of_weeks(money_of_slices(valid_payments(reports), rules), rules)
    *_, end = count(states, monday_of(day), rules)
    return end.seniority, len(end.earned)


def counters_later(counters: JsonObject, rules: RuleSet, day: date) -> tuple[int, int]:
    """The same from a message's `counters` alone, for a day in or after their week (contract section 3)."""
    if counters["week"] is None:
        return 0, 0
    week = date.fromisoformat(counters["week"])
    earned = [date.fromisoformat(first) + i * WEEK for first, length in counters["earned"] for i in range(length)]
    last = WeekEnd(week, counters["seniority"], counters["seniority"], earned)
    while last.week < monday_of(day):
        last = next_week(last, "S", rules)
    return last.seniority, len(last.earned)


# Reports


def valid_payments(reports: Iterable[JsonObject]) -> list[JsonObject]:
    """The payments that count: first of its id, and not reversed (item 5, contract section 2)."""
    standing: dict[tuple[str, str], JsonObject] = {}
    for report in reports:
        standing.setdefault((report["reporter"], report["report_id"]), report)
    reversed_ids = {(r["reporter"], r["reverses"]) for r in standing.values() if r["type"] == "reversal"}
    return [r for id_, r in standing.items() if r["type"] == "benefit_payment" and id_ not in reversed_ids]


def municipalities(report: JsonObject, benefit: Benefit) -> tuple[str | None, str | None]:
    """Paying and financing municipality; for refusion each defaults to the other (contract section 2)."""
    paying, financing = report.get("paying_municipality"), report.get("financing_municipality")
    if benefit.mechanism == "refusion":
        return paying or financing, financing or paying
    return paying, financing


# Money to slices (items 1-4)


def money_of_slices(payments: Iterable[JsonObject], rules: RuleSet) -> list[Line]:
    """Each payment's base and ATP, split to its slices from the day that counting begins."""
    first_month = month_of(rules.dates.counting_from)
    lines = []
    for payment in payments:
        benefit = rules.benefits[payment["benefit"]]
        kind: Kind = "outside" if payment.get("outside_act", False) else "ordinary"
        paying, financing = municipalities(payment, benefit)
        atp_ore = payment.get("atp_ore", 0) if benefit.atp_deducted else 0
        days = days_of_slices(date.fromisoformat(payment["period_start"]), date.fromisoformat(payment["period_end"]))
        amounts = split(payment["amount_ore"] - atp_ore, days)
        atp_amounts = split(atp_ore, days)
        for slice_ in days:
            if slice_.month >= first_month:
                amount, atp = amounts[slice_], atp_amounts[slice_]
                lines.append(Line(slice_, benefit.code, kind, paying, financing, amount, atp))
    return lines


def days_of_slices(start: date, end: date) -> dict[Slice, int]:
    """The number of days of an inclusive period in each slice, earliest slice first."""
    days: dict[Slice, int] = {}
    day = start
    while day <= end:
        slice_ = Slice(month_of(day), monday_of(day))
        days[slice_] = days.get(slice_, 0) + 1
        day += timedelta(days=1)
    return days


def split(amount_ore: int, days: Mapping[Slice, int]) -> dict[Slice, int]:
    """An amount by calendar days; the øre left over go to the largest remainders, then the earliest (item 4)."""
    total_days = sum(days.values())
    exact = {s: Fraction(abs(amount_ore) * d, total_days) for s, d in days.items()}
    parts = {s: share.numerator // share.denominator for s, share in exact.items()}
    left_over = abs(amount_ore) - sum(parts.values())
    # `sorted` keeps slices with equal remainders in order of time.
    for slice_ in sorted(exact, key=lambda s: parts[s] - exact[s])[:left_over]:
        parts[slice_] += 1
    sign = -1 if amount_ore < 0 else 1
    return {s: sign * part for s, part in parts.items()}


# Weeks (items 6-8)


def states_of_weeks(lines: Iterable[Line], rules: RuleSet) -> dict[date, State]:
    """The state of every week that has money; all other weeks are S."""
    nets: dict[date, dict[tuple[str, Kind], int]] = defaultdict(lambda: defaultdict(int))
    for line in lines:
        nets[line.slice.week][line.benefit, line.kind] += line.amount_ore
    return {week: state_of_week(net, rules) for week, net in nets.items()}


def state_of_week(net_ore: Mapping[tuple[str, Kind], int], rules: RuleSet) -> State:
    """B, O or S from the net of each benefit and kind in one week (rules 3.3, items 6 and 13)."""
    touching = [key for key, amount_ore in net_ore.items() if amount_ore > 0]
    if any(kind == "ordinary" and rules.benefits[code].counts for code, kind in touching):
        return "B"
    if any(kind == "outside" or rules.benefits[code].blocks for code, kind in touching):
        return "O"
    return "S"


def count(states: Mapping[date, State], last_week: date, rules: RuleSet) -> Iterator[WeekEnd]:
    """Both counters in every week from the first that counts, to the last one asked for (rules 4.5)."""
    week = monday_of(rules.dates.counting_from)
    end = WeekEnd(week - WEEK, 0, 0, [])
    while end.week < last_week:
        end = next_week(end, states.get(end.week + WEEK, "S"), rules)
        yield end


def next_week(before: WeekEnd, state: State, rules: RuleSet) -> WeekEnd:
    """One round of the loop of rules 4.5. The citizen is on the staircase while the count is above 0."""
    week, n, earned = before.week + WEEK, before.seniority, list(before.earned)
    if state == "B":
        n += 1
    if state == "S" and n > 0:
        earned.append(week)
    sunday = week + timedelta(days=6)
    window_start = years_before(sunday, rules.reset.within_years)
    earned = [w for w in earned if w > window_start]
    if len(earned) >= rules.reset.self_support_weeks:
        return WeekEnd(week, ordinal=n, seniority=0, earned=[])
    return WeekEnd(week, ordinal=n, seniority=n, earned=earned)


def counters_of(states: Mapping[date, State], ends: Mapping[date, WeekEnd]) -> JsonObject:
    """The counters at the end of the latest week in state B or O (contract section 3)."""
    busy_weeks = [week for week, state in states.items() if state != "S"]
    if not busy_weeks:
        return {"week": None, "seniority": 0, "earned": []}
    end = ends[max(busy_weeks)]
    return {"week": end.week.isoformat(), "seniority": end.seniority, "earned": runs(end.earned)}


def runs(weeks: Iterable[date]) -> list[list[Any]]:
    """Weeks in order of time as runs of [first week, count]."""
    found: list[list[Any]] = []
    expected = None
    for week in weeks:
        if week == expected:
            found[-1][1] += 1
        else:
            found.append([week.isoformat(), 1])
        expected = week + WEEK
    return found


# Rows (items 9-11 and 13)


def rows_of_cells(
    lines: Iterable[Line], states: Mapping[date, State], ends: Mapping[date, WeekEnd], rules: RuleSet
) -> list[JsonObject]:
    """One row for each cell whose amount is not 0 and whose benefit is financed in that month."""
    cells: dict[tuple[str, str, str, str | None, str | None], list[int]] = defaultdict(lambda: [0, 0])
    for line in lines:
        if line.kind == "ordinary" and is_financed(line.slice, rules.benefits[line.benefit], rules):
            week = line.slice.week.isoformat()
            sums = cells[line.slice.month, week, line.benefit, line.paying, line.financing]
            sums[0] += line.amount_ore
            sums[1] += line.atp_ore
    rows = []
    for (month, week, code, paying, financing), (amount_ore, atp_ore) in cells.items():
        if amount_ore == 0:
            continue
        ordinal = ordinal_of_money(date.fromisoformat(week), states, ends, rules)
        cell = {"month": month, "week": week, "benefit": code, "paying": paying, "financing": financing}
        money = {"amount_ore": amount_ore} | ({"atp_ore": atp_ore} if atp_ore else {})
        rows.append(cell | money | result(code, amount_ore, ordinal, rules))
    return sorted(rows, key=cell_order)


def is_financed(slice_: Slice, benefit: Benefit, rules: RuleSet) -> bool:
    """Whether money of a benefit in a slice gives a row (items 10, 11 and 13)."""
    if benefit.mechanism is None:
        return False
    if benefit.turn_of_year_weekly and slice_.week == rules.dates.turn_of_year_week:
        return True
    return slice_.month >= rules.dates.rates_from_month


def ordinal_of_money(week: date, states: Mapping[date, State], ends: Mapping[date, WeekEnd], rules: RuleSet) -> int:
    """The count that ranks the money of a week; the week of 28 December 2015 looks ahead (item 11)."""
    if week != rules.dates.turn_of_year_week:
        return ends[week].ordinal
    following = week + WEEK
    if states.get(following) == "B":
        return ends[following].ordinal
    return ends[week].ordinal + 1


def result(code: str, amount_ore: int, ordinal: int, rules: RuleSet) -> JsonObject:
    """Rate, account and result of an amount (items 9, 10 and 12)."""
    benefit = rules.benefits[code]
    assert benefit.mechanism is not None, "only financed benefits have a result"
    rate = benefit.rate if isinstance(benefit.rate, int) else staircase_rate(benefit, ordinal, rules)
    result_ore = round_half_away(Fraction(amount_ore * rate, 100))
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
    """The percentage of the band that the ordinal lies in; money before the first week is in the first."""
    (staircase,) = rules.staircases
    (band,) = [band for band in staircase.bands if is_in_band(max(ordinal, 1), band)]
    return band.refusion if benefit.mechanism == "refusion" else band.medfinansiering


def is_in_band(n: int, band: Band) -> bool:
    """Whether benefit week n lies on a step of the staircase."""
    return band.from_week <= n and (band.to_week is None or n <= band.to_week)


def cell_order(row: JsonObject) -> tuple[str, str, str, str, str]:
    """Rows are ordered by cell."""
    return row["month"], row["week"], row["benefit"], row["paying"] or "", row["financing"] or ""


def round_half_away(amount: Fraction) -> int:
    """To whole øre, half away from zero (item 10)."""
    rounded = (abs(amount) + Fraction(1, 2)).__floor__()
    return -rounded if amount < 0 else rounded


# Calendar


def month_of(day: date) -> str:
    """The calendar month of a day, `YYYY-MM`."""
    return f"{day.year:04d}-{day.month:02d}"


def monday_of(day: date) -> date:
    """The Monday of the ISO week that a day lies in."""
    return day - timedelta(days=day.weekday())


def years_before(day: date, years: int) -> date:
    """The same date some years earlier; 29 February becomes 28 February (rules 3.2)."""
    if (day.month, day.day) == (2, 29):
        day = date(day.year, 2, 28)
    return date(day.year - years, day.month, day.day)
