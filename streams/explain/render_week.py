"""One week in full: its state, counters, money, reports and rules."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from domain.basics.kroner import kroner
from domain.explain.reasons import BidragReason, RowReason, Rule, Touch, WeekReason
from streams.explain.find import RejectedLine
from streams.explain.render import (
    genoptjeningstaeller,
    heading,
    new_start_text,
    old_case_text,
    refusionstaeller,
    sentences,
    show_reports,
    step_text,
    week_text,
)

STATES: Final = {"B": "benefit week", "O": "other support", "S": "self-support"}
ROLES: Final = {
    "counts": "counts",
    "blocks": "blocks self-support",
    "neither": "neither counts nor blocks",
    "outside_act": "outside the Act: blocks",
    "old_case": "old case: blocks",
}


def show_week(reason: WeekReason, rejected: Sequence[RejectedLine], out: Console) -> None:
    """Show one week in full."""
    out.print(
        heading(
            f"{reason.iso_week}, the week of {reason.week}: {STATES[reason.state]} ({reason.state})"
        )
    )
    out.print(f"Citizen {reason.citizen}, by rule set {reason.rule_set}.\n")
    out.print(f"{reason.because}.")
    if reason.touches:
        out.print(Padding(_touches(reason.touches), (0, 0, 0, 2)))
    out.print()
    out.print(heading("Counters"))
    out.print(sentences(_counters(reason)))
    if reason.old_case:
        out.print(old_case_text(reason.old_case))
    out.print(heading("Money"))
    out.print(_money(reason))
    show_reports(
        "Reports with a day in the week, and the facts of the case", reason.reports, rejected, out
    )
    out.print(heading("What changes it next, from the end of the week"))
    out.print(sentences(reason.ahead.sentences))
    out.print(heading("Rules, with their sources and how certain they are"))
    out.print(_rules(reason.rules))
    out.print()


def _touches(touches: Sequence[Touch]) -> Table:
    table = _table("benefit", "net in the week", "", "touches the week")
    for touch in touches:
        table.add_row(
            touch.benefit,
            kroner(touch.net_ore),
            ROLES[touch.role],
            "yes" if touch.touches else "no",
        )
    return table


def _counters(reason: WeekReason) -> Iterator[str]:
    yield refusionstaeller(reason.count)
    yield genoptjeningstaeller(reason.earned)
    if reason.last_new_start:
        yield new_start_text(reason.last_new_start)
    if reason.new_start_here:
        yield "At the end of this week both counters start again from zero (§ 6)."
    if reason.turn_of_year:
        turn = reason.turn_of_year
        how = (
            "its ordinal"
            if turn.week_after_has_benefits
            else "this week's count + 1, since that week has no benefits"
        )
        yield (
            f"Money of this week takes the rate of {week_text(turn.rate_of_week)}:"
            f" {how}, {turn.ordinal} (§ 29, stk. 3)."
        )
    if reason.band:
        yield step_text(reason.band)


def _money(reason: WeekReason) -> RenderableType:
    if not reason.rows:
        return "No report has money in this week.\n"
    rows = [part for row in reason.rows for part in _row(row)]
    return Group(*rows, *(part for bidrag in reason.fleksbidrag for part in _bidrag(bidrag)))


def _row(row: RowReason) -> Iterator[RenderableType]:
    paying = f"paid by {row.paying or '-'}, financed by {row.financing or '-'}"
    yield f"{row.benefit} in {row.month}, {paying}: {kroner(row.amount_ore)} kr."
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0))
    table.add_column(overflow="fold")
    table.add_column(justify="right", no_wrap=True)
    table.add_column()
    for share in row.shares:
        atp = (
            f", less {kroner(share.amount_ore - share.base_ore)} ATP"
            if share.amount_ore != share.base_ore
            else ""
        )
        days = f"{share.days} of {share.days_of_period} days"
        part = days if share.split == "CALENDAR_DAYS" else f"by {share.split} for {days}"
        of = f"{part} of {kroner(share.amount_ore)}{atp}"
        table.add_row(share.cause, kroner(share.share_ore), of)
    yield Padding(table, (0, 0, 0, 4))
    if row.mechanism is None or row.result_ore is None:
        yield Padding(f"= no row: {row.why_none}", (0, 0, 1, 4))
        return
    account = f", account {row.account}" if row.account else ""
    exact = (
        f"{_unrounded(row.unrounded)} kr., rounded "
        if row.unrounded and not row.unrounded.endswith(".00")
        else ""
    )
    result = (
        f"= {row.mechanism} {row.rate} % = {exact}{kroner(row.result_ore)} kr."
        f" (week {row.ordinal}{account})"
    )
    yield Padding(Text(result, style="bold"), (0, 0, 1, 4))


def _bidrag(bidrag: BidragReason) -> Iterator[RenderableType]:
    """Show the arithmetic of a month's fleksbidrag."""
    yield f"Fleksbidrag of {bidrag.month}: fleksløntilskud of this week is on the entitling step."
    lines = []
    if bidrag.basis_ore is not None:
        lines.append(
            f"B {kroner(bidrag.basis_ore)}, R {kroner(bidrag.refusion_ore)}:"
            f" {_unrounded(bidrag.share_ore)} kr.,"
        )
        lines.append(f"at most {kroner(bidrag.cap_ore)} kr.")
    if bidrag.wages_ore is not None:
        wages = f"wages {kroner(bidrag.wages_ore)}: less {_unrounded(bidrag.reduction_ore)} kr.;"
        days = (
            f"{bidrag.entitling_days} of {bidrag.days} days with fleksløntilskud"
            f" are on the step: × {bidrag.due}"
        )
        lines += [wages, days]
    if lines:
        yield Padding("\n".join(lines), (0, 0, 0, 4))
    result = f"= {kroner(bidrag.amount_ore)} kr. from the State, in the week of {bidrag.week}"
    if bidrag.why_none:
        result = f"= none: {bidrag.why_none}"
    yield Padding(Text(result, style="bold"), (0, 0, 1, 4))


def _unrounded(ore: str) -> str:
    """Write øre with hundredths, such as `12345.67`, as kroner: `123.4567`."""
    sign, digits = ("-", ore[1:]) if ore.startswith("-") else ("", ore)
    whole, hundredths = digits.split(".")
    return f"{sign}{int(whole) // 100:,}.{int(whole) % 100:02d}{hundredths}"


# --- rules --------------------------------------------------------------------------------------


def _rules(rules: Mapping[str, Rule]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    for name, rule in rules.items():
        table.add_row(
            name, rule.evidence, f"{rule.says.rstrip('.')}. {rule.reference}.{_marks(rule)}"
        )
    return table


def _marks(rule: Rule) -> str:
    """Write the evidence of single fields; remarks are not shown here."""
    marks = {
        field: mark
        for field, mark in rule.evidence_of.items()
        if field not in ("note", "reference")
    }
    return f" ({', '.join(f'{field}: {mark}' for field, mark in marks.items())})" if marks else ""


def _table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        is_money = column in ("net in the week", "amount")
        table.add_column(
            column, justify="right" if is_money else "left", no_wrap=is_money, overflow="fold"
        )
    return table
