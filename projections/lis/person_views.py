"""The rows of the views of persons: counts by rate and benefit, seniority, who falls, earned weeks.

A row of `person_months` is a citizen's; counts of persons are never added up over groups.
"""

from calendar import monthrange
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from projections.lis.answers import AnswerRow, money, number, percent, text
from projections.lis.bands import EARNED_FROM, SENIORITY_FROM, counted, ends, first_of
from projections.lis.money_views import AMOUNT, BENEFIT, MONTH, MUNICIPALITY, RATE
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
    return [(*row, full_time(row[5], row[1])) for row in rows]


def full_time(weeks: int, month: str) -> int:
    """Turn the weeks of a month into full-time persons, in hundredths, rounded half up.

    >>> full_time(31, "2024-01"), full_time(1, "2024-01")
    (700, 23)
    """
    year, number_of_month = map(int, month.split("-"))
    days = monthrange(year, number_of_month)[1]
    return (2 * 700 * weeks + days) // (2 * days)


# --- counters ---------------------------------------------------------------------------------


class Standing(NamedTuple):
    """A citizen's counters at the end of `at_week`."""

    citizen: str
    at_week: str
    seniority: int
    rate: int
    weeks_to_next: int | None
    next_rate: int | None
    earned: int
    missing: int | None
    leaving_week: str | None
    leaving: int | None
    municipality: str | None
    benefit: str | None
    week_ore: int | None
    step: int


STANDING: Final = ", ".join(Standing._fields)


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


def citizens_of_month(scope: ViewScope) -> tuple[str, list[Any]]:
    """Write the citizens with a row in the data month as SQL, once for each municipality.

    What a run booked are its rows; else it is the rows that stand.
    """
    where = scope.where(MARTS["person_months"], "month")
    stands = "" if scope.question.based_on == "settled" else "HAVING sum(weeks) > 0"
    return (
        f"(SELECT municipality, citizen FROM person_months WHERE {where.sql}"
        f" AND month = '{scope.data_month}' AND benefit <> 'FB'"
        f" GROUP BY municipality, citizen {stands})"
    ), where.values


def with_counters(scope: ViewScope) -> list[tuple[str, Standing]]:
    """Read the counters of the citizens with a row in the data month, by municipality.

    Nearly all of a municipality's citizens have their latest row there too; the others are looked
    up among all.
    """
    place = scope.question.municipality
    citizens, values = citizens_of_month(scope)
    columns = ", ".join(f"counters.{name}" for name in Standing._fields)
    rows = scope.read(
        f"SELECT month.municipality, month.citizen, {columns} FROM {citizens} AS month"
        f" LEFT JOIN {standing_of(scope, place)} AS counters ON counters.citizen = month.citizen"
        " ORDER BY month.municipality, month.citizen",
        values,
    )
    elsewhere = {row[1] for row in rows if row[2] is None}
    found: dict[str, Standing] = {}
    if elsewhere:
        found = {
            figures[0]: Standing(*figures)
            for figures in scope.read(
                f"SELECT {STANDING} FROM {standing_of(scope)} WHERE citizen IN"
                " (SELECT unnest($1::VARCHAR[]))",
                [sorted(elsewhere)],
            )
        }
    return [
        (row[0], Standing._make(row[2:]) if row[2] is not None else found[row[1]])
        for row in rows
        if row[2] is not None or row[1] in found
    ]


ANCIENNITET: Final = (
    MUNICIPALITY,
    number("from_week", "fra uge"),
    number("to_week", "til uge"),
    PERSONS,
)


def anciennitet_rows(scope: ViewScope) -> list[AnswerRow]:
    """Count the citizens of the data month by their weeks of seniority."""
    return _in_bands(
        SENIORITY_FROM, ((place, one.seniority) for place, one in with_counters(scope))
    )


def _in_bands(firsts: tuple[int, ...], weeks: Iterable[tuple[str, int]]) -> list[AnswerRow]:
    found: dict[str, list[int]] = {}
    for place, number_of_weeks in weeks:
        found.setdefault(place, []).append(number_of_weeks)
    return [
        (place, *band, persons)
        for place in sorted(found)
        for band, persons in zip(ends(firsts), counted(firsts, found[place]), strict=True)
    ]


PAA_VEJ_NED: Final = (
    *(MUNICIPALITY, CITIZEN, AT_WEEK),
    *(number("seniority", "anciennitet"), number("rate", "refusion %")),
    number("weeks_to_next", "uger til næste trin"),
    number("next_rate", "næste %"),
    money("week", "kr. pr. uge", adds=False),
    money("week_cost", "merudgift pr. uge"),
)


def paa_vej_ned_rows(scope: ViewScope) -> list[AnswerRow]:
    """List the citizens of the data month with their step, and when the next one comes."""
    rows, stairs = list[AnswerRow](), scope.on_staircase()
    for place, one in with_counters(scope):
        ahead = scope.question.weeks
        if ahead is not None and (one.weeks_to_next is None or one.weeks_to_next > ahead):
            continue
        week = one.week_ore if place == one.municipality and one.benefit in stairs else None
        cost = (
            None
            if week is None or one.next_rate is None
            else week * (one.rate - one.next_rate) // 100
        )
        rows.append((place, *one[:6], week, cost))
    return sorted(rows, key=lambda row: (row[0], row[5] is None, row[5] or 0, row[1]))


GENOPTJENING: Final = (
    MUNICIPALITY,
    number("from_weeks", "fra uger"),
    number("to_weeks", "til uger"),
    PERSONS,
)


def earners(scope: ViewScope) -> list[tuple[Any, ...]]:
    """Read the counters of the citizens by the municipality and benefit of their latest row."""
    standing = standing_of(scope)
    if scope.question.based_on == "settled":
        booked = scope.where(MARTS["person_months"], "municipality", "month", "benefit")
        standing = (
            f"(SELECT * FROM {standing} WHERE citizen IN (SELECT citizen FROM person_months"
            f" WHERE {booked.sql} AND benefit <> 'FB'))"
        )
    asked = {
        name: value
        for name in ("municipality", "benefit")
        if (value := getattr(scope.question, name)) is not None
    }
    conditions = "".join(f" AND {name} = ${at}" for at, name in enumerate(asked, 1))
    return scope.read(
        f"SELECT {STANDING} FROM {standing} WHERE municipality IS NOT NULL{conditions}"
        " ORDER BY municipality, citizen",
        [*asked.values()],
    )


def genoptjening_rows(scope: ViewScope) -> list[AnswerRow]:
    """Count the citizens by their earned weeks of self-support."""
    found = [Standing(*row) for row in earners(scope)]
    return _in_bands(EARNED_FROM, ((str(one.municipality), one.earned) for one in found))


# --- the citizens behind the figures ------------------------------------------------------------

BEHIND_PERSONER: Final = (*(MUNICIPALITY, MONTH, BENEFIT, RATE, CITIZEN), WEEKS_OF, AMOUNT)
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
    """List the citizens who are counted by benefit and rate."""
    return scope.rows(
        "person_months",
        f"municipality, month, benefit, rate, citizen, ({WEEKS})::BIGINT, sum(amount_ore)::BIGINT",
        "AND benefit <> 'FB' GROUP BY municipality, month, benefit, rate, citizen"
        " HAVING sum(amount_ore) > 0 ORDER BY ALL",
    )


def behind_anciennitet(scope: ViewScope) -> list[AnswerRow]:
    """List the citizens of the data month with their seniority."""
    return [
        (place, one.citizen, one.at_week, one.seniority, first_of(SENIORITY_FROM, one.seniority))
        for place, one in with_counters(scope)
    ]


def behind_genoptjening(scope: ViewScope) -> list[AnswerRow]:
    """List the citizens with their earned weeks, and which leave the window next."""
    return [
        (
            *(one.municipality, one.citizen, one.at_week, one.earned),
            *(one.missing, one.leaving_week, one.leaving),
        )
        for one in map(Standing._make, earners(scope))
    ]
