"""The cells of a week and the money due for them, with the arithmetic.

See rules 4.2, items 2-5 and 9-11.
"""

from collections.abc import Iterator, Sequence

from domain.basics.sentences import NOTHING, Sentence, sentence
from domain.basics.weeks import first_day, month_text, slices, week_of, week_text
from domain.citizen.fleksbidrag import Entitling, Working, entitling_cells, worked_out
from domain.citizen.records import Part
from domain.citizen.reports import Line
from domain.citizen.state import Citizen
from domain.explain.reasons import BidragReason, RowReason, ShareReason
from domain.explain.rulebook import Rulebook
from domain.law.old_cases import LEDIGHEDSYDELSE, OLD_RATE_CODES
from domain.law.rates import LETTER
from domain.law.staircase import OUTSIDE, Law
from domain.law.week_counts import WeekCounts

MECHANISM = {letter: mechanism for mechanism, letter in LETTER.items()}


Place = tuple[str, str | None, str | None]
"""The place of a cell: money code, paying and financing municipality."""


def row_reasons(law: Law, book: Rulebook, citizen: Citizen, week: int) -> Iterator[RowReason]:
    """Explain the week's cells of reported money, in their order.

    Cells whose reports add up to nothing are included; computed money (fleksbidrag) is not.
    """
    reading = citizen.head.weeks
    for part in citizen.parts_between(week, week):
        shares = _shares(law, part, week)
        for place in sorted(shares, key=lambda place: (place[0], place[1] or "", place[2] or "")):
            yield _row(law, book, reading, part, week, place, shares[place])


def _shares(law: Law, part: Part, week: int) -> dict[Place, list[ShareReason]]:
    """List the shares of the month's reports that stand, by the place of their cell."""
    found: dict[Place, list[ShareReason]] = {}
    for line in part.lines:
        if not line.reversed:
            share = _share(law, line, part.month, week)
            if share.days:
                found.setdefault((line.code, line.paying, line.financing), []).append(share)
    return found


def _row(
    law: Law,
    book: Rulebook,
    reading: WeekCounts,
    part: Part,
    week: int,
    place: Place,
    shares: list[ShareReason],
) -> RowReason:
    amount_ore, atp_ore = _cell(part, week, place)
    assert sum(share.share_ore for share in shares) == amount_ore, (
        "the shares of a cell do not sum to it"
    )
    code, paying, financing = place
    due = law.entitlement(reading, part.month, week, code, amount_ore)
    said = (
        month_text(part.month),
        code.removesuffix(OUTSIDE),
        paying,
        financing,
        shares,
        amount_ore,
        atp_ore,
    )
    if due is None:
        why = _why_none(law, reading, week, code, amount_ore)
        return RowReason(*said, None, None, None, None, None, None, book.benefit(code), why)
    number, rate, account = due.ordinal, due.rate, due.account
    rule = _rule_of_rate(law, book, reading, week, code, number)
    if account:
        book.account(account)
    unrounded = _hundredths(amount_ore * rate)
    mechanism, result = MECHANISM[due.mechanism], due.result_ore
    return RowReason(*said, number, mechanism, rate, unrounded, result, account, rule, NOTHING)


def _cell(part: Part, week: int, place: Place) -> tuple[int, int]:
    """Return the amount and ATP of a cell, which is gone when both are nothing."""
    for group in part.groups:
        if (group.code, group.paying, group.financing) == place and (cell := group.cell(week)):
            return cell.amount_ore, cell.atp_ore
    return 0, 0


def _share(law: Law, line: Line, month: int, week: int) -> ShareReason:
    base_ore, atp_ore = law.base(line.code, line.amount_ore, line.atp_ore)
    start, end = line.start, line.end
    at = (month, week)
    return ShareReason(
        cause=f"{line.reporter}/{line.report_id}",
        split=law.rules.switches["SPLIT"],
        amount_ore=line.amount_ore,
        base_ore=base_ore,
        days=sum(days for *place, days in slices(start, end) if (*place,) == at),
        days_of_period=end - start + 1,
        share_ore=sum(ore for *place, ore in law.split(base_ore, start, end) if (*place,) == at),
        atp_ore=sum(ore for *place, ore in law.split(atp_ore, start, end) if (*place,) == at),
    )


def _rule_of_rate(
    law: Law, book: Rulebook, reading: WeekCounts, week: int, code: str, number: int
) -> str:
    if reading.status.is_old(code, week):
        return book.value(
            "legacy.flex_refusion",
            sentence("rule.flex_refusion", percent=law.rules.legacy.flex_refusion),
        )
    if code in law.on_staircase:
        rule = book.band(week, number).rule
        return book.benefit(code) if law.rules.benefits[code].state_points else rule
    return book.benefit(code)


def _why_none(law: Law, reading: WeekCounts, week: int, code: str, amount_ore: int) -> Sentence:
    """Say why a cell gives no row, in the order in which the law asks."""
    if code.endswith(OUTSIDE):
        return sentence("none.outside")
    if reading.status.is_old(code, week):
        what = "ledighedsydelse" if code == LEDIGHEDSYDELSE else "førtidspension"
        return sentence("none.old_case", benefit=what)
    if code in OLD_RATE_CODES:
        return sentence("none.old_rate")
    if law.rules.benefits[code].mechanism is None:
        return sentence("none.not_financed")
    if not amount_ore:
        return sentence("none.comes_to_nothing")
    return sentence("none.before_rates", month=str(law.rules.dates.rates_from_month))


# --- fleksbidrag ----------------------------------------------------------------------------------


def bidrag_reasons(law: Law, book: Rulebook, citizen: Citizen, week: int) -> Iterator[BidragReason]:
    """Explain the fleksbidrag of the week's months.

    There is one if fleksløntilskud of the week is on the step that entitles to it.
    """
    reading = citizen.head.weeks
    for part in citizen.parts_between(week, week):
        entitling = (
            entitling_cells(law, reading, part) if part.month >= law.rates_from_month else []
        )
        if week in {cell.week for cell in entitling}:
            yield _bidrag(law, book, part, entitling, worked_out(law, reading, part, entitling))


def _bidrag(
    law: Law, book: Rulebook, part: Part, entitling: Sequence[Entitling], worked: Working
) -> BidragReason:
    percent = law.rules.fleksbidrag
    part_due, parts = worked.fraction
    last = entitling[-1]
    return BidragReason(
        month=month_text(part.month),
        basis_ore=None if worked.basis_kroner is None else worked.basis_kroner * 100,
        refusion_ore=worked.refusion_ore,
        share_ore=_hundredths(worked.share_hundredths),
        cap_ore=worked.cap_kroner * 100,
        wages_ore=worked.wages_ore,
        reduction_ore=_hundredths(percent.wage_reduction_percent * (worked.wages_ore or 0)),
        days=worked.days,
        entitling_days=worked.entitling_days,
        due=f"{part_due}/{parts}",
        amount_ore=worked.ore,
        week=week_text(entitling[0].week),
        paying=last.paying,
        financing=last.financing,
        why_none=_why_no_bidrag(worked),
        rules=list(_rules_of_bidrag(law, book, part)),
    )


def _why_no_bidrag(worked: Working) -> Sentence:
    if worked.ore:
        return NOTHING
    if worked.basis_kroner is None:
        return sentence("none.no_basis")
    if worked.wages_ore is None:
        return sentence("none.no_wage")
    return sentence("none.to_nothing")


def _rules_of_bidrag(law: Law, book: Rulebook, part: Part) -> Iterator[str]:
    rules, week = law.rules.fleksbidrag, week_of(first_day(part.month) + 6)
    yield book.value(
        "fleksbidrag.only_at_refusion",
        sentence("rule.bidrag_only", percent=rules.only_at_refusion),
    )
    share = sentence("rule.bidrag_share", percent=rules.share_percent)
    yield book.value("fleksbidrag.share_percent", share)
    cap = sentence("rule.bidrag_cap", percent=rules.cap_percent)
    yield book.value("fleksbidrag.cap_percent", cap)
    yield book.value(
        "fleksbidrag.wage_reduction_percent",
        sentence("rule.bidrag_wages", percent=rules.wage_reduction_percent),
    )
    if basis := law.rules.flex_basis.get(part.month // 12):
        amount, year = f"{basis.kroner:,}", part.month // 12
        yield book.value(
            "flex_basis", sentence("rule.bidrag_basis", amount=amount, year=year), week
        )
    yield book.switch("FB_READING")
    yield book.switch("FB_PRORATION")


def _hundredths(hundredths: int) -> str:
    """Write a number of hundredths as a decimal."""
    sign = "-" if hundredths < 0 else ""
    return f"{sign}{abs(hundredths) // 100}.{abs(hundredths) % 100:02d}"
