"""A life in few words: spells of benefits, their periods, and upstream's habits."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

JsonObject = dict[str, Any]
Period = tuple[date, date]
FIRST_DAY, LAST_DAY = date(2014, 1, 1), date(2099, 12, 31)
LONGEST_PERIOD = timedelta(days=366)
DAY, WEEK = timedelta(days=1), timedelta(days=7)
FACTS = (
    "flex_referral",
    "flex_job_start",
    "flex_rereferral",
    "flex_left",
    "disability_pension_award",
    "death",
)


class Spell(NamedTuple):
    """A benefit for some weeks, `gap_weeks` after the end of the spell before (negative: they
    overlap).
    """

    gap_weeks: int
    weeks: int
    benefit: str
    rhythm: str
    amount_ore: int
    atp_ore: int
    municipalities: tuple[str | None, str | None]
    reporter: tuple[str, str]
    outside_act: bool


class Fault(NamedTuple):
    """Something that upstream does to the payment number `target` (modulo their number).

    `place`: where in the journal it stands, in percent of the journal.
    """

    kind: str
    target: int
    share_percent: int
    place: int


class Plan(NamedTuple):
    """One life; `order_seed` shuffles the reports, None leaves them in order of time."""

    start: date
    spells: Sequence[Spell]
    faults: Sequence[Fault]
    order_seed: int | None


def weekly(start: date, end: date) -> Iterator[Period]:
    """Monday to Sunday, whatever day the spell begins."""
    monday = start - timedelta(days=start.weekday())
    while monday <= end:
        yield max(monday, FIRST_DAY), monday + WEEK - DAY
        monday += WEEK


def monthly(start: date, end: date) -> Iterator[Period]:
    """Cut a spell by calendar month, the first and the last at the spell's ends."""
    while start <= end:
        next_month = (start.replace(day=1) + timedelta(days=31)).replace(day=1)
        yield start, min(end, next_month - DAY)
        start = next_month


def odd(start: date, end: date) -> Iterator[Period]:
    """Lengths that fit neither week nor month."""
    lengths = (1, 10, 3, 31, 17, 45)
    number = 0
    while start <= end:
        last = min(end, start + lengths[number % len(lengths)] * DAY - DAY)
        yield start, last
        start, number = last + DAY, number + 1


def one_day_in_two_weeks(start: date, end: date) -> Iterator[Period]:
    """A Thursday of every second week, so that touched and untouched weeks alternate."""
    thursday = start - timedelta(days=start.weekday() - 3)
    while thursday <= end:
        yield thursday, thursday
        thursday += 2 * WEEK


def whole(start: date, end: date) -> Iterator[Period]:
    """Report a spell in as few reports as the contract allows."""
    while start <= end:
        last = min(end, start + LONGEST_PERIOD - DAY)
        yield start, last
        start = last + DAY


RHYTHMS: dict[str, Callable[[date, date], Iterator[Period]]] = {
    "weekly": weekly,
    "monthly": monthly,
    "odd": odd,
    "one_day_in_two_weeks": one_day_in_two_weeks,
    "whole": whole,
}


def period_of(report: JsonObject) -> Period:
    return date.fromisoformat(report["period_start"]), date.fromisoformat(report["period_end"])
