"""Explanations for people: a strip of weeks, sentences and tables. All it says comes from `domain.explain.reasons`."""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from domain.explain.reasons import (
    Band,
    BidragReason,
    Count,
    Earned,
    Life,
    NewStart,
    OldCase,
    ReportReason,
    RowReason,
    Rule,
    Touch,
    WeekOfLife,
    WeekReason,
    Weeks,
)
from projections.ledger.citizen import PostedRow, standing
from streams.explain.find import Refused

STATES = {"B": "benefit week", "O": "other support", "S": "self-support"}
FATES = {
    "counts": ("counts", ""),
    "reversed": ("reversed", "Never counted: {by} takes it back."),
    "delivered_again": ("repeated", "The same came before: nothing changes."),
    "conflicting_duplicate": ("refused", "Its id came before with other content, which stands."),
    "reverses": ("reversal", "Takes back {by}."),
    "reverses_again": ("reversal", "Nothing changes: {by} took it back before."),
    "waits": ("waits", "Takes back {by}, which has not come."),
    "never_matches": ("reversal", "Nothing changes: {by} is a reversal itself."),
}
"""A word and a sentence for each fate."""
ROLES = {
    "counts": "counts",
    "blocks": "blocks self-support",
    "neither": "neither counts nor blocks",
    "outside_act": "outside the Act: blocks",
    "old_case": "old case: blocks",
}
STEP_STYLES = ("black on green3", "black on yellow3", "black on dark_orange", "white on red3")
STYLES = {
    "b": "black on grey62",
    "o": "white on blue",
    ".": "dim",
    "+": "bold cyan",
    "*": "bold magenta",
}
FILLING: Final = re.compile(" +\n")
TICKS = (1, 10, 20, 30, 40, 50)
WEEKS_IN_ROW = 53


class _Trimmed:
    """Standard output without the spaces that fill a line up."""

    def write(self, text: str) -> int:
        """Pass text on."""
        return sys.stdout.write(FILLING.sub("\n", text))

    def flush(self) -> None:
        """Pass on what is held back."""
        sys.stdout.flush()


def console() -> Console:
    """Where explanations are shown: in colour on a terminal, plain elsewhere."""
    out: Any = None if sys.stdout.isatty() else _Trimmed()
    return Console(file=out, highlight=False, markup=False)


# --- a life
# -----------------------------------------------------------------------------------------


def show_life(life: Life, refused: Sequence[Refused], out: Console) -> None:
    """A whole life: the strip, then sentences, then the reports that do not count."""
    out.print(_heading(f"Citizen {life.citizen}, by rule set {life.rule_set}"))
    if life.ahead is None:
        out.print("No week with support: nothing counts, and nothing is earned.\n")
    else:
        out.print(_strip(life.weeks))
        out.print(_legend(life))
        out.print()
        out.print(f"At the end of its last week with support, {_week(life.ahead.week)}:")
        out.print(_sentences([*_standing(life), *life.ahead.sentences]))
    if life.old_case:
        out.print(_old_case(life.old_case))
    others = [report for report in life.reports if report.fate != "counts"]
    _show_reports(
        f"Of {len(life.reports)} reports, those that do not simply count", others, refused, out
    )
    if life.weeks:
        out.print("One week in full: the same command with --week and any of its days, such as")
        out.print(f"  --week {life.weeks[-1].week}")


def _strip(weeks: Sequence[WeekOfLife]) -> Table:
    """A row for each ISO year, a sign for each of its weeks."""
    rows: dict[int, list[WeekOfLife | None]] = {}
    for week in weeks:
        year, number, _ = date.fromisoformat(week.week).isocalendar()
        rows.setdefault(year, [None] * WEEKS_IN_ROW)[number - 1] = week
    table = Table(box=None, padding=(0, 1, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    ruler = "".join(
        f"{tick:<{after - tick}}"
        for tick, after in zip(TICKS, (*TICKS[1:], WEEKS_IN_ROW), strict=True)
    )
    table.add_row("week", Text(ruler, style="dim"))
    for year, row in rows.items():
        signs = Text()
        for each in row:
            sign = _sign(each) if each else " "
            signs.append(sign, style=_style(sign) if each else "")
        table.add_row(str(year), signs)
    return table


def _sign(week: WeekOfLife) -> str:
    if week.state == "B":
        return "b" if week.step is None else str(week.step)
    if week.state == "O":
        return "o"
    if week.new_start:
        return "*"
    return "+" if week.earned_now else "."


def _style(sign: str) -> str:
    if sign.isdigit():
        return STEP_STYLES[min(int(sign), len(STEP_STYLES)) - 1]
    return STYLES[sign]


def _legend(life: Life) -> Text:
    """The signs that are in the strip."""
    meanings = {
        "b": "benefit week before the rates",
        "o": "other support",
        ".": "self-support",
        "+": "self-support that is earned now",
        "*": "new start at its end",
    }
    rules = life.rules
    steps = {
        sign: f"benefit week on step {sign}"
        for sign in sorted({_sign(week) for week in life.weeks})
        if sign.isdigit()
    }
    said = {
        sign: text
        for sign, text in (steps | meanings).items()
        if sign in {_sign(week) for week in life.weeks}
    }
    line = Text()
    for sign, text in said.items():
        rule = rules.get(f"staircase.{sign}")
        percent = f" ({rule.says.split('refusion ')[1].split(',')[0]})" if rule else ""
        line.append(sign, style=_style(sign)).append(f" {text}{percent}   ")
    return line


def _standing(life: Life) -> Iterator[str]:
    yield _counted(life.count)
    if life.band:
        yield _stands_on(life.band)
    yield _earned(life.earned)
    yield from map(_began_anew, life.new_starts)


# --- a week
# -----------------------------------------------------------------------------------------


def show_week(reason: WeekReason, refused: Sequence[Refused], out: Console) -> None:
    """One week in full."""
    out.print(
        _heading(
            f"{reason.iso_week}, the week of {reason.week}: {STATES[reason.state]} ({reason.state})"
        )
    )
    out.print(f"Citizen {reason.citizen}, by rule set {reason.rule_set}.\n")
    out.print(f"{reason.because}.")
    if reason.touches:
        out.print(Padding(_touches(reason.touches), (0, 0, 0, 2)))
    out.print()
    out.print(_heading("Counters"))
    out.print(_sentences(_counters(reason)))
    if reason.old_case:
        out.print(_old_case(reason.old_case))
    out.print(_heading("Money"))
    out.print(_money(reason))
    _show_reports(
        "Reports with a day in the week, and the facts of the case", reason.reports, refused, out
    )
    out.print(_heading("What changes it next, from the end of the week"))
    out.print(_sentences(reason.ahead.sentences))
    out.print(_heading("Rules, with where they are from and how sure they are"))
    out.print(_rules(reason.rules))
    out.print()


def _sentences(sentences: Iterable[str]) -> Table:
    """One below the other, each beginning with a hyphen and kept apart from the next; a blank line ends them."""
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0))
    for sentence in sentences:
        table.add_row("-", sentence)
    table.add_row("", "")
    return table


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
    yield _counted(reason.count)
    yield _earned(reason.earned)
    if reason.last_new_start:
        yield _began_anew(reason.last_new_start)
    if reason.new_start_here:
        yield "At the end of this very week both counters begin anew (§ 6)."
    if reason.turn_of_year:
        turn = reason.turn_of_year
        how = (
            "its ordinal"
            if turn.week_after_has_benefits
            else "this week's count + 1, for it has no benefits"
        )
        yield f"Money of this week takes the rate of {_week(turn.rate_of_week)}: {how}, {turn.ordinal} (§ 29, stk. 3)."
    if reason.band:
        yield _stands_on(reason.band)


def _counted(count: Count) -> str:
    if not count.reached:
        return "Refusionstæller: 0; no benefit week since the start or the latest new start."
    return f"Refusionstæller: {count.reached}, the benefit weeks {_spans(count.weeks)}."


def _earned(earned: Earned) -> str:
    weeks = f": {_spans(earned.weeks)}" if earned.weeks else ""
    return f"Genoptjeningstæller: {earned.earned} of {earned.needed} within the window from {earned.window_from}{weeks}."


def _began_anew(new_start: NewStart) -> str:
    return (
        f"New start at the end of {_week(new_start.at_end_of)}, made by {_spans(new_start.weeks)}."
    )


def _stands_on(band: Band) -> str:
    weeks = (
        f"weeks {band.from_week}-{band.to_week}"
        if band.to_week
        else f"week {band.from_week} and on"
    )
    return f"Step {band.step} ({weeks}): refusion {band.refusion} %, medfinansiering {band.medfinansiering} %."


def _spans(weeks: Sequence[Weeks]) -> str:
    return ", ".join(
        f"{each.first} (1 week)" if each.number == 1 else f"{each.number} from {each.first}"
        for each in weeks
    )


def _week(monday: str) -> str:
    year, number, _ = date.fromisoformat(monday).isocalendar()
    return f"{year}-W{number:02d} ({monday})"


def _old_case(case: OldCase) -> str:
    said = ["; ".join(f"{fact} {', '.join(days)}" for fact, days in case.facts.items())]
    if case.flex == "never":
        said.append("flex benefits are outside the staircase")
    elif case.flex == "from":
        enters = ", when the old weeks enter the count" if case.old_weeks_enter else ""
        said.append(f"flex benefits are on the staircase from {case.on_staircase_from}{enters}")
    if case.old_pension:
        said.append("førtidspension is outside the staircase")
    ordinary = "" if len(said) > 1 else "; the staircase holds as for everybody"
    return f"Facts of the case: {'; '.join(said)}{ordinary}.\n"


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
    result = f"= {row.mechanism} {row.rate} % = {exact}{kroner(row.result_ore)} kr. (week {row.ordinal}{account})"
    yield Padding(Text(result, style="bold"), (0, 0, 1, 4))


def _bidrag(bidrag: BidragReason) -> Iterator[RenderableType]:
    """The arithmetic of a month's fleksbidrag."""
    yield f"Fleksbidrag of {bidrag.month}, for fleksløntilskud of this week is on the step for it:"
    lines = []
    if bidrag.basis_ore is not None:
        lines.append(
            f"B {kroner(bidrag.basis_ore)}, R {kroner(bidrag.refusion_ore)}: {_unrounded(bidrag.share_ore)} kr.,"
        )
        lines.append(f"at most {kroner(bidrag.cap_ore)} kr.")
    if bidrag.wages_ore is not None:
        wages = f"wages {kroner(bidrag.wages_ore)}: less {_unrounded(bidrag.reduction_ore)} kr.;"
        days = f"{bidrag.entitling_days} of {bidrag.days} days with fleksløntilskud are on the step: × {bidrag.due}"
        lines += [wages, days]
    if lines:
        yield Padding("\n".join(lines), (0, 0, 0, 4))
    result = f"= {kroner(bidrag.amount_ore)} kr. from the State, in the week of {bidrag.week}"
    if bidrag.why_none:
        result = f"= none: {bidrag.why_none}"
    yield Padding(Text(result, style="bold"), (0, 0, 1, 4))


def _unrounded(ore: str) -> str:
    """Hundredths of an øre as kroner."""
    sign, digits = ("-", ore[1:]) if ore.startswith("-") else ("", ore)
    whole, hundredths = digits.split(".")
    return f"{sign}{int(whole) // 100:,}.{int(whole) % 100:02d}{hundredths}"


# --- what was posted
# --------------------------------------------------------------------------------


def show_posted(rows: Sequence[PostedRow], agree: bool, out: Console) -> None:
    """The rows of a week as they were posted, each with the run it is in, and whether they are what is due."""
    if not agree:
        out.print(
            _heading(
                "What stands posted is not what is due by these rules: others held, or the ledger is behind."
            )
        )
    if not rows:
        return
    out.print(_heading("Rows posted for the week, in their order"))
    stands = {row.id for row in standing(rows)}
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(
            "stands" if row.id in stands else "reverses" if row.reverses else "reversed",
            _posted(row),
        )
    out.print(table)
    out.print()


def show_row(row: PostedRow, rows: Sequence[PostedRow], out: Console) -> None:
    """A row's own story: what it took the place of, and what took its place."""
    out.print(_heading(f"Row {row.id}"))
    takes_back = [f"It takes back {row.reverses}."] if row.reverses else []
    taken_back = [
        f"It was taken back by {other.id} ({_run_of(other)}), for {other.cause} ({other.reason})."
        for other in rows
        if other.reverses == row.id
    ]
    out.print(_sentences([_posted(row), *takes_back, *taken_back]))


def show_source(sentence: str, out: Console) -> None:
    """Where the reports are from."""
    out.print(Text(f"Worked out from {sentence}", style="dim"))


def _posted(row: PostedRow) -> str:
    money = f"{row.benefit} in {row.month}, {kroner(row.amount_ore or 0)} at {row.rate} % = {kroner(row.result_ore)} kr."
    return (
        f"{money} (week {row.ordinal}; {_run_of(row)}), for {row.cause} ({row.reason}); id {row.id}"
    )


def _run_of(row: PostedRow) -> str:
    return "in no run yet" if row.run is None else f"run {row.run}"


# --- reports and rules
# ------------------------------------------------------------------------------


def _show_reports(
    heading: str, reports: Sequence[ReportReason], refused: Sequence[Refused], out: Console
) -> None:
    if reports or refused:
        out.print(_heading(heading))
    if reports:
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        for report in reports:
            table.add_row(FATES[report.fate][0], report.cause, report_text(report))
        out.print(table)
    for each in refused:
        out.print(
            f"Line {each.line} about this citizen was rejected ({each.reason}): {each.detail}."
        )
    if reports or refused:
        out.print()


def report_text(report: ReportReason) -> str:
    """What a report says, and what became of it."""
    said = []
    if report.type != "reversal":
        days = " to ".join(day for day in (report.since, report.until) if day)
        amount = "" if report.amount_ore is None else f", {kroner(report.amount_ore)} kr."
        outside = " outside the Act" if report.outside_act else ""
        said.append(f"{report.what}{outside} {days}{amount};")
    said += [f"reported {report.reported_on}.", FATES[report.fate][1].format(by=report.by)]
    return " ".join(said).strip()


def _rules(rules: Mapping[str, Rule]) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    for name, rule in rules.items():
        table.add_row(
            name, rule.evidence, f"{rule.says.rstrip('.')}. {rule.reference}.{_marks(rule)}"
        )
    return table


def _marks(rule: Rule) -> str:
    """The marks of single fields; remarks are not shown here."""
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


def _heading(text: str) -> Text:
    return Text(text, style="bold")


def kroner(ore: int) -> str:
    """Øre as kroner with two decimals."""
    return f"{'-' if ore < 0 else ''}{abs(ore) // 100:,}.{abs(ore) % 100:02d}"
