"""Words and layout that all explanations share: the console, headings, sentences, reports."""

import re
import sys
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from domain.explain.reasons import (
    BandReason,
    CountReason,
    Earned,
    NewStartReason,
    OldCase,
    ReportReason,
    WeekSpan,
)
from streams.explain.find import RejectedLine
from streams.kit.catalogue import Catalogue

FILLING: Final = re.compile(" +\n")
"""The spaces with which rich fills up a line."""


class _Trimmed:
    """Standard output without the spaces at the ends of lines."""

    def write(self, text: str) -> int:
        """Pass text on."""
        return sys.stdout.write(FILLING.sub("\n", text))

    def flush(self) -> None:
        """Pass on what is held back."""
        sys.stdout.flush()


def console() -> Console:
    """Return a console on standard output: in colour on a terminal, plain elsewhere."""
    out: Any = None if sys.stdout.isatty() else _Trimmed()
    return Console(file=out, highlight=False, markup=False)


# --- words --------------------------------------------------------------------------------------


def named(kind: str, name: str, words: Catalogue) -> str:
    """Say a name of the contract, such as a reason, in words where the language has some."""
    known = f"{kind}.{name}"
    return words.text(known) if words.knows(known) else name


def heading(text: str) -> Text:
    """Return a heading."""
    return Text(text, style="bold")


def sentences(lines: Iterable[str]) -> Table:
    """Lay out sentences below each other, each after a hyphen, with a blank line at the end."""
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0))
    for sentence in lines:
        table.add_row("-", sentence)
    table.add_row("", "")
    return table


def refusionstaeller(count: CountReason, words: Catalogue) -> str:
    """Write the counter of benefit weeks."""
    if not count.reached:
        return words.text("counter.none")
    return words.text("counter.reached", number=count.reached, weeks=_spans(count.weeks, words))


def genoptjeningstaeller(earned: Earned, words: Catalogue) -> str:
    """Write the counter of self-support weeks."""
    spans = _spans(earned.weeks, words)
    weeks = words.text("counter.earned_weeks", weeks=spans) if earned.weeks else ""
    return words.text(
        "counter.earned",
        earned=earned.earned,
        needed=earned.needed,
        since=earned.window_from,
        weeks=weeks,
    )


def new_start_text(new_start: NewStartReason, words: Catalogue) -> str:
    """Write a new start with the weeks that made it."""
    week, weeks = week_text(new_start.at_end_of), _spans(new_start.weeks, words)
    return words.text("counter.new_start", week=week, weeks=weeks)


def step_text(band: BandReason, words: Catalogue) -> str:
    """Write a step of the staircase with its percentages."""
    return words.text(
        "counter.step" if band.to_week else "counter.last_step",
        step=band.step,
        first=band.from_week,
        last=band.to_week or 0,
        refusion=band.refusion,
        medfinansiering=band.medfinansiering,
    )


def _spans(weeks: Sequence[WeekSpan], words: Catalogue) -> str:
    return ", ".join(
        words.text("span.one", week=span.first)
        if span.number == 1
        else words.text("span.more", number=span.number, week=span.first)
        for span in weeks
    )


def week_text(monday: str) -> str:
    """Write a week by its ISO number and its Monday, such as `2024-W05 (2024-01-29)`."""
    year, number, _ = date.fromisoformat(monday).isocalendar()
    return f"{year}-W{number:02d} ({monday})"


def old_case_text(case: OldCase, words: Catalogue) -> str:
    """Write the facts of a case and their effect."""
    facts = [f"{named('fact', name, words)} {', '.join(days)}" for name, days in case.facts.items()]
    said = ["; ".join(facts)]
    if case.flex == "never":
        said.append(words.text("old.never"))
    elif case.flex == "from":
        enters = words.text("old.enters") if case.old_weeks_enter else ""
        since = str(case.on_staircase_from)
        said.append(words.text("old.from", week=since, enters=enters))
    if case.old_pension:
        said.append(words.text("old.pension"))
    ordinary = "" if len(said) > 1 else words.text("old.ordinary")
    return words.text("old.facts", said="; ".join(said), ordinary=ordinary)


# --- reports ------------------------------------------------------------------------------------


def show_reports(
    title: str,
    reports: Sequence[ReportReason],
    rejected: Sequence[RejectedLine],
    words: Catalogue,
    out: Console,
) -> None:
    """Show reports and rejected lines under a heading; nothing if there are none."""
    if not reports and not rejected:
        return
    out.print(heading(title))
    if reports:
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        for report in reports:
            fate = words.text(f"fate.{report.fate}")
            table.add_row(fate, report.cause, report_text(report, words))
        out.print(table)
    for line in rejected:
        reason, detail = line.reason, line.detail
        out.print(words.text("report.rejected", line=line.line, reason=reason, detail=detail))
    out.print()


def report_text(report: ReportReason, words: Catalogue) -> str:
    """Write the content of a report, and its fate."""
    said = []
    if report.type != "reversal":
        said.append(_content(report, words))
    said.append(words.text("report.reported", day=report.reported_on))
    if words.knows(f"fate_says.{report.fate}"):
        said.append(words.text(f"fate_says.{report.fate}", by=report.by))
    return " ".join(said).strip()


def _content(report: ReportReason, words: Catalogue) -> str:
    days = report.since or ""
    if report.until:
        days = words.text("report.days", since=days, until=report.until)
    amount = ""
    if report.amount_ore is not None:
        amount = words.text("report.amount", amount=words.kroner(report.amount_ore))
    outside = words.text("report.outside") if report.outside_act else ""
    what = named("fact", report.what, words) if report.type == "case_fact" else report.what
    return words.text("report.content", what=what, outside=outside, days=days, amount=amount)
