"""Gives each line of eIndkomst the id of its report, made from all that it pays.

    indberetningsID / digest(indtægtsart, account, days, money, …, its number among equal lines)

The same indberetningsID of a person may come with several reported periods, in several answers.
Two lines that pay otherwise never share an id, whatever else an answer has, and in whatever order.
Lines that are equal in all this are counted within a person of an answer: each of them is paid.
"""

from collections import Counter, defaultdict
from typing import Final

from domain.basics.weeks import day_text
from streams.privacy.cpr import spells
from streams.upstream.answers import Blanket, ReportedPeriod
from streams.upstream.refund_lines import (
    ON_LINE,
    ORE,
    PENSIONS,
    SUBSIDY,
    WAGES,
    RefundLine,
    account_of,
    content_letters,
    content_of,
)

_ATP: Final = frozenset({75, 76, 199})
_OF_INCOME: Final = frozenset({*WAGES, *ON_LINE, *PENSIONS, SUBSIDY}) | _ATP
"""Fields of 16001 whose money may be paid, whichever of them the tables take."""
_OF_LINE: Final = frozenset(ON_LINE)
_DATE: Final = len("2024-01-31")
"""Letters of a date: a time or a time zone behind it makes no other line."""


Content = tuple[str, str, str, str]
"""The reporter, the report, the person and a digest of all else that lines are equal in."""


class LineIds:
    """Numbers equal lines of a person in an answer.

    A line that is marked as reversed may take back its equal in the same reported period. Where it
    does not, it is a line of its own behind all equal ones of the person that stand.
    """

    def __init__(self) -> None:
        self._person: object = None
        self._seen: dict[Content, int] = defaultdict(int)
        self._standing: dict[Content, int] = defaultdict(int)
        self._taken: dict[Content, int] = defaultdict(int)
        self._marked: dict[Content, int] = defaultdict(int)
        self._place: tuple[object, object, str] = None, None, ""

    def is_of_another(self, period: ReportedPeriod) -> bool:
        """Tell if a reported period is of another person than the one before."""
        return period.person is not self._person

    def begin(self, period: ReportedPeriod) -> None:
        """Begin with a reported period."""
        self._standing.clear()
        self._taken.clear()
        self._marked.clear()
        if self.is_of_another(period):
            self._person = period.person
            self._seen.clear()

    def content(
        self,
        period: ReportedPeriod,
        line: RefundLine,
        cpr: str,
        days: tuple[int, int],
        *,
        is_negative: bool,
    ) -> Content:
        """Give what lines are equal in; `is_negative` is a reversal that is a payment."""
        own = period.employment
        what = (
            line.art,
            line.income_type,
            account_of(line),
            days,
            (period.start[:_DATE], period.end[:_DATE], period.disposed_on[:_DATE]),
            "" if own and spells(own, cpr) else own,  # who knows the rest could try all numbers
            _money(line.line, _OF_LINE) if line.line else None,
            self._money_of_place(line),
            is_negative,
        )
        return period.reporter, period.report, cpr, content_letters(what)

    def number(self, content: Content) -> int:
        """Number a line that stands."""
        self._standing[content] += 1
        self._seen[content] += 1
        return self._seen[content]

    def await_mark(self, content: Content) -> None:
        """Count a marked line of the period, before those that stand are numbered."""
        self._marked[content] += 1

    def has_mark(self, content: Content) -> bool:
        """Tell if a marked line is there for the equal one that was numbered last."""
        return self._standing[content] <= self._marked[content]

    def number_beside(self, content: Content) -> int | None:
        """Number a marked line as its equal in the period, all of which have their numbers."""
        if self._taken[content] == self._standing[content]:
            return None
        self._taken[content] += 1
        return self._seen[content] - self._standing[content] + self._taken[content]

    def number_behind(self, content: Content) -> int:
        """Number a marked line behind those that stand, all of which have their numbers."""
        self._seen[content] += 1
        return self._seen[content]

    def _money_of_place(self, line: RefundLine) -> str:
        """Digest the money of a 16001, and of all lines that share its ATP, once for them all."""
        income, beside, told = self._place
        if income is not line.income or beside is not line.beside:
            money = _money(line.income, _OF_INCOME) if line.income else []
            told = content_letters((money, _beside(line)))
            self._place = line.income, line.beside, told
        return told


def _money(blanket: Blanket, fields: frozenset[int]) -> list[tuple[int, str]]:
    """Give the fields with money of a blanket in one order, however amounts are written."""
    found = [(at, _amount(text)) for at, text in blanket.fields if at in fields and text]
    if len(found) > 1:
        found.sort()
    return found


def _amount(text: str) -> str:
    """Write an amount in one way; a text that is none stays as it is."""
    ore = ORE[text]
    return text if ore is None else f"{ore} øre"


def _beside(line: RefundLine) -> list[list[tuple[int, str]]]:
    """Give the money of all lines that share the ATP of a 16001: it decides the line's share."""
    if len(line.beside) < 2 or line.income is None or not _money(line.income, _ATP):
        return []
    return sorted(_money(each, _OF_LINE) for each in line.beside)


class FormerIds:
    """Gives the ids that lines had before their money was in them: two lines could share one.

    A folder of tables that was used then knows its lines by these ids. Each of these ids has one
    owner now: the first of its lines that comes; another line gets a new id.
    """

    def __init__(self) -> None:
        self._seen: Counter[tuple[object, ...]] = Counter()

    def parts(
        self,
        period: ReportedPeriod,
        line: RefundLine,
        cpr: str,
        days: tuple[int, int],
        *,
        is_negative: bool,
    ) -> tuple[object, ...]:
        """Give what the id was made of: the place, and the number there by content."""
        around = period.start, period.end
        wage_period = around if around != tuple(map(day_text, days)) else ()
        own = ["negative"] if is_negative else []
        place = (line.art, account_of(line), days, *wage_period, *own)
        of_place = cpr, place
        of_content = *of_place, repr(content_of(line))
        copy = *of_content, line.is_reversed
        if of_content not in self._seen:
            self._seen[of_content] = self._seen[of_place]
        self._seen[copy] += 1
        number = self._seen[of_content] + self._seen[copy]
        self._seen[of_place] = max(self._seen[of_place], number)
        return *place, number
