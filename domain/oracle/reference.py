"""The law computed from scratch for one citizen: slow, plain, and apart from the product.

Rules 4.2 items 1-17, in the order of rules 4.5, with any answers to the open questions of section 11
that a rule set may choose. It shares
nothing with the product but the rule data (`domain.ruledata.ruleset.RuleSet`), so that an
error in the calendar, the rounding or the counting of one is not in the other. The tests hold the product
against it, and so does `refusion verify --deep`; nothing that settles uses it.

Reports are JSON objects as upstream publishes them (contract section 2), each valid
by itself, in the order of the citizen's journal. Weeks are the `date` of their
Monday, months are `YYYY-MM`, money is whole øre.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from fractions import Fraction
from typing import Any, Literal, NamedTuple

from domain.ruledata.ruleset import Band, Benefit, RuleSet

JsonObject = dict[str, Any]
State = Literal["B", "O", "S"]
Kind = Literal["ordinary", "outside", "legacy"]
"""Money of one code and week is netted for each kind by itself (item 6)."""

WEEK = timedelta(days=7)
FLEX = ("FLT", "FLS", "LY")
AT_OLD_PERCENTAGE = ("FLT", "FLS")
"""Legacy money whose old percentage is known (item 14)."""


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


class Facts(NamedTuple):
    """What the facts of the case decide (items 14 and 15).

    `transfer`: the Monday of the first week whose flex money is on the staircase; None is never,
    the first day of the calendar always. `enters`: the legacy weeks enter the count then.
    """

    transfer: date | None
    enters: bool
    old_pension: bool


class Weeks(NamedTuple):
    """The states of the weeks and the counts in them, under one or both counts of item 14.

    `states` and `ends` hold for each week what ranks its money; `later` is the count with the legacy weeks in it,
    where there is one.
    """

    states: dict[date, State]
    ends: dict[date, WeekEnd]
    later: dict[date, WeekEnd]


def settle(reports: Iterable[JsonObject], rules: RuleSet) -> Truth:
    """Everything about one citizen, from the reports alone (rules 4.5)."""
    standing = valid_reports(reports)
    facts = facts_of(standing, rules)
    lines = money_of_slices(payments_of(standing), rules, facts)
    last_week = max(
        (line.slice.week for line in lines), default=monday_of(rules.dates.counting_from)
    )
    weeks = weeks_of(lines, last_week, facts, rules)
    rows = rows_of_cells(lines, weeks, rules)
    rows += fleksbidrag_rows(rows, standing, weeks, facts, rules)
    return Truth(sorted(rows, key=cell_order), counters_of(weeks, facts))


def weeks_of(lines: list[Line], last_week: date, facts: Facts, rules: RuleSet) -> Weeks:
    """States and counts; from the week of the transfer on those in which the legacy weeks are B (item 14)."""
    states = states_of_weeks(lines, rules)
    ends = {end.week: end for end in count(states, last_week, rules)}
    if not facts.enters or facts.transfer is None:
        return Weeks(states, ends, {})
    states_later = states_of_weeks(lines, rules, legacy_state="B")
    later = {end.week: end for end in count(states_later, last_week, rules)}
    ranking = {week: later[week] if week >= facts.transfer else end for week, end in ends.items()}
    return Weeks(states, ranking, later)


def counters_at(reports: Iterable[JsonObject], rules: RuleSet, day: date) -> tuple[int, int]:
    """Seniority and the number of earned weeks at the end of the week that a day lies in."""
    standing = valid_reports(reports)
    facts = facts_of(standing, rules)
    lines = money_of_slices(payments_of(standing), rules, facts)
    end = weeks_of(lines, monday_of(day), facts, rules).ends[monday_of(day)]
    return end.seniority, len(end.earned)


def counters_later(counters: JsonObject, rules: RuleSet, day: date) -> tuple[int, int]:
    """The same from a message's `counters` alone, for a day in or after their week (contract section 3)."""
    if counters["week"] is None:
        return 0, 0
    week = date.fromisoformat(counters["week"])
    after_transfer = counters.get("after_transfer")
    if after_transfer and monday_of(day) >= date.fromisoformat(after_transfer["from"]):
        counters = after_transfer
    earned = [
        date.fromisoformat(first) + i * WEEK
        for first, length in counters["earned"]
        for i in range(length)
    ]
    last = WeekEnd(week, counters["seniority"], counters["seniority"], earned)
    while last.week < monday_of(day):
        last = next_week(last, "S", rules)
    return last.seniority, len(last.earned)


# Reports


def valid_reports(reports: Iterable[JsonObject]) -> list[JsonObject]:
    """The reports that count: first of its id, and not reversed (item 5, contract section 2)."""
    standing: dict[tuple[str, str], JsonObject] = {}
    for report in reports:
        standing.setdefault((report["reporter"], report["report_id"]), report)
    reversed_ids = {
        (r["reporter"], r["reverses"]) for r in standing.values() if r["type"] == "reversal"
    }
    return [r for id_, r in standing.items() if r["type"] != "reversal" and id_ not in reversed_ids]


def valid_payments(reports: Iterable[JsonObject]) -> list[JsonObject]:
    """The payments that count."""
    return payments_of(valid_reports(reports))


def payments_of(standing: Iterable[JsonObject]) -> list[JsonObject]:
    """The payments among valid reports."""
    return [report for report in standing if report["type"] == "benefit_payment"]


def facts_of(standing: Iterable[JsonObject], rules: RuleSet) -> Facts:
    """What the facts of the case decide; equal facts are one (items 14 and 15)."""
    days: dict[str, set[date]] = defaultdict(set)
    for report in standing:
        if report["type"] == "case_fact":
            days[report["fact"]].add(date.fromisoformat(report["date"]))
    transfer, enters = transfer_of(days, rules)
    award = min(days["disability_pension_award"], default=date.max)
    return Facts(transfer, enters, award < rules.legacy.disability_pension_awarded_from)


def transfer_of(days: Mapping[str, set[date]], rules: RuleSet) -> tuple[date | None, bool]:
    """The Monday from which flex money is on the staircase, and whether the legacy weeks enter the count then."""
    law = rules.legacy
    reform = law.flex_referred_from
    if not days["flex_referral"] or min(days["flex_referral"]) >= reform:
        return date.min, False
    ref = min(days["flex_referral"])
    returns = [
        max(r, reform)
        for left in days["flex_left"]
        if left > ref
        for r in days["flex_referral"]
        if r >= left
    ]
    if returns:
        return monday_of(min(returns)), False
    events = [day for day in days["flex_job_start"] | days["flex_rereferral"] if day >= reform]
    if events and law.flex_transition_from <= ref <= law.flex_transition_to:
        return monday_of(min(events)), rules.switches["LEGACY_COUNT"] == "ON_TRANSFER"
    return None, False


def kind_of(payment: JsonObject, week: date, facts: Facts) -> Kind:
    """Ordinary money, money outside the Act, or money of an old case (items 13-15)."""
    if payment.get("outside_act", False):
        return "outside"
    code = payment["benefit"]
    if code in FLEX and (facts.transfer is None or week < facts.transfer):
        return "legacy"
    return "legacy" if code == "FPN" and facts.old_pension else "ordinary"


def municipalities(report: JsonObject, benefit: Benefit) -> tuple[str | None, str | None]:
    """Paying and financing municipality; for refusion each defaults to the other (contract section 2)."""
    paying, financing = report.get("paying_municipality"), report.get("financing_municipality")
    if benefit.mechanism == "refusion":
        return paying or financing, financing or paying
    return paying, financing


# Money to slices (items 1-4)


NO_FACTS = Facts(date.min, enters=False, old_pension=False)


def money_of_slices(
    payments: Iterable[JsonObject], rules: RuleSet, facts: Facts = NO_FACTS
) -> list[Line]:
    """Each payment's base and ATP, split to its slices from the day that counting begins."""
    first_month = month_of(rules.dates.counting_from)
    lines = []
    for payment in payments:
        benefit = rules.benefits[payment["benefit"]]
        paying, financing = municipalities(payment, benefit)
        atp_ore = payment.get("atp_ore", 0) if benefit.atp_deducted else 0
        start, end = (
            date.fromisoformat(payment["period_start"]),
            date.fromisoformat(payment["period_end"]),
        )
        weights = weights_of_slices(start, end, rules)
        amounts = split(payment["amount_ore"] - atp_ore, weights)
        atp_amounts = split(atp_ore, weights)
        for slice_ in weights:
            if slice_.month >= first_month:
                amount, atp = amounts[slice_], atp_amounts[slice_]
                kind = kind_of(payment, slice_.week, facts)
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


def weights_of_slices(start: date, end: date, rules: RuleSet) -> Mapping[Slice, int | Fraction]:
    """What each slice weighs in the split: its calendar days, or what SPLIT has in their place (item 4)."""
    days = days_of_slices(start, end)
    if rules.switches["SPLIT"] == "EQUAL_PER_TOUCHED_WEEK":
        days_of_week = {week: sum(d for s, d in days.items() if s.week == week) for _, week in days}
        return {s: Fraction(d, days_of_week[s.week]) for s, d in days.items()}
    if rules.switches["SPLIT"] == "WEEKDAYS":
        period = [start + timedelta(days=i) for i in range((end - start).days + 1)]
        workdays = [Slice(month_of(day), monday_of(day)) for day in period if day.weekday() < 5]
        return {s: workdays.count(s) for s in days} if workdays else days
    return days


def split(amount_ore: int, weights: Mapping[Slice, int | Fraction]) -> dict[Slice, int]:
    """An amount by weight; the øre left over go to the largest remainders, then the earliest (item 4)."""
    total = Fraction(sum(weights.values()))
    exact = {s: abs(amount_ore) * weight / total for s, weight in weights.items()}
    parts = {s: share.numerator // share.denominator for s, share in exact.items()}
    left_over = abs(amount_ore) - sum(parts.values())
    # `sorted` keeps slices with equal remainders in order of time.
    for slice_ in sorted(exact, key=lambda s: parts[s] - exact[s])[:left_over]:
        parts[slice_] += 1
    sign = -1 if amount_ore < 0 else 1
    return {s: sign * part for s, part in parts.items()}


# Weeks (items 6-8)


def states_of_weeks(
    lines: Iterable[Line], rules: RuleSet, legacy_state: State = "O"
) -> dict[date, State]:
    """The state of every week that has money; all other weeks are S. `legacy_state` is that of legacy flex weeks."""
    nets: dict[date, dict[tuple[str, Kind], int]] = defaultdict(lambda: defaultdict(int))
    for line in lines:
        nets[line.slice.week][line.benefit, line.kind] += line.amount_ore
    return {week: state_of_week(net, rules, legacy_state) for week, net in nets.items()}


def state_of_week(
    net_ore: Mapping[tuple[str, Kind], int], rules: RuleSet, legacy_state: State = "O"
) -> State:
    """B, O or S from the net of each benefit and kind in one week (rules 3.3, items 6, 13, 14 and 15).

    Where TOUCH is ANY_REPORT, that some report has days in the week is enough.
    """
    any_report = rules.switches["TOUCH"] == "ANY_REPORT"
    touching = [money for money, ore in net_ore.items() if ore > 0 or any_report]
    states = {state_of_money(code, kind, rules, legacy_state) for code, kind in touching}
    return "B" if "B" in states else "O" if "O" in states else "S"


def state_of_money(code: str, kind: Kind, rules: RuleSet, legacy_state: State) -> State:
    """The state that money of a benefit gives its week; old cases count always where LEGACY_COUNT is ALWAYS."""
    if kind == "ordinary" or (kind == "legacy" and rules.switches["LEGACY_COUNT"] == "ALWAYS"):
        return "B" if rules.benefits[code].counts else "O" if rules.benefits[code].blocks else "S"
    return legacy_state if kind == "legacy" and code in FLEX else "O"


def count(states: Mapping[date, State], last_week: date, rules: RuleSet) -> Iterator[WeekEnd]:
    """Both counters in every week from the first that counts, to the last one asked for (rules 4.5)."""
    week = monday_of(rules.dates.counting_from)
    end = WeekEnd(week - WEEK, 0, 0, [])
    while end.week < last_week:
        end = next_week(end, states.get(end.week + WEEK, "S"), rules)
        yield end


def next_week(before: WeekEnd, state: State, rules: RuleSet) -> WeekEnd:
    """One round of the loop of rules 4.5. The citizen is on the staircase while the count is above 0.

    Where RESET_AT is AT_NEXT_BENEFIT, the weeks earned before a benefit week make it a new start.
    """
    week, n, earned = before.week + WEEK, before.seniority, list(before.earned)
    at_next_benefit = rules.switches["RESET_AT"] == "AT_NEXT_BENEFIT"
    if at_next_benefit and state == "B" and len(earned) >= rules.reset.self_support_weeks:
        n, earned = 0, []
    if state == "B":
        n += 1
    if state == "S" and n > 0:
        earned.append(week)
    sunday = week + timedelta(days=6)
    window_start = years_before(sunday, rules.reset.within_years)
    earned = [w for w in earned if w > window_start]
    if not at_next_benefit and len(earned) >= rules.reset.self_support_weeks:
        return WeekEnd(week, ordinal=n, seniority=0, earned=[])
    return WeekEnd(week, ordinal=n, seniority=n, earned=earned)


def counters_of(weeks: Weeks, facts: Facts) -> JsonObject:
    """The counters at the end of the latest week in state B or O (contract section 3)."""
    busy_weeks = [week for week, state in weeks.states.items() if state != "S"]
    if not busy_weeks:
        return {"week": None, "seniority": 0, "earned": []}
    week = max(busy_weeks)
    counters: JsonObject = {"week": week.isoformat()} | both_counters(weeks.ends[week])
    if weeks.later and facts.transfer is not None and week < facts.transfer:
        counters["after_transfer"] = {"from": facts.transfer.isoformat()} | both_counters(
            weeks.later[week]
        )
    return counters


def both_counters(end: WeekEnd) -> JsonObject:
    """Seniority and earned weeks at the end of a week."""
    return {"seniority": end.seniority, "earned": runs(end.earned)}


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


def rows_of_cells(lines: Iterable[Line], weeks: Weeks, rules: RuleSet) -> list[JsonObject]:
    """One row for each cell whose amount is not 0 and whose benefit is financed in that month."""
    cells: dict[tuple[str, str, str, str | None, str | None, Kind], list[int]] = defaultdict(
        lambda: [0, 0]
    )
    for line in lines:
        if has_row(line) and is_financed(line.slice, rules.benefits[line.benefit], rules):
            week = line.slice.week.isoformat()
            sums = cells[
                line.slice.month, week, line.benefit, line.paying, line.financing, line.kind
            ]
            sums[0] += line.amount_ore
            sums[1] += line.atp_ore
    rows = []
    for (month, week, code, paying, financing, kind), (amount_ore, atp_ore) in cells.items():
        if amount_ore == 0:
            continue
        ordinal = ordinal_of_money(date.fromisoformat(week), weeks, rules)
        cell = {
            "month": month,
            "week": week,
            "benefit": code,
            "paying": paying,
            "financing": financing,
        }
        money = {"amount_ore": amount_ore} | ({"atp_ore": atp_ore} if atp_ore else {})
        rows.append(cell | money | result(code, amount_ore, ordinal, rules, kind))
    return rows


def has_row(line: Line) -> bool:
    """Whether money of its kind can give a row (items 13-15)."""
    return line.kind == "ordinary" or (line.kind == "legacy" and line.benefit in AT_OLD_PERCENTAGE)


def is_financed(slice_: Slice, benefit: Benefit, rules: RuleSet) -> bool:
    """Whether money of a benefit in a slice gives a row (items 10, 11 and 13)."""
    if benefit.mechanism is None:
        return False
    if benefit.turn_of_year_weekly and slice_.week == rules.dates.turn_of_year_week:
        return True
    return slice_.month >= rules.dates.rates_from_month


def ordinal_of_money(week: date, weeks: Weeks, rules: RuleSet) -> int:
    """The count that ranks the money of a week; the week of 28 December 2015 looks ahead (item 11)."""
    if week != rules.dates.turn_of_year_week:
        return weeks.ends[week].ordinal
    following = week + WEEK
    if weeks.states.get(following) == "B":
        return weeks.ends[following].ordinal
    return weeks.ends[week].ordinal + 1


def result(
    code: str, amount_ore: int, ordinal: int, rules: RuleSet, kind: Kind = "ordinary"
) -> JsonObject:
    """Rate, account and result of an amount (items 9, 10, 12 and 14)."""
    benefit = rules.benefits[code]
    assert benefit.mechanism is not None, "only financed benefits have a result"
    rate = (
        benefit.rate if isinstance(benefit.rate, int) else staircase_rate(benefit, ordinal, rules)
    )
    if kind == "legacy":
        rate = rules.legacy.flex_refusion
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


def rounded_result(ore: Fraction, rules: RuleSet) -> int:
    """To whole øre, or to whole kroner where ROUND is ROW_KRONE (item 10)."""
    return (
        round_half_away(ore / 100) * 100
        if rules.switches["ROUND"] == "ROW_KRONE"
        else round_half_away(ore)
    )


def round_half_away(amount: Fraction) -> int:
    """To a whole number, half away from zero."""
    rounded = (abs(amount) + Fraction(1, 2)).__floor__()
    return -rounded if amount < 0 else rounded


# Fleksbidrag (item 16)


def fleksbidrag_rows(
    rows: Iterable[JsonObject],
    standing: list[JsonObject],
    weeks: Weeks,
    facts: Facts,
    rules: RuleSet,
) -> list[JsonObject]:
    """The row of every month that has one."""
    by_month: dict[str, list[JsonObject]] = defaultdict(list)
    for row in rows:
        if gives_fleksbidrag(row, facts, rules):
            by_month[row["month"]].append(row)
    found = []
    for month, entitling in by_month.items():
        kroner = fleksbidrag_kroner(month, entitling, standing, facts, rules)
        if kroner > 0:
            entitling.sort(
                key=lambda row: (row["week"], row["paying"] or "", row["financing"] or "")
            )
            week, last = entitling[0]["week"], entitling[-1]
            cell = {"month": month, "week": week, "benefit": "FB"}
            cell |= {name: last[name] for name in ("paying", "financing")}
            ordinal = ordinal_of_money(date.fromisoformat(week), weeks, rules)
            amount_ore = kroner * 100
            money = {
                "amount_ore": amount_ore,
                "ordinal": ordinal,
                "mechanism": "refusion",
                "rate": 100,
            }
            money |= {"refusion_ore": amount_ore, "medfinansiering_ore": 0}
            found.append(cell | money | {"account": rules.accounts.get(("FB", "refusion", 100))})
    return found


def gives_fleksbidrag(row: JsonObject, facts: Facts, rules: RuleSet) -> bool:
    """Fleksløntilskud on the staircase, on its last step, and positive."""
    return (
        row["benefit"] == "FLT"
        and rules.benefits["FLT"].rate == "staircase"
        and not is_legacy_week(date.fromisoformat(row["week"]), facts)
        and row["rate"] == rules.fleksbidrag.only_at_refusion
        and row["amount_ore"] > 0
        and row["month"] >= rules.dates.rates_from_month
    )


def is_legacy_week(week: date, facts: Facts) -> bool:
    """Whether flex money in a week is legacy money."""
    return facts.transfer is None or week < facts.transfer


def fleksbidrag_kroner(
    month: str,
    entitling: list[JsonObject],
    standing: list[JsonObject],
    facts: Facts,
    rules: RuleSet,
) -> int:
    """F of one month; 0 where the wages or the year's B are not known."""
    basis = rules.flex_basis.get(int(month[:4]))
    wages_ore = wages_of(month, standing)
    if basis is None or wages_ore is None:
        return 0
    law = rules.fleksbidrag
    b = Fraction(basis.kroner)
    r = Fraction(sum(row["refusion_ore"] for row in entitling), 100)
    w = Fraction(wages_ore, 100)
    cap = Fraction(half_up(Fraction(law.cap_percent, 100) * b))
    share = Fraction(law.share_percent, 100)
    before_cap = share * b - r if rules.switches["FB_READING"] == "A" else share * (b - r)
    monthly = min(before_cap, cap) - Fraction(law.wage_reduction_percent, 100) * w
    days = days_paid(month, standing, facts)
    entitling_weeks = {row["week"] for row in entitling}
    entitling_days = [day for day in days if monday_of(day).isoformat() in entitling_weeks]
    return half_up(monthly * prorated(len(entitling_days), len(days), rules)) if days else 0


def prorated(entitling_days: int, days: int, rules: RuleSet) -> Fraction:
    """The part of a month's fleksbidrag that is due, d4 / d or what FB_PRORATION has in its place."""
    if rules.switches["FB_PRORATION"] == "WHOLE_MONTH":
        return Fraction(1)
    if rules.switches["FB_PRORATION"] == "NONE":
        return Fraction(int(entitling_days == days))
    return Fraction(entitling_days, days)


def wages_of(month: str, standing: Iterable[JsonObject]) -> int | None:
    """W in øre, pension left aside; None where no wage has a slice in the month."""
    found = []
    for report in standing:
        if report["type"] == "income" and report["kind"] in ("wage", "flex_job_wage"):
            start, end = (
                date.fromisoformat(report["period_start"]),
                date.fromisoformat(report["period_end"]),
            )
            parts = split(report["amount_ore"], days_of_slices(start, end))
            found += [amount_ore for slice_, amount_ore in parts.items() if slice_.month == month]
    return sum(found) if found else None


def days_paid(month: str, standing: Iterable[JsonObject], facts: Facts) -> list[date]:
    """The days of a month in the period of a positive report of fleksløntilskud, without those in legacy weeks."""
    days = set()
    for payment in payments_of(standing):
        if (
            payment["benefit"] == "FLT"
            and payment["amount_ore"] > 0
            and not payment.get("outside_act", False)
        ):
            day = date.fromisoformat(payment["period_start"])
            while day <= date.fromisoformat(payment["period_end"]):
                days.add(day)
                day += timedelta(days=1)
    return [
        day for day in days if month_of(day) == month and not is_legacy_week(monday_of(day), facts)
    ]


def half_up(amount: Fraction) -> int:
    """To the nearest whole, half up."""
    return (amount + Fraction(1, 2)).__floor__()


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
