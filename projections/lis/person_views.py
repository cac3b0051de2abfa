"""The rows of the views of persons: counts by rate and benefit, seniority, who falls, earned weeks.

A row of `person_months` is a citizen's; counts of persons are never added up over groups.
"""

from calendar import monthrange
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import product
from typing import Any, Final

from projections.lis.answers import AnswerRow, money, number, percent, ratio, text
from projections.lis.bands import EARNED_FROM, SENIORITY_FROM, ends, first_of
from projections.lis.money_views import (
    AMOUNT,
    BENEFIT,
    MEDFINANSIERING,
    MONEY_SUMS,
    MONTH,
    MUNICIPALITY,
    RATE,
    REFUSION,
)
from projections.lis.scopes import ViewScope
from projections.lis.tables import MARTS, WEEKS

PERSONS: Final = number("persons", "personer")
CITIZEN: Final = text("citizen", "borger")
AT_WEEK: Final = text("at_week", "opgjort uge")
WEEKS_OF: Final = number("weeks", "uger")

PERSONER: Final = (
    *(MUNICIPALITY, MONTH, BENEFIT, RATE, PERSONS),
    number("weeks", "personuger"),
    percent("full_time_persons", "fuldtidspersoner"),
    money("mean_week", "gns. kr. pr. uge", adds=False),
)


def personer_rows(scope: ViewScope) -> list[AnswerRow]:
    """Count persons and weeks by benefit and rate, with the totals of each."""
    prefix = "booked_" if scope.question.based_on == "settled" else ""
    benefit = scope.question.benefit
    rows = scope.rows(
        "persons",
        "municipality, month, benefit, rate,"
        f" sum({prefix}persons)::BIGINT AS persons, sum({prefix}weeks)::BIGINT AS weeks",
        "GROUP BY ALL"
        f" HAVING sum({prefix}persons) <> 0 OR sum({prefix}weeks) <> 0"
        " ORDER BY municipality, month, benefit NULLS LAST, rate DESC NULLS LAST",
    )
    if benefit is not None:  # the sum over all benefits that are asked for is that of the one
        rows += [(*row[:2], None, *row[3:]) for row in rows]
    base = _base_by_rate(scope)
    return [
        (*row, full_time(row[5], row[1]), base[row[:4]] // row[5] if row[5] > 0 else None)
        for row in rows
    ]


def _base_by_rate(scope: ViewScope) -> dict[tuple[Any, ...], int]:
    """Sum the base by the keys of `personer`, each of the last two or all (None)."""
    sums: dict[tuple[Any, ...], int] = defaultdict(int)
    for place, month, benefit, rate, ore in scope.rows(
        "money",
        "municipality, month, benefit, rate, sum(amount_ore)::BIGINT",
        "AND benefit <> 'FB' GROUP BY ALL",
    ):
        for code, percentage in product((benefit, None), (rate, None)):
            sums[place, month, code, percentage] += ore
    return sums


def full_time(weeks: int, month: str) -> int:
    """Turn the weeks of a month into full-time persons, in hundredths, rounded half up.

    >>> full_time(31, "2024-01"), full_time(1, "2024-01")
    (700, 23)
    """
    year, number_of_month = map(int, month.split("-"))
    days = monthrange(year, number_of_month)[1]
    return (2 * 700 * weeks + days) // (2 * days)


# --- counters ---------------------------------------------------------------------------------


STANDING: Final = ", ".join(
    (
        *("citizen", "municipality", "at_week", "seniority", "step", "rate", "weeks_to_next"),
        *("next_rate", "earned", "missing", "leaving_week", "leaving", "benefit", "week_ore"),
        *("present", "booked"),
    )
)
"""The columns of a citizen's counters at the end of `at_week`."""


def standing_of(scope: ViewScope, place: str | None = None) -> str:
    """Write the citizens' counters as of the question as a table in SQL.

    `standing` has them as of each run; what changed since the last one takes their place. With
    `place` it is those whose latest row is that municipality's, which are read without the rest.
    """
    last = scope.last_run
    here = "" if place is None else f" AND municipality = '{place}'"
    if scope.question.based_on != "known":
        return f"(SELECT {STANDING} FROM standing WHERE run = {last}{here})"
    latest = f"SELECT {STANDING} FROM standing WHERE run IS NULL{here}"
    if last is None:
        return f"({latest})"
    return (
        f"({latest} UNION ALL SELECT {STANDING} FROM standing WHERE run = {last}{here}"
        " AND citizen NOT IN (SELECT citizen FROM standing WHERE run IS NULL))"
    )


def run_of(scope: ViewScope) -> str:
    """Write the condition for the rows of a table that has them all as of each run."""
    return "run IS NULL" if scope.question.based_on == "known" else f"run = {scope.last_run}"


def with_counters(scope: ViewScope, columns: str, ending: str) -> list[tuple[Any, ...]]:
    """Read the counters of the data month's citizens: see `counters_of`."""
    return scope.read(*counters_of(scope, columns, ending))


def counters_of(scope: ViewScope, columns: str, ending: str) -> tuple[str, list[Any]]:
    """Write the question for the counters of the data month's citizens, by municipality.

    They are those with a row in it. Nearly all have their latest row there, and are read from
    `standing`; the others are in `visitors`, without benefit, step and money. `ending` is SQL
    behind the table; its conditions begin with AND.
    """
    common = "municipality, citizen, at_week, seniority, rate, weeks_to_next, next_rate"
    own = "step, benefit, week_ore"
    place = scope.question.municipality
    here = "AND municipality " + ("IS NOT NULL" if place is None else f"= '{place}'")
    flag = "booked" if scope.question.based_on == "settled" else "present"
    counters = (
        f"SELECT {common}, {own} FROM {standing_of(scope, place)} AS standing WHERE {flag} = 1"
        f" UNION ALL SELECT {common}, NULL AS step, NULL AS benefit, NULL AS week_ore"
        f" FROM visitors WHERE {run_of(scope)} AND {flag} = 1 {here}"
    )
    among, values = _with_benefit(scope)
    return f"SELECT {columns} FROM ({counters}) AS counters WHERE {among} {ending}", values


def _with_benefit(scope: ViewScope) -> tuple[str, list[Any]]:
    """Write the condition for the citizens with the benefit that is asked for in the data month.

    What a run booked are its rows; else it is the rows that stand.
    """
    if scope.question.benefit is None:
        return "TRUE", []
    where = scope.where(MARTS["person_months"], "month")
    stands = "" if scope.question.based_on == "settled" else "HAVING sum(weeks) > 0"
    return (
        "(municipality, citizen) IN (SELECT (municipality, citizen) FROM person_months"
        f" WHERE {where.sql} AND month = '{scope.data_month}' AND benefit <> 'FB'"
        f" GROUP BY municipality, citizen {stands})"
    ), where.values


def seniorities_of(scope: ViewScope) -> list[tuple[Any, ...]]:
    """Count the data month's citizens by municipality and seniority, in order."""
    return _of_seniorities(
        scope, "SELECT municipality, seniority, persons FROM {} ORDER BY municipality, seniority"
    )


def median_seniorities(scope: ViewScope) -> list[tuple[Any, ...]]:
    """Count the data month's citizens by municipality, with their median seniority.

    Of two in the middle it is the smaller.
    """
    return _of_seniorities(
        scope,
        "SELECT municipality, max(number_of)::BIGINT,"
        " min(CASE WHEN 2 * up_to >= number_of THEN seniority END) FROM ("
        "SELECT municipality, seniority,"
        " sum(persons) OVER (PARTITION BY municipality ORDER BY seniority) AS up_to,"
        " sum(persons) OVER (PARTITION BY municipality) AS number_of FROM {}"
        ") GROUP BY municipality",
    )


def _of_seniorities(scope: ViewScope, statement: str) -> list[tuple[Any, ...]]:
    """Ask for the data month's citizens by municipality and seniority, whose place is `{}`."""
    if scope.question.benefit is not None:
        counted = "municipality, seniority, count(*)::BIGINT AS persons"
        table, values = counters_of(scope, counted, "AND seniority IS NOT NULL GROUP BY ALL")
        return scope.read(statement.format(f"({table})"), values)
    place = scope.question.municipality
    prefix = "booked_" if scope.question.based_on == "settled" else ""
    here = "" if place is None else " AND municipality = $1"
    table = (
        f"(SELECT municipality, seniority, {prefix}persons AS persons FROM seniorities"
        f" WHERE {run_of(scope)} AND {prefix}persons > 0 AND seniority IS NOT NULL{here})"
    )
    return scope.read(statement.format(table), [] if place is None else [place])


ANCIENNITET: Final = (
    MUNICIPALITY,
    number("from_week", "fra uge"),
    number("to_week", "til uge"),
    PERSONS,
    percent("share_percent", "andel"),
)


def anciennitet_rows(scope: ViewScope) -> list[AnswerRow]:
    """Count the citizens of the data month by their weeks of seniority."""
    rows = _in_bands(SENIORITY_FROM, seniorities_of(scope))
    persons = Counter[str]()
    for place, *_, number_of in rows:
        persons[place] += number_of
    return [(*row, ratio(row[-1], persons[row[0]])) for row in rows]


def _in_bands(firsts: tuple[int, ...], counts: Iterable[tuple[Any, ...]]) -> list[AnswerRow]:
    """Make a row of each band of the counts, which are (municipality, weeks, persons)."""
    found: dict[str, dict[int, int]] = {}
    for place, weeks, persons in counts:
        bands = found.setdefault(place, dict.fromkeys(firsts, 0))
        bands[first_of(firsts, weeks)] += persons
    return [
        (place, *band, found[place][band[0]]) for place in sorted(found) for band in ends(firsts)
    ]


PAA_VEJ_NED: Final = (
    *(MUNICIPALITY, CITIZEN, AT_WEEK),
    *(number("seniority", "anciennitet"), number("rate", "refusion %")),
    number("weeks_to_next", "uger til næste trin"),
    number("next_rate", "næste %"),
    money("week", "kr. pr. uge", adds=False),
    money("week_cost", "merudgift pr. uge"),
    *(BENEFIT, text("next_week", "tidligst fra uge")),
)


def paa_vej_ned_rows(scope: ViewScope) -> list[AnswerRow]:
    """List the citizens of the data month with their step, and when the next one comes."""
    week = f"CASE WHEN benefit IN {codes_of(scope.on_staircase())} THEN week_ore END"
    ahead = scope.question.weeks
    return with_counters(
        scope,
        "municipality, citizen, at_week, seniority, rate, weeks_to_next, next_rate,"
        f" {week}, {week} * (rate - next_rate) // 100, benefit,"
        " CAST(CAST(at_week AS DATE) + 7 * weeks_to_next AS VARCHAR)",
        ("" if ahead is None else f"AND weeks_to_next <= {ahead} ")
        + "ORDER BY municipality, weeks_to_next NULLS LAST, citizen",
    )


def codes_of(benefits: Iterable[str]) -> str:
    """Write codes as a list in SQL."""
    listed = ", ".join(f"'{code}'" for code in sorted(benefits))
    return f"({listed})"


GENOPTJENING: Final = (
    MUNICIPALITY,
    number("from_weeks", "fra uger"),
    number("to_weeks", "til uger"),
    PERSONS,
)


def earners(scope: ViewScope, columns: str, ending: str) -> list[tuple[Any, ...]]:
    """Read the counters of the citizens by the municipality and benefit of their latest row.

    `ending` is SQL behind the conditions.
    """
    standing = standing_of(scope, scope.question.municipality)
    if scope.question.based_on == "settled":
        booked = scope.where(MARTS["person_months"], "municipality", "month", "benefit")
        standing = (
            f"(SELECT * FROM {standing} WHERE citizen IN (SELECT citizen FROM person_months"
            f" WHERE {booked.sql} AND benefit <> 'FB'))"
        )
    benefit = scope.question.benefit
    return scope.read(
        f"SELECT {columns} FROM {standing} WHERE municipality IS NOT NULL AND earned IS NOT NULL"
        f"{'' if benefit is None else ' AND benefit = $1'} {ending}",
        [] if benefit is None else [benefit],
    )


def genoptjening_rows(scope: ViewScope) -> list[AnswerRow]:
    """Count the citizens by their earned weeks of self-support."""
    counts = earners(scope, "municipality, earned, count(*)::BIGINT", "GROUP BY ALL")
    return _in_bands(EARNED_FROM, counts)


# --- the citizens behind the figures ------------------------------------------------------------

BEHIND_PERSONER: Final = (
    *(MUNICIPALITY, MONTH, BENEFIT, RATE, CITIZEN, WEEKS_OF),
    *(AMOUNT, REFUSION, MEDFINANSIERING),
)
BEHIND_ANCIENNITET: Final = (
    *(MUNICIPALITY, CITIZEN, AT_WEEK, number("seniority", "anciennitet")),
    number("from_week", "fra uge"),
)
BEHIND_GENOPTJENING: Final = (
    *(MUNICIPALITY, CITIZEN, AT_WEEK, number("earned", "optjente uger")),
    number("missing", "mangler til 52"),
    text("leaving_week", "næste uge ud af vinduet"),
    number("leaving", "uger ud"),
)


def behind_personer(scope: ViewScope) -> list[AnswerRow]:
    """List the citizens who are counted by benefit and rate, with what is true of their month."""
    return scope.rows(
        "person_months",
        f"municipality, month, benefit, rate, citizen, ({WEEKS})::BIGINT, {MONEY_SUMS}",
        "AND benefit <> 'FB' GROUP BY municipality, month, benefit, rate, citizen"
        " HAVING sum(amount_ore) > 0 ORDER BY ALL",
    )


def behind_anciennitet(scope: ViewScope) -> list[AnswerRow]:
    """List the citizens of the data month with their seniority."""
    return [
        (*row, first_of(SENIORITY_FROM, row[-1]))
        for row in with_counters(
            scope,
            "municipality, citizen, at_week, seniority",
            "AND seniority IS NOT NULL ORDER BY municipality, citizen",
        )
    ]


def behind_genoptjening(scope: ViewScope) -> list[AnswerRow]:
    """List the citizens with their earned weeks, and which leave the window next."""
    return earners(
        scope,
        "municipality, citizen, at_week, earned, missing, leaving_week, leaving",
        "ORDER BY municipality, citizen",
    )
