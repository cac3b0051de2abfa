"""A citizen's reports before they are sent: some fall due on a day, others are sent out of turn."""

from functools import cache
from typing import NamedTuple

from domain.basics.weeks import first_day, month_of, month_text
from domain.citizen.reports import CaseFact, Income, Payment, Report, Reversal
from streams.simulation.lives import SimulatedLife
from streams.simulation.population import Kind, Payer
from streams.simulation.reporters import Office, municipal, udbetaling_danmark, unemployment_fund

month_at = cache(month_of)
"""`domain.basics.weeks.month_of` with a cache, since the same days occur in every life."""


@cache
def month_end(day: int) -> int:
    """Return the last day of the month of a day."""
    return first_day(month_of(day) + 1) - 1


class ArrivingReport(NamedTuple):
    """A report on its way to arrival.

    `at` is the second of its arrival (since 1970, UTC); `stands` is True if its money stands in the
    end.
    """

    at: int
    report: Report
    stands: bool


class Parties(NamedTuple):
    """The reporter of a payment, and the municipalities that paid and finance it."""

    reporter: str
    paying: str | None
    financing: str | None


@cache
def parties(
    fund: int, municipality: str, payer: Payer, office: Office, *, financed: bool = True
) -> Parties:
    """Return the parties of a payment.

    The citizen is a member of an unemployment fund and lives in a municipality.
    """
    if payer == "municipality":
        return Parties(municipal(municipality, office), municipality, municipality)
    reporter = unemployment_fund(fund) if payer == "a-kasse" else udbetaling_danmark(office)
    return Parties(reporter, None, municipality if financed else None)


class Draft:
    """The reports of one citizen as they are made.

    `planned` are reports that fall due (`reported` is the day); upstream's habits turn them into
    deliveries. `sent` are deliveries that are already decided.
    """

    def __init__(self, life: SimulatedLife, *, facts: bool) -> None:
        self.life = life
        self.planned: list[Report] = []
        self.sent: list[ArrivingReport] = []
        self._facts = facts
        self._number = 0

    def report_id(self, day: int) -> str:
        """Return a number that no other report of this citizen has."""
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
        """Make a payment report that is not planned yet. `due` is the day for a report on time."""
        number = self.report_id(start)
        return Payment(
            who.reporter, number, benefit, start, end, amount_ore, atp_ore,
            who.paying, who.financing, channel,
            outside_act, due,
        )  # fmt: skip

    def benefit(self, kind: Kind, start: int, end: int, amount_ore: int) -> Payment:
        """Make an ordinary payment of a kind, due at its end.

        The home municipality of its last day pays.
        """
        who = parties(
            self.life.fund, self.life.home_on(end), kind.payer, kind.office, financed=kind.financed
        )
        code = kind.benefit_in(month_at(start))
        return self.payment(who, code, start, end, amount_ore, due=end, channel=kind.channel)

    def plan_income(self, what: str, start: int, end: int, amount_ore: int, due: int) -> None:
        """Plan the income of an employed or self-employed person; an eighth goes to the pension."""
        reporter = municipal(self.life.home_on(end), Office.PAYROLL)
        self.planned.append(
            Income(
                reporter, self.report_id(start), what, start, end, amount_ore, amount_ore // 8, due
            )
        )

    def plan_fact(self, fact: str, date: int, due: int) -> CaseFact | None:
        """Plan a case fact, unless the simulation leaves facts out."""
        if not self._facts:
            return None
        reporter = municipal(self.life.home_on(due), Office.SUPPORT)
        report = CaseFact(reporter, self.report_id(due), fact, date, due)
        self.planned.append(report)
        return report

    def reversal(self, report: Report, due: int) -> Reversal:
        """Make the reversal of another report; it is not planned yet."""
        return Reversal(report.reporter, self.report_id(due), report.report_id, due)
