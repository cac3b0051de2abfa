"""Makes reports of one reported period of eIndkomst.

    16300     a line of Ydelsesrefusion: a `benefit_payment`
    16001     income: wages of an employer, and the amounts that 16300 has no field for
    11000     the report: reversed or not, income type

Ids are made from content, never from a place in a list: the same answers give the same reports
whatever their order.
"""

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import Final, NamedTuple

from domain.basics.weeks import day, day_text
from domain.ruledata.ruleset import Benefit
from streams.privacy.cpr import is_cpr
from streams.upstream.answers import ReportedPeriod
from streams.upstream.refund_lines import (
    ON_LINE,
    PENSIONS,
    PERIODS,
    SUBSIDY,
    WAGES,
    JsonObject,
    Piece,
    RefundLine,
    Refused,
    account_of,
    amounts_of,
    by_year,
    content_of,
    group_of,
    in_utc,
    lines_of,
    report_id_of,
    reversal_of,
    shared,
)
from streams.upstream.tables import AccountRow, ReporterRow, UpstreamTables

LONGEST_DAYS: Final = 40 * 366
PERSON: Final = 205
_KNOWN_BLANKETS: Final = frozenset(
    {"11000", "16000", "16001", "16002", "16200", "16201", "16202", "16300"}
)


class ConvertedMoney(NamedTuple):
    """Money in, as it counts: the field that it is in, and what became of it."""

    field: int
    ore: int
    became: str


class PeriodReports(NamedTuple):
    """A reported period converted: reports, money in, things to count, and refused lines."""

    reports: list[JsonObject]
    money: list[ConvertedMoney]
    told: Counter[str]
    refused: list[Refused]


class LineConverter:
    """Converts reported periods by tables and the catalogue of benefits."""

    def __init__(
        self, tables: UpstreamTables, benefits: Mapping[str, Benefit], *, demo: bool
    ) -> None:
        self._tables = tables
        self._shown = tables.reversed_report
        self._benefits = benefits
        self._demo = demo

    def convert(self, period: ReportedPeriod) -> PeriodReports:
        """Make the reports of a reported period."""
        made = PeriodReports([], [], Counter(), [])
        for blanket in (each for top in period.blankets for each in top.all()):
            if blanket.number not in _KNOWN_BLANKETS:
                made.told[f"unknown_blanket {blanket.number or '-'}"] += 1
        head = next((top for top in period.blankets if top.number == "11000"), None)
        is_reversal = head is not None and "T" in head.texts(11)
        income_type = (head.texts(12) or [""])[0] if head else ""
        lines = list(lines_of(period.blankets))
        if is_reversal and not lines:
            lines = [RefundLine("", True, None, None, [])]
        seen: Counter[tuple[object, ...]] = Counter()
        for line in sorted(lines, key=content_of):
            reverses = is_reversal or line.is_reversed
            try:
                self._convert_line(period, line, income_type, reverses, seen, made)
            except Refused as refused:
                made.refused.append(refused)
                with suppress(Refused):
                    money = self._money(line)
                    made.money.extend(
                        ConvertedMoney(field, ore, "rejected") for field, ore in money
                    )
        return made

    def _convert_line(
        self,
        period: ReportedPeriod,
        line: RefundLine,
        income_type: str,
        reverses: bool,
        seen: Counter[tuple[object, ...]],
        made: PeriodReports,
    ) -> None:
        common = self._common(period, line)
        if reverses and self._shown != "negative":
            made.money.extend(
                ConvertedMoney(field, ore, "reversals") for field, ore in self._money(line)
            )
            if self._shown == "marked":
                report = reversal_of(common)
                if report not in made.reports:
                    made.reports.append(report)
                    made.told["reversal"] += 1
            return
        start, end = self._period(period, line, made.told)
        reporter = self._tables.reporter(period.reporter, end)
        if line.line is None and (reporter is None or reporter.reporter == "other"):
            self._wages(common, line, income_type, (start, end), seen, made)
        else:
            self._payment(common, line, income_type, (start, end), seen, made)

    def _common(self, period: ReportedPeriod, line: RefundLine) -> JsonObject:
        """Give what all reports of the line have. Raises Refused."""
        person = (line.line.texts(PERSON) if line.line else None) or [period.cpr]
        cpr = person[0]
        if not is_cpr(cpr, self._demo):
            sentence = "the person has no CPR number; such a line cannot be in Ydelsesrefusion"
            raise Refused("no_cpr", "cpr", sentence)
        if not (len(period.reporter) == 8 and period.reporter.isdigit()):
            raise Refused("no_reporter", "reporter", "the report has no SE number of eight digits")
        if not period.report:
            raise Refused("no_report_id", "group", "the report has no indberetningsID")
        at = period.answered_at
        if not at:
            raise Refused("no_time", "reported_at", "the answer does not say when it was made")
        return {
            "schema": 2,
            "report_id": "",
            "reporter": period.reporter,
            "reported_at": in_utc(at),
            "cpr": cpr,
            "group": group_of(period.report, cpr),
        }

    def _period(
        self, period: ReportedPeriod, line: RefundLine, told: Counter[str]
    ) -> tuple[int, int]:
        """Give the days that the line is for. Raises Refused."""
        own = [text for field in PERIODS for text in (line.line.texts(field) if line.line else ())]
        given = own[0] if own else f"{period.start}{period.end}"
        digits = "".join(filter(str.isdigit, given))
        try:
            first, last = digits[:8], digits[8:]
            start, end = (day(f"{t[:4]}-{t[4:6]}-{t[6:]}") for t in (first, last))
        except ValueError:
            raise Refused(
                "bad_period", "period_start", "the line has no period of two dates that exist"
            ) from None
        if not 0 <= end - start <= LONGEST_DAYS:
            raise Refused(
                "bad_period",
                "period_end",
                "the period ends before it starts, or lasts over 40 years",
            )
        if line.line is not None and not own:
            told["wage_period_used"] += 1
        return start, end

    # --- payments ---------------------------------------------------------------------------------

    def _payment(
        self,
        common: JsonObject,
        line: RefundLine,
        income_type: str,
        days: tuple[int, int],
        seen: Counter[tuple[object, ...]],
        made: PeriodReports,
    ) -> None:
        _, end = days
        field, amount_ore = self._amount(line)
        reporter = self._tables.reporter(common["reporter"], end)
        if reporter is None:
            raise Refused(
                "unknown_reporter", "reporter", "reporters.yaml has no row for the SE number"
            )
        account = account_of(line)
        row = self._tables.account(account, end) if account else None
        code = (row.benefit if row else None) or self._by_type(
            reporter, income_type, line, end, made.told
        )
        if not code:
            made.money.append(ConvertedMoney(field, amount_ore, "not_for_refusion"))
            made.told["lines_without_16300"] += 1
            return
        benefit = self._benefits.get(code)
        if benefit is None or not benefit.reportable:
            raise Refused("unknown_benefit", "benefit", "no rule set has the benefit of the table")
        atp_ore = self._atp(line, amount_ore)
        place = line.art, account, days
        seen[place] += 1
        pieces = self._pieces(common["cpr"], reporter, row, benefit, days)
        if len(pieces) > 1:
            made.told["split_periods"] += 1
        amounts, atps = (shared(ore, pieces) for ore in (amount_ore, atp_ore))
        paying = reporter.municipality
        for (first, last, financing), ore, atp in zip(pieces, amounts, atps, strict=True):
            made.reports.append(
                common
                | {
                    "type": "benefit_payment",
                    "report_id": report_id_of(common, *place, seen[place], first, last),
                    "benefit": code,
                    "period_start": day_text(first),
                    "period_end": day_text(last),
                    "amount_ore": ore,
                    "atp_ore": atp,
                    "paying_municipality": paying,
                    "financing_municipality": financing,
                    "channel": "eindkomst",
                    "outside_act": bool(row and row.outside_act),
                }
            )
        made.money.append(ConvertedMoney(field, amount_ore, code))
        made.told[f"benefit_payment {code}"] += len(pieces)

    def _by_type(
        self,
        reporter: ReporterRow,
        income_type: str,
        line: RefundLine,
        end: int,
        told: Counter[str],
    ) -> str:
        """Give the benefit that income type and indtægtsart decide; "" for income beside the Act.

        Raises Refused where the account alone decides.
        """
        row = self._tables.by_type(reporter.reporter, income_type, line.art, end)
        if row is None and line.line is None:
            return ""
        if row is None or row.benefit is None or (line.line is None and not row.without_16300):
            raise Refused(
                "unknown_account", "benefit",
                "the account alone decides the benefit, and accounts.yaml has no row for it",
            )  # fmt: skip
        told[f"mapped_by_type {row.benefit}"] += 1
        return row.benefit

    def _pieces(
        self,
        cpr: str,
        reporter: ReporterRow,
        row: AccountRow | None,
        benefit: Benefit,
        days: tuple[int, int],
    ) -> list[Piece]:
        """Split a period by residence, and by years where it is too long. Raises Refused."""
        if benefit.mechanism is None and not (row and row.financing):
            found: list[Piece] = [(*days, reporter.municipality)]
        elif row and row.financing:
            found = [(*days, row.financing)]
        elif reporter.municipality:
            found = [(*days, reporter.municipality)]
        else:
            found = self._tables.residences(cpr, *days)
        if benefit.mechanism is not None and any(code is None for _, _, code in found):
            raise Refused(
                "unknown_residence", "financing_municipality",
                "residence.csv does not say where the person lived on each day of the period",
            )  # fmt: skip
        return [piece for each in found for piece in by_year(*each)]

    def _amount(self, line: RefundLine) -> tuple[int, int]:
        """Give the field and the amount of a line, signed. Raises Refused."""
        found = self._money(line)
        if len(found) == 1:
            return found[0]
        reason = "ambiguous_amount" if found else "no_amount"
        words = "more than one field with money" if found else "no field with money"
        raise Refused(reason, "amount_ore", f"the line has {words}")

    def _money(self, line: RefundLine) -> list[tuple[int, int]]:
        """List the fields of a line that hold money, each with its øre, signed."""
        found = amounts_of(line.line, ON_LINE) if line.line else []
        if line.line and not found and len(line.beside) == 1 and line.income:
            found = amounts_of(line.income, (SUBSIDY,))
        if not line.line and line.income:
            found = amounts_of(line.income, tuple(dict.fromkeys((*WAGES, *ON_LINE[1:]))))
        return [(field, ore * self._tables.signs.get(field, 1)) for field, ore in found]

    def _atp(self, line: RefundLine, amount_ore: int) -> int:
        """Give the ATP of a line: all of it, or its share by amount of several lines' ATP.

        Raises Refused where it has another sign than the amount.
        """
        if line.income is None:
            return 0
        atp_ore = sum(ore for _, ore in amounts_of(line.income, (self._tables.atp_field,)))
        if atp_ore * amount_ore < 0:
            raise Refused(
                "bad_amount", "atp_ore",
                "the ATP of blanket 16001 has another sign than the amount of the line",
            )  # fmt: skip
        if len(line.beside) < 2 or not atp_ore:
            return atp_ore
        inside = sorted(line.beside, key=lambda each: sorted(each.fields))
        amounts = [abs(sum(ore for _, ore in amounts_of(each, ON_LINE))) for each in inside]
        at = next(number for number, each in enumerate(inside) if each is line.line)
        before, total = sum(amounts[:at]), sum(amounts) or 1
        return atp_ore * (before + amounts[at]) // total - atp_ore * before // total

    # --- wages ------------------------------------------------------------------------------------

    def _wages(
        self,
        common: JsonObject,
        line: RefundLine,
        income_type: str,
        days: tuple[int, int],
        seen: Counter[tuple[object, ...]],
        made: PeriodReports,
    ) -> None:
        money = self._money(line)
        if income_type.lstrip("0") or not line.income:
            made.money.extend(
                ConvertedMoney(field, ore, "not_for_refusion") for field, ore in money
            )
            made.told["lines_without_16300"] += 1
            return
        wages = [(field, ore) for field, ore in money if field in WAGES]
        others = [(field, ore) for field, ore in money if field not in WAGES]
        made.money.extend(ConvertedMoney(field, ore, "not_for_refusion") for field, ore in others)
        if not wages:
            made.told["lines_without_16300"] += 1
            return
        pension_ore = sum(ore for _, ore in amounts_of(line.income, PENSIONS))
        pieces = [*by_year(*days, None)]
        amounts, pensions = (
            shared(ore, pieces) for ore in (sum(ore for _, ore in wages), pension_ore)
        )
        place = line.art, "", days
        seen[place] += 1
        for (first, last, _), ore, pension in zip(pieces, amounts, pensions, strict=True):
            made.reports.append(
                common
                | {
                    "type": "income",
                    "report_id": report_id_of(common, *place, seen[place], first, last),
                    "kind": "wage",
                    "period_start": day_text(first),
                    "period_end": day_text(last),
                    "amount_ore": ore,
                    "pension_ore": pension,
                }
            )
        made.money.extend(ConvertedMoney(field, ore, "wage") for field, ore in wages)
        made.told["income wage"] += len(pieces)
