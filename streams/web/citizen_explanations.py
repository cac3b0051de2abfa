"""Makes the explanation of a citizen's life or week from the reports, in the visitor's language.

A caseworker sees the reports and the money of the own municipality. Weeks and counters are those of
the whole life, since every municipality's weeks count.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from domain.basics.weeks import month_of, month_text
from domain.citizen.reports import CaseFact, Freeing, Income, Payment, Report, Reversal, cause
from domain.explain.reasons import LifeReason, ReportReason, RowReason, WeekReason
from projections.ledger.citizen import PostedRow, agree, standing
from projections.ledger.course import is_of, lived_weeks, names_report, own_rows, with_opened_weeks
from streams.explain.render import (
    genoptjeningstaeller,
    new_start_text,
    old_case_text,
    refusionstaeller,
    report_text,
    step_text,
)
from streams.explain.render_posted import posted_text
from streams.explain.render_week import (
    bidrag_lines,
    counters,
    result_text,
    row_title,
    rule_text,
    share_text,
)
from streams.explain.why import Evidence, Grounds
from streams.kit.catalogue import Catalogue
from streams.web.citizen_strip import StripDrawer, WeekStrip, week_words
from streams.web.words import Word


@dataclass(frozen=True)
class ReportLine:
    """A report: what became of it, which it is, and what it says."""

    fate: str
    cause: str
    text: str


@dataclass(frozen=True)
class CellBlock:
    """A cell of money: what it is about, the share of each report, and what follows."""

    title: str
    shares: list[ReportLine]
    result: str


@dataclass(frozen=True)
class LifeExplanation:
    """A life: its strip with every week told apart, the counters, and what changes them."""

    strip: WeekStrip
    standing: list[str]
    ahead: list[str]
    old_case: str
    reports_lead: str
    reports: list[ReportLine]
    hidden: int
    source: str


@dataclass(frozen=True)
class WeekExplanation:
    """A week in full: why it is what it is, its money and reports, and the rules behind it."""

    title: str
    because: str
    touches: list[ReportLine]
    counters: list[str]
    cells: list[CellBlock]
    fleksbidrag: list[list[str]]
    reports: list[ReportLine]
    hidden: int
    ahead: list[str]
    rules: list[ReportLine]
    posted: list[ReportLine]
    warning: str
    source: str


class CitizenExplainer:
    """Explains one citizen to one visitor, who sees the money of one municipality, or of all."""

    def __init__(
        self, found: tuple[Evidence, Grounds], place: str | None, words: Catalogue, word: Word
    ) -> None:
        self._evidence, self._grounds = found
        self._place = place
        self._words = words
        self._word = word
        self._own = own_causes(self._evidence.reports, self._evidence.posted, place)

    def life(self, today: int) -> LifeExplanation:
        """Explain the whole life."""
        life, words = self._grounds.life(), self._words
        law, posted = self._grounds.law, self._evidence.posted
        weeks = with_opened_weeks(law, lived_weeks(life.weeks), posted)
        drawer = StripDrawer(law, self._word, weeks, today)
        others = [report for report in life.reports if report.fate != "counts"]
        lines, hidden = self._reports(others)
        return LifeExplanation(
            drawer.strip(),
            list(self._standing(life)),
            [words.say(each) for each in life.ahead.sentences] if life.ahead else [],
            old_case_text(life.old_case, words) if life.old_case else "",
            words.text("life.others", number=len(life.reports)),
            lines,
            hidden,
            self._source(),
        )

    def _standing(self, life: LifeReason) -> Iterator[str]:
        yield refusionstaeller(life.count, self._words)
        if life.band:
            yield step_text(life.band, self._words)
        yield genoptjeningstaeller(life.earned, self._words)
        for new_start in life.new_starts:
            yield new_start_text(new_start, self._words)

    def week(self, week: int) -> WeekExplanation:
        """Explain a week."""
        reason, words = self._grounds.week(week), self._words
        of_week = [row for row in self._evidence.posted if row.week == reason.week]
        lines, hidden = self._reports(reason.reports)
        touches = [
            ReportLine(
                words.text(f"role.{touch.role}"),
                touch.benefit,
                words.text("week.yes" if touch.touches else "week.no"),
            )
            for touch in reason.touches
        ]
        told = list(counters(reason, words))
        if reason.old_case:
            told.append(old_case_text(reason.old_case, words))
        return WeekExplanation(
            self._title(week, reason),
            capital(words.text("week.because", because=reason.because)),
            touches,
            told,
            [self._cell(row) for row in reason.rows if self._sees(row)],
            self._fleksbidrag(reason),
            lines,
            hidden,
            [words.say(each) for each in reason.ahead.sentences],
            [
                ReportLine(
                    self._word(f"citizen.mark_{rule.evidence}"), name, rule_text(rule, words)
                )
                for name, rule in reason.rules.items()
            ],
            self._posted(own_rows(of_week, self._place)),
            "" if agree(reason, of_week) else words.text("posted.disagree"),
            self._source(),
        )

    def _title(self, week: int, reason: WeekReason) -> str:
        state = self._words.text(f"state.{reason.state}")
        return capital(f"{week_words(week, self._word)}: {state}")

    def _cell(self, row: RowReason) -> CellBlock:
        words = self._words
        shares = [
            ReportLine(words.kroner(share.share_ore), share.cause, share_text(share, words))
            for share in row.shares
        ]
        return CellBlock(row_title(row, words), shares, result_text(row, words))

    def _sees(self, row: RowReason) -> bool:
        return self._place is None or self._place in (row.paying, row.financing)

    def _fleksbidrag(self, reason: WeekReason) -> list[list[str]]:
        return [
            list(bidrag_lines(each, self._words))
            for each in reason.fleksbidrag
            if self._place is None or self._place in (each.paying, each.financing)
        ]

    def _posted(self, rows: Sequence[PostedRow]) -> list[ReportLine]:
        stands, words = {row.id for row in standing(rows)}, self._words
        fates = [
            "stands" if row.id in stands else "reverses" if row.reverses else "reversed"
            for row in rows
        ]
        return [
            ReportLine(
                words.text(f"posted.{fate}"), str(row.id), posted_text(row, words, self._cause(row))
            )
            for fate, row in zip(fates, rows, strict=True)
        ]

    def _cause(self, row: PostedRow) -> str:
        """Name what a row was posted for, where it is nothing of another municipality."""
        is_shown = self._own is None or row.cause in self._own or not names_report(row.cause)
        return row.cause if is_shown else self._word("citizen.other_report")

    def _reports(self, reports: Sequence[ReportReason]) -> tuple[list[ReportLine], int]:
        """List the reports that the visitor sees, and count the others."""
        words = self._words
        seen = [report for report in reports if self._own is None or report.cause in self._own]
        lines = [
            ReportLine(words.text(f"fate.{each.fate}"), each.cause, report_text(each, words))
            for each in seen
        ]
        return lines, len(reports) - len(seen)

    def _source(self) -> str:
        return self._words.text("source.of", sentence=self._evidence.source["sentence"])


def capital(text: str) -> str:
    """Write a sentence with a capital.

    >>> capital("en hel uge")
    'En hel uge'
    """
    return text[:1].upper() + text[1:]


def own_causes(
    reports: Sequence[Report | Freeing], posted: Sequence[PostedRow], place: str | None
) -> frozenset[str] | None:
    """Return the names of the reports that a municipality sees; None: it sees all.

    Payments are those that it pays or finances; incomes those of months in which it has a row;
    reversals those of such reports. Facts of the case are everybody's.
    """
    if place is None:
        return None
    months = {row.month for row in posted if is_of(row, place)}
    own, groups = set[str](), set[tuple[str, str]]()
    for report in reports:
        if (
            isinstance(report, CaseFact)
            or (isinstance(report, Payment) and place in (report.paying, report.financing))
            or (isinstance(report, Income) and month_text(month_of(report.start)) in months)
        ):
            own.add(cause(report))
            groups.add((report.reporter, report.group))
    for report in reports:
        if isinstance(report, Reversal):
            target = f"{report.reporter}/{report.reverses}"
            is_of_group = bool(report.reverses_group)
            if target in own or (
                is_of_group and (report.reporter, report.reverses_group) in groups
            ):
                own.add(cause(report))
    return frozenset(own)
