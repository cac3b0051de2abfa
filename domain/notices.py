"""Doubts about reports that are applied all the same (contract section 2): what a caseworker should look at."""

from typing import Any, NamedTuple

from domain.reports import Payment
from domain.settlement import OUTSIDE, Law, Move, delta_ore
from domain.state import AMOUNT, CELL_AMOUNT, CHANNEL, CODE, END, REPORT_ID, REPORTER, REVERSED, START, Citizen, Part
from domain.weeks import day_text, month_of, month_text

FUTURE_DAYS = 62
"""A period that ends more days than this after it was reported is noticed (contract section 2)."""

OLD_RATE_CODES = frozenset({"LYG", "FPG"})
"""Codes whose old percentages are not established: applied without a row, and noticed (item 13)."""


class Notice(NamedTuple):
    """A doubt about a report that was applied; `detail` says what to look at."""

    code: str
    detail: dict[str, Any]


def payment_notices(law: Law, citizen: Citizen, payment: Payment, parts: list[Part]) -> list[Notice]:
    """What is doubtful about a payment that comes in; its line is not in the parts yet."""
    notices = []
    if other := _duplicate_of(payment, parts):
        notices.append(Notice("possible_duplicate", _described(payment) | {"other": other}))
    if (deaths := citizen.head.facts.get("death")) and payment.start > (died := min(deaths)):
        notices.append(Notice("after_death", _described(payment) | {"date": day_text(died)}))
    if payment.benefit in OLD_RATE_CODES and not payment.outside_act:
        notices.append(Notice("rate_missing", _described(payment)))
    valid_from, valid_to = law.validity[payment.benefit]
    if payment.start < valid_from or payment.end > valid_to:
        notices.append(Notice("validity_partial", _described(payment)))
    if payment.end > payment.reported + FUTURE_DAYS:
        notices.append(Notice("future_period", _described(payment)))
    return notices


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


def paid_after(law: Law, citizen: Citizen, date: int) -> list[str]:
    """The payments whose period begins after a day."""
    first = law.counting_from_month
    found = {
        f"{line[REPORTER]}/{line[REPORT_ID]}"
        for month in range(max(month_of(date), first), first + citizen.head.months.bit_length())
        if (part := citizen.part(month))
        for line in part.lines
        if line[START] > date and not line[REVERSED]
    }
    return sorted(found)
