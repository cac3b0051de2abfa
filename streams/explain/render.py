"""Words and layout that all explanations share: the console, headings, sentences, reports."""

import re
import sys
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from domain.basics.kroner import kroner
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

FATES: Final = {
    "counts": ("counts", ""),
    "reversed": ("reversed", "Never counted: {by} reverses it."),
    "delivered_again": (
        "repeated",
        "A report with the same content came before; this one changes nothing.",
    ),
    "too_many": ("refused", "A month of it had as many reports as it may have."),
    "freed": ("freed", "An id was freed for another report; nothing of this one counts."),
    "conflicting_duplicate": ("refused", "Its id came before with other content, which is kept."),
    "reverses": ("reversal", "It reverses {by}."),
    "reverses_group": ("reversal", "It reverses all reports of the group {by}."),
    "reverses_again": ("reversal", "It changes nothing: {by} reversed the same report before."),
    "waits": ("waits", "It reverses {by}, which has not come."),
    "never_matches": ("reversal", "It changes nothing: {by} is a reversal itself."),
}
"""A word and a sentence for each fate of a report."""
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


def refusionstaeller(count: CountReason) -> str:
    """Write the counter of benefit weeks."""
    if not count.reached:
        return "Refusionstæller: 0; no benefit week since the start or the latest new start."
    return f"Refusionstæller: {count.reached}, the benefit weeks {_spans(count.weeks)}."


def genoptjeningstaeller(earned: Earned) -> str:
    """Write the counter of self-support weeks."""
    weeks = f": {_spans(earned.weeks)}" if earned.weeks else ""
    return (
        f"Genoptjeningstæller: {earned.earned} of {earned.needed}"
        f" within the window from {earned.window_from}{weeks}."
    )


def new_start_text(new_start: NewStartReason) -> str:
    """Write a new start with the weeks that made it."""
    week, weeks = week_text(new_start.at_end_of), _spans(new_start.weeks)
    return f"New start at the end of {week}, made by {weeks}."


def step_text(band: BandReason) -> str:
    """Write a step of the staircase with its percentages."""
    weeks = (
        f"weeks {band.from_week}-{band.to_week}"
        if band.to_week
        else f"week {band.from_week} and on"
    )
    return (
        f"Step {band.step} ({weeks}):"
        f" refusion {band.refusion} %, medfinansiering {band.medfinansiering} %."
    )


def _spans(weeks: Sequence[WeekSpan]) -> str:
    return ", ".join(
        f"{span.first} (1 week)" if span.number == 1 else f"{span.number} from {span.first}"
        for span in weeks
    )


def week_text(monday: str) -> str:
    """Write a week by its ISO number and its Monday, such as `2024-W05 (2024-01-29)`."""
    year, number, _ = date.fromisoformat(monday).isocalendar()
    return f"{year}-W{number:02d} ({monday})"


def old_case_text(case: OldCase) -> str:
    """Write the facts of a case and their effect."""
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


# --- reports ------------------------------------------------------------------------------------


def show_reports(
    title: str, reports: Sequence[ReportReason], rejected: Sequence[RejectedLine], out: Console
) -> None:
    """Show reports and rejected lines under a heading; nothing if there are none."""
    if not reports and not rejected:
        return
    out.print(heading(title))
    if reports:
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        for report in reports:
            table.add_row(FATES[report.fate][0], report.cause, report_text(report))
        out.print(table)
    for line in rejected:
        out.print(
            f"Line {line.line} about this citizen was rejected ({line.reason}): {line.detail}."
        )
    out.print()


def report_text(report: ReportReason) -> str:
    """Write the content of a report, and its fate."""
    said = []
    if report.type != "reversal":
        days = " to ".join(day for day in (report.since, report.until) if day)
        amount = "" if report.amount_ore is None else f", {kroner(report.amount_ore)} kr."
        outside = " outside the Act" if report.outside_act else ""
        said.append(f"{report.what}{outside} {days}{amount};")
    said += [f"reported {report.reported_on}.", FATES[report.fate][1].format(by=report.by)]
    return " ".join(said).strip()
