"""The life of a simulated citizen: a fictive number, homes, and spells one after the other."""

from datetime import date
from random import Random
from typing import NamedTuple

from domain.basics.weeks import first_day, month_of
from streams.simulation.chance import below, between, happens
from streams.simulation.population import FOREVER, KINDS, TRACKS, Kind, Track
from streams.simulation.reporters import MUNICIPALITIES, UNEMPLOYMENT_FUNDS

MOST_CITIZENS = 4000 * 512
"""The number of fictive CPR numbers: serial numbers (4000) times birthdays of a cycle (512)."""

_SCATTER = (
    1_234_567  # coprime to MOST_CITIZENS: spreads neighbours over birthdays and serial numbers
)

WINTER_ENDS = 30
"""The percentage of ends of self-support that wait for the next turn of the year, with seasons.

Trades stand still in winter, and contracts end with the year.
"""
LATE_COMERS = 20
"""The percentage of citizens who come for the first time after the first month, with seasons."""


class SimulatedDays(NamedTuple):
    """The first and last simulated day."""

    first: int
    last: int

    @classmethod
    def of_months(cls, first_month: int, last_month: int) -> "SimulatedDays":
        """Return the days of the months, both included."""
        return cls(first_day(first_month), first_day(last_month + 1) - 1)


class Home(NamedTuple):
    """A municipality and the last day on which the citizen lives there."""

    until: int
    municipality: str


class Spell(NamedTuple):
    """Consecutive days of one kind, at the citizen's full monthly amount (level of 2020)."""

    kind: Kind
    start: int
    end: int
    monthly_ore: int


class SimulatedLife(NamedTuple):
    """The life of a citizen on the simulated days. `death` is a day, or None."""

    cpr: str
    fund: int
    homes: list[Home]
    spells: list[Spell]
    death: int | None

    def home_on(self, day: int) -> str:
        """Return the municipality in which the citizen lives on a day."""
        return next(home.municipality for home in self.homes if day <= home.until)


def live(
    rng: Random,
    citizen: int,
    window: SimulatedDays,
    *,
    days_between_moves: int = 7000,
    seasons: bool = False,
) -> SimulatedLife:
    """Make the life of a citizen; the same generator gives the same life."""
    track = TRACKS.pick(rng)
    cpr = fictive_cpr(citizen, rng, track.born)
    homes = _homes(rng, window, days_between_moves)
    spells, death = _spells(rng, track, window, seasons=seasons)
    return SimulatedLife(cpr, below(rng, UNEMPLOYMENT_FUNDS), homes, spells, death)


def fictive_cpr(citizen: int, rng: Random, born: tuple[int, int]) -> str:
    """Make a fictive CPR number of a person born in these years, both included.

    60 is added to the day. No two citizens share a number: the serial number and the birthday's
    place in a cycle of 512 days come from the citizen's index alone; only the cycle is drawn.
    """
    serial, place = divmod(citizen * _SCATTER % MOST_CITIZENS, 512)
    first, last = date(born[0], 1, 1).toordinal(), date(born[1], 12, 31).toordinal()
    lowest, highest = (first - place + 511) // 512, (last - place) // 512
    birthday = date.fromordinal(between(rng, lowest, highest) * 512 + place)
    century = (
        4000 if birthday.year >= 2000 else 0
    )  # a seventh digit of 4-7 is 2000-2036, one of 0-3 is 19xx
    date_part = f"{birthday.day + 60:02d}{birthday.month:02d}{birthday.year % 100:02d}"
    return f"{date_part}{serial + century:04d}"


def _homes(rng: Random, window: SimulatedDays, days_between_moves: int) -> list[Home]:
    homes = []
    day = window.first + below(rng, days_between_moves)
    while day <= window.last:
        homes.append(Home(day, MUNICIPALITIES.pick(rng)))
        day += between(rng, days_between_moves // 2, days_between_moves * 3 // 2)
    return [*homes, Home(FOREVER, MUNICIPALITIES.pick(rng))]


def _spells(
    rng: Random, track: Track, window: SimulatedDays, *, seasons: bool
) -> tuple[list[Spell], int | None]:
    """Make the spells that fill the days, self-support among them, and the day of death."""
    spells: list[Spell] = []
    kind, days = _first_spell(rng, track, window, seasons=seasons)
    start = window.first
    while start <= window.last:
        end = start + days - 1
        if seasons and not kind.codes:
            end = _in_season(rng, end)
        spells.append(
            Spell(kind, start, min(end, window.last), kind.monthly_kr * between(rng, 70, 100))
        )
        if end < window.last and kind.name.endswith("foertidspension") and happens(rng, 50):
            return spells, end
        kind = track.next_spell.pick(rng)
        start, days = end + 1, _length(rng, kind)
    return spells, None


def _first_spell(
    rng: Random, track: Track, window: SimulatedDays, *, seasons: bool
) -> tuple[Kind, int]:
    """Draw what a life begins with, and its days; who comes later is self-supporting until then."""
    if seasons and happens(rng, LATE_COMERS):
        return KINDS["self_support"], 1 + below(rng, window.last - window.first)
    kind = track.at_first.pick(rng)
    return kind, 1 + below(rng, _length_met(rng, kind))


def _in_season(rng: Random, day: int) -> int:
    """Move the end of self-support to the next turn of the year, in some of the cases."""
    if not happens(rng, WINTER_ENDS):
        return day
    month = month_of(day)
    return max(day, first_day(month + -month % 12) + between(rng, -45, 45))


def _length(rng: Random, kind: Kind) -> int:
    """Draw the days of a spell, from a quarter of the mean to seven quarters."""
    return between(rng, kind.mean_days // 4, kind.mean_days * 7 // 4)


def _length_met(rng: Random, kind: Kind) -> int:
    """Draw the length of the spell that a given day lies in.

    A long spell is met more often, in proportion to its length: a density that rises from a quarter
    to seven quarters is one part even and three parts the larger of two.
    """
    length = _length(rng, kind)
    return length if happens(rng, 25) else max(length, _length(rng, kind))
