"""Reversals that came before the report that they take back, and wait for it.

A reversal that waits for long is either a slip or an attempt to make a payment void that has not
come yet. So the head keeps who waits since when, and the citizen's next report tells of those that
wait for over a month. Time is `reported_at`, so that the journal alone decides.
"""

from typing import Final

from domain.basics.weeks import day_text
from domain.citizen.doubts import Notice
from domain.citizen.records import EarlyReversal, group_in_state
from domain.citizen.reports import Payment, Report, Reversal, cause
from domain.citizen.state import Citizen

PATIENCE_DAYS: Final = 31
"""Days that a reversal may wait without a notice: the longest month."""
MOST: Final = 100
"""Reversals that wait at a time; one more, and all are noticed at once. A head stays small."""


def await_report(citizen: Citizen, reversal: Reversal) -> None:
    """Note that a reversal waits for the report, or for a report of the group, that it names."""
    named = reversal.reverses or group_in_state(reversal.reverses_group)
    waits = EarlyReversal(reversal.reporter, named, reversal.report_id, reversal.reported)
    citizen.change_head().waiting.append(waits)


def overdue_notices(citizen: Citizen, report: Report) -> list[Notice]:
    """Give the notice of reversals that have waited for too long when a report comes, once.

    A report that a reversal has waited for ends the waiting, with a notice only where it took long.
    A reversal is of no group that could be taken back, whatever group it names as its own.
    """
    name = cause(report)
    last_day = report.reported - PATIENCE_DAYS
    waiting = citizen.head.waiting
    overdue = [waits for waits in waiting if waits.reported < last_day or len(waiting) > MOST]
    group = "" if isinstance(report, Reversal) else report.group
    this = report.reporter, report.report_id, group
    left = [waits for waits in waiting if waits not in overdue and not waits.awaits(*this)]
    if len(left) == len(waiting):
        return []
    citizen.change_head().waiting = left
    if not overdue:
        return []
    detail = {
        "reports": sorted(waits.awaited for waits in overdue),
        "reversals": sorted(waits.name for waits in overdue),
        "date": day_text(min(waits.reported for waits in overdue)),
    }
    places = {report.paying, report.financing} if isinstance(report, Payment) else set()
    codes = sorted(code for code in places if code is not None)
    if codes and name in detail["reports"]:
        detail["municipalities"] = codes
    return [Notice("reversed_before_reported", detail)]
