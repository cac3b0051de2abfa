"""Tells whether the rule set that holds at a place of the journal admits a report.

Intake lets through the benefits of every rule set on file, since it does not know which of them
is valid for a citizen's partition. The rule set that is valid there has the last word.
"""

from typing import Literal

from domain.citizen.records import FREED, WAITING
from domain.citizen.reports import CitizenRecord, Copy, Join, Move, Opening, Payment, cause
from domain.citizen.state import Citizen
from domain.law.staircase import Law

Refusal = Literal["", "unknown_benefit", "not_valid_in_period"]
"""A reason of contract section 2, or "" for a report that is admitted."""


def refusal(law: Law, report: CitizenRecord) -> Refusal:
    """Tell why a law refuses a report that it sees for the first time.

    A benefit that the rule set does not have yet, such as HFP under R-1, is unknown. One that it
    has closed, or not opened, on every day of the period is not valid in it.
    """
    if isinstance(report, Payment):
        validity = law.validity.get(report.benefit)
        if validity is None:
            return "unknown_benefit"
        first, last = validity
        return "not_valid_in_period" if report.start > last or report.end < first else ""
    if isinstance(report, Opening) and report.benefit not in law.validity:
        return "unknown_benefit"
    return ""


def came_before(citizen: Citizen, report: CitizenRecord) -> bool:
    """Tell if a report was accepted before, maybe under another rule set."""
    if isinstance(report, Move | Join | Copy):
        return False
    seen = citizen.seen(cause(report))
    return seen is not None and seen.type not in {WAITING.type, FREED}
