"""Counts what the start page of LIS shows: what a run settled, what needs attention, who moves.

The conditions are those of the views, so that a figure here is the one that its view has.
"""

from typing import Final, NamedTuple

from projections.lis.person_views import codes_of, standing_of, with_counters
from projections.lis.scopes import ReadRows, ViewScope
from projections.lis.tables import MARTS

MONTH_WEEKS: Final = 5
"""Weeks that a month may have: what falls within them falls next month."""
OLD_MONTHS: Final = 12
"""Months after which a correction is worth a question to the reporter."""


class Settled(NamedTuple):
    """The sums of a run: the net amount, corrections of earlier months, and the run before."""

    net: int
    corrections: int
    before: int | None
    still_open: int


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


def old_weeks(scope: ViewScope, run: int) -> tuple[int, int]:
    """Count the weeks that a run corrected after more than a year, and their net in øre."""
    ((weeks, net),) = scope.rows(
        "corrections",
        "coalesce(sum(weeks), 0)::BIGINT, coalesce(sum(up_ore + down_ore), 0)::BIGINT",
        f"AND run = {run} AND age_months > {OLD_MONTHS} AND reporter IS NULL AND kind IS NULL",
    )
    return int(weeks), int(net)


def without_account(scope: ViewScope, month: str) -> int:
    """Sum the base of a month whose account is not known, as øre."""
    ((ore,),) = scope.rows(
        "money",
        "coalesce(sum(amount_ore), 0)::BIGINT",
        f"AND month = '{month}' AND account IS NULL AND benefit <> 'FB'",
    )
    return int(ore)


def held_lines(scope: ViewScope, run: int) -> int:
    """Count the lines of completeness that held a run."""
    ((held,),) = scope.read(
        "SELECT count(*) FROM completeness WHERE run = $1 AND hold IS NOT NULL", [run]
    )
    return int(held)


def awaiting_wages(scope: ViewScope, month: str) -> int:
    """Count the citizens on the last step who have no fleksbidrag for a month."""
    rate = scope.on_staircase().get("FLT", [0])[-1]
    ((citizens,),) = scope.ask(
        "person_months",
        lambda condition: (
            "SELECT count(*) FROM (SELECT municipality, citizen FROM person_months"
            f" WHERE {condition} AND month = '{month}' AND benefit IN ('FLT', 'FB')"
            " GROUP BY municipality, citizen HAVING sum(CASE WHEN benefit = 'FLT'"
            f" AND rate = {rate} THEN amount_ore ELSE 0 END) > 0"
            " AND sum(CASE WHEN benefit = 'FB' THEN refusion_ore ELSE 0 END) = 0)"
        ),
    )
    return int(citizens)


def paid_by_others(scope: ViewScope, month: str) -> int:
    """Sum what others paid in a month and the question's municipality finances, as øre."""
    where = scope.where(MARTS["money"], "municipality", "month", "benefit")
    ((ore,),) = scope.read(
        "SELECT coalesce(sum(amount_ore), 0)::BIGINT FROM money"
        f" WHERE {where.sql} AND financing = $1 AND paying <> financing AND month = $2",
        [scope.question.municipality, month],
    )
    return int(ore)


def months_with_rows(read: ReadRows, municipality: str | None) -> list[str]:
    """List the months in which a municipality, or any, has persons; the latest first."""
    condition = "" if municipality is None else "WHERE municipality = $1"
    months = read(
        f"SELECT DISTINCT month FROM persons {condition} ORDER BY month DESC",
        [] if municipality is None else [municipality],
    )
    return [month for (month,) in months]
