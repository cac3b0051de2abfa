"""The habits of upstream, written out: a `Fault` of a plan becomes reports."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from tests.support.history_plans import DAY, WEEK, Fault, JsonObject, period_of

DATES_OF_FACTS = {
    1: "2012-12-31",
    50: "2013-01-01",
    75: "2013-09-01",
    150: "2014-06-30",
    1000: "2014-07-01",
    99: "2016-05-01",
    300: "2033-01-03",
}
"""Days by the share of the fault: those on both sides of the law's dates. Otherwise the first day
of the payment.
"""


class _Occasion(NamedTuple):
    """A fault at work: the payment it strikes, that payment with its share of the money, its
    reversal.
    """

    report_id: str
    fault: Fault
    target: JsonObject
    share: JsonObject
    reversal: JsonObject


FAULT_REPORTS: dict[str, Callable[[_Occasion], list[JsonObject]]] = {
    "repaid": lambda o: [_minus(o.share) | {"report_id": o.report_id}],
    "week_repaid": lambda o: [_minus(o.share) | {"report_id": o.report_id} | _last_week(o.target)],
    "reversed": lambda o: [o.reversal],
    "reported_anew": lambda o: [o.reversal, o.share | {"report_id": o.report_id + "-new"}],
    "delivered_again": lambda o: [{"atp_ore": 0, "outside_act": False} | o.target],
    "conflicting_amount": lambda o: [o.target | {"amount_ore": 777_777, "atp_ore": 0}],
    "conflicting_type": lambda o: [
        _reversal(o.target["report_id"], o.target["reporter"], "S0-0000")
    ],
    "two_channels": lambda o: [o.share | {"reporter": "11223344", "channel": "direct"}],
    "reversal_reversed": lambda o: [
        o.reversal,
        _reversal(o.report_id + "-r", o.target["reporter"], o.report_id),
    ],
    "reverses_nothing": lambda o: [_reversal(o.report_id, o.target["reporter"], "never-reported")],
    "income": lambda o: [_income(o.report_id, o.target, o.fault.share_percent)],
    "income_reversed": lambda o: [
        _income(o.report_id, o.target, o.fault.share_percent),
        _reversal(o.report_id + "-r", INFORMANT, o.report_id),
    ],
}


CASE_FACT, FACT_REVERSED = "case_fact", "fact_reversed"
FAULTS = (*FAULT_REPORTS, CASE_FACT, FACT_REVERSED)
INFORMANT = "55667788"
"""Reports wages and case facts."""


def fault_reports(
    fault: Fault, number: int, payments: Sequence[JsonObject], facts: Sequence[str]
) -> list[JsonObject]:
    """The reports that a fault adds to the journal."""
    if not payments:
        return []
    report_id, target = f"F{number}", payments[fault.target % len(payments)]
    if fault.kind in (CASE_FACT, FACT_REVERSED):
        return _fact_reports(fault, report_id, target, facts) if facts else []
    reversal = _reversal(report_id, target["reporter"], target["report_id"])
    share = _share(target, fault.share_percent)
    return FAULT_REPORTS[fault.kind](_Occasion(report_id, fault, target, share, reversal))


def _share(payment: JsonObject, percent: int) -> JsonObject:
    """The payment with a share of its money; 10^9 øre is the most that the contract takes."""
    amount_ore = max(-(10**9), min(10**9, payment["amount_ore"] * percent // 100))
    atp_ore = payment.get("atp_ore", 0) * percent // 100 if amount_ore else 0
    return payment | {"amount_ore": amount_ore, "atp_ore": atp_ore}


def _minus(payment: JsonObject) -> JsonObject:
    return payment | {"amount_ore": -payment["amount_ore"], "atp_ore": -payment["atp_ore"]}


def _last_week(payment: JsonObject) -> JsonObject:
    """The last seven days of the period, or all of a shorter one."""
    start, end = period_of(payment)
    return {"period_start": max(start, end - WEEK + DAY).isoformat()}


def _reversal(report_id: str, reporter: str, reverses: str) -> JsonObject:
    return {"type": "reversal", "report_id": report_id, "reporter": reporter, "reverses": reverses}


def _income(report_id: str, payment: JsonObject, percent: int) -> JsonObject:
    kinds = ("wage", "flex_job_wage", "self_employed")
    money = {"amount_ore": 1_000 * percent, "pension_ore": 10 * percent}
    period = {name: payment[name] for name in ("period_start", "period_end")}
    head = {
        "type": "income",
        "report_id": report_id,
        "reporter": INFORMANT,
        "kind": kinds[percent % len(kinds)],
    }
    return head | period | money


def _fact_reports(
    fault: Fault, report_id: str, payment: JsonObject, facts: Sequence[str]
) -> list[JsonObject]:
    """A fact about the case, and its reversal."""
    fact = facts[fault.target % len(facts)]
    day = payment["period_start"] if fact == "death" else DATES_OF_FACTS.get(fault.share_percent)
    head = {"type": "case_fact", "report_id": report_id, "reporter": INFORMANT}
    reports = [head | {"fact": fact, "date": day or payment["period_start"]}]
    if fault.kind == FACT_REVERSED:
        reports.append(_reversal(report_id + "-r", INFORMANT, report_id))
    return reports
