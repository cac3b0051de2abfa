"""Doubts about reports that are applied all the same, for a caseworker to look at.

Contract section 2.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from domain.basics.weeks import day_text, month_of, month_text, week_of
from domain.citizen.changes import CellChange
from domain.citizen.records import Part
from domain.citizen.reports import CaseFact, Income, Line, Payment
from domain.citizen.rereports import earlier_report
from domain.citizen.state import Citizen
from domain.law.old_cases import (
    FLEKSLOENTILSKUD,
    FLEX,
    LEDIGHEDSYDELSE,
    OLD_RATE_CODES,
    PENSION,
    Facts,
)
from domain.law.staircase import OUTSIDE, Law, money_code

FUTURE_DAYS = 62
NEVER_SURE = (1, 0)
"""Days: a period that ends later than this after it was reported is noticed."""

OLD_FLEX_CODES = frozenset({"LYG", "FJG"})
OLD_PENSION_CODE = "FPG"
DATED_BY = {"flex_referral": "flex_referral", "pension_award": "disability_pension_award"}
"""The fact whose first date a notice names, by the code of the notice."""


ADVICE: Mapping[str, str] = {
    "possible_duplicate": "Ask both reporters which of the two is right;"
    " whoever is wrong reverses its report.",
    "awaiting_reversal": "Ask the reporter whether the new report takes the place of the other;"
    " then the other is reversed, or else both stay as they are.",
    "after_death": "Stop the payment and reverse what was paid after the death,"
    " or have the date of death corrected.",
    "pension_award": "Hold the date of the award against the case file;"
    " reverse the date or the payment, whichever is wrong, and report it anew.",
    "flex_referral": "Hold the date of the referral against the case file;"
    " reverse the date or the payment, whichever is wrong, and report it anew.",
    "negative_net": "Look for the payment that the repayment belongs to:"
    " it is missing, or was repaid twice.",
    "rate_missing": "There is no row until the value is known:"
    " settle it outside for now, and tell those who keep the rules.",
    "validity_partial": "Report the days on which the benefit was in force by themselves,"
    " the others under the benefit that held then.",
    "closed_to_new": "Check the benefit's code and the day on which the case began:"
    " no case may begin after that day. Reverse the payment where it is wrong,"
    " or report the payments before it that are missing.",
    "future_period": "Check the end of the period for a slip;"
    " reverse the report where it is wrong.",
    "reversed_before": "Nothing is paid for it: a reversal holds for ever."
    " Where the payment is right after all, report it under a new report_id.",
    "reversed_before_reported": "Ask the reporter what the reversal was meant for:"
    " the report that it names does not count, whenever it comes."
    " Where that is right after all, it is reported under a new report_id.",
    "missing_reporter": "Ask the reporter whether the benefit has ended or a delivery has failed,"
    " before the run is closed without it.",
}
"""The advice to the reader of a notice, by the codes of contract section 2."""
ONE_REPORTER = (
    "Ask the reporter whether it paid twice, or reported one payment twice;"
    " then it reverses one of the two reports."
)
"""The advice about a `possible_duplicate` whose two reports are of one reporter."""


class Notice(NamedTuple):
    """A doubt about a report that was applied.

    `detail` says what to look at; under `municipalities` it names those that pay or finance.
    `advice` is one of its own, or "" for that of its code.
    """

    code: str
    detail: dict[str, Any]
    advice: str = ""

    def told(self) -> dict[str, Any]:
        """Give the detail with the advice to the reader."""
        return self.detail | {"advice": self.advice or ADVICE[self.code]}


def payment_notices(
    law: Law, citizen: Citizen, payment: Payment, parts: list[Part]
) -> list[Notice]:
    """Give the doubts about a payment that comes in; its line is not in the parts yet."""
    sure_from, sure_to = law.sure.get(payment.benefit, NEVER_SURE)
    if (
        sure_from <= payment.start
        and payment.end <= sure_to
        and payment.end <= payment.reported + FUTURE_DAYS
        and not (citizen.head.facts or (parts and parts[0].lines))
        and not (len(parts) > 1 and any(part.lines for part in parts))
    ):
        return []  # nearly always
    notices = [*_double_notices(citizen, payment, parts)]
    if facts := citizen.head.facts:
        notices += _fact_notices(law, citizen, facts, payment)
    if payment.benefit in OLD_RATE_CODES and not payment.outside_act:
        notices.append(Notice("rate_missing", _described(payment)))
    valid_from, valid_to = law.validity[payment.benefit]
    if payment.start < valid_from or payment.end > valid_to:
        notices.append(Notice("validity_partial", _described(payment)))
    closed_on = law.last_new_case.get(payment.benefit, payment.start)
    if payment.start > closed_on and not _has_earlier(citizen, payment):
        last_day = {"last_new_case": day_text(closed_on)}
        notices.append(Notice("closed_to_new", _described(payment) | last_day))
    if payment.end > payment.reported + FUTURE_DAYS:
        notices.append(Notice("future_period", _described(payment)))
    return notices


def _double_notices(citizen: Citizen, payment: Payment, parts: Sequence[Part]) -> Iterator[Notice]:
    """Give the doubts whether the money of a payment is there already."""
    if parts and (duplicate := _duplicate_of(citizen, payment, parts[0].lines)):
        kind, other = duplicate
        advice = ONE_REPORTER if other.reporter == payment.reporter else ""
        yield Notice("possible_duplicate", _beside(payment, other, {"kind": kind}), advice)

    def is_of_group(line: Line, group: str) -> bool:
        return _has_group(citizen, line, group)

    if replaced := earlier_report(payment, parts, is_of_group):
        yield Notice("awaiting_reversal", _beside(payment, replaced, {}))


def _beside(payment: Payment, other: Line, kind: dict[str, str]) -> dict[str, Any]:
    places = (payment.paying, payment.financing), (other.paying, other.financing)
    return _described(payment) | kind | {"other": _name(other)} | _municipalities(*places)


def _has_earlier(citizen: Citizen, payment: Payment) -> bool:
    """Tell if a payment of the benefit that stands begins before this one: its case is older."""
    week, code = week_of(payment.start), payment.benefit
    touched = citizen.head.touched.get(code, 0) | citizen.head.touched.get(code + OUTSIDE, 0)
    if touched & ((1 << week) - 1):  # nearly always, and no month is read
        return True
    last_month = month_of(payment.start)
    return any(
        line.code.removesuffix(OUTSIDE) == code and line.start < payment.start
        for part in citizen.all_parts()
        if part.month <= last_month
        for line in part.lines
        if not line.reversed
    )


def _fact_notices(law: Law, citizen: Citizen, facts: Facts, payment: Payment) -> Iterator[Notice]:
    """Give the doubts that the facts of the case raise about a payment."""
    if (deaths := facts.get("death")) and payment.start > (died := min(deaths)):
        yield Notice("after_death", _described(payment) | {"date": day_text(died)})
    code = money_code(payment.benefit, payment.outside_act)
    for doubt in _contradictions(law, citizen, code, payment.start, payment.end):
        yield Notice(doubt, _described(payment) | _dated(facts, doubt))


def _contradictions(law: Law, citizen: Citizen, code: str, start: int, end: int) -> Iterator[str]:
    """Give the notices for a payment whose benefit does not fit the facts of the case."""
    facts, status, rules = citizen.head.facts, citizen.head.weeks.status, law.rules.legacy
    if end < law.counting_from:
        return
    if code in FLEX and status.is_old(code, week_of(max(start, law.counting_from))):
        yield "flex_referral"
        if code == LEDIGHEDSYDELSE:
            yield "rate_missing"
    elif code == PENSION and status.old_pension:
        yield "pension_award"
        yield "rate_missing"
    elif code in OLD_FLEX_CODES:
        if (referrals := facts.get("flex_referral")) and min(
            referrals
        ) >= rules.flex_referred_from.toordinal():
            yield "flex_referral"
    elif code == OLD_PENSION_CODE:
        awards = facts.get("disability_pension_award")
        if awards and min(awards) >= rules.disability_pension_awarded_from.toordinal():
            yield "pension_award"


def _dated(facts: Facts, doubt: str) -> dict[str, str]:
    return {"date": day_text(min(facts[DATED_BY[doubt]]))} if doubt in DATED_BY else {}


Doubtful = dict[str, Line]
"""Lines by the name of their report."""


def contradicted(law: Law, citizen: Citizen) -> dict[str, Doubtful]:
    """Give the payments that stand and do not fit the facts of the case, by their notice."""
    lines_by_doubt: dict[str, Doubtful] = {}
    for part in citizen.all_parts():
        for line in part.lines:
            if not line.reversed:
                for doubt in _contradictions(law, citizen, line.code, line.start, line.end):
                    lines_by_doubt.setdefault(doubt, {})[_name(line)] = line
    return lines_by_doubt


def contradiction_notices(
    facts: Facts, before: Mapping[str, Doubtful], after: Mapping[str, Doubtful]
) -> list[Notice]:
    """Give the notices about payments that a fact, or its reversal, contradicts later."""
    return [
        Notice(doubt, _dated(facts, doubt) | _listed({name: lines[name] for name in new}))
        for doubt, lines in sorted(after.items())
        if (new := lines.keys() - before.get(doubt, {}).keys())
    ]


def death_notices(citizen: Citizen, date: int) -> list[Notice]:
    """Give the notice about payments for days after a death that is reported later than they are.

    `date` is among the facts already. Payments after an earlier death have their notice already.
    """
    others = [day for day, times in citizen.head.facts["death"].items() if day != date or times > 1]
    known_from = min(others, default=None)
    late = {
        _name(line): line
        for part in citizen.all_parts(month_of(date))
        for line in part.lines
        if line.start > date
        and not line.reversed
        and (known_from is None or line.start <= known_from)
    }
    return [Notice("after_death", {"date": day_text(date)} | _listed(late))] if late else []


def basis_notice(citizen: Citizen, months: list[int]) -> list[Notice]:
    """Give the notice of months without fleksbidrag because B is not known for their year."""
    if not months:
        return []
    groups = [group for month in months if (part := citizen.part(month)) for group in part.groups]
    concerned = _municipalities(
        *((group.paying, group.financing) for group in groups if group.code == FLEKSLOENTILSKUD)
    )
    return [
        Notice(
            "rate_missing",
            {"benefit": "FB", "months": [month_text(month) for month in months]} | concerned,
        )
    ]


def _listed(lines: Doubtful) -> dict[str, Any]:
    places = [(line.paying, line.financing) for line in lines.values()]
    return {"reports": sorted(lines)} | _municipalities(*places)


def _municipalities(*places: Sequence[str | None]) -> dict[str, list[str]]:
    """Name the municipalities that a notice concerns: those that pay or finance."""
    codes = sorted({code for place in places for code in place if code is not None})
    return {"municipalities": codes} if codes else {}


def _name(line: Line) -> str:
    return f"{line.reporter}/{line.report_id}"


def _described(payment: Payment) -> dict[str, Any]:
    return {
        "benefit": payment.benefit,
        "period_start": day_text(payment.start),
        "period_end": day_text(payment.end),
    } | _municipalities((payment.paying, payment.financing))


def reversed_before(report: Payment | Income | CaseFact) -> Notice:
    """Give the notice about a report that comes again, the same, after it was reversed."""
    detail: dict[str, Any] = {}
    if isinstance(report, Payment):
        detail = _described(report)
    elif isinstance(report, Income):
        period = {"period_start": day_text(report.start), "period_end": day_text(report.end)}
        detail = {"kind": report.kind} | period
    else:
        detail = {"fact": report.fact, "date": day_text(report.date)}
    return Notice("reversed_before", detail)


DuplicateKind = Literal["channel", "repeat"]


def _duplicate_of(
    citizen: Citizen, payment: Payment, lines: Iterable[Line]
) -> tuple[DuplicateKind, Line] | None:
    """Give the first line that stands with the same benefit, period and amount, and its kind.

    One from another reporter or channel goes before one from the same, a `repeat`; two of one group
    are what one report of the reporter says, and no repeat. `lines` are those of its first month: a
    period lies there whoever reports it, and however late.
    """
    repeated: Line | None = None
    amount_ore = payment.amount_ore
    for line in lines:
        if line.amount_ore != amount_ore:  # most others
            continue
        paid_for = (line.code.removesuffix(OUTSIDE), line.start, line.end)
        if paid_for != (payment.benefit, payment.start, payment.end) or line.reversed:
            continue
        if line.reporter != payment.reporter or line.channel != payment.channel:
            return "channel", line
        if repeated is None and not (payment.group and _has_group(citizen, line, payment.group)):
            repeated = line
    return None if repeated is None else ("repeat", repeated)


def _has_group(citizen: Citizen, line: Line, group: str) -> bool:
    seen = citizen.seen(_name(line))
    return seen is not None and seen.group == group


def net_notices(code: str, parts: Sequence[Part], changes: Sequence[CellChange]) -> list[Notice]:
    """Give a notice for each month whose net becomes negative for the benefit with this report."""
    notices = []
    for part in parts:
        delta_ore = sum(change.delta_ore() for change in changes if change.month == part.month)
        if delta_ore < 0:
            net_ore = sum(cell.amount_ore for cell in part.cells_of(code))
            if net_ore >= 0 > net_ore + delta_ore:
                detail = {"benefit": code.removesuffix(OUTSIDE), "month": month_text(part.month)}
                groups = [group for group in part.groups if group.code == code]
                concerned = _municipalities(*((group.paying, group.financing) for group in groups))
                notices.append(Notice("negative_net", detail | concerned))
    return notices
