"""A citizen's reports before they are sent: what is due when, and what was sent out of turn."""

from functools import cache
from typing import NamedTuple

from domain.basics.weeks import first_day, month_of, month_text
from domain.citizen.reports import CaseFact, Income, Payment, Report, Reversal
from streams.simulation.lives import Life
from streams.simulation.population import Kind, Payer
from streams.simulation.reporters import Office, municipal, udbetaling_danmark, unemployment_fund

month_at = cache(month_of)
"""`domain.basics.weeks.month_of`, remembered: the same days come up in every life."""


@cache
def month_end(day: int) -> int:
    """The last day of the month that a day lies in."""
    return first_day(month_of(day) + 1) - 1


class Delivery(NamedTuple):
    """A report on its way: when it arrives (seconds since 1970, UTC) and whether its money stands in the end."""

    at: int
    report: Report
    stands: bool


class Parties(NamedTuple):
    """Who reports a payment, who paid it and who finances it."""

    reporter: str
    paying: str | None
    financing: str | None


@cache
def parties(
    fund: int, municipality: str, payer: Payer, office: Office, *, financed: bool = True
) -> Parties:
    """The parties of a payment to a citizen of an unemployment fund who lives in a municipality."""
    if payer == "municipality":
        return Parties(municipal(municipality, office), municipality, municipality)
    reporter = unemployment_fund(fund) if payer == "a-kasse" else udbetaling_danmark(office)
    return Parties(reporter, None, municipality if financed else None)


class Draft:
    """Collects the reports of one citizen.

    `planned` are reports as they fall due (`reported` is the day), which upstream's
    habits turn into deliveries. `sent` are deliveries that are already decided.
    """

    def __init__(self, life: Life, *, facts: bool) -> None:
        self.life = life
        self.planned: list[Report] = []
        self.sent: list[Delivery] = []
        self._facts = facts
        self._number = 0

    def report_id(self, day: int) -> str:
        """A number that no other report of this citizen has."""
        self._number += 1
        return f"{month_text(month_at(day))}-{self._number:04d}"

    def payment(
        self,
        who: Parties,
        benefit: str,
        start: int,
        end: int,
        amount_ore: int,
        atp_ore: int = 0,
        *,
        due: int,
        channel: str = "eindkomst",
        outside_act: bool = False,
    ) -> Payment:
        """A payment report, not yet planned. `due` is the day it is on time."""
        number = self.report_id(start)
        return Payment(
            who.reporter, number, benefit, start, end, amount_ore, atp_ore, who.paying, who.financing, channel,
            outside_act, due,
        )  # fmt: skip

    def benefit(self, kind: Kind, start: int, end: int, amount_ore: int) -> Payment:
        """An ordinary payment of a kind in the home municipality of its last day, due at its end."""
        who = parties(
            self.life.fund, self.life.home_on(end), kind.payer, kind.office, financed=kind.financed
        )
        code = kind.benefit_in(month_at(start))
        return self.payment(who, code, start, end, amount_ore, due=end, channel=kind.channel)

    def plan_income(self, what: str, start: int, end: int, amount_ore: int, due: int) -> None:
        """Wages or a self-employed person's income; an eighth goes to the pension."""
        reporter = municipal(self.life.home_on(end), Office.PAYROLL)
        self.planned.append(
            Income(
                reporter, self.report_id(start), what, start, end, amount_ore, amount_ore // 8, due
            )
        )

    def plan_fact(self, fact: str, date: int, due: int) -> CaseFact | None:
        """A date of the citizen's case, or nothing where the simulation leaves facts out."""
        if not self._facts:
            return None
        reporter = municipal(self.life.home_on(due), Office.SUPPORT)
        report = CaseFact(reporter, self.report_id(due), fact, date, due)
        self.planned.append(report)
        return report

    def reversal(self, report: Report, due: int) -> Reversal:
        """The report that takes another one back, not yet planned."""
        return Reversal(report.reporter, self.report_id(due), report.report_id, due)
