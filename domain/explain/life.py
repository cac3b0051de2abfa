"""The explanation of a whole life on the staircase, week by week."""

from collections.abc import Iterable, Sequence
from datetime import date

from domain.basics.weeks import week_of, week_text
from domain.citizen.reports import Freeing, Report
from domain.citizen.state import Citizen
from domain.explain.fates import fates
from domain.explain.old_cases import old_case_reason
from domain.explain.position import Position, cite_reset
from domain.explain.reasons import (
    CountReason,
    Earned,
    LifeReason,
    NewStartReason,
    WeekOfLife,
    WeekSpan,
)
from domain.explain.reports import report_reason
from domain.explain.rulebook import Rulebook
from domain.law.counters import lowest
from domain.law.staircase import Law


def explain_life(law: Law, citizen: Citizen, reports: Sequence[Report | Freeing]) -> LifeReason:
    """Explain a whole life, at the end of its last week with support."""
    busy = citizen.head.weeks.first.busy
    told = [report_reason(entry) for entry in fates(reports)]
    book = Rulebook(law.rules)
    if not busy:
        nothing = CountReason(0, []), Earned(0, law.window.needed, week_text(0), [])
        old_case = old_case_reason(law, book, citizen)
        return LifeReason(
            citizen.id, law.rules.name, [], *nothing, None, [], old_case, told, None, book.used
        )
    last = busy.bit_length() - 1
    at = Position(law, citizen, last)
    cite_reset(law, book)
    weeks, new_starts = _weeks_of_life(law, book, citizen, (lowest(busy), last))
    return LifeReason(
        citizen=citizen.id,
        rule_set=law.rules.name,
        weeks=weeks,
        count=at.count,
        earned=at.earned,
        band=book.band(last, at.count.reached)
        if book.has_rates(last) and at.count.reached
        else None,
        new_starts=new_starts,
        old_case=old_case_reason(law, book, citizen),
        reports=told,
        ahead=at.ahead(book),
        rules=book.used,
    )


def _weeks_of_life(
    law: Law, book: Rulebook, citizen: Citizen, span: tuple[int, int]
) -> tuple[list[WeekOfLife], list[NewStartReason]]:
    """Return each week of a life, and its new starts.

    A second count ranks the weeks from a transfer on.
    """
    first, last = span
    earned_now = _expanded(Position(law, citizen, last).earned.weeks)
    weeks, new_starts = [], []
    for week in range(first, last + 1):
        at = Position(law, citizen, week)
        if at.is_new_start:
            new_starts.append(at.new_start(week))
        step = None
        if at.state == "B" and book.has_rates(week):
            step = book.band(week, law.ordinal(at.reading, week)).step
        reached = at.count.reached
        weeks.append(
            WeekOfLife(
                week_text(week),
                at.state,
                reached,
                step,
                week_text(week) in earned_now,
                at.is_new_start,
            )
        )
    return weeks, new_starts


def _expanded(spans: Iterable[WeekSpan]) -> set[str]:
    """List the weeks of spans, one by one."""
    mondays: set[str] = set()
    for span in spans:
        first = week_of(date.fromisoformat(span.first).toordinal())
        mondays |= {week_text(week) for week in range(first, first + span.number)}
    return mondays
