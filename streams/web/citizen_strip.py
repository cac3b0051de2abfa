"""Draws the strip of a citizen's weeks as SVG: a row for each year, a cell for each week.

It reads in black and white, and in words: a step has a pattern and its number beside its colour,
every other state a sign, and the text alternative tells all weeks in order.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from domain.basics.weeks import monday
from domain.law.rates import staircase_in
from domain.law.staircase import Law
from projections.ledger.course import (
    BEFORE_RATES,
    EARNED,
    NEW_START,
    NO_ROW,
    OPENED,
    OTHER,
    SELF_SUPPORT,
    CourseWeek,
    WeekRun,
    runs_of,
)
from projections.lis.pictures import INK, colour_of
from streams.web.words import Word

CELL: Final = 15
TALL: Final = 20
LEFT: Final = 50
TOP: Final = 24
COLUMNS: Final = 53
WIDTH: Final = LEFT + COLUMNS * CELL + 6
TICKS: Final = (1, 10, 20, 30, 40, 50)
PATTERNS: Final = {80: "", 40: "rising", 30: "crossed", 20: "dotted"}
"""The pattern of a step by the State's share; the first has none."""
LIGHT_INK_UP_TO: Final = 30
"""The State's share from which down signs are white on dark."""
_LINES: Final = 'stroke="#1a1a1a" stroke-width="1" fill="none"'
PATTERN_DEFS: Final = (
    '<pattern id="rising" width="5" height="5" patternUnits="userSpaceOnUse">'
    f'<path d="M0 5L5 0" {_LINES}/></pattern>'
    '<pattern id="crossed" width="5" height="5" patternUnits="userSpaceOnUse">'
    f'<path d="M0 5L5 0M0 0L5 5" {_LINES}/></pattern>'
    '<pattern id="dotted" width="4" height="4" patternUnits="userSpaceOnUse">'
    '<circle cx="2" cy="2" r="0.9" fill="#ffffff"/></pattern>'
)

ANEW: Final = f'<path d="M-0.5 0v{TALL - 4}" stroke="{INK}" stroke-width="3.5"/>'
FRAME: Final = (
    f'<rect x="-1.5" y="-1.5" width="{CELL + 1}" height="{TALL - 1}" fill="none" stroke="{INK}"'
    ' stroke-width="2.5"/>'
)
_BOX: Final = f'<rect width="{CELL - 2}" height="{TALL - 4}"'
_THIN: Final = f'stroke="{INK}" stroke-width="0.6"'
_MIDDLE: Final = (CELL - 2) / 2, (TALL - 4) / 2
_PLUS: Final = f'<path d="M2 {_MIDDLE[1]}h9M{_MIDDLE[0]} 3.5v9" stroke="{INK}" stroke-width='
_CIRCLE: Final = f'<circle cx="{_MIDDLE[0]}" cy="{_MIDDLE[1]}" r='
MARKS: Final = {
    BEFORE_RATES: f'{_BOX} fill="#bdbdbd" {_THIN}/>',
    OPENED: f'{_BOX} fill="#bdbdbd" {_THIN}/>{_CIRCLE}"3.5" fill="none" stroke="{INK}"/>',
    OTHER: f'{_BOX} fill="#e8e4d8" {_THIN}/>{_CIRCLE}"3.5" fill="none" stroke="{INK}"/>',
    NEW_START: f'{_BOX} fill="#ffffff" {_THIN}/>{_PLUS}"3.5"/>',
    EARNED: f'{_BOX} fill="#ffffff" {_THIN}/>{_PLUS}"1.6"/>',
    SELF_SUPPORT: f'{_BOX} fill="#ffffff" {_THIN}/>{_CIRCLE}"1.2"/>',
    NO_ROW: f'{_BOX} fill="#ffffff" stroke="#8c8c8c" stroke-dasharray="1 3"/>',
}
"""The drawings of the states that are no steps."""


@dataclass(frozen=True)
class StripPeriod:
    """Consecutive weeks in the same state, in words: a row of the table beside the picture."""

    since: str
    until: str
    count: int
    state: str
    seniority: str


@dataclass(frozen=True)
class WeekStrip:
    """The strip: the picture, and the same in words."""

    picture: str
    periods: list[StripPeriod]


class StripDrawer:
    """Draws the strip of one citizen's weeks, in one language and by one law.

    `today` is the week that it is now.
    """

    def __init__(self, law: Law, word: Word, weeks: Sequence[CourseWeek], today: int) -> None:
        self._law = law
        self._word = word
        self._weeks = weeks
        self._today = today
        self._runs = runs_of(weeks)
        self._first_year = year_of(weeks[0].week) if weeks else 0

    def strip(self) -> WeekStrip:
        """Draw the strip, and tell the same in words."""
        periods = [self._period(run) for run in reversed(self._runs)]
        return WeekStrip(self._picture() if self._weeks else "", periods)

    def state(self, week: int, sign: str) -> str:
        """Say what a sign means in a week."""
        if sign.isdigit():
            share = self._share(week, sign)
            return self._word("citizen.sign_step", step=sign, percent=share)
        return self._word(f"citizen.sign_{NAMES[sign]}")

    def _share(self, week: int, sign: str) -> int:
        return staircase_in(self._law.rules, week).bands[int(sign) - 1].refusion

    def _period(self, run: WeekRun) -> StripPeriod:
        first, last = run.seniorities
        number = "" if first is None else str(first) if first == last else f"{first}–{last}"
        state = self.state(run.first, run.sign)
        if run.begins_anew:
            state = f"{state} ({self._word('citizen.sign_anew')})"
        return StripPeriod(
            week_words(run.first, self._word),
            week_words(run.last, self._word),
            run.last - run.first + 1,
            state,
            number,
        )

    def _picture(self) -> str:
        weeks = self._weeks
        last = max(weeks[-1].week, self._today)
        years = range(self._first_year, year_of(last) + 1)
        key, height = self._key(TOP + len(years) * TALL + 12)
        words = "; ".join(map(self._told, self._runs))
        title = self._word("citizen.strip_title")
        return "".join(
            [
                (
                    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
                    f' width="{WIDTH}" height="{height}" role="img" aria-label={quoteattr(title)}'
                    f' font-family="Arial, Helvetica, sans-serif" font-size="12" fill="{INK}">'
                ),
                f"<title>{escape(title)}</title><desc>{escape(words)}.</desc>",
                f"<defs>{PATTERN_DEFS}{''.join(self._marks())}</defs>",
                f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
                *self._ruler(years),
                *(part for each in weeks for part in self._cell(each)),
                *self._mark_of_today(),
                *key,
                "</svg>",
            ]
        )

    def _told(self, run: WeekRun) -> str:
        first, last = week_words(run.first, self._word), week_words(run.last, self._word)
        state = self.state(run.first, run.sign)
        return self._word("citizen.strip_run", first=first, last=last, state=state)

    def _ruler(self, years: range) -> Iterable[str]:
        yield f'<text x="4" y="{TOP - 8}">{escape(self._word("citizen.strip_week"))}</text>'
        for tick in TICKS:
            x = LEFT + (tick - 0.5) * CELL
            yield f'<text x="{x}" y="{TOP - 8}" text-anchor="middle">{tick}</text>'
        for at, year in enumerate(years):
            yield f'<text x="4" y="{TOP + at * TALL + 14}">{year}</text>'

    def _place(self, week: int) -> tuple[int, int]:
        year, number, _ = date.fromordinal(monday(week)).isocalendar()
        return LEFT + (number - 1) * CELL, TOP + (year - self._first_year) * TALL

    def _cell(self, each: CourseWeek) -> Iterable[str]:
        x, y = self._place(each.week)
        told = f"{week_words(each.week, self._word)}: {self.state(each.week, each.sign)}"
        if each.seniority is not None:
            told += self._word("citizen.strip_number", number=each.seniority)
        yield f'<g transform="translate({x} {y})"><title>{escape(told)}</title>'
        yield f'<use href="#{self._mark(each.week, each.sign)[0]}"/>'
        yield f"{ANEW if each.begins_anew else ''}</g>"

    def _mark(self, week: int, sign: str) -> tuple[str, str]:
        """Return the name and the drawing of a sign in a week."""
        if sign.isdigit():
            share = self._share(week, sign)
            return f"mark-{sign}-{share}", step_mark(sign, share)
        return f"mark-{NAMES[sign]}", MARKS[sign]

    def _marks(self) -> Iterable[str]:
        """Draw each sign once; the cells refer to it."""
        marks = dict(self._mark(each.week, each.sign) for each in self._weeks)
        for name, drawn in marks.items():
            yield f'<g id="{name}">{drawn}</g>'

    def _mark_of_today(self) -> Iterable[str]:
        if self._weeks[0].week > self._today:
            return
        x, y = self._place(self._today)
        told = escape(f"{week_words(self._today, self._word)}: {self._word('citizen.sign_today')}")
        yield f'<g transform="translate({x} {y})"><title>{told}</title>{FRAME}</g>'

    def _key(self, top: int) -> tuple[list[str], int]:
        """Draw the meaning of each sign that is in the strip; return where it ends."""
        found, x = list[str](), LEFT
        for mark, told in self._meanings():
            wide = 40 + int(6.4 * len(told))
            if x + wide > WIDTH and x > LEFT:
                x, top = LEFT, top + 24
            found += [
                f'<g transform="translate({x} {top})">{mark}</g>',
                f'<text x="{x + 20}" y="{top + 12}">{escape(told)}</text>',
            ]
            x += wide
        return found, top + 30

    def _meanings(self) -> Iterable[tuple[str, str]]:
        first_with = {each.sign: each.week for each in reversed(self._weeks)}
        for sign in sorted(first_with, key=ORDER.index):
            week = first_with[sign]
            yield self._mark(week, sign)[1], self.state(week, sign)
        if any(each.begins_anew for each in self._weeks):
            yield ANEW, self._word("citizen.sign_anew")
        if self._weeks[0].week <= self._today:
            yield FRAME, self._word("citizen.sign_today")


NAMES: Final = {
    BEFORE_RATES: "before",
    OPENED: "opened",
    OTHER: "other",
    NEW_START: "start",
    EARNED: "earned",
    SELF_SUPPORT: "self",
    NO_ROW: "none",
}
ORDER: Final = (
    "123456789" + BEFORE_RATES + OPENED + OTHER + NEW_START + EARNED + SELF_SUPPORT + NO_ROW
)


def step_mark(sign: str, share: int) -> str:
    """Draw a step: its colour, its pattern, and its number on a plain ground."""
    colour = colour_of(share)
    pattern = PATTERNS.get(share, "rising")
    ground, ink = (colour, "#ffffff") if share <= LIGHT_INK_UP_TO else ("#ffffff", INK)
    x, y = _MIDDLE
    return "".join(
        [
            f'{_BOX} fill="{colour}" {_THIN}/>',
            f'{_BOX} fill="url(#{pattern})"/>' if pattern else "",
            f'<rect x="{x - 4}" y="{y - 5.5}" width="8" height="11" fill="{ground}"/>',
            f'<text x="{x}" y="{y + 4}" text-anchor="middle" font-size="11" fill="{ink}">',
            f"{sign}</text>",
        ]
    )


def week_words(week: int, word: Word) -> str:
    """Write a week as people do, such as `uge 5, 2024`."""
    year, number, _ = date.fromordinal(monday(week)).isocalendar()
    return word("citizen.week_words", number=number, year=year)


def year_of(week: int) -> int:
    """Return the ISO year of a week."""
    return date.fromordinal(monday(week)).isocalendar().year
