"""The fate of each report of a citizen: whether it counts, and which other report decided that.

It is derived from the reports alone, in the order of the journal, not from the state that folding
them leaves.
"""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from domain.basics.weeks import month_number
from domain.citizen.reports import CaseFact, Report, Reversal, cause
from domain.citizen.room import Room

FIRST_MONTH: Final = month_number("2014-06")
"""The month in which counting began: earlier months have no entry in the state, and no bound."""

Fate = Literal[
    "counts",
    "reversed",
    "delivered_again",
    "conflicting_duplicate",
    "too_many",
    "reverses",
    "reverses_again",
    "waits",
    "never_matches",
]
"""The fates of a report.

* `counts`: it stands.
* `reversed`: `by` reversed it, whichever of the two came first.
* `delivered_again`: the same report came before, as `by`.
* `conflicting_duplicate`: another content came before under its id, and stands.
* `too_many`: a month of it had as many reports as it may have.

A reversal has one of the other four:

* `reverses`: it reverses the report `by`.
* `reverses_again`: another reversal, `by`, did so already.
* `waits`: its report has not come.
* `never_matches`: its report is a reversal, which cannot be reversed.
"""


class ReportFate(NamedTuple):
    """A report, its fate, and the report (`reporter/report_id`) that decided it, or ""."""

    report: Report
    fate: Fate
    by: str


def fates(reports: Sequence[Report]) -> list[ReportFate]:
    """Return the fate of each report of one citizen, in their order."""
    first: dict[str, Report] = {}
    taken_back: dict[str, str] = {}
    """The reversed reports, each with the report that reversed it first."""
    room, refused = Room(FIRST_MONTH), set[int]()
    for place, report in enumerate(reports):
        if cause(report) not in first and not room.takes(report):
            refused.add(place)
        elif first.setdefault(cause(report), report) is report and isinstance(report, Reversal):
            taken_back.setdefault(_target(report), cause(report))
    seen: set[str] = set()
    entries = []
    for place, report in enumerate(reports):
        name = cause(report)
        if place in refused:
            entries.append(ReportFate(report, "too_many", ""))
            continue
        if name in seen:
            same = _is_same(first[name], report)
            entries.append(
                ReportFate(report, "delivered_again" if same else "conflicting_duplicate", name)
            )
            continue
        seen.add(name)
        if isinstance(report, Reversal):
            entries.append(_fate_of_reversal(report, first, taken_back))
        else:
            entries.append(
                ReportFate(
                    report, "reversed" if name in taken_back else "counts", taken_back.get(name, "")
                )
            )
    return entries


def _target(reversal: Reversal) -> str:
    return f"{reversal.reporter}/{reversal.reverses}"


def _is_same(first: Report, again: Report) -> bool:
    """Return True if everything but the day of reporting is equal (contract section 2)."""
    return type(first) is type(again) and first[:-1] == again[:-1]


def _fate_of_reversal(
    reversal: Reversal, first: dict[str, Report], taken_back: dict[str, str]
) -> ReportFate:
    target = _target(reversal)
    if target not in first:
        return ReportFate(reversal, "waits", target)
    if isinstance(first[target], Reversal):
        return ReportFate(reversal, "never_matches", target)
    before = taken_back[target]
    return (
        ReportFate(reversal, "reverses", target)
        if before == cause(reversal)
        else ReportFate(reversal, "reverses_again", before)
    )


def facts_of(told: Sequence[ReportFate]) -> list[CaseFact]:
    """Return the case facts that stand."""
    return [
        each.report for each in told if isinstance(each.report, CaseFact) and each.fate == "counts"
    ]
