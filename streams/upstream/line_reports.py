"""Makes the reports of a line of eIndkomst by the tables: payments, or wages of an employer."""

from collections.abc import Mapping

from msgspec import Struct

from domain.basics.weeks import day_text
from domain.ruledata.ruleset import Benefit
from streams.upstream.line_money import Counts, LineMoney
from streams.upstream.refund_lines import (
    MAX_DAYS,
    PENSIONS,
    WAGES,
    JsonObject,
    Piece,
    RefundLine,
    Refused,
    account_of,
    by_year,
    shared,
)
from streams.upstream.tables import AccountRow, ReporterRow, UpstreamTables


class LineAtHand(Struct, frozen=True):
    """A line on its way: what all its reports have, its days, and what is to be counted."""

    common: JsonObject
    line: RefundLine
    days: tuple[int, int]
    told: Counts


class LineReports:
    """Makes reports by tables and the catalogue of benefits."""

    def __init__(
        self, tables: UpstreamTables, benefits: Mapping[str, Benefit], money: LineMoney
    ) -> None:
        self._tables, self._benefits, self._money = tables, benefits, money

    def reports_of(self, hand: LineAtHand) -> list[JsonObject]:
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
        amounts, atps = shared(amount_ore, pieces), shared(atp_ore, pieces)
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

    def _wages(self, hand: LineAtHand) -> list[JsonObject]:
        """Give the incomes of a line; none where it is no wage. Raises Refused."""
        is_wage = hand.line.income is not None and not hand.line.income_type.lstrip("0")
        wages_ore = self._money.sums(hand.line, WAGES) if is_wage else None
        if wages_ore is None:
            hand.told["lines_without_16300"] += 1
            return []
        pension_ore = self._money.sums(hand.line, PENSIONS) or 0
        pieces = [*by_year(*hand.days, None)]
        amounts, pensions = shared(wages_ore, pieces), shared(pension_ore, pieces)
        same = hand.common | {"type": "income", "kind": "wage"}
        return [
            same | _days_of(piece) | {"amount_ore": ore, "pension_ore": pension}
            for piece, ore, pension in zip(pieces, amounts, pensions, strict=True)
        ]


def _days_of(piece: Piece) -> JsonObject:
    return {"period_start": day_text(piece[0]), "period_end": day_text(piece[1])}
