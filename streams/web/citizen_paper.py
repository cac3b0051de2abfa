"""Gives the values of a citizen's page to the template for paper: sections of text and tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import unescape

from streams.web.citizen_explanations import LifeExplanation, WeekExplanation
from streams.web.citizen_pages import CitizenPage
from streams.web.words import Language, Word

Section = dict[str, Any]


@dataclass(frozen=True)
class CitizenPaper:
    """A citizen's page, and what the reports explain: the life, a week, or nothing.

    `away` names the sentence that says why it is nothing.
    """

    page: CitizenPage
    life: LifeExplanation | None = None
    week: WeekExplanation | None = None
    away: str = ""

    def values(self, word: Word, language: Language) -> Mapping[str, Any]:
        """Give the values that the template names."""
        strip = self.life.strip if self.life else self.page.strip
        picture = "" if self.week else strip.picture
        sections = self._week(word) if self.week else [*self._life(word), *self._money(word)]
        return {
            "template": "citizen",
            "title": self.week.title if self.week else word("citizen.title"),
            "language": language,
            "finding": self.week.because if self.week else self.page.finding,
            "as_of": self.page.as_of,
            "picture": picture,
            "picture_text": unescape(picture.partition("<desc>")[2].partition("</desc>")[0]),
            "sections": sections,
        }

    def _life(self, word: Word) -> list[Section]:
        tiles = [
            ": ".join([each.label, each.figure]) + (f" ({each.note})" if each.note else "")
            for each in self.page.tiles
        ]
        found = [_section(word("citizen.now_heading"), bullets=tiles)]
        if self.life is None:
            paragraphs = [word(f"citizen.{self.away}")]
            found += [
                _section(word("citizen.ahead"), bullets=self.page.ahead),
                _section(word("citizen.explanation"), paragraphs=paragraphs),
            ]
            return found
        paragraphs = [self.life.source, *([self.life.old_case] if self.life.old_case else [])]
        others = [f"{each.fate}: {each.cause}. {each.text}" for each in self.life.reports]
        others += _hidden(self.life.hidden, word)
        return [
            *found,
            _section(word("citizen.ahead"), bullets=self.life.ahead),
            _section(word("citizen.explanation"), paragraphs, self.life.standing),
            *([_section(self.life.reports_lead, bullets=others)] if others else []),
        ]

    def _money(self, word: Word) -> list[Section]:
        money = [
            word(f"citizen.{name}") for name in ("amount", "refusion", "medfinansiering", "own")
        ]
        heads = [(word("lis.month"), False), (word("lis.benefit"), False)]
        months = [
            [line.month, line.benefits, *line.figures]
            for year in self.page.years
            for line in year.months
        ]
        corrections = [
            [block.run, block.reason, block.cause, block.difference]
            for block in self.page.corrections
        ]
        of_corrections = [
            word("lis.run"), word("citizen.because"), word("citizen.report"),
            word("citizen.difference"),
        ]  # fmt: skip
        return [
            _section(
                word("citizen.months"), heads=[*heads, *((each, True) for each in money)],
                rows=months,
            ),
            _section(
                word("citizen.corrections"),
                [] if corrections else [word("citizen.corrections_none")],
                heads=[(each, False) for each in of_corrections],
                rows=corrections,
            ),
        ]  # fmt: skip

    def _week(self, word: Word) -> list[Section]:
        week = self.week
        assert week is not None
        cells = [
            line
            for cell in week.cells
            for line in (
                cell.title,
                *(f"{each.cause}: {each.fate}, {each.text}" for each in cell.shares),
                cell.result,
            )
        ]
        cells = [
            *([week.warning] if week.warning else []),
            *(cells or [word("citizen.no_money")]),
        ]
        touches = [
            f"{each.cause}: {each.fate}. {word('citizen.touches_week')}: {each.text}"
            for each in week.touches
        ]
        told = [
            (word("citizen.touches"), touches),
            (word("citizen.counters"), week.counters),
            (word("citizen.money"), [*cells, *(" ".join(each) for each in week.fleksbidrag)]),
            (
                word("citizen.reports"),
                [
                    *(f"{each.fate}: {each.cause}. {each.text}" for each in week.reports),
                    *_hidden(week.hidden, word),
                ],
            ),
            (word("citizen.posted"), [f"{each.fate}: {each.text}" for each in week.posted]),
            (word("citizen.ahead_week"), week.ahead),
            (word("citizen.rules"), [f"{each.cause}: {each.text}" for each in week.rules]),
            (word("citizen.explanation"), [week.source]),
        ]
        return [_section(heading, bullets=bullets) for heading, bullets in told if bullets]


def _hidden(number: int, word: Word) -> list[str]:
    return [word("citizen.hidden", number=number)] if number else []


def _section(
    heading: str,
    paragraphs: Sequence[str] = (),
    bullets: Sequence[str] = (),
    heads: Sequence[tuple[str, bool]] = (),
    rows: Sequence[Sequence[str]] = (),
) -> Section:
    return {
        "heading": heading,
        "paragraphs": list(paragraphs),
        "bullets": list(bullets),
        "heads": [{"title": title, "is_number": is_number} for title, is_number in heads],
        "rows": [list(row) for row in rows],
    }
