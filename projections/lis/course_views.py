"""The rows of the views over time: 25 months, transitions between benefits, one citizen."""

from collections import defaultdict
from dataclasses import replace
from typing import Any, Final

from domain.basics.weeks import month_number, month_text
from projections.lis.answers import AnswerRow, money, number, percent, ratio, text
from projections.lis.money_views import (
    AMOUNT,
    BENEFIT,
    MEDFINANSIERING,
    MONEY_SUMS,
    MONTH,
    MUNICIPALITY,
    RATE,
    REFUSION,
    need,
    summed,
)
from projections.lis.person_views import (
    CITIZEN,
    PERSONS,
    codes_of,
    standing_of,
    with_counters,
)
from projections.lis.scopes import ViewScope
from projections.lis.tables import WEEKS

MONTHS: Final = 25
"""Two years and the month to compare with."""
STEPS: Final = (1, 2, 3, 4)
_NOBODY: Final = (0,) * (1 + len(STEPS))
MEAN_PERCENT: Final = percent("mean_refusion_percent", "gns. refusion %")

UDVIKLING: Final = (
    *(MUNICIPALITY, MONTH, PERSONS),
    *(number(f"persons_step_{step}", f"personer trin {step}") for step in STEPS),
    *(AMOUNT, REFUSION, MEAN_PERCENT),
)


def mean_percents(scope: ViewScope) -> dict[tuple[str, str], tuple[int, int, int | None]]:
    """Sum the base and the refusion of benefits with refusion, and divide them."""
    rows = scope.rows(
        "money",
        f"municipality, month, {summed('amount_ore', 'refusion_ore')}",
        "AND mechanism = 'refusion' GROUP BY ALL",
    )
    return {
        (place, month): (amount, refusion, ratio(refusion, amount))
        for place, month, amount, refusion in rows
    }


def persons_of_steps(scope: ViewScope) -> list[tuple[Any, ...]]:
    """Count persons by municipality and month: all, and those with money at each step."""
    prefix = "booked_" if scope.question.based_on == "settled" else ""
    persons = f"sum({prefix}persons)::BIGINT"
    code = scope.question.benefit
    counts: dict[tuple[str, str], list[int]] = defaultdict(lambda: [*_NOBODY])
    of_all = "" if code else "AND benefit IS NULL"
    for place, month, number_of in scope.rows(
        "persons", f"municipality, month, {persons}", f"AND rate IS NULL {of_all} GROUP BY ALL"
    ):
        counts[place, month][0] = number_of
    if code is None:
        found = scope.rows("step_persons", f"municipality, month, step, {persons}", "GROUP BY ALL")
    else:  # of one benefit, who is on a step is who has its rate
        rates = list(enumerate(scope.on_staircase().get(code, []), 1))
        found = [
            (place, month, step, number_of)
            for place, month, rate, number_of in scope.rows(
                "persons",
                f"municipality, month, rate, {persons}",
                "AND rate IS NOT NULL GROUP BY ALL",
            )
            for step, of_step in rates
            if of_step == rate
        ]
    for place, month, step, number_of in found:
        counts[place, month][step] = number_of
    return [(*key, *counts[key]) for key in sorted(counts)]


def udvikling_rows(scope: ViewScope) -> list[AnswerRow]:
    """Show 25 months up to the one that is asked for, or to the data month."""
    last = month_number(scope.question.month or scope.data_month)
    months = {month_text(month) for month in range(last - MONTHS + 1, last + 1)}
    wide = scope.of_months(months)
    percents = mean_percents(wide)
    amounts = {
        (place, month): amount
        for place, month, amount in wide.rows(
            "money", f"municipality, month, {summed('amount_ore')}", "GROUP BY ALL"
        )
    }
    persons = {(place, month): counts for place, month, *counts in persons_of_steps(wide)}
    rows = []
    for place, month in sorted(persons.keys() | amounts.keys()):
        amount = amounts.get((place, month), 0)
        counts = persons.get((place, month), _NOBODY)  # where there is fleksbidrag alone
        if counts[0] or amount:
            _, refusion, mean = percents.get((place, month), (0, 0, None))
            rows.append((place, month, *counts, amount, refusion, mean))
    return rows


OVERGANGE: Final = (
    *(MUNICIPALITY, MONTH, text("from_benefit", "fra ydelse"), text("to_benefit", "til ydelse")),
    *(PERSONS, number("mean_weeks", "gns. anciennitet"), money("year_saved", "sparet på et år")),
)
MONTHS_OF_A_YEAR: Final = 12


def overgange_rows(scope: ViewScope) -> list[AnswerRow]:
    """Count citizens by their benefit in one month and in the month before.

    What a transition saves in a year is twelve times what the municipality pays less for them. What
    a run booked does not say so: it has little of the month before.
    """
    month = scope.question.month or scope.data_month
    wide = scope.of_months((month_text(month_number(month) - 1), month))
    wide = wide._replace(question=replace(wide.question, benefit=None))
    rows = wide.ask("person_months", lambda condition: _transitions(scope, month, condition))
    benefit, is_settled = scope.question.benefit, scope.question.based_on == "settled"
    return [
        (*row[:6], None if is_settled else row[6])
        for row in sorted(rows, key=lambda row: tuple(part or "~" for part in row[:4]))
        if benefit in (None, *row[2:4])
    ]


def _transitions(scope: ViewScope, month: str, condition: str) -> str:
    """Write the statement that groups citizens by where they came from and went."""
    before = month_text(month_number(month) - 1)
    refunded = codes_of(
        code for code, benefit in scope.law.benefits.items() if benefit.mechanism == "refusion"
    )
    own = (
        f"CASE WHEN benefit IN {refunded} THEN amount_ore - refusion_ore"
        " ELSE medfinansiering_ore END"
    )
    standing = "(SELECT NULL AS citizen, NULL AS municipality, CAST(NULL AS INTEGER) AS seniority)"
    if month == scope.data_month:
        standing = standing_of(scope, scope.question.municipality)
    return f"""
WITH cells AS (
    SELECT municipality, citizen, benefit, {_months_side_by_side("amount_ore", before, month)},
        {_months_side_by_side(own, before, month, "own_")}
    FROM person_months WHERE {condition} AND benefit <> 'FB'
    GROUP BY municipality, citizen, benefit
), went AS (
    SELECT municipality, citizen,
        first(benefit ORDER BY before_ore DESC, benefit DESC) FILTER (before_ore > 0) AS came_from,
        first(benefit ORDER BY after_ore DESC, benefit DESC) FILTER (after_ore > 0) AS went_to,
        sum(CASE WHEN before_ore > 0 THEN own_before_ore ELSE 0 END
            - CASE WHEN after_ore > 0 THEN own_after_ore ELSE 0 END) AS less_ore
    FROM cells WHERE before_ore > 0 OR after_ore > 0 GROUP BY municipality, citizen
)
SELECT went.municipality, '{month}', came_from, went_to, count(*),
    CAST(sum(seniority) // count(seniority) AS BIGINT),
    CAST({MONTHS_OF_A_YEAR} * sum(less_ore) AS BIGINT)
FROM went LEFT JOIN {standing} AS standing ON standing.citizen = went.citizen
    AND standing.municipality = went.municipality
GROUP BY went.municipality, came_from, went_to"""


def _months_side_by_side(ore: str, before: str, month: str, prefix: str = "") -> str:
    """Write the sums of money in two months as two columns: half as many groups."""
    return ", ".join(
        f"sum(CASE WHEN month = '{of}' THEN {ore} END) AS {prefix}{name}_ore"
        for of, name in ((before, "before"), (month, "after"))
    )


FLEKSBIDRAG_VIEW: Final = (
    *(MUNICIPALITY, MONTH, CITIZEN, money("flt_amount", "fleksløntilskud")),
    *(money("flt_refusion", "refusion"), money("fleksbidrag", "fleksbidrag")),
    text("state", "tilstand"),
)
FLEKS: Final = ("FLT", "FB")
"""Fleksløntilskud and fleksbidrag."""
AWAITED: Final = "afventer løn, eller lønnen er for høj"
SETTLED: Final = "afregnet"


def fleksbidrag_rows(scope: ViewScope) -> list[AnswerRow]:
    """List the citizens with fleksløntilskud on the last step, and their fleksbidrag."""
    if scope.question.benefit not in (None, *FLEKS):
        return []
    rates = scope.on_staircase().get("FLT", [0])
    wide = scope._replace(question=replace(scope.question, benefit=None))
    return wide.ask(
        "person_months",
        lambda condition: (
            "SELECT municipality, month, citizen, flt, refusion, bidrag,"
            f" CASE WHEN bidrag <> 0 THEN '{SETTLED}' ELSE '{AWAITED}' END FROM ("
            "SELECT municipality, month, citizen,"
            f" sum(CASE WHEN benefit = 'FLT' AND rate = {rates[-1]} THEN amount_ore ELSE 0"
            " END)::BIGINT AS flt,"
            f" sum(CASE WHEN benefit = 'FLT' AND rate = {rates[-1]} THEN refusion_ore ELSE 0"
            " END)::BIGINT AS refusion,"
            " sum(CASE WHEN benefit = 'FB' THEN refusion_ore ELSE 0 END)::BIGINT AS bidrag"
            f" FROM person_months WHERE {condition} AND benefit IN ('FLT', 'FB')"
            " GROUP BY municipality, month, citizen) WHERE flt > 0 OR bidrag <> 0"
            " ORDER BY municipality, month, citizen"
        ),
    )


BORGER: Final = (
    *(MONTH, MUNICIPALITY, BENEFIT, RATE, number("weeks", "uger")),
    *(AMOUNT, REFUSION, MEDFINANSIERING),
)


def borger_rows(scope: ViewScope) -> list[AnswerRow]:
    """Show the months of one citizen: benefit, rate, weeks and money."""
    citizen = need(scope.question.citizen, "a citizen", "borger")
    return scope.ask(
        "person_months",
        lambda condition: (
            f"SELECT month, municipality, benefit, rate, ({WEEKS})::BIGINT,"
            f" {MONEY_SUMS} FROM person_months WHERE {condition} AND citizen = '{citizen}'"
            " GROUP BY month, municipality, benefit, rate"
            " HAVING sum(amount_ore) <> 0 OR sum(refusion_ore) <> 0"
            " OR sum(medfinansiering_ore) <> 0 ORDER BY month, municipality, benefit, rate DESC"
        ),
    )


UGENS_VAERDI: Final = (
    *(MUNICIPALITY, number("step", "trin"), number("rate", "refusion %"), PERSONS),
    money("week", "gns. kr. pr. uge", adds=False),
    money("own_cost", "kommunens netto pr. uge", adds=False),
    money("next_own_cost", "netto på næste trin", adds=False),
    money("saved", "sparet ved en uges selvforsørgelse, alle"),
)


def ugens_vaerdi_rows(scope: ViewScope) -> list[AnswerRow]:
    """Average what a week costs the municipality on each step, and what self-support saves."""
    code = scope.question.benefit
    stairs = scope.on_staircase().keys() & ({*scope.on_staircase()} if code is None else {code})
    found = (
        with_counters(
            scope,
            "municipality, step, rate, next_rate, count(*)::BIGINT, sum(week_ore)::BIGINT",
            f"AND week_ore > 0 AND benefit IN {codes_of(stairs)} GROUP BY ALL"
            " ORDER BY municipality, step",
        )
        if stairs
        else []
    )
    rows = []
    for place, step, rate, next_rate, persons, ore in found:
        mean = ore // persons
        after = None if next_rate is None else mean * (100 - next_rate) // 100
        own = mean * (100 - rate) // 100
        rows.append((place, step, rate, persons, mean, own, after, own * persons))
    return rows
