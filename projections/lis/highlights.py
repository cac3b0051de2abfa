"""Counts what the start page of LIS shows: what a run settled, what needs attention, who moves.

The conditions are those of the views, so that a figure here is the one that its view has.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Final, NamedTuple

from projections.lis.person_views import codes_of, standing_of, with_counters
from projections.lis.scopes import ReadRows, ViewScope
from projections.lis.tables import MARTS

MONTH_WEEKS: Final = 5
"""Weeks that a month may have: what falls within them falls next month."""
OLD_MONTHS: Final = 12
"""Months after which a correction is worth a question to the reporter."""

_NET: Final = "sum(refusion_ore - medfinansiering_ore)::BIGINT"
_AMOUNT: Final = "sum(amount_ore)::BIGINT"


class Settled(NamedTuple):
    """The sums of a run: the net amount, corrections of earlier months, and the run before."""

    net: int
    corrections: int
    before: int | None
    still_open: int


class Found(NamedTuple):
    """Says of what needs attention how much it is, the øre it is about, and whom it concerns.

    The benefits with most of it come first; `places` is the number of municipalities.
    """

    size: int
    ore: int
    benefits: tuple[str, ...]
    places: int


class Falls(NamedTuple):
    """Citizens who move within a month's weeks: down a step, to a new start, out of the window."""

    citizens: int
    to_last_step: int
    cost_ore: int
    near_start: int
    leaving: int


def settled_by(scope: ViewScope, run: int) -> Settled:
    """Sum what the last run settled, what the run before did, and what no run has closed."""
    net = "coalesce(sum({}), 0)::BIGINT"
    of_row, data_month = "refusion_ore - medfinansiering_ore", scope.data_months[run]
    sums = (
        f"CASE WHEN run = {run} THEN {of_row} ELSE 0 END",
        f"CASE WHEN run = {run} AND month < '{data_month}' THEN {of_row} ELSE 0 END",
        f"CASE WHEN run = {run - 1} THEN {of_row} ELSE 0 END",
        f"CASE WHEN run IS NULL THEN {of_row} ELSE 0 END",
    )
    ((of_last, corrections, before, still_open),) = scope.rows(
        "money", ", ".join(net.format(part) for part in sums), "AND kind <> 'opening'"
    )
    has_before = run - 1 in scope.data_months
    return Settled(of_last, corrections, before if has_before else None, still_open)


def falls_of(scope: ViewScope) -> Falls:
    """Count who moves within a month's weeks, as `paa-vej-ned` and `genoptjening` list them."""
    has_week = f"benefit IN {codes_of(scope.on_staircase())}"
    lowest = min(scope.on_staircase().get("KTH", [20]))
    ((count, to_last, cost),) = with_counters(
        scope,
        f"count(*), count(*) FILTER (next_rate = {lowest}),"
        f" coalesce(sum(week_ore * (rate - next_rate) // 100) FILTER ({has_week}), 0)::BIGINT",
        f"AND weeks_to_next <= {MONTH_WEEKS}",
    )
    last_day = scope.data_month
    ((near, leaving),) = scope.read(
        f"SELECT count(*) FILTER (missing BETWEEN 1 AND {MONTH_WEEKS}),"
        f" count(*) FILTER (leaving_week <= CAST(CAST('{last_day}-01' AS DATE)"
        f" + INTERVAL 1 MONTH + INTERVAL {MONTH_WEEKS} WEEK AS DATE)::VARCHAR)"
        f" FROM {standing_of(scope, scope.question.municipality)} WHERE municipality IS NOT NULL",
        [],
    )
    return Falls(count, to_last, cost, near, leaving)


def persons_of(scope: ViewScope, month: str) -> int:
    """Count the persons of a month, each in every municipality that has rows of it."""
    ((persons,),) = scope.rows(
        "persons",
        "coalesce(sum(persons), 0)::BIGINT",
        f"AND month = '{month}' AND benefit IS NULL AND rate IS NULL",
    )
    return int(persons)


def corrected(scope: ViewScope, run: int) -> Found:
    """Sum what a run corrected of the months before its own."""
    month = scope.data_months[run]
    condition = f"AND run = {run} AND month < '{month}' AND kind <> 'opening'"
    return _found_in(scope, "money", _NET, _NET, condition)


def old_weeks(scope: ViewScope, run: int) -> Found:
    """Count the weeks that a run corrected after more than a year; øre are their net."""
    weeks, net = "sum(weeks)::BIGINT", "sum(up_ore + down_ore)::BIGINT"
    condition = (
        f"AND run = {run} AND age_months > {OLD_MONTHS} AND reporter IS NULL AND kind IS NULL"
    )
    return _found_in(scope, "corrections", weeks, net, condition)


def held_lines(scope: ViewScope, run: int) -> Found:
    """Count the lines of completeness that held a run; they are of no municipality."""
    return found_of(
        scope.read(
            "SELECT NULL, benefit, count(*), 0 FROM completeness"
            " WHERE run = $1 AND hold IS NOT NULL GROUP BY benefit",
            [run],
        )
    )


def paid_by_others(scope: ViewScope, month: str) -> Found:
    """Sum what others paid in a month and the question's municipality finances, as øre."""
    where = scope.where(MARTS["money"], "municipality", "month", "benefit")
    return found_of(
        scope.read(
            f"SELECT paying, benefit, {_AMOUNT}, {_AMOUNT} FROM money"
            f" WHERE {where.sql} AND financing = $1 AND paying <> financing AND month = $2"
            " GROUP BY paying, benefit",
            [scope.question.municipality, month],
        )
    )


def _found_in(scope: ViewScope, mart: str, size: str, ore: str, condition: str) -> Found:
    """Ask a mart for sizes and øre by municipality and benefit, and put them together."""
    columns = f"municipality, benefit, {size}, {ore}"
    return found_of(scope.rows(mart, columns, f"{condition} GROUP BY municipality, benefit"))


def found_of(rows: Iterable[tuple[str | None, str, int, int]]) -> Found:
    """Put rows of a municipality, a benefit, a size and øre together; rows of no size are none."""
    sizes, places, size, ore = Counter[str](), set[str | None](), 0, 0
    for place, benefit, number, money in rows:
        if number:
            sizes[benefit] += abs(number)
            places.add(place)
        size, ore = size + number, ore + money
    benefits = sorted(filter(None, sizes), key=lambda code: (-sizes[code], code))
    return Found(size, ore, tuple(benefits), len(places - {None}))


def months_with_rows(read: ReadRows, municipality: str | None) -> list[str]:
    """List the months in which a municipality, or any, has persons; the latest first."""
    condition = "" if municipality is None else "WHERE municipality = $1"
    months = read(
        f"SELECT DISTINCT month FROM persons {condition} ORDER BY month DESC",
        [] if municipality is None else [municipality],
    )
    return [month for (month,) in months]
