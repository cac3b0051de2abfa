"""The consequences of a report before rows are posted, and the fleksbidrag that they lead to."""

from typing import NamedTuple

from domain.citizen.changes import CellChange
from domain.citizen.doubts import Notice, basis_notice
from domain.citizen.fleksbidrag import fleksbidrag, may_have_fleksbidrag
from domain.citizen.fresh import FreshCells
from domain.citizen.records import Part, SeenReport, StateError
from domain.citizen.reports import IncomeLine, Line
from domain.citizen.state import Citizen
from domain.law.counters import Counters
from domain.law.old_cases import FLEKSLOENTILSKUD
from domain.law.staircase import Law
from domain.law.week_counts import WeekCounts


class Settling(NamedTuple):
    """The consequences of a report: cells to post, in their order, each with its entitlement.

    `counters` is None where neither counter moved. `is_reversal` tells if a report was taken back.
    `fresh` are cells that are not there yet; then there are no changes.
    """

    changes: list[CellChange]
    counters: Counters | None
    notices: list[Notice]
    is_reversal: bool
    fresh: FreshCells | None = None


UNCHANGED = Settling([], None, [], False)
"""The consequences of a report from which nothing follows."""


def with_fleksbidrag(
    law: Law, citizen: Citizen, settling: Settling, own_months: set[int]
) -> Settling:
    """Add the fleksbidrag of the report's own months, and of months whose fleksløntilskud moved."""
    changes = settling.changes
    months = own_months | {
        change.month for change in changes if change.group.code == FLEKSLOENTILSKUD
    }
    weeks = citizen.head.weeks
    bidrag_changes, missing = [], []
    for month in sorted(months):
        part = citizen.part(month)
        if part is None or not may_have_fleksbidrag(law, part):
            continue
        bidrag = fleksbidrag(law, weeks, part, changes, own=month in own_months)
        bidrag_changes += bidrag.changes
        if bidrag.changes:
            citizen.open_part(month)
        missing += [month] * bidrag.basis_missing
    notices = settling.notices + basis_notice(citizen, missing)
    if bidrag_changes:
        changes = sorted([*changes, *bidrag_changes], key=CellChange.place)
    return settling._replace(changes=changes, notices=notices)


def moved_counters(law: Law, was: WeekCounts, now: WeekCounts) -> Counters | None:
    """Give both counters, or None where they are what they were."""
    if was is now:
        return None
    busy, busy_now = was[0][1], now[0][1]
    if busy.bit_length() != busy_now.bit_length():  # another latest week
        return law.counters(now)
    ((benefit, _, _), status, second), ((benefit_now, _, _), status_now, second_now) = was, now
    if (
        busy == busy_now
        and benefit == benefit_now
        and status == status_now
        and (second and second.benefit) == (second_now and second_now.benefit)
    ):
        return None
    after = law.counters(now)
    return after if after != law.counters(was) else None


def line_in_parts(
    citizen: Citizen, seen: SeenReport, reporter: str, report_id: str
) -> tuple[Line | IncomeLine, list[Part]]:
    """Give a report's line, and the parts that it is in, to be changed."""
    month = int(seen.place)
    line = next(citizen.open_part(month).lines_of(seen.type, reporter, report_id), None)
    if line is None:
        raise StateError(f"the state of citizen {citizen.id} lacks a line in month {month}")
    return line, citizen.open_period(line.start, line.end)
