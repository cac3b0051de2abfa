"""Makes reports of one reported period of eIndkomst.

    16300     a line of Ydelsesrefusion: a `benefit_payment`
    16001     income: wages of an employer, and the amounts that 16300 has no field for
    11000     the report: reversed or not, income type

Ids are made from content, never from a place in a list: the same answers give the same reports
whatever their order. A line keeps its id whatever the tables make of it.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct

from domain.basics.cache import Memo
from domain.basics.weeks import day
from domain.ruledata.ruleset import Benefit
from streams.privacy.cpr import is_cpr
from streams.upstream.answers import ReportedPeriod
from streams.upstream.kept_lines import KeptLines, ids_of
from streams.upstream.line_ids import Content, FormerIds, LineIds
from streams.upstream.line_money import Counts, LineMoney
from streams.upstream.line_reports import LineAtHand, LineReports
from streams.upstream.refund_lines import (
    PERIODS,
    JsonObject,
    RefundLine,
    Refused,
    content_of,
    group_of,
    in_utc,
    lines_of,
    report_id_of,
    reversal_of,
    reversal_of_report,
)
from streams.upstream.tables import UpstreamTables

ASIDE: Final = "atp_and_pension_beside"
"""ATP and pension that no report has."""
LONGEST_DAYS: Final = 40 * 366
PERSON: Final = 205
_SE_NUMBER: Final = re.compile("[0-9]{8}")


class PeriodReports(Struct, frozen=True):
    """A reported period converted; its errors hold it in turn, so the garbage collector sees it.

    `held` is all money of its blankets, `explained` what became of that which no report has.
    """

    reports: list[JsonObject]
    held: Mapping[str, int]
    explained: Counts
    told: Counts
    refused: list[Refused]


class KnownLine(Struct, frozen=True):
    """A line with what it is equal to others in, and with its former id and the key of that."""

    hand: LineAtHand
    content: Content
    former: tuple[str, bytes] | None


class Mark(Struct, frozen=True):
    """A line that is marked as reversed, while it waits for the equal lines that stand.

    `former` is its former id with the key of that, `reports` the number that the tables make of it.
    """

    at: int
    common: JsonObject
    first_day: int
    content: Content
    former: tuple[str, bytes] | None
    reports: int | Refused
    own_ore: int
    aside_ore: int


class LineConverter:
    """Converts reported periods by tables and the catalogue of benefits."""

    def __init__(
        self,
        tables: UpstreamTables,
        benefits: Mapping[str, Benefit],
        kept: KeptLines,
        *,
        demo: bool,
    ) -> None:
        self._shown = tables.reversed_report
        self._beside_equal = tables.marked_beside_equal
        self._kept = kept
        self._demo = demo
        self._money = LineMoney(tables.signs, tables.atp_field)
        self._made = LineReports(tables, benefits, self._money)
        self._ids, self._former = LineIds(), FormerIds()
        self._waiting: list[Mark] = []

    def convert(self, period: ReportedPeriod) -> Iterator[tuple[int, PeriodReports]]:
        """Make the reports of a reported period, given with its line in the file.

        Those of marked lines that waited for the end of the person before it come first.
        """
        if self._ids.is_of_another(period):
            yield from self.end_person()
        self._ids.begin(period)
        yield period.line, self._converted(period)

    def end_person(self) -> Iterator[tuple[int, PeriodReports]]:
        """Take back the marked lines of a person that had no equal line in their own period."""
        waiting, self._waiting = self._waiting, []
        for mark in waiting:
            made = PeriodReports([], {}, defaultdict(int), defaultdict(int), [])
            self._take_back(mark, self._ids.number_behind(mark.content), made)
            yield mark.at, made

    def _converted(self, period: ReportedPeriod) -> PeriodReports:
        told: Counts = defaultdict(int)
        held = self._money.held(period.all_blankets, told)
        made = PeriodReports([], held, defaultdict(int), told, [])
        lines = lines_of(period)
        if len(lines) > 1:
            lines.sort(key=content_of)
        is_whole = all(line.is_reversed for line in lines)
        if self._kept.has_former:
            self._former = FormerIds()
        known: list[KnownLine] = []
        for line in lines:
            made.explained["beside_16300"] += self._money.beside(line)
            try:
                found = self._known(period, line, made, is_whole=is_whole)
            except Refused as refused:
                self._refuse(refused, line, made)
            else:
                known += [found] if found else []
        self._end_lines(period.line, known, made)
        return made

    def _end_lines(self, at: int, known: list[KnownLine], made: PeriodReports) -> None:
        """Write the lines that stand, and take back those that are marked."""
        marked = [each for each in known if self._is_marked(each.hand.line)]
        for each in marked:
            self._ids.await_mark(each.content)
        for each in known:
            if self._is_marked(each.hand.line):
                continue
            try:
                self._stand(each, made)
            except Refused as refused:
                self._refuse(refused, each.hand.line, made)
        for each in marked:
            self._end_mark(self._mark(at, each), made)

    def _stand(self, known: KnownLine, made: PeriodReports) -> None:
        """Number and write a line that stands. Raises Refused."""
        hand, content = known.hand, known.content
        number = self._ids.number(content)
        if self._beside_equal is None and self._ids.has_mark(content):
            raise _beside_its_equal()
        base, key = self._id_and_key(hand.common, hand.days[0], content, number, known.former)
        self._write(hand, base, key, made)

    def _end_mark(self, mark: Mark, made: PeriodReports) -> None:
        """Decide which line a mark takes back, when all lines of its period have their numbers."""
        is_for_others = self._beside_equal == "stands"
        number = None if is_for_others else self._ids.number_beside(mark.content)
        if number is None:
            self._waiting.append(mark)
        elif self._beside_equal is None:
            made.refused.append(_beside_its_equal())
            _count_mark("rejected", mark, made)
        else:
            self._take_back(mark, number, made)

    def _known(
        self,
        period: ReportedPeriod,
        line: RefundLine,
        made: PeriodReports,
        *,
        is_whole: bool,
    ) -> KnownLine | None:
        """Give what is known of a line; None where its report is reversed. Raises Refused."""
        if line.is_unclear:
            sentence = "it is not said which of several blankets 11000 holds for the line"
            raise Refused("ambiguous_report", "group", sentence)
        common = self._common(period, line)
        is_marked = line.is_reversed and self._shown != "negative"
        is_empty = line.line is None and line.income is None
        is_group = line.is_report_reversed or (is_empty and is_whole)
        if is_marked and (is_group or self._shown == "left_out"):
            self._explain("reversals", line, made)
            if self._shown == "marked":
                _take_group_back(common, made)
            return None
        if is_marked and is_empty:
            sentence = "a 16000 is marked as reversed and does not say which lines"
            raise Refused("unclear_reversal", "reverses", sentence)
        told: Counts = defaultdict(int) if is_marked else made.told
        hand = LineAtHand(common, line, self._period(period, line, told), told)
        former = self._former_id(period, hand) if self._kept.has_former else None
        content = self._ids.content(
            period, line, common["cpr"], hand.days, is_negative=self._is_negative(line)
        )
        return KnownLine(hand, content, former)

    def _is_marked(self, line: RefundLine) -> bool:
        """Tell if a line is marked as reversed, and the mark takes it back."""
        return line.is_reversed and self._shown == "marked"

    def _is_negative(self, line: RefundLine) -> bool:
        """Tell if a line is a reversal that is a payment of its own."""
        return line.is_reversed and self._shown == "negative"

    def _former_id(self, period: ReportedPeriod, hand: LineAtHand) -> tuple[str, bytes]:
        """Give the id that a line had before money was in it, with the key that it was kept by."""
        line, common = hand.line, hand.common
        cpr, is_negative = common["cpr"], self._is_negative(line)
        parts = self._former.parts(period, line, cpr, hand.days, is_negative=is_negative)
        base = report_id_of(common, *parts)
        key = self._kept.key(hand.days[0], common["reporter"], cpr, base, content_of(line))
        return base, key

    def _id_and_key(
        self,
        common: JsonObject,
        first_day: int,
        content: Content,
        number: int,
        former: tuple[str, bytes] | None,
    ) -> tuple[str, bytes]:
        """Give the id of a line, and the key by which it is kept; the former ones where it owns it.

        One that is shown with negative amounts is a line of its own; one that is shown as reversed
        has the id of the line with the same content, which it takes back.
        """
        place = first_day, common["reporter"], common["cpr"]
        base = report_id_of(common, content[-1], number)
        key = self._kept.key(*place, base)
        if former is None:
            return base, key
        if owned := self._kept.former_of(key):
            letters, kept_as = owned
            return f"{common['group']}/{letters}", kept_as
        former_base, kept_as = former
        letters = former_base.rpartition("/")[2]
        is_own = self._kept.owns(key, self._kept.key(*place, former_base), letters, kept_as)
        return former if is_own else (base, key)

    def _write(self, hand: LineAtHand, base: str, key: bytes, made: PeriodReports) -> None:
        """Write the reports of a line, and take back those that it was before. Raises Refused."""
        reports = self._made.reports_of(hand)
        version = self._kept.version_of(key, reports)
        for former, number in self._kept.versions(key) if version > 1 else ():
            if former < version:
                for report_id in ids_of(base, former, number):
                    made.reports.append(reversal_of_report(hand.common, report_id))
                    made.told["reversal"] += 1
        if version > 1:
            made.told["replaced_lines"] += 1
        is_paid = bool(reports) and hand.line.line is not None  # then nothing of it is left
        if not is_paid:
            self._explain("not_for_refusion", hand.line, made)
        ids = ids_of(base, version, len(reports))
        for report, report_id in zip(reports, ids, strict=True):
            report["report_id"] = report_id
            made.reports.append(report)
            made.told[f"{report['type']} {report.get('benefit', report.get('kind'))}"] += 1
            if not is_paid:
                made.explained["not_for_refusion"] -= report["amount_ore"]
                aside_ore = report.get("atp_ore", 0) + report.get("pension_ore", 0)
                made.explained[ASIDE] -= aside_ore

    def _mark(self, at: int, known: KnownLine) -> Mark:
        """Keep of a marked line what is needed when all lines that stand have their numbers."""
        hand = known.hand
        reports: int | Refused
        try:
            reports = len(self._made.reports_of(hand))
        except Refused as refused:  # it does not matter where the line was known before
            reports = refused
        own_ore, aside_ore = self._money.own(hand.line), self._money.aside(hand.line)
        place = at, hand.common, hand.days[0], known.content, known.former
        return Mark(*place, reports, own_ore, aside_ore)

    def _take_back(self, mark: Mark, number: int, made: PeriodReports) -> None:
        """Take back one line of a report whose other lines stand."""
        common = mark.common
        base, key = self._id_and_key(common, mark.first_day, mark.content, number, mark.former)
        versions, became = self._kept.versions(key), "reversals"
        if not versions and isinstance(mark.reports, Refused):
            made.refused.append(mark.reports)
            became = "rejected"
        elif not isinstance(mark.reports, Refused):
            versions = versions or [(1, mark.reports)]
        for version, reports in versions:
            for report_id in ids_of(base, version, reports):
                made.reports.append(reversal_of_report(common, report_id))
                made.told["reversal"] += 1
        _count_mark(became, mark, made)

    def _refuse(self, refused: Refused, line: RefundLine, made: PeriodReports) -> None:
        """Keep why a line is in no report."""
        made.refused.append(refused)
        self._explain("rejected", line, made)

    def _explain(self, became: str, line: RefundLine, made: PeriodReports) -> None:
        """Say what became of the money of a line that is in no report."""
        made.explained[became] += self._money.own(line)
        made.explained[ASIDE] += self._money.aside(line)

    def _common(self, period: ReportedPeriod, line: RefundLine) -> JsonObject:
        """Give what all reports of the line have. Raises Refused."""
        cpr = (line.line.first_text(PERSON) if line.line else "") or period.cpr
        if not is_cpr(cpr, self._demo):
            sentence = "the person has no CPR number; such a line cannot be in Ydelsesrefusion"
            raise Refused("no_cpr", "cpr", sentence)
        if not _SE_NUMBER.fullmatch(period.reporter):
            raise Refused("no_reporter", "reporter", "the report has no SE number of eight digits")
        if not period.report:
            raise Refused("no_report_id", "group", "the report has no indberetningsID")
        if not period.answered_at:
            raise Refused("no_time", "reported_at", "the answer does not say when it was made")
        return {
            "schema": 2,
            "report_id": "",
            "reporter": period.reporter,
            "reported_at": in_utc(period.answered_at),
            "cpr": cpr,
            "group": group_of(period.report, cpr),
        }

    def _period(self, period: ReportedPeriod, line: RefundLine, told: Counts) -> tuple[int, int]:
        """Give the days that the line is for. Raises Refused."""
        own = ""
        if line.line is not None:
            own = line.line.first_text(PERIODS[0]) or line.line.first_text(PERIODS[1])
        found = DAYS_OF[own or f"{period.start}{period.end}"]
        if found is None:
            raise Refused(
                "bad_period", "period_start", "the line has no period of two dates that exist"
            )
        if not 0 <= found[1] - found[0] <= LONGEST_DAYS:
            raise Refused(
                "bad_period",
                "period_end",
                "the period ends before it starts, or lasts over 40 years",
            )
        if line.line is not None and not own:
            told["wage_period_used"] += 1
        return found


def _two_days(text: str) -> tuple[int, int] | None:
    """Read a period of two dates, whatever stands between their digits."""
    digits = "".join(filter(str.isdigit, text))
    try:
        start, end = (day(f"{t[:4]}-{t[4:6]}-{t[6:]}") for t in (digits[:8], digits[8:]))
    except ValueError:
        return None
    return start, end


DAYS_OF: Final = Memo(_two_days, 1 << 13)
"""Gives the first and last day of a period; None for a text that has no two dates."""


def _beside_its_equal() -> Refused:
    return Refused(
        "unclear_reversal",
        "reverses",
        "of two equal lines in one reported period one is marked as reversed: whether the other one"
        " stands is not public, and marked_beside_equal in service.yaml is not set",
    )


def _count_mark(became: str, mark: Mark, made: PeriodReports) -> None:
    """Say what became of the money of a marked line."""
    made.explained[became] += mark.own_ore
    made.explained[ASIDE] += mark.aside_ore


def _take_group_back(common: JsonObject, made: PeriodReports) -> None:
    """Take all lines of a person's report back, once."""
    report = reversal_of(common)
    if report not in made.reports:
        made.reports.append(report)
        made.told["reversal"] += 1
