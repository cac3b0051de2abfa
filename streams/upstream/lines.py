"""Makes reports of one reported period of eIndkomst.

    16300     a line of Ydelsesrefusion: a `benefit_payment`
    16001     income: wages of an employer, and the amounts that 16300 has no field for
    11000     the report: reversed or not, income type

Ids are made from content, never from a place in a list: the same answers give the same reports
whatever their order. A line keeps its id whatever the tables make of it.
"""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Final, NamedTuple

from domain.basics.cache import Memo
from domain.basics.weeks import day, day_text
from domain.ruledata.ruleset import Benefit
from streams.privacy.cpr import is_cpr
from streams.upstream.answers import ReportedPeriod
from streams.upstream.kept_lines import KeptLines, ids_of
from streams.upstream.line_ids import FormerIds, LineIds
from streams.upstream.line_money import LineMoney
from streams.upstream.refund_lines import (
    MAX_DAYS,
    PENSIONS,
    PERIODS,
    WAGES,
    JsonObject,
    Piece,
    RefundLine,
    Refused,
    account_of,
    by_year,
    content_of,
    group_of,
    in_utc,
    lines_of,
    report_id_of,
    reversal_of,
    reversal_of_report,
    shared,
)
from streams.upstream.tables import AccountRow, ReporterRow, UpstreamTables

ASIDE: Final = "atp_and_pension_beside"
"""ATP and pension that no report has."""
LONGEST_DAYS: Final = 40 * 366
PERSON: Final = 205
_SE_NUMBER: Final = re.compile("[0-9]{8}")


class PeriodReports(NamedTuple):
    """A reported period converted.

    `held` is all money of its blankets, `explained` what became of that which no report has.
    """

    reports: list[JsonObject]
    held: Mapping[str, int]
    explained: Counter[str]
    told: Counter[str]
    refused: list[Refused]


class LineAtHand(NamedTuple):
    """A line on its way: what all its reports have, its days, and what is to be counted."""

    common: JsonObject
    line: RefundLine
    days: tuple[int, int]
    told: Counter[str]


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
        self._tables = tables
        self._shown = tables.reversed_report
        self._benefits = benefits
        self._kept = kept
        self._demo = demo
        self._money = LineMoney(tables.signs, tables.atp_field)
        self._ids, self._former = LineIds(), FormerIds()

    def convert(self, period: ReportedPeriod) -> PeriodReports:
        """Make the reports of a reported period."""
        told: Counter[str] = Counter()
        held = self._money.held(period.all_blankets, told)
        made = PeriodReports([], held, Counter(), told, [])
        lines = [*lines_of(period)]
        if len(lines) > 1:
            lines.sort(key=content_of)
        is_whole = all(line.is_reversed for line in lines)
        self._ids.begin(period)
        self._former = FormerIds()
        for line in lines:
            made.explained["beside_16300"] += self._money.beside(line)
            try:
                self._convert_line(period, line, made, is_whole=is_whole)
            except Refused as refused:
                made.refused.append(refused)
                self._explain("rejected", line, made)
        return made

    def _convert_line(
        self,
        period: ReportedPeriod,
        line: RefundLine,
        made: PeriodReports,
        *,
        is_whole: bool,
    ) -> None:
        """Make the reports of a line, or take it back. Raises Refused."""
        if line.is_unclear:
            sentence = "it is not said which of several blankets 11000 holds for the line"
            raise Refused("ambiguous_report", "group", sentence)
        common = self._common(period, line)
        is_marked = line.is_reversed and self._shown != "negative"
        if is_marked and (is_whole or line.is_report_reversed or self._shown == "left_out"):
            self._explain("reversals", line, made)
            if self._shown == "marked":
                _take_group_back(common, made)
            return
        if is_marked and line.line is None and line.income is None:
            sentence = "a 16000 is marked as reversed and does not say which lines"
            raise Refused("unclear_reversal", "reverses", sentence)
        told: Counter[str] = Counter() if is_marked else made.told
        days = self._period(period, line, told)
        hand = LineAtHand(common, line, days, told)
        base, key = self._id_and_key(period, hand)
        if is_marked:
            self._take_back(hand, base, key, made)
        else:
            self._write(hand, base, key, made)

    def _id_and_key(self, period: ReportedPeriod, hand: LineAtHand) -> tuple[str, bytes]:
        """Give the id of a line, and the key by which it is kept.

        One that is shown with negative amounts is a line of its own; one that is shown as reversed
        has the id of the line with the same content, which it takes back.
        """
        line, common, days = hand.line, hand.common, hand.days
        cpr = common["cpr"]
        is_negative = line.is_reversed and self._shown == "negative"
        if self._kept.has_former:
            former = self._former.parts(period, line, cpr, days, is_negative=is_negative)
            base = report_id_of(common, *former)
            key = self._kept.key(days[0], common["reporter"], cpr, base, content_of(line))
            if self._kept.versions(key):
                return base, key
        base = report_id_of(
            common, *self._ids.parts(period, line, cpr, days, is_negative=is_negative)
        )
        return base, self._kept.key(days[0], common["reporter"], cpr, base)

    def _write(self, hand: LineAtHand, base: str, key: bytes, made: PeriodReports) -> None:
        """Write the reports of a line, and take back those that it was before. Raises Refused."""
        reports = self._reports_of(hand)
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

    def _take_back(self, hand: LineAtHand, base: str, key: bytes, made: PeriodReports) -> None:
        """Take back one line of a report whose other lines stand. Raises Refused."""
        versions = self._kept.versions(key) or [(1, len(self._reports_of(hand)))]
        for version, number in versions:
            for report_id in ids_of(base, version, number):
                made.reports.append(reversal_of_report(hand.common, report_id))
                made.told["reversal"] += 1
        self._explain("reversals", hand.line, made)

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

    def _period(
        self, period: ReportedPeriod, line: RefundLine, told: Counter[str]
    ) -> tuple[int, int]:
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

    # --- payments ---------------------------------------------------------------------------------

    def _reports_of(self, hand: LineAtHand) -> list[JsonObject]:
        """Give the reports that the tables make of a line, without ids. Raises Refused."""
        reporter = self._tables.reporter(hand.common["reporter"], hand.days[1])
        if hand.line.line is None and (reporter is None or reporter.reporter == "other"):
            return self._wages(hand)
        amount_ore = self._money.amount(hand.line)
        if reporter is None:
            raise Refused(
                "unknown_reporter", "reporter", "reporters.yaml has no row for the SE number"
            )
        return self._payments(hand, reporter, amount_ore)

    def _payments(
        self, hand: LineAtHand, reporter: ReporterRow, amount_ore: int
    ) -> list[JsonObject]:
        """Give the payments of a line: none for income beside the Act. Raises Refused."""
        account = account_of(hand.line)
        row = self._tables.account(account, hand.days[1]) if account else None
        code = (row.benefit if row else None) or self._by_type(hand, reporter)
        if not code:
            hand.told["lines_without_16300"] += 1
            return []
        benefit = self._benefits.get(code)
        if benefit is None or not benefit.reportable:
            raise Refused("unknown_benefit", "benefit", "no rule set has the benefit of the table")
        atp_ore = self._money.atp(hand.line, amount_ore)
        pieces = self._pieces(hand, reporter, row, benefit)
        if len(pieces) > 1:
            hand.told["split_periods"] += 1
        amounts, atps = (shared(ore, pieces) for ore in (amount_ore, atp_ore))
        return [
            {
                **hand.common,
                "type": "benefit_payment",
                "benefit": code,
                "paying_municipality": reporter.municipality,
                "channel": "eindkomst",
                "outside_act": row is not None and row.outside_act,
                "period_start": day_text(piece[0]),
                "period_end": day_text(piece[1]),
                "amount_ore": ore,
                "atp_ore": atp,
                "financing_municipality": piece[2],
            }
            for piece, ore, atp in zip(pieces, amounts, atps, strict=True)
        ]

    def _by_type(self, hand: LineAtHand, reporter: ReporterRow) -> str:
        """Give the benefit that income type and indtægtsart decide; "" for income beside the Act.

        Raises Refused where the account alone decides.
        """
        line = hand.line
        row = self._tables.by_type(reporter.reporter, line.income_type, line.art, hand.days[1])
        if row is None and line.line is None:
            return ""
        if row is None or row.benefit is None or (line.line is None and not row.without_16300):
            raise Refused(
                "unknown_account", "benefit",
                "the account alone decides the benefit, and accounts.yaml has no row for it",
            )  # fmt: skip
        hand.told[f"mapped_by_type {row.benefit}"] += 1
        return row.benefit

    def _pieces(
        self, hand: LineAtHand, reporter: ReporterRow, row: AccountRow | None, benefit: Benefit
    ) -> list[Piece]:
        """Split a period by residence, and by years where it is too long. Raises Refused."""
        days = hand.days
        if row and row.financing:
            found: list[Piece] = [(*days, row.financing)]
        elif benefit.mechanism is None or reporter.municipality:
            found = [(*days, reporter.municipality)]
        else:
            found = self._tables.residences(hand.common["cpr"], *days)
        if benefit.mechanism is not None and any(code is None for _, _, code in found):
            raise Refused(
                "unknown_residence", "financing_municipality",
                "residence.csv does not say where the person lived on each day of the period",
            )  # fmt: skip
        if len(found) == 1 and days[1] - days[0] < MAX_DAYS:
            return found
        return [piece for each in found for piece in by_year(*each)]

    # --- wages ------------------------------------------------------------------------------------

    def _wages(self, hand: LineAtHand) -> list[JsonObject]:
        """Give the incomes of a line; none where it is no wage. Raises Refused."""
        is_wage = hand.line.income is not None and not hand.line.income_type.lstrip("0")
        wages_ore = self._money.sums(hand.line, WAGES) if is_wage else None
        if wages_ore is None:
            hand.told["lines_without_16300"] += 1
            return []
        pension_ore = self._money.sums(hand.line, PENSIONS) or 0
        pieces = [*by_year(*hand.days, None)]
        amounts, pensions = (shared(ore, pieces) for ore in (wages_ore, pension_ore))
        same = hand.common | {"type": "income", "kind": "wage"}
        return [
            same | _days_of(piece) | {"amount_ore": ore, "pension_ore": pension}
            for piece, ore, pension in zip(pieces, amounts, pensions, strict=True)
        ]


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


def _days_of(piece: Piece) -> JsonObject:
    return {"period_start": day_text(piece[0]), "period_end": day_text(piece[1])}


def _take_group_back(common: JsonObject, made: PeriodReports) -> None:
    """Take all lines of a person's report back, once."""
    report = reversal_of(common)
    if report not in made.reports:
        made.reports.append(report)
        made.told["reversal"] += 1
