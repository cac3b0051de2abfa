"""One week in full: its state, counters, money, reports and rules."""

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from domain.explain.reasons import (
    BidragReason,
    RowReason,
    Rule,
    ShareReason,
    Touch,
    WeekReason,
)
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
from streams.kit.catalogue import Catalogue


def show_week(
    reason: WeekReason, rejected: Sequence[RejectedLine], words: Catalogue, out: Console
) -> None:
    """Show one week in full."""
    out.print(heading(_title(reason, words)))
    citizen = words.text("week.citizen", citizen=reason.citizen, rules=reason.rule_set)
    out.print(f"{citizen}\n")
    out.print(words.text("week.because", because=reason.because))
    if reason.touches:
        out.print(Padding(_touches(reason.touches, words), (0, 0, 0, 2)))
    out.print()
    out.print(heading(words.text("week.counters")))
    out.print(sentences(counters(reason, words)))
    if reason.old_case:
        out.print(old_case_text(reason.old_case, words) + "\n")
    out.print(heading(words.text("week.money")))
    out.print(_money(reason, words))
    show_reports(words.text("week.reports"), reason.reports, rejected, words, out)
    out.print(heading(words.text("week.ahead")))
    out.print(sentences(map(words.say, reason.ahead.sentences)))
    out.print(heading(words.text("week.rules")))
    out.print(_rules(reason.rules, words))
    out.print()


def _title(reason: WeekReason, words: Catalogue) -> str:
    """Write a week's name and state."""
    return words.text(
        "week.heading",
        iso_week=reason.iso_week,
        week=reason.week,
        state=words.text(f"state.{reason.state}"),
        letter=reason.state,
    )


def _touches(touches: Sequence[Touch], words: Catalogue) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(words.text("week.benefit"), overflow="fold")
    table.add_column(words.text("week.net"), justify="right", no_wrap=True, overflow="fold")
    table.add_column("", overflow="fold")
    table.add_column(words.text("week.touches"), overflow="fold")
    for touch in touches:
        table.add_row(
            touch.benefit,
            words.kroner(touch.net_ore),
            words.text(f"role.{touch.role}"),
            words.text("week.yes" if touch.touches else "week.no"),
        )
    return table


def counters(reason: WeekReason, words: Catalogue) -> Iterator[str]:
    """Write both counters of a week, and what moved them."""
    yield refusionstaeller(reason.count, words)
    yield genoptjeningstaeller(reason.earned, words)
    if reason.last_new_start:
        yield new_start_text(reason.last_new_start, words)
    if reason.new_start_here:
        yield words.text("counter.new_start_here")
    if reason.turn_of_year:
        turn = reason.turn_of_year
        has_benefits = turn.week_after_has_benefits
        yield words.text(
            "counter.turn_of_year",
            week=week_text(turn.rate_of_week),
            how=words.text("counter.its_ordinal" if has_benefits else "counter.count_and_one"),
            number=turn.ordinal,
        )
    if reason.band:
        yield step_text(reason.band, words)


def _money(reason: WeekReason, words: Catalogue) -> RenderableType:
    if not reason.rows:
        return words.text("week.no_money") + "\n"
    rows = [part for row in reason.rows for part in _row(row, words)]
    fleksbidrag = [part for bidrag in reason.fleksbidrag for part in _bidrag(bidrag, words)]
    return Group(*rows, *fleksbidrag)


def row_title(row: RowReason, words: Catalogue) -> str:
    """Write what a cell is about, and its amount."""
    return words.text(
        "row.of",
        benefit=row.benefit,
        month=row.month,
        paying=row.paying or "-",
        financing=row.financing or "-",
        amount=words.kroner(row.amount_ore),
    )


def share_text(share: ShareReason, words: Catalogue) -> str:
    """Write which part of a report's amount is in a cell."""
    atp = share.amount_ore - share.base_ore
    days = words.text("row.days", days=share.days, period=share.days_of_period)
    is_by_days = share.split == "CALENDAR_DAYS"
    return words.text(
        "row.share",
        part=days if is_by_days else words.text("row.by_split", split=share.split, days=days),
        amount=words.kroner(share.amount_ore),
        atp=words.text("row.atp", amount=words.kroner(atp)) if atp else "",
    )


def result_text(row: RowReason, words: Catalogue) -> str:
    """Write the row that is due for a cell, or why there is none."""
    if row.mechanism is None or row.result_ore is None:
        return words.text("row.none", why=row.why_none)
    is_rounded = row.unrounded and not row.unrounded.endswith(".00")
    exact = _unrounded(row.unrounded or "", words) if is_rounded else ""
    return words.text(
        "row.result",
        mechanism=row.mechanism,
        rate=row.rate or 0,
        exact=words.text("row.exact", amount=exact) if exact else "",
        result=words.kroner(row.result_ore),
        number=row.ordinal or 0,
        account=words.text("row.account", account=row.account) if row.account else "",
    )


def _row(row: RowReason, words: Catalogue) -> Iterator[RenderableType]:
    yield row_title(row, words)
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0))
    table.add_column(overflow="fold")
    table.add_column(justify="right", no_wrap=True)
    table.add_column()
    for share in row.shares:
        table.add_row(share.cause, words.kroner(share.share_ore), share_text(share, words))
    yield Padding(table, (0, 0, 0, 4))
    result = result_text(row, words)
    yield Padding(result if row.result_ore is None else Text(result, style="bold"), (0, 0, 1, 4))


def _bidrag(bidrag: BidragReason, words: Catalogue) -> Iterator[RenderableType]:
    """Show the arithmetic of a month's fleksbidrag."""
    title, *lines, result = bidrag_lines(bidrag, words)
    yield title
    if lines:
        yield Padding("\n".join(lines), (0, 0, 0, 4))
    yield Padding(Text(result, style="bold"), (0, 0, 1, 4))


def bidrag_lines(bidrag: BidragReason, words: Catalogue) -> Iterator[str]:
    """Write the arithmetic of a month's fleksbidrag: what it is, its steps, and its result."""
    yield words.text("bidrag.of", month=bidrag.month)
    if bidrag.basis_ore is not None:
        yield words.text(
            "bidrag.basis",
            basis=words.kroner(bidrag.basis_ore),
            refusion=words.kroner(bidrag.refusion_ore),
            share=_unrounded(bidrag.share_ore, words),
        )
        yield words.text("bidrag.cap", cap=words.kroner(bidrag.cap_ore))
    if bidrag.wages_ore is not None:
        yield words.text(
            "bidrag.wages",
            wages=words.kroner(bidrag.wages_ore),
            reduction=_unrounded(bidrag.reduction_ore, words),
        )
        yield words.text(
            "bidrag.days", entitling=bidrag.entitling_days, days=bidrag.days, due=bidrag.due
        )
    if bidrag.why_none:
        yield words.text("bidrag.none", why=bidrag.why_none)
    else:
        amount = words.kroner(bidrag.amount_ore)
        yield words.text("bidrag.result", amount=amount, week=bidrag.week)


def _unrounded(ore: str, words: Catalogue) -> str:
    """Write øre with hundredths, such as `12345.67`, as kroner: `123.4567`."""
    sign, digits = ("-", ore[1:]) if ore.startswith("-") else ("", ore)
    whole, hundredths = digits.split(".")
    return words.number(f"{sign}{int(whole) // 100:,}.{int(whole) % 100:02d}{hundredths}")


# --- rules --------------------------------------------------------------------------------------


def _rules(rules: Mapping[str, Rule], words: Catalogue) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    for name, rule in rules.items():
        table.add_row(name, rule.evidence, rule_text(rule, words))
    return table


def rule_text(rule: Rule, words: Catalogue) -> str:
    """Write what a rule says, with its source."""
    return f"{words.say(rule.says).rstrip('.')}. {rule.reference}.{_marks(rule)}"


def _marks(rule: Rule) -> str:
    """Write the evidence of single fields; remarks are not shown here."""
    marks = {
        field: mark
        for field, mark in rule.evidence_of.items()
        if field not in ("note", "reference")
    }
    return f" ({', '.join(f'{field}: {mark}' for field, mark in marks.items())})" if marks else ""
