"""The truth about a simulated citizen in the end, known by construction.

The generator knows for every delivery whether its money stands. The money of a report that is
reversed, sooner or later, does not stand, and that of a second delivery does not; but a payment
sent through two channels counts twice until somebody acts. Nothing here is shared with the
settlement. Transitional rules (rules 4.2, items 14 and 15) are left out.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta

from domain.citizen.reports import Payment
from streams.simulation.arrival import deliveries
from streams.simulation.options import SimulationOptions

AFTER_ATP = ("ADP", "AMY")
"""Benefits whose base is the amount after ATP (§ 5, stk. 4)."""

MonthAndWeek = tuple[str, date]


@dataclass(frozen=True, slots=True)
class SimulatedTruth:
    """Money and weeks of a citizen when everything has arrived; only what the Act covers.

    `net_ore` is by benefit code and month (`YYYY-MM`). `touched_weeks` are by benefit code: the
    Mondays of the weeks in which its net is above zero.
    """

    cpr: str
    net_ore: dict[tuple[str, str], int]
    touched_weeks: dict[str, frozenset[date]]


def truth(options: SimulationOptions, citizen: int) -> SimulatedTruth:
    """Return the truth about one citizen, by the index 0 to `options.citizens` - 1."""
    cpr, delivered = deliveries(options, citizen)
    months: Counter[tuple[str, str]] = Counter()
    weeks: Counter[tuple[str, date]] = Counter()
    for _, report, stands in delivered:
        if stands and isinstance(report, Payment) and not report.outside_act:
            for (month, week), amount_ore in split(report).items():
                months[report.benefit, month] += amount_ore
                weeks[report.benefit, week] += amount_ore
    touched: dict[str, set[date]] = {}
    for (benefit, week), net_ore in weeks.items():
        if net_ore > 0:
            touched.setdefault(benefit, set()).add(week)
    touched_weeks = {benefit: frozenset(found) for benefit, found in touched.items()}
    return SimulatedTruth(cpr, dict(months), touched_weeks)


def split(report: Payment) -> dict[MonthAndWeek, int]:
    """Divide a payment's base by month and week.

    It goes by calendar days, with the øre left over to the largest remainders (rules 4.2, item 4).
    """
    base_ore = report.amount_ore - (report.atp_ore if report.benefit in AFTER_ATP else 0)
    days = Counter(_month_and_week(number) for number in range(report.start, report.end + 1))
    length = days.total()
    shares = {part: abs(base_ore) * count // length for part, count in days.items()}
    by_remainder = sorted(days, key=lambda part: (-(abs(base_ore) * days[part] % length), part))
    for part in by_remainder[: abs(base_ore) - sum(shares.values())]:
        shares[part] += 1
    return {part: share if base_ore > 0 else -share for part, share in shares.items()}


def _month_and_week(number: int) -> MonthAndWeek:
    then = date.fromordinal(number)
    return then.isoformat()[:7], then - timedelta(days=then.weekday())
