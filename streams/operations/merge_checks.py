"""Checks that a merge loses no report, since two numbers become one set of ids and of weeks."""

from collections.abc import Iterable, Sequence

from domain.citizen.admission import refusal
from domain.citizen.openings import has_days_in
from domain.citizen.reports import Freeing, Opening, Payment, Report, Reversal, cause, says_the_same
from domain.citizen.room import MOST_REPORTS, Room
from domain.law.staircase import Law
from streams.operations.merge_past import (
    CitizenPast,
    MergeError,
    PastIds,
    PastRecord,
    ids_taken,
    report_of,
)


def left_out(past: CitizenPast, to: CitizenPast) -> set[int]:
    """Return the places of a past that another citizen gets no copy of.

    They are what would free an id that nothing had; whatever has to do with an id that was freed
    and is the other's; and opening rows that have made way for a payment.
    """
    mine, payments = PastIds(past.since), payments_of(past)
    names = mine.vacant() & PastIds(to.since).ever
    places = set(mine.idle)
    for place, kept in enumerate(past.since):
        content, report = kept.entry.report, report_of(kept)
        has = [content.name] if isinstance(content, Freeing) else []
        if isinstance(report, Opening):
            if is_answered(report, payments):
                places.add(place)
        elif report is not None:
            has = ids_taken(report)
        if not names.isdisjoint(has):
            places.add(place)
    return places


def check_ids(former: CitizenPast, to: CitizenPast) -> None:
    """Raise MergeError where two numbers' ids, taken as one set of ids, would lose a report."""
    mine, theirs = PastIds(former.since), PastIds(to.since)
    shared = (mine.ever & theirs.ever) - mine.vacant()
    lost = sorted(name for name in shared if _loses(name, mine, theirs))
    if lost:
        raise MergeError(
            f"{len(lost)} ids have other contents under the two numbers, or were freed under one of"
            f" them, such as {lost[0]}, so that one of two reports would not count: free the id"
            " under the former number (`refusion free-id`; where a reversal has it there, under the"
            " new one), and have the reporter report what is true under another id"
        )


def _loses(name: str, former: PastIds, to: PastIds) -> bool:
    """Tell if a report is lost where two numbers' reports come under an id one after the other."""
    one, other = former.first.get(name), to.first.get(name)
    if isinstance(one, Opening) or isinstance(other, Opening):
        return False  # they are looked at week by week
    if name in to.vacant():
        return name in former.freed or _is_same(one, to.freed[name])
    if name in former.freed or name in to.freed:
        return True
    return one is not None and other is not None and not _is_same(one, other)


def _is_same(one: Report | Opening | None, other: Report | Opening | None) -> bool:
    if isinstance(one, Opening | None) or isinstance(other, Opening | None):
        return False
    return says_the_same(one, other)


def check_openings(past: CitizenPast, other: CitizenPast) -> None:
    """Raise MergeError where an opening row would make way for what the other number has.

    A cell has one opening row, and all rows of a week make way for the first payment in it.
    """
    rows, theirs = _openings(past), _openings(other)
    if not rows:
        return
    mine, payments = payments_of(past), payments_of(other)
    lost = sorted(
        name
        for name, row in rows.items()
        if not is_answered(row, mine) and (name in theirs or is_answered(row, payments))
    )
    if lost:
        raise MergeError(
            f"{len(lost)} opening rows would make way for what the other number has in the same"
            f" week, such as {lost[0]}: have the payments of that week reported for both numbers,"
            " as they were paid; they take the place of the rows"
        )


def is_answered(row: Opening, payments: Iterable[Payment]) -> bool:
    """Tell if a payment has days in the week of an opening row."""
    return any(has_days_in(paid.start, paid.end, row.week) for paid in payments)


def _openings(past: CitizenPast) -> dict[str, Opening]:
    first = PastIds(past.since).first
    return {name: row for name, row in first.items() if isinstance(row, Opening)}


def payments_of(past: CitizenPast) -> list[Payment]:
    """Return the payments that were reported, reversed or not."""
    reports = (report_of(kept) for kept in past.since)
    return [report for report in reports if isinstance(report, Payment)]


def check_admission(
    law: Law | None, again: Sequence[PastRecord], beside: Sequence[PastRecord] = ()
) -> None:
    """Raise MergeError where the rule set that holds does not admit what stands and comes again.

    What was taken back may become a dead letter: it has no money. A law of None admits all.
    """
    if law is None:
        return
    reports = [report for kept in (*again, *beside) if (report := report_of(kept)) is not None]
    gone = {taken_back for report in reports for taken_back in _taken_back(report)}
    refused = sorted(
        cause(report)
        for kept in again
        if (report := report_of(kept)) is not None
        and refusal(law, report)
        and gone.isdisjoint(_ways_back(report))
    )
    if refused:
        raise MergeError(
            f"{len(refused)} reports were settled by an earlier rule set, and {law.rules.name}, by"
            f" which they would be settled anew, does not admit them, such as {refused[0]}: have"
            " the reporter take them back, or take up a rule set that admits them"
        )


def _taken_back(report: Report | Opening) -> list[tuple[str, str, str]]:
    if not isinstance(report, Reversal):
        return []
    return [(report.reporter, report.reverses, report.reverses_group)]


def _ways_back(report: Report | Opening) -> set[tuple[str, str, str]]:
    """Return what a reversal says that takes a report back."""
    if isinstance(report, Opening):
        return set()
    group = {(report.reporter, "", report.group)} if report.group else set()
    return {(report.reporter, report.report_id, "")} | group


def check_room(to: CitizenPast, copied: Sequence[PastRecord]) -> None:
    """Raise MergeError where a month has no room for the reports of both numbers."""
    room = Room(to.law.counting_from_month if to.law else 0)
    met: set[str] = set()
    for kept in (*to.since, *copied):
        report = report_of(kept)
        if isinstance(kept.entry.report, Freeing):
            met.discard(kept.entry.report.name)
        elif isinstance(report, Report) and cause(report) not in met:
            met.add(cause(report))
            if not room.takes(report):
                raise MergeError(
                    f"the two numbers have over {MOST_REPORTS:,} reports in a month, which is more"
                    " than one person can have: a reporter must be at fault; leave them apart"
                )
