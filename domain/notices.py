"""Doubts about reports that are applied all the same (contract section 2): what a caseworker should look at."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from domain.legacy import FLEX, LEDIGHEDSYDELSE, PENSION, Facts
from domain.reports import Payment
from domain.settlement import OUTSIDE, Law, Move, delta_ore, money_code
from domain.state import AMOUNT, CELL_AMOUNT, CHANNEL, CODE, END, REPORT_ID, REPORTER, REVERSED, START, Citizen, Part
from domain.weeks import day_text, month_of, month_text, week_of

FUTURE_DAYS = 62
"""A period that ends more days than this after it was reported is noticed (contract section 2)."""

OLD_RATE_CODES = frozenset({"LYG", "FPG"})
"""Codes whose old percentages are not established: applied without a row, and noticed (item 13)."""

OLD_FLEX_CODES = frozenset({"LYG", "FJG"})
OLD_PENSION_CODE = "FPG"
DATED_BY = {"flex_referral": "flex_referral", "pension_award": "disability_pension_award"}
"""The fact whose first date a notice about the facts of the case names."""


class Notice(NamedTuple):
    """A doubt about a report that was applied; `detail` says what to look at."""

    code: str
    detail: dict[str, Any]


def payment_notices(law: Law, citizen: Citizen, payment: Payment, parts: list[Part]) -> list[Notice]:
    """What is doubtful about a payment that comes in; its line is not in the parts yet."""
    notices = []
    if other := _duplicate_of(payment, parts):
        notices.append(Notice("possible_duplicate", _described(payment) | {"other": other}))
    if facts := citizen.head.facts:
        notices += _fact_notices(law, citizen, facts, payment)
    if payment.benefit in OLD_RATE_CODES and not payment.outside_act:
        notices.append(Notice("rate_missing", _described(payment)))
    valid_from, valid_to = law.validity[payment.benefit]
    if payment.start < valid_from or payment.end > valid_to:
        notices.append(Notice("validity_partial", _described(payment)))
    if payment.end > payment.reported + FUTURE_DAYS:
        notices.append(Notice("future_period", _described(payment)))
    return notices


def _fact_notices(law: Law, citizen: Citizen, facts: Facts, payment: Payment) -> Iterator[Notice]:
    """What the facts of the case say against a payment."""
    if (deaths := facts.get("death")) and payment.start > (died := min(deaths)):
        yield Notice("after_death", _described(payment) | {"date": day_text(died)})
    code = money_code(payment.benefit, payment.outside_act)
    for doubt in _contradictions(law, citizen, code, payment.start, payment.end):
        yield Notice(doubt, _described(payment) | _dated(facts, doubt))


def _contradictions(law: Law, citizen: Citizen, code: str, start: int, end: int) -> Iterator[str]:
    """The notices for a payment under a money code whose benefit does not fit the facts of the case."""
    facts, standing, rules = citizen.head.facts, citizen.head.standing, law.rules.legacy
    if end < law.counting_from:
        return
    if code in FLEX and standing.is_old(code, week_of(max(start, law.counting_from))):
        yield "flex_referral"
        if code == LEDIGHEDSYDELSE:
            yield "rate_missing"
    elif code == PENSION and standing.old_pension:
        yield "pension_award"
        yield "rate_missing"
    elif code in OLD_FLEX_CODES:
        if (referrals := facts.get("flex_referral")) and min(referrals) >= rules.flex_referred_from.toordinal():
            yield "flex_referral"
    elif code == OLD_PENSION_CODE:
        awards = facts.get("disability_pension_award")
        if awards and min(awards) >= rules.disability_pension_awarded_from.toordinal():
            yield "pension_award"


def _dated(facts: Facts, doubt: str) -> dict[str, str]:
    return {"date": day_text(min(facts[DATED_BY[doubt]]))} if doubt in DATED_BY else {}


def contradicted(law: Law, citizen: Citizen) -> dict[str, set[str]]:
    """The standing payments that do not fit the facts of the case, by the notice they deserve."""
    found: dict[str, set[str]] = {}
    for part in citizen.all_parts():
        for line in part.lines:
            if not line[REVERSED]:
                for doubt in _contradictions(law, citizen, line[CODE], line[START], line[END]):
                    found.setdefault(doubt, set()).add(f"{line[REPORTER]}/{line[REPORT_ID]}")
    return found


def contradiction_notices(facts: Facts, before: Mapping[str, set[str]], after: Mapping[str, set[str]]) -> list[Notice]:
    """The notices about payments that came before a fact, or its reversal, spoke against them."""
    return [
        Notice(doubt, _dated(facts, doubt) | {"reports": sorted(new)})
        for doubt, reports in sorted(after.items())
        if (new := reports - before.get(doubt, set()))
    ]


def basis_notice(months: list[int]) -> list[Notice]:
    """The months that get no fleksbidrag because B is not known for their year."""
    if not months:
        return []
    return [Notice("rate_missing", {"benefit": "FB", "months": [month_text(month) for month in months]})]


def _described(payment: Payment) -> dict[str, Any]:
    return {
        "benefit": payment.benefit,
        "period_start": day_text(payment.start),
        "period_end": day_text(payment.end),
    }


def _duplicate_of(payment: Payment, parts: list[Part]) -> str | None:
    """The first report of the same benefit, period and amount from another reporter or channel."""
    if not parts:
        return None
    same = (payment.benefit, payment.start, payment.end, payment.amount_ore)
    for line in parts[0].lines:
        found = (line[CODE].removesuffix(OUTSIDE), line[START], line[END], line[AMOUNT])
        elsewhere = line[REPORTER] != payment.reporter or line[CHANNEL] != payment.channel
        if found == same and elsewhere and not line[REVERSED]:
            return f"{line[REPORTER]}/{line[REPORT_ID]}"
    return None


def net_notices(code: str, parts: list[Part], moves: list[Move]) -> list[Notice]:
    """A month whose net becomes negative for the benefit with this report."""
    notices = []
    for part in parts:
        delta = sum(delta_ore(move) for move in moves if move[0] == part.month)
        if delta < 0:
            net = sum(cell[CELL_AMOUNT] for cell in part.cells_of(code))
            if net >= 0 > net + delta:
                notices.append(
                    Notice("negative_net", {"benefit": code.removesuffix(OUTSIDE), "month": month_text(part.month)})
                )
    return notices


def paid_after(citizen: Citizen, date: int) -> list[str]:
    """The payments whose period begins after a day."""
    found = {
        f"{line[REPORTER]}/{line[REPORT_ID]}"
        for part in citizen.all_parts(month_of(date))
        for line in part.lines
        if line[START] > date and not line[REVERSED]
    }
    return sorted(found)
