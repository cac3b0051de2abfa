"""Faults that have happened in Denmark, by name; the study of error cases numbers them E1-E12.

None is among the usual faults: each is asked for. They change what a citizen's reports have become,
each with random numbers of its own, so that one does not disturb another.
"""

from collections.abc import Callable, Iterator, Mapping
from random import Random

from domain.basics.weeks import first_day, month_of
from domain.citizen.reports import CaseFact, Payment, Reversal
from streams.simulation.chance import below, between, generator, happens
from streams.simulation.drafts import ArrivingReport
from streams.simulation.habits import DAY_SECONDS, EPOCH_DAY, received
from streams.simulation.lives import SimulatedDays
from streams.simulation.options import SimulationOptions
from streams.simulation.reporters import owner_of
from streams.simulation.reporting import CUTOFF

Deliveries = list[ArrivingReport]
History = Callable[[Random, Deliveries, SimulatedDays], Deliveries]
"""A function of a citizen's deliveries: the deliveries in their place."""

HOUR_SECONDS = 3600
TO_EMPLOYERS = frozenset({"SDP-A", "JAF-A"})
SICKNESS = TO_EMPLOYERS | {"SDP-B", "JAF-B"}
HELP = frozenset({"KTH", "UDH", "KTH25"})
NOT_SET_UP = frozenset({"LTS", "ATP", "OPO"})
OLD_TO_NEW = {"FJG": "FLT", "LYG": "LY"}
SWAPPED = {"SDP-B": "SDP-A", "SDP-A": "SDP-B"}
LOST_MUNICIPALITY = "657"
MONTHS_REOPENED = 30


def with_history(options: SimulationOptions, citizen: int, delivered: Deliveries) -> Deliveries:
    """Give the deliveries of a citizen under the historic faults that are asked for."""
    window = SimulatedDays.of_months(options.first_month, options.last_month)
    for name, change in HISTORIES.items():
        if name in options.faults:
            delivered = change(generator(options.seed, citizen, name), delivered, window)
    return delivered


def _seconds(day: int) -> int:
    return (day - EPOCH_DAY) * DAY_SECONDS


def _arriving(report: Payment | Reversal, at: int, *, stands: bool) -> ArrivingReport:
    return ArrivingReport(at, received(report, at), stands)


def _standing(
    delivered: Deliveries, benefits: frozenset[str], since: int, until: int
) -> Iterator[tuple[int, Payment]]:
    """Yield the payments of benefits that stand and begin between two days."""
    for at, report, stands in delivered:
        if not stands or not isinstance(report, Payment) or report.amount_ore <= 0:
            continue
        if report.benefit in benefits and since <= report.start <= until:
            yield at, report


def _difference(report: Payment, mark: str, percent: int) -> Payment:
    """Give a report of a difference amount for the period of a payment."""
    return report._replace(
        report_id=report.report_id + mark,
        amount_ore=-(report.amount_ore * percent // 100),
        atp_ore=-(report.atp_ore * percent // 100),
    )


def _double_channel(_: Random, delivered: Deliveries, _window: SimulatedDays) -> Deliveries:
    """Deliver refusion to employers directly too, from January to June (E1)."""
    added = [
        ArrivingReport(
            at, report._replace(report_id=report.report_id + "-D", channel="direct"), True
        )
        for at, report in _standing(delivered, TO_EMPLOYERS, 0, 1 << 30)
        if month_of(report.start) % 12 < 6 and report.channel == "eindkomst"
    ]
    return [*delivered, *added]


def _silent_reporter(_: Random, delivered: Deliveries, window: SimulatedDays) -> Deliveries:
    """Leave out benefits that a new system was not set up to report, from half of the time (E2)."""
    turn = (window.first + window.last) // 2
    silent = {
        report.report_id
        for _, report, _ in delivered
        if isinstance(report, Payment) and report.benefit in NOT_SET_UP and report.end > turn
    }
    return [
        each
        for each in delivered
        if each.report.report_id not in silent
        and not (isinstance(each.report, Reversal) and each.report.reverses in silent)
    ]


def _swapped_code(rng: Random, delivered: Deliveries, window: SimulatedDays) -> Deliveries:
    """Swap sickness benefit to citizens and to employers for a quarter of the time (E3).

    Later each is reported anew, and then reversed.
    """
    first = window.first + (window.last - window.first) // 2
    until = first + (window.last - window.first) // 4
    found: Deliveries = []
    for at, report, stands in delivered:
        if not (
            isinstance(report, Payment)
            and report.benefit in SWAPPED
            and first <= report.start <= until
        ):
            found.append(ArrivingReport(at, report, stands))
            continue
        swapped = report._replace(benefit=SWAPPED[report.benefit])
        found.append(ArrivingReport(at, swapped, False))
        if stands:
            later = at + between(rng, 120, 200) * DAY_SECONDS
            found += _reported_anew(report, "-K", later, later + DAY_SECONDS)
    return found


def _reported_anew(report: Payment, mark: str, at: int, reversed_at: int) -> Deliveries:
    """Report a payment anew, and reverse the report before it: the register's own order."""
    anew = report._replace(report_id=report.report_id + mark)
    back = Reversal(report.reporter, f"{report.report_id}{mark}R", report.report_id, 0)
    return [_arriving(anew, at, stands=True), _arriving(back, reversed_at, stands=False)]


def _mass_reopen(rng: Random, delivered: Deliveries, window: SimulatedDays) -> Deliveries:
    """Take a part of 30 months of sickness benefit back in one night (E3)."""
    night = _seconds(window.last + 1) + HOUR_SECONDS
    since = first_day(month_of(window.last) + 1 - MONTHS_REOPENED)
    if not happens(rng, 60):
        return delivered
    percent = between(rng, 5, 40)
    added = [
        _arriving(_difference(report, "-M", percent), night + below(rng, 10_000), stands=True)
        for at, report in _standing(delivered, SICKNESS, since, window.last)
        if at < night
    ]
    return [*delivered, *added]


def _bulk_negative(rng: Random, delivered: Deliveries, window: SimulatedDays) -> Deliveries:
    """Take back half a year of help late and in bulk, some of it more than was paid (E5)."""
    night = window.first + (window.last - window.first) * 2 // 3
    percent = 120 if happens(rng, 10) else between(rng, 5, 30)
    added = [
        _arriving(
            _difference(report, "-L", percent), _seconds(night) + below(rng, 10_000), stands=True
        )
        for at, report in _standing(delivered, HELP, night - 183, night)
        if at < _seconds(night)
    ]
    return [*delivered, *added]


def _missing_municipality(_: Random, delivered: Deliveries, window: SimulatedDays) -> Deliveries:
    """Keep back what Herning reports in the last month, until 45 days later (E6)."""
    month = _seconds(first_day(month_of(window.last)))
    end = _seconds(window.last + 1)
    return [
        ArrivingReport(late, received(report, late), stands)
        if month <= at < end and owner_of(report.reporter).code == LOST_MUNICIPALITY
        else ArrivingReport(at, report, stands)
        for at, report, stands in delivered
        for late in (at + 45 * DAY_SECONDS,)
    ]


def _legacy_on_new(rng: Random, delivered: Deliveries, _: SimulatedDays) -> Deliveries:
    """Book old cases of the flex scheme on the new one, with their old referral (E7)."""
    found = [
        each._replace(report=each.report._replace(benefit=OLD_TO_NEW[each.report.benefit]))
        if isinstance(each.report, Payment) and each.report.benefit in OLD_TO_NEW
        else each
        for each in delivered
    ]
    changed = [now for now, was in zip(found, delivered, strict=True) if now is not was]
    if not changed:
        return delivered
    at, report, _stands = min(changed)
    referred = CUTOFF - between(rng, 1, 900)
    fact = CaseFact(report.reporter, "old-referral", "flex_referral", referred, report.reported)
    return [*found, ArrivingReport(at, fact, True)]


def _split_reversal(rng: Random, delivered: Deliveries, _: SimulatedDays) -> Deliveries:
    """Report a payment anew on a month's last evening, and reverse the old one the next day (E12).

    A run that is closed at the turn of the month has the money twice.
    """
    found: Deliveries = []
    for at, report, stands in delivered:
        is_plain = stands and isinstance(report, Payment) and report.amount_ore > 100
        if not (is_plain and isinstance(report, Payment) and happens(rng, 3)):
            found.append(ArrivingReport(at, report, stands))
            continue
        month = month_of(EPOCH_DAY + at // DAY_SECONDS) + 2
        cut = _seconds(first_day(month))
        anew = report._replace(amount_ore=report.amount_ore - report.amount_ore // 50)
        found.append(ArrivingReport(at, report, False))
        found += _reported_anew(anew, "-S", cut - HOUR_SECONDS, cut + HOUR_SECONDS)
    return found


HISTORIES: Mapping[str, History] = {
    "double_channel": _double_channel,
    "silent_reporter": _silent_reporter,
    "swapped_code": _swapped_code,
    "mass_reopen": _mass_reopen,
    "bulk_negative": _bulk_negative,
    "missing_municipality": _missing_municipality,
    "legacy_on_new": _legacy_on_new,
    "split_reversal": _split_reversal,
}
