"""Makes the page of a citizen from the ledger: what people see, as plain values for the templates.

What a municipality's caseworker sees of others' money is nothing: weeks and counters are those of
the whole life, amounts and corrections those of the own municipality.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.basics.weeks import day, week_of
from domain.law.later_weeks import StandingAt
from projections.ledger.citizen import ChangedRow, MessageChange, between, difference_of
from projections.ledger.course import (
    CourseCorrection,
    CourseMonth,
    as_of,
    causes_of_amounts,
    corrections,
    months,
    names_report,
    own_rows,
    week_cost,
)
from streams.kit.catalogue import Catalogue
from streams.web.citizen_desk import PostedLife
from streams.web.citizen_strip import StripDrawer, WeekStrip, week_words
from streams.web.lis_figures import DASH, Speaker
from streams.web.lis_forms import ChoiceOption
from streams.web.lis_start import Tile

MOST_CHANGES = 500
"""Pairs of a correction, or of a comparison, that a page shows."""


@dataclass(frozen=True)
class MonthLine:
    """A month's money; `weeks` are the ISO names of its weeks, with their words."""

    month: str
    benefits: str
    weeks: list[tuple[str, str]]
    figures: list[str]


@dataclass(frozen=True)
class YearLines:
    """The months of a year, and their sums."""

    year: str
    figures: list[str]
    months: list[MonthLine]
    is_open: bool


@dataclass(frozen=True)
class PairLine:
    """A cell before and after a change."""

    week: str
    address: str
    benefit: str
    before: str
    after: str
    difference: str
    because: str


@dataclass(frozen=True)
class CorrectionBlock:
    """A message that corrected rows: when, why, by how much, and each pair."""

    run: str
    reason: str
    cause: str
    difference: str
    pairs: list[PairLine]
    left_out: int


@dataclass(frozen=True)
class MomentsCompared:
    """Two moments beside each other: those that can be chosen, and the heads of their columns."""

    then: list[ChoiceOption]
    now: list[ChoiceOption]
    heads: tuple[str, str]
    sentence: str
    counters: list[tuple[str, str, str]]
    pairs: list[PairLine]
    left_out: int
    difference: str


@dataclass(frozen=True)
class CitizenPage:
    """The page of a citizen, but for what comes from the journal."""

    finding: str
    as_of: str
    tiles: list[Tile]
    strip: WeekStrip
    ahead: list[str]
    years: list[YearLines]
    corrections: list[CorrectionBlock]
    comparison: MomentsCompared | None


@dataclass(frozen=True)
class Moments:
    """The two moments that are to be compared, each a run; None is now."""

    then: int | None
    now: int | None


class CitizenPageMaker:
    """Makes the page of one citizen for one visitor, who sees the money of one municipality."""

    def __init__(self, life: PostedLife, speaker: Speaker, place: str | None, today: int) -> None:
        self._life = life
        self._speaker = speaker
        self._word = speaker.word
        self._rows = own_rows(life.rows, place)
        self._own = None if place is None else causes_of_amounts(self._rows)
        self._today = today
        self._standing = life.standing()
        self._reasons = Catalogue(speaker.language)

    def page(self, moments: Moments | None) -> CitizenPage:
        """Make the page, with two moments compared where they are asked for."""
        drawer = StripDrawer(self._life.law, self._word, self._life.weeks(), self._today)
        return CitizenPage(
            self._lead(),
            self._as_of(),
            self._tiles(),
            drawer.strip(),
            self._ahead(),
            self._years(months(self._rows)),
            [self._correction(each) for each in corrections(self._rows)],
            self.comparison(moments),
        )

    # --- where the citizen stands -----------------------------------------------------------------

    def _lead(self) -> str:
        at = self._standing
        if at is None or at.week is None:
            return self._word("citizen.lead_none")
        return self._word(
            "citizen.lead",
            step=at.step,
            percent=at.rate,
            number=at.seniority,
            week=week_words(at.week, self._word),
        )

    def _as_of(self) -> str:
        last = self._life.runs[-1] if self._life.runs else None
        if last is None:
            return self._word("citizen.as_of_none")
        month = self._speaker.month(last.data_month)
        return self._word("citizen.as_of", run=last.run, month=month)

    def _tiles(self) -> list[Tile]:
        at, word = self._standing, self._word
        if at is None:
            return []
        missing = word("citizen.tile_missing", number=at.missing) if at.missing else ""
        percent = word("citizen.step_percent", step=at.step, percent=at.rate)
        needed = self._life.law.window.needed
        tiles = [
            Tile(word("citizen.tile_count"), self._count(at.seniority), percent),
            Tile(
                word("citizen.tile_earned"),
                word("citizen.of_weeks", number=at.earned, needed=needed),
                missing,
            ),
        ]
        if at.weeks_to_next is not None:
            note = word("citizen.tile_next_note", percent=at.next_rate)
            figure = word("citizen.weeks", number=at.weeks_to_next)
            tiles.append(Tile(word("citizen.tile_next"), figure, note))
        return [*tiles, *self._cost_tiles(at)]

    def _cost_tiles(self, at: StandingAt) -> list[Tile]:
        cost = week_cost(self._life.law, self._rows, at.next_rate)
        if cost is None:
            return []
        word, benefit = self._word, self._speaker.benefit(cost.benefit)
        month = self._speaker.month(cost.month)
        now = word(
            "citizen.tile_cost_note", amount=self._kroner(cost.amount_ore), percent=cost.rate,
            benefit=benefit, month=month,
        )  # fmt: skip
        saves = ""
        if cost.next_own_ore is not None:
            saves = word(
                "citizen.tile_saves_next",
                amount=self._kroner(cost.next_own_ore),
                percent=at.next_rate,
            )
        own = self._kroner(cost.own_ore)
        return [
            Tile(word("citizen.tile_cost"), own, now),
            Tile(word("citizen.tile_saves"), own, saves),
        ]

    def _ahead(self) -> list[str]:
        """Say what changes the counters next, as far as the ledger knows."""
        at, word = self._standing, self._word
        if at is None:
            return []
        found = [word("citizen.ahead_last")]
        if at.weeks_to_next is not None:
            found = [
                word(
                    "citizen.ahead_step", number=at.weeks_to_next, percent=at.rate,
                    following=at.next_rate,
                )
            ]  # fmt: skip
        if at.missing is not None:
            found.append(word("citizen.ahead_start", number=at.missing))
        else:
            found.append(word("citizen.ahead_none", needed=self._life.law.window.needed))
        if at.leaving_week is not None:
            week = week_words(at.leaving_week, word)
            found.append(word("citizen.ahead_leaving", number=at.leaving, week=week))
        return found

    # --- money ------------------------------------------------------------------------------------

    def _years(self, lines: Sequence[CourseMonth]) -> list[YearLines]:
        by_year: dict[str, list[CourseMonth]] = {}
        for line in lines:
            by_year.setdefault(line.month[:4], []).append(line)
        return [
            YearLines(year, self._sums(of_year), [self._month(line) for line in of_year], at == 0)
            for at, (year, of_year) in enumerate(by_year.items())
        ]

    def _sums(self, lines: Sequence[CourseMonth]) -> list[str]:
        return [
            self._ore(sum(line.amount_ore for line in lines)),
            self._ore(sum(line.refusion_ore for line in lines)),
            self._ore(sum(line.medfinansiering_ore for line in lines)),
            self._ore(sum(line.own_ore for line in lines)),
        ]

    def _month(self, line: CourseMonth) -> MonthLine:
        weeks = [(monday, self._week(monday)) for monday in line.weeks]
        return MonthLine(
            self._speaker.month(line.month), " ".join(line.benefits), weeks, self._sums([line])
        )

    def _week(self, monday: str) -> str:
        return week_words(week_of(day(monday)), self._word)

    # --- corrections ------------------------------------------------------------------------------

    def _correction(self, found: CourseCorrection) -> CorrectionBlock:
        word = self._word
        run = (
            word("citizen.in_no_run")
            if found.run is None
            else word("citizen.in_run", run=found.run)
        )
        return CorrectionBlock(
            run,
            self._speaker.named("reason", found.reason),
            self._cause(found.cause),
            self._difference(found.difference_ore),
            self._pairs(found.changes),
            max(0, len(found.changes) - MOST_CHANGES),
        )

    def _cause(self, cause: str) -> str:
        """Name what led to a correction, where it is nothing of another municipality."""
        is_shown = self._own is None or cause in self._own or not names_report(cause)
        return cause if is_shown else self._word("citizen.other_cause")

    def _pairs(self, changes: Sequence[MessageChange]) -> list[PairLine]:
        return [
            PairLine(
                self._week(change.week),
                change.week,
                change.benefit,
                self._side(change.before),
                self._side(change.after),
                self._ore(change.difference_ore),
                self._reasons.say(change.because),
            )
            for change in changes[:MOST_CHANGES]
        ]

    def _side(self, side: ChangedRow | None) -> str:
        if side is None:
            return DASH
        amount, result = self._ore(side.amount_ore), self._ore(side.result_ore)
        return self._word("citizen.side", amount=amount, percent=side.rate, result=result)

    def _difference(self, sums: dict[str, int]) -> str:
        told = [
            self._word(f"citizen.sum_{mechanism}", amount=self._ore(ore))
            for mechanism, ore in sums.items()
            if ore
        ]
        return ", ".join(told) or self._word("citizen.sum_none")

    # --- two moments ------------------------------------------------------------------------------

    def comparison(self, moments: Moments | None) -> MomentsCompared | None:
        """Compare what was known at two moments; None where no run was closed."""
        if not self._life.runs:
            return None
        asked = moments or Moments(self._life.runs[-1].run, None)
        rows = [as_of(self._rows, run) for run in (asked.then, asked.now)]
        changes = between(*rows)
        sums = difference_of(changes)
        net = sums["refusion"] - sums["medfinansiering"]
        key = "citizen.compare_same" if not changes else "citizen.compare_differs"
        words = [self._moment(run) for run in (asked.then, asked.now)]
        return MomentsCompared(
            self._choices(asked.then),
            self._choices(asked.now),
            (self._head(asked.then), self._head(asked.now)),
            self._word(key, then=words[0], now=words[1], number=len(changes), net=self._ore(net)),
            self._counters(asked),
            self._pairs(changes) if moments else [],
            max(0, len(changes) - MOST_CHANGES) if moments else 0,
            self._difference(sums),
        )

    def _counters(self, asked: Moments) -> list[tuple[str, str, str]]:
        then, now = (self._life.standing(run) for run in (asked.then, asked.now))
        return [
            (self._word(f"citizen.{key}"), self._of(then, name), self._of(now, name))
            for key, name in (
                ("tile_count", "seniority"),
                ("tile_step", "step"),
                ("tile_percent", "rate"),
                ("tile_earned", "earned"),
            )
        ]

    def _of(self, at: StandingAt | None, name: str) -> str:
        return DASH if at is None else str(getattr(at, name))

    def _moment(self, run: int | None) -> str:
        if run is None:
            return self._word("citizen.now")
        return self._word("citizen.at_run", run=run)

    def _head(self, run: int | None) -> str:
        if run is None:
            return self._word("citizen.now_capital")
        return self._word("citizen.at_run_capital", run=run)

    def _choices(self, chosen: int | None) -> list[ChoiceOption]:
        runs = [
            ChoiceOption(
                str(each.run),
                self._word(
                    "citizen.run_named", run=each.run, month=self._speaker.month(each.data_month)
                ),
                each.run == chosen,
            )
            for each in reversed(self._life.runs)
        ]
        return [ChoiceOption("nu", self._word("citizen.now"), chosen is None), *runs]

    # --- numbers ----------------------------------------------------------------------------------

    def _count(self, number: int) -> str:
        return self._speaker.number("count", number)

    def _ore(self, ore: int) -> str:
        return self._speaker.number("ore", ore)

    def _kroner(self, ore: int) -> str:
        return self._word("lis.kroner", amount=self._speaker.kroner(ore))
