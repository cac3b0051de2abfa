"""Gives each line of eIndkomst the id of its report, made from all that it pays.

    indberetningsID / digest(indtægtsart, account, days, money, …, its number among equal lines)

The same indberetningsID of a person may come with several reported periods, in several answers.
Two lines that pay otherwise never share an id, whatever else an answer has, and in whatever order.
Lines that are equal in all this are counted within a person of an answer: each of them is paid.
"""

from collections import Counter
from typing import Final

from domain.basics.weeks import day_text
from streams.privacy.cpr import spells
from streams.upstream.answers import Blanket, ReportedPeriod
from streams.upstream.refund_lines import (
    ON_LINE,
    PENSIONS,
    SUBSIDY,
    WAGES,
    RefundLine,
    account_of,
    content_of,
)

_ATP: Final = frozenset({75, 76, 199})
_OF_INCOME: Final = frozenset({*WAGES, *ON_LINE, *PENSIONS, SUBSIDY}) | _ATP
"""Fields of 16001 whose money may be paid, whichever of them the tables take."""
_OF_LINE: Final = frozenset(ON_LINE)


class LineIds:
    """Numbers equal lines of a person in an answer; one that is marked takes its equal back."""

    def __init__(self) -> None:
        self._person: object = None
        self._seen: Counter[tuple[object, ...]] = Counter()

    def begin(self, period: ReportedPeriod) -> None:
        """Begin with a reported period."""
        if period.person is not self._person:
            self._person = period.person
            self._seen.clear()

    def parts(
        self,
        period: ReportedPeriod,
        line: RefundLine,
        cpr: str,
        days: tuple[int, int],
        *,
        is_negative: bool,
    ) -> tuple[object, ...]:
        """Give what the id of a line is made of; `is_negative` is a reversal that is a payment."""
        own = period.employment
        what = (
            line.art,
            line.income_type,
            account_of(line),
            days,
            (period.start, period.end, period.disposed_on),
            "" if own and spells(own, cpr) else own,  # who knows the rest could try all numbers
            _money(line.line, _OF_LINE) if line.line else None,
            _money(line.income, _OF_INCOME) if line.income else (),
            _beside(line),
            is_negative,
        )
        told = repr(what)
        copy = period.reporter, period.report, cpr, told, line.is_reversed
        self._seen[copy] += 1
        return told, self._seen[copy]


def _money(blanket: Blanket, fields: frozenset[int]) -> list[tuple[int, str]]:
    """Give the fields with money of a blanket in one order."""
    found = [field for field in blanket.fields if field[0] in fields and field[1]]
    if len(found) > 1:
        found.sort()
    return found


def _beside(line: RefundLine) -> list[list[tuple[int, str]]]:
    """Give the money of all lines that share the ATP of a 16001: it decides the line's share."""
    if len(line.beside) < 2 or line.income is None or not _money(line.income, _ATP):
        return []
    return sorted(_money(each, _OF_LINE) for each in line.beside)


class FormerIds:
    """Gives the ids that lines had before their money was in them: two lines could share one.

    A folder of tables that was used then knows its lines by these ids, and they keep them.
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
