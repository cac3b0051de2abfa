"""Habits of upstream systems: reports are late, wrong, paid back, repeated or sent twice."""

from collections.abc import Callable, Iterator
from random import Random
from typing import NamedTuple

from domain.citizen.reports import Payment, Report, Reversal
from streams.simulation.chance import below, between, happens
from streams.simulation.drafts import ArrivingReport
from streams.simulation.options import SimulationOptions

Fate = Callable[[Random, Payment, int], Iterator[ArrivingReport]]
"""A function of a payment and the second of its arrival: the deliveries in its place."""

DAY_SECONDS = 86_400
EPOCH_DAY = 719_163
"""The ordinal of 1 January 1970."""

LATE = 0.17
"""The share of late reports.

Sickness data three weeks later had 15-20 % late registrations (rules 5.1).
"""


class Habits(NamedTuple):
    """Shares between 0 and 1, and the faults as rising upper bounds."""

    late: float
    late_by_years: float
    fates: tuple[tuple[float, Fate], ...]

    @classmethod
    def of(cls, options: SimulationOptions) -> "Habits":
        """Return the habits that the options allow."""
        on = options.faults
        late = (LATE if options.late is None else options.late) if "late" in on else 0.0
        fates, bound = [], 0.0
        for name, share, fate in FATES:
            if name in on:
                bound += share
                fates.append((bound, fate))
        return cls(late, 0.01 if "late_by_years" in on else 0.0, tuple(fates))


def deliver(planned: list[Report], rng: Random, habits: Habits) -> Iterator[ArrivingReport]:
    """Turn what was planned into what arrives."""
    for report in planned:
        at = _moment(rng, report.reported + _days_late(rng, habits))
        arrived = received(report, at)
        if isinstance(arrived, Payment):
            yield from _fate(rng, habits)(rng, arrived, at)
        else:
            yield ArrivingReport(at, arrived, True)


def received(report: Report, at: int) -> Report:
    """Return the report with the day on which it arrives."""
    day = EPOCH_DAY + at // DAY_SECONDS
    return report if report.reported == day else report._replace(reported=day)


def _moment(rng: Random, day: int) -> int:
    """Draw a second of a day, between 04:00 and 20:00 UTC."""
    return (day - EPOCH_DAY) * DAY_SECONDS + between(rng, 14_400, 72_000)


def _days_late(rng: Random, habits: Habits) -> int:
    """Draw the days of delay.

    They are 0 if on time, 30 to 120 for one to four months, or one to three years.
    """
    draw = rng.random()
    if draw < habits.late:
        return between(rng, 30, 120)
    return between(rng, 366, 1096) if draw >= 1 - habits.late_by_years else 0


def _fate(rng: Random, habits: Habits) -> Fate:
    draw = rng.random()
    for bound, fate in habits.fates:
        if draw < bound:
            return fate
    return _as_planned


def _as_planned(_: Random, report: Payment, at: int) -> Iterator[ArrivingReport]:
    yield ArrivingReport(at, report, True)


def _reversed(rng: Random, report: Payment, at: int) -> Iterator[ArrivingReport]:
    """Reverse a payment after days or weeks, and report it again with another amount."""
    later = at + between(rng, 3, 60) * DAY_SECONDS
    percent = between(rng, 80, 120)
    anew = report._replace(
        report_id=report.report_id + "-N",
        amount_ore=report.amount_ore * percent // 100,
        atp_ore=report.atp_ore * percent // 100,
    )
    taken_back = Reversal(
        report.reporter, report.report_id + "-R", report.report_id, report.reported
    )
    yield ArrivingReport(at, report, False)
    yield ArrivingReport(later, received(taken_back, later), False)
    yield ArrivingReport(later + 1, received(anew, later + 1), True)


def _repaid(rng: Random, report: Payment, at: int) -> Iterator[ArrivingReport]:
    """Pay back a part: of the whole period, or all of its last days."""
    later = at + between(rng, 20, 200) * DAY_SECONDS
    days = report.end - report.start + 1
    start, share, of = report.start, between(rng, 10, 50), 100
    if days > 7 and happens(rng, 50):
        start, share, of = report.end - 6, 7, days
    back = report._replace(
        report_id=report.report_id + "-T",
        start=start,
        amount_ore=-(report.amount_ore * share // of),
        atp_ore=-(report.atp_ore * share // of),
    )
    yield ArrivingReport(at, report, True)
    yield ArrivingReport(later, received(back, later), True)


def _delivered_twice(rng: Random, report: Payment, at: int) -> Iterator[ArrivingReport]:
    """Deliver the same report again, at once or within days. It counts once."""
    again = at + below(rng, 4) * DAY_SECONDS
    yield ArrivingReport(at, report, True)
    yield ArrivingReport(again, received(report, again), False)


def _two_channels(rng: Random, report: Payment, at: int) -> Iterator[ArrivingReport]:
    """Report the same payment from the source system too, under another number.

    It counts twice until somebody looks.
    """
    again = at + below(rng, 6) * DAY_SECONDS
    other = report._replace(report_id=report.report_id + "-D", channel="direct")
    yield ArrivingReport(at, report, True)
    yield ArrivingReport(again, received(other, again), True)


FATES: tuple[tuple[str, float, Fate], ...] = (
    ("reversed", 0.02, _reversed),
    ("repaid", 0.01, _repaid),
    ("delivered_twice", 0.01, _delivered_twice),
    ("two_channels", 0.001, _two_channels),
)
"""The faults of payments, each with its share of them; a payment has at most one."""
