"""Tells a citizen's course from the ledger alone: weeks, months of money, corrections.

What no row was posted for is not known here: a week without a row is self-support, or has support
that the State does not finance. An explanation from the reports tells the two apart.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from domain.basics.municipalities import municipality_of_row
from domain.basics.weeks import day, week_of
from domain.citizen.fleksbidrag import FLEKSBIDRAG
from domain.citizen.openings import NO_ORDINAL
from domain.explain.reasons import WeekOfLife
from domain.law.rates import staircase_in
from domain.law.staircase import Law
from projections.ledger.citizen import (
    MessageChange,
    PostedRow,
    difference_of,
    standing,
    steps,
)

OTHER: Final = "o"
EARNED: Final = "+"
NEW_START: Final = "*"
BEFORE_RATES: Final = "b"
SELF_SUPPORT: Final = "."
NO_ROW: Final = "?"
OPENED: Final = "e"
"""An earlier system settled the week, by a rate that is none of the steps."""


class CourseWeek(NamedTuple):
    """A week of a course.

    `sign` is the number of its step, or one of the signs above; `seniority` is the number of
    benefit weeks, None where the ledger does not know it. `begins_anew`: a new start came between
    the week and the benefit week before it.
    """

    week: int
    sign: str
    seniority: int | None = None
    begins_anew: bool = False


class WeekRun(NamedTuple):
    """Consecutive weeks with the same sign, and the seniority of the first and the last of them."""

    first: int
    last: int
    sign: str
    seniorities: tuple[int | None, int | None]
    begins_anew: bool


@dataclass(frozen=True, slots=True)
class CourseMonth:
    """The money of a month, as its rows stand.

    `own_ore` is what the municipality bears itself of `amount_ore`. Fleksbidrag is refusion of a
    month, for no spending of its own.
    """

    month: str
    benefits: list[str]
    weeks: list[str]
    amount_ore: int
    refusion_ore: int
    medfinansiering_ore: int
    own_ore: int


@dataclass(frozen=True, slots=True)
class CourseCorrection:
    """A message that put other rows in the place of some, or took some away."""

    run: int | None
    cause: str
    reason: str
    rules: str
    changes: list[MessageChange]
    difference_ore: dict[str, int]


class WeekCost(NamedTuple):
    """The cost of one week to the municipality, by the dearest row of the last month with rows.

    `own_ore` is what it bears itself on the step of `rate`, `next_own_ore` what it would bear on
    the next one; None where there is none.
    """

    month: str
    benefit: str
    amount_ore: int
    rate: int
    own_ore: int
    next_own_ore: int | None


def own_rows(rows: Iterable[PostedRow], municipality: str | None) -> list[PostedRow]:
    """Return the rows of a municipality; of every one where it is None."""
    return [row for row in rows if municipality is None or is_of(row, municipality)]


def is_of(row: PostedRow, municipality: str) -> bool:
    """Tell whether a row is a municipality's."""
    whose = municipality_of_row(row.mechanism or "", row.paying, row.financing)
    return bool(row.id) and whose == municipality


def as_of(rows: Iterable[PostedRow], run: int | None) -> list[PostedRow]:
    """Return the rows that were posted when a run was closed; None: all of them."""
    return [row for row in rows if run is None or (row.run is not None and row.run <= run)]


# --- weeks ----------------------------------------------------------------------------------------


def posted_weeks(law: Law, rows: Iterable[PostedRow], earned: Iterable[int]) -> list[CourseWeek]:
    """Give the weeks of a course from the first row that stands to the last, `earned` included."""
    counted, opened, others = _rows_by_week(law, rows)
    earned = {*earned}
    known = [*counted, *opened, *others, *earned]
    if not known:
        return []
    found, before = list[CourseWeek](), None
    for week in range(min(known), max(known) + 1):
        if (number := counted.get(week)) is not None:
            each = CourseWeek(week, str(step_of(law, week, number)), number)
            if week == law.turn_week:  # its row has the number of the week after it
                found.append(each._replace(seniority=None))
                continue
            found.append(each._replace(begins_anew=_is_anew(law, before, each)))
            before = each
        elif (share := opened.get(week)) is not None:
            found.append(CourseWeek(week, _step_with(law, week, share)))
            before = None  # nobody knows what it counted
        else:
            sign = EARNED if week in earned else OTHER if week in others else NO_ROW
            found.append(CourseWeek(week, sign))
    return found


def _is_anew(law: Law, before: CourseWeek | None, each: CourseWeek) -> bool:
    """Tell whether a new start came between two weeks of benefits.

    A lower number alone does not say so: a row keeps the number that it was posted with while its
    step is the same, and a late report moves the others. Steps are as they are now.
    """
    if before is None or before.sign < each.sign:
        return False
    is_long_enough = each.week - before.week > law.window.needed
    is_lower = (each.seniority or 0) < (before.seniority or 0)
    return each.sign < before.sign or (is_lower and is_long_enough)


def _rows_by_week(
    law: Law, rows: Iterable[PostedRow]
) -> tuple[dict[int, int], dict[int, int], set[int]]:
    """Give the numbers of weeks that count, the State's share in those of opening rows, others."""
    counted, opened, others = dict[int, int](), dict[int, int](), set[int]()
    for row in standing(rows):
        benefit = law.rules.benefits.get(row.benefit or "")
        week = week_of(day(row.week or ""))
        if benefit is None or not benefit.counts or row.ordinal is None:
            others.add(week)
        elif row.ordinal == NO_ORDINAL:
            opened[week] = state_share(row)
        else:
            counted[week] = max(counted.get(week, 0), row.ordinal)
    return counted, opened, others


def _step_with(law: Law, week: int, share: int) -> str:
    """Give the sign of the step on which the State has a share."""
    bands = staircase_in(law.rules, week).bands
    return next((str(at) for at, band in enumerate(bands, 1) if band.refusion == share), OPENED)


def lived_weeks(weeks: Iterable[WeekOfLife]) -> list[CourseWeek]:
    """Give the weeks of an explained life."""
    return [
        CourseWeek(
            week_of(day(each.week)), sign_of(each), each.reached if each.state == "B" else None
        )
        for each in weeks
    ]


def with_opened_weeks(
    law: Law, lived: Sequence[CourseWeek], rows: Iterable[PostedRow]
) -> list[CourseWeek]:
    """Put weeks that an earlier system settled, which no report tells of, into a lived course."""
    opened = _rows_by_week(law, rows)[1]
    by_week = {each.week: each for each in lived}
    for week, share in opened.items():
        if week not in by_week or by_week[week].seniority is None:
            by_week[week] = CourseWeek(week, _step_with(law, week, share))
    if not by_week:
        return []
    return [
        by_week.get(week, CourseWeek(week, NO_ROW))
        for week in range(min(by_week), max(by_week) + 1)
    ]


def sign_of(week: WeekOfLife) -> str:
    """Give the sign of an explained week."""
    if week.state == "B":
        return BEFORE_RATES if week.step is None else str(week.step)
    if week.state == "O":
        return OTHER
    if week.new_start:
        return NEW_START
    return EARNED if week.earned_now else SELF_SUPPORT


def step_of(law: Law, week: int, number: int) -> int:
    """Return the step of an ordinal in a week, the first is 1."""
    bands = staircase_in(law.rules, week).bands
    return max(at for at, band in enumerate(bands, 1) if band.from_week <= max(number, 1))


def runs_of(weeks: Iterable[CourseWeek]) -> list[WeekRun]:
    """Group weeks into runs of the same sign; weeks with a number and without are apart."""
    found: list[WeekRun] = []
    for each in weeks:
        last = found[-1] if found else None
        goes_on = (each.week - 1, each.sign, each.begins_anew, each.seniority is None)
        if last and (last.last, last.sign, False, last.seniorities[1] is None) == goes_on:
            seniorities = (last.seniorities[0], each.seniority)
            found[-1] = last._replace(last=each.week, seniorities=seniorities)
        else:
            both = (each.seniority, each.seniority)
            found.append(WeekRun(each.week, each.week, each.sign, both, each.begins_anew))
    return found


# --- money ----------------------------------------------------------------------------------------


def months(rows: Iterable[PostedRow]) -> list[CourseMonth]:
    """Sum the rows that stand by month, the newest month first."""
    by_month: dict[str, list[PostedRow]] = {}
    for row in standing(rows):
        by_month.setdefault(row.month or "", []).append(row)
    return [_month(month, of_month) for month, of_month in sorted(by_month.items(), reverse=True)]


def _month(month: str, rows: Sequence[PostedRow]) -> CourseMonth:
    return CourseMonth(
        month,
        sorted({row.benefit or "" for row in rows}),
        sorted({row.week or "" for row in rows}),
        sum(row.amount_ore or 0 for row in rows if row.benefit != FLEKSBIDRAG),
        sum(row.refusion_ore or 0 for row in rows),
        sum(row.medfinansiering_ore or 0 for row in rows),
        sum(map(own_share, rows)),
    )


def own_share(row: PostedRow) -> int:
    """Return the øre of a row that the municipality bears itself."""
    if row.benefit == FLEKSBIDRAG:
        return 0
    if row.mechanism == "refusion":
        return (row.amount_ore or 0) - (row.refusion_ore or 0)
    return row.medfinansiering_ore or 0


def state_share(row: PostedRow) -> int:
    """Return the percentage of a row's amount that the State bears."""
    rate = row.rate or 0
    return rate if row.mechanism == "refusion" else 100 - rate


def corrections(rows: Sequence[PostedRow]) -> list[CourseCorrection]:
    """List the messages that changed what stood, the newest first, each with all its changes."""
    run_of = {row.revision: row.run for row in rows}
    found = []
    for step in steps(rows):
        if any(change.before is not None for change in step.changes):
            sums = difference_of(step.changes)
            run = run_of[step.revision]
            found.append(
                CourseCorrection(run, step.cause, step.reason, step.rules, step.changes, sums)
            )
    return found[::-1]


def names_report(cause: str) -> bool:
    """Tell whether a message's cause is a report: `reporter/report_id`, the reporter by digits."""
    return cause.partition("/")[0].isdigit()


def causes_of_amounts(rows: Sequence[PostedRow]) -> frozenset[str]:
    """Return the causes that moved an amount of these rows of a municipality: reports of its own.

    Others' reports move the numbers of its weeks, its opening rows of weeks for which they answer,
    and its fleksbidrag.
    """
    return frozenset(
        step.cause
        for step in steps(rows)
        for change in step.changes
        if change.benefit != FLEKSBIDRAG and _moves_amount(change)
    )


def _moves_amount(change: MessageChange) -> bool:
    before, after = change.before, change.after
    if before is not None and before.ordinal == NO_ORDINAL and after is None:
        return False
    amounts = [0 if side is None else side.amount_ore for side in (before, after)]
    return amounts[0] != amounts[1]


def week_cost(law: Law, rows: Iterable[PostedRow], next_rate: int | None) -> WeekCost | None:
    """Give what a week costs the municipality now; None without a row on the staircase."""
    stairs = [
        row
        for row in standing(rows)
        if row.benefit in law.on_staircase and (row.amount_ore or 0) > 0 and row.rate is not None
    ]
    if not stairs:
        return None
    last = max(row.month or "" for row in stairs)
    of_month = [row for row in stairs if row.month == last]
    latest = max(of_month, key=lambda row: (row.week or "", row.amount_ore or 0))
    alike = [row for row in of_month if row.benefit == latest.benefit]
    amount = max(row.amount_ore or 0 for row in alike)
    state_pays = state_share(latest)
    next_own = None if next_rate is None else amount * (100 - next_rate) // 100
    own = amount * (100 - state_pays) // 100
    return WeekCost(last, latest.benefit or "", amount, state_pays, own, next_own)
