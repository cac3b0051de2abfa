"""Extraordinary lives, 1 % of all: each story is one way in which reality is difficult."""

from collections.abc import Callable, Iterator
from random import Random
from typing import NamedTuple

from domain.basics.weeks import day, monday, week_of
from domain.citizen.reports import Payment, Report
from streams.simulation.chance import below, between, happens, pick
from streams.simulation.drafts import ArrivingReport, Draft, month_end
from streams.simulation.habits import DAY_SECONDS, EPOCH_DAY, received
from streams.simulation.lives import SimulatedDays
from streams.simulation.population import KINDS, Kind
from streams.simulation.reporters import INHABITANTS
from streams.simulation.reporting import CUTOFF

BORDERS = tuple(
    day(text) for text in ("2015-09-01", "2016-01-01", "2017-01-01", "2018-01-01", "2020-01-01")
)
"""Days on which benefit codes begin or end, apart from 1 July 2025."""

REFORM = day("2025-07-01")
_PAID = tuple(kind for kind in KINDS.values() if kind.codes)
_MUNICIPAL = tuple(kind for kind in _PAID if kind.payer == "municipality")
_FACTS = ("flex_referral", "flex_job_start", "flex_rereferral", "flex_left")


class Teller(NamedTuple):
    """The tools of a story: the draft, the chance and the days."""

    draft: Draft
    rng: Random
    window: SimulatedDays

    def day(self) -> int:
        """Draw a day."""
        return between(self.rng, self.window.first, self.window.last)

    def ore(self) -> int:
        """Draw an amount from 1 to 20,000 kroner, odd øre included."""
        return between(self.rng, 100, 2_000_000)

    def plan(self, kind: Kind, start: int, end: int) -> Payment:
        """Plan a payment for the days, cut at the last day."""
        report = self.draft.benefit(kind, start, max(start, min(end, self.window.last)), self.ore())
        self.draft.planned.append(report)
        return report

    def draft_one(self, kind: Kind, start: int, end: int) -> Payment:
        """Make a payment that is not planned: the story sends it itself."""
        return self.draft.benefit(kind, start, max(start, min(end, self.window.last)), self.ore())

    def send(self, report: Report, days_later: int, *, stands: bool) -> None:
        """Deliver a report some days after it was due, whatever upstream's habits are."""
        at = (report.reported + days_later - EPOCH_DAY) * DAY_SECONDS + between(
            self.rng, 14_400, 72_000
        )
        self.draft.sent.append(ArrivingReport(at, received(report, at), stands))

    def months(self, start: int, most: int) -> Iterator[tuple[int, int]]:
        """List at most `most` whole months from that of `start`, each as first and last day."""
        at = max(self.window.first, start)
        while at <= self.window.last and most > 0:
            yield at, month_end(at)
            at, most = month_end(at) + 1, most - 1


class Story(NamedTuple):
    """An extraordinary life. With `on_top` an ordinary life is lived beside it."""

    tell: Callable[[Teller], None]
    on_top: bool = True
    days_between_moves: int = 7000


def _restless(teller: Teller) -> None:
    """Move every month, in the middle of weeks, with benefits all the time."""
    kind = pick(teller.rng, _MUNICIPAL)
    for start, end in teller.months(teller.window.first, 36):
        for first, last in ((start, start + 12), (start + 13, end)):
            teller.plan(kind, first, last)


def _ten_benefits(teller: Teller) -> None:
    """Receive ten kinds of benefit in the same months."""
    for _ in range(10):
        kind = pick(teller.rng, _PAID)
        for start, end in teller.months(teller.window.first, 6):
            teller.plan(kind, start, end)


def _resets(teller: Teller) -> None:
    """Receive benefits for some weeks, then none for 51, 52 or 53 weeks, over and over."""
    week = week_of(teller.window.first) + 1
    while monday(week) <= teller.window.last:
        weeks = between(teller.rng, 1, 60)
        for number in range(week, week + weeks):
            if monday(number) + 6 <= teller.window.last:
                teller.plan(KINDS["sygedagpenge"], monday(number), monday(number) + 6)
        week += weeks + between(teller.rng, 51, 53)


def _long_gap(teller: Teller) -> None:
    """Receive benefits in the first and the last days, and nothing between."""
    for start in (teller.window.first, teller.window.last - 60):
        for first, last in teller.months(start, 2):
            teller.plan(pick(teller.rng, _MUNICIPAL), first, last)


def _scattered_days(teller: Teller) -> None:
    """Receive benefits on single days, each of which touches a week and ends its self-support."""
    for _ in range(between(teller.rng, 20, 60)):
        start = teller.day()
        teller.plan(pick(teller.rng, _PAID), start, start)


def _negative_months(teller: Teller) -> None:
    """Pay back more than was ever paid, sometimes before it was paid."""
    for start, end in teller.months(teller.day(), 4):
        report = teller.plan(pick(teller.rng, _MUNICIPAL), start, end)
        back = report._replace(
            report_id=report.report_id + "-X", amount_ore=-report.amount_ore * 3 // 2
        )
        teller.send(back, between(teller.rng, -20, 90), stands=True)


def _odd_periods(teller: Teller) -> None:
    """Report odd periods.

    They cross week, month and year borders, contain leap days, or are half weeks or whole years.
    """
    for _ in range(12):
        start = teller.day()
        teller.plan(
            pick(teller.rng, _PAID), start, start + pick(teller.rng, (0, 1, 3, 8, 13, 40, 100, 365))
        )


def _borders(teller: Teller) -> None:
    """Report periods across the days on which codes change, and the turn of the year 2015/16."""
    for border in (*BORDERS, REFORM):
        start = border - between(teller.rng, 1, 20)
        if teller.window.first <= start and border + 20 <= teller.window.last:
            for kind in (KINDS["kontanthjaelp"], pick(teller.rng, _PAID), KINDS["sygedagpenge"]):
                teller.plan(kind, start, border + between(teller.rng, 0, 20))


def _topsy_turvy(teller: Teller) -> None:
    """Reverse reports too early, twice or without a target.

    One report is delivered five times, and again after its reversal.
    """
    for start, end in teller.months(teller.day(), 6):
        report = teller.draft_one(pick(teller.rng, _PAID), start, end)
        back = teller.draft.reversal(report, end)
        for _ in range(between(teller.rng, 1, 5)):
            teller.send(report, between(teller.rng, 0, 40), stands=False)
        for delivery in range(between(teller.rng, 1, 2)):
            again = back._replace(report_id=back.report_id + "x" * delivery)
            teller.send(again, between(teller.rng, 0, 40), stands=False)
        nothing = report._replace(report_id="never-sent")
        teller.send(teller.draft.reversal(nothing, end), 5, stands=False)


def _corrected_wages(teller: Teller) -> None:
    """Report wages in a fleksjob that are reversed and reported again months late.

    They come after four years of fleksløntilskud.
    """
    for start, end in teller.months(teller.window.first, 60):
        teller.plan(KINDS["fleksjob"], start, end)
        teller.draft.plan_income("flex_job_wage", start, end, teller.ore(), end)
        if happens(teller.rng, 30):
            wrong = teller.draft.planned.pop()
            teller.send(wrong, 0, stands=False)
            teller.send(teller.draft.reversal(wrong, end), 70, stands=False)
            teller.send(wrong._replace(report_id=wrong.report_id + "-N"), 71, stands=True)


def _legacy_flex(teller: Teller) -> None:
    """Refer a citizen to a fleksjob before 1 July 2014.

    Then come some of the facts that can bring the citizen onto the staircase, and a fact is
    reversed.
    """
    teller.draft.plan_fact(
        "flex_referral", CUTOFF - between(teller.rng, 1, 900), teller.window.first
    )
    for _ in range(between(teller.rng, 0, 4)):
        date = teller.day()
        fact = teller.draft.plan_fact(pick(teller.rng, _FACTS), date, date)
        if fact and happens(teller.rng, 25):
            teller.send(teller.draft.reversal(fact, date), 30, stands=False)
    for start, end in teller.months(teller.window.first, 120):
        teller.plan(
            KINDS[pick(teller.rng, ("fleksjob", "fleksjob", "ledighedsydelse"))], start, end
        )


def _old_award(teller: Teller) -> None:
    """Report førtidspension under the new code that was awarded before 1 July 2014.

    A second award fact comes later.
    """
    teller.draft.plan_fact(
        "disability_pension_award", CUTOFF - between(teller.rng, 1, 4000), teller.day()
    )
    teller.draft.plan_fact(
        "disability_pension_award", CUTOFF + below(teller.rng, 300), teller.day()
    )
    for start, end in teller.months(teller.window.first, 120):
        teller.plan(KINDS["foertidspension"], start, end)


def _after_death(teller: Teller) -> None:
    """Pay benefits for months after death; some are reversed."""
    death = teller.day()
    teller.draft.plan_fact("death", death, death + between(teller.rng, 1, 90))
    for start, end in teller.months(death - 200, 10):
        report = teller.draft_one(pick(teller.rng, _PAID), start, end)
        taken_back = start > death and happens(teller.rng, 50)
        teller.send(report, 0, stands=not taken_back)
        if taken_back:
            teller.send(
                teller.draft.reversal(report, end), between(teller.rng, 10, 90), stands=False
            )


def _outside_the_act(teller: Teller) -> None:
    """Report exported benefits and pensions beside ordinary ones.

    They are those of Regulation 883/2004, articles 64 and 65.
    """
    kind = KINDS[pick(teller.rng, ("dagpenge", "foertidspension", "kontantydelse"))]
    for start, end in teller.months(teller.day(), 18):
        report = teller.plan(kind, start, end)
        teller.draft.planned[-1] = report._replace(outside_act=happens(teller.rng, 70))


def _ahead_of_time(teller: Teller) -> None:
    """Report months long before they come."""
    for start, end in teller.months(teller.day(), 6):
        teller.send(
            teller.draft_one(pick(teller.rng, _PAID), start, end),
            -between(teller.rng, 63, 150),
            stands=True,
        )


def _another_pays(teller: Teller) -> None:
    """Let one municipality pay and another finance; a third one joins within the month."""
    for start, end in teller.months(teller.day(), 12):
        for first, last in ((start, start + 9), (start + 10, end)):
            report = teller.plan(pick(teller.rng, _MUNICIPAL), first, last)
            other = pick(teller.rng, tuple(INHABITANTS))
            teller.draft.planned[-1] = report._replace(financing=other)


STORIES = (
    Story(_restless, on_top=False, days_between_moves=30),
    Story(_ten_benefits),
    Story(_resets, on_top=False),
    Story(_long_gap, on_top=False),
    Story(_scattered_days),
    Story(_negative_months),
    Story(_odd_periods),
    Story(_borders),
    Story(_topsy_turvy),
    Story(_corrected_wages, on_top=False),
    Story(_legacy_flex, on_top=False),
    Story(_old_award, on_top=False),
    Story(_after_death),
    Story(_outside_the_act),
    Story(_ahead_of_time),
    Story(_another_pays),
)
