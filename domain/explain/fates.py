"""The fate of each report of a citizen: whether it counts, and which other report decided that.

It is derived from the reports alone, in the order of the journal, not from the state that folding
them leaves.
"""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from domain.basics.weeks import month_number
from domain.citizen.reports import CaseFact, Freeing, Report, Reversal, cause, says_the_same
from domain.citizen.room import Room

FIRST_MONTH: Final = month_number("2014-06")
"""The month in which counting began: earlier months have no entry in the state, and no bound."""

Fate = Literal[
    "counts",
    "reversed",
    "delivered_again",
    "conflicting_duplicate",
    "too_many",
    "freed",
    "reverses",
    "reverses_group",
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
* `freed`: its id was freed for another report, and nothing of it counts. A reversal that waited for
  the id, `by`, has this fate too.

A reversal has one of the other five:

* `reverses`: it reverses the report `by`.
* `reverses_group`: it reverses all reports of the group `by`.
* `reverses_again`: another reversal, `by`, did so already.
* `waits`: its report, or all of its group, has not come.
* `never_matches`: its report is a reversal, which cannot be reversed.
"""


class ReportFate(NamedTuple):
    """A report, its fate, and the report (`reporter/report_id`) that decided it, or ""."""

    report: Report
    fate: Fate
    by: str


class _Placed(NamedTuple):
    """A report and its name, and the name that it reverses; a freed name is another from then on.

    A name is the id with the number of times that it was freed before.
    """

    report: Report
    name: "_Name"
    target: "_Name | None"


_Name = tuple[str, int]
_MARK: Final = "\t"
"""Stands before the name of a group: no report's id has it."""


def fates(journal: Sequence[Report | Freeing]) -> list[ReportFate]:
    """Return the fate of each report of one citizen, in their order."""
    placed, freed = _placed(journal)
    first: dict[_Name, _Placed] = {}
    taken_back: dict[_Name, _Name] = {}
    """The reversed reports and groups, each with the report that reversed it first."""
    room, refused = Room(FIRST_MONTH), set[int]()
    for place, each in enumerate(placed):
        if each.name not in first and not room.takes(each.report):
            refused.add(place)
        elif first.setdefault(each.name, each) is each and each.target is not None:
            taken_back.setdefault(each.target, each.name)
    _take_groups_back(first, taken_back)
    seen: set[_Name] = set()
    entries = []
    for place, each in enumerate(placed):
        report, name, target = each
        if place in refused:
            entries.append(ReportFate(report, "too_many", ""))
        elif name in seen:
            same = says_the_same(first[name].report, report)
            entries.append(
                ReportFate(report, "delivered_again" if same else "conflicting_duplicate", name[0])
            )
        elif name in freed:
            entries.append(ReportFate(report, "freed", ""))
        elif target is not None and target in freed and target not in first:
            entries.append(ReportFate(report, "freed", target[0]))
        elif target is not None:
            is_of_group = isinstance(report, Reversal) and report.reverses_group
            tell = _fate_of_group if is_of_group else _fate_of_reversal
            entries.append(tell(each, target, first, taken_back))
        else:
            fate: Fate = "reversed" if name in taken_back else "counts"
            entries.append(ReportFate(report, fate, taken_back.get(name, ("", 0))[0]))
        seen.add(name)
    return entries


def _take_groups_back(first: dict[_Name, _Placed], taken_back: dict[_Name, _Name]) -> None:
    """Note the reports whose group is reversed, and the first report of each group as its own."""
    for name, each in list(first.items()):
        if each.report.group and not isinstance(each.report, Reversal):
            group = _group(each.report.reporter, each.report.group)
            first.setdefault(group, each)
            if (by := taken_back.get(group)) is not None:
                taken_back.setdefault(name, by)


def _group(reporter: str, group: str) -> _Name:
    """Name a group as no report is named: no freeing concerns it."""
    return f"{reporter}/{_MARK}{group}", 0


def _fate_of_group(
    reversal: _Placed,
    target: _Name,
    first: dict[_Name, _Placed],
    taken_back: dict[_Name, _Name],
) -> ReportFate:
    shown = target[0].replace(_MARK, "")
    before = taken_back[target]
    if before != reversal.name:
        return ReportFate(reversal.report, "reverses_again", before[0])
    return ReportFate(reversal.report, "reverses_group" if target in first else "waits", shown)


def _placed(journal: Sequence[Report | Freeing]) -> tuple[list[_Placed], set[_Name]]:
    """Name the reports of a journal. Returns the freed names too.

    An id is freed only where a report or a reversal has come for it, and not where a reversal has
    it. What was freed may come again: that is a repetition of it.
    """
    placed: list[_Placed] = []
    times: dict[str, int] = {}
    first: dict[_Name, Report] = {}
    awaited, freed = set[_Name](), set[_Name]()
    for record in journal:
        if isinstance(record, Freeing):
            name = record.name, times.get(record.name, 0)
            is_used = name in first or name in awaited
            if is_used and not isinstance(first.get(name), Reversal):
                freed.add(name)
                times[record.name] = name[1] + 1
            continue
        id_ = cause(record)
        name = id_, times.get(id_, 0)
        before = first.get((id_, name[1] - 1))
        if name not in first and before is not None and says_the_same(before, record):
            name = id_, name[1] - 1
        first.setdefault(name, record)
        target = None
        if isinstance(record, Reversal) and record.reverses_group:
            target = _group(record.reporter, record.reverses_group)
        elif isinstance(record, Reversal):
            reversed_id = _target(record)
            target = reversed_id, times.get(reversed_id, 0)
            awaited.add(target)
        placed.append(_Placed(record, name, target))
    return placed, freed


def _target(reversal: Reversal) -> str:
    return f"{reversal.reporter}/{reversal.reverses}"


def _fate_of_reversal(
    reversal: _Placed,
    target: _Name,
    first: dict[_Name, _Placed],
    taken_back: dict[_Name, _Name],
) -> ReportFate:
    report = reversal.report
    if target not in first:
        return ReportFate(report, "waits", target[0])
    if isinstance(first[target].report, Reversal):
        return ReportFate(report, "never_matches", target[0])
    before = taken_back[target]
    return (
        ReportFate(report, "reverses", target[0])
        if before == reversal.name
        else ReportFate(report, "reverses_again", before[0])
    )


def facts_of(told: Sequence[ReportFate]) -> list[CaseFact]:
    """Return the case facts that stand."""
    return [
        each.report for each in told if isinstance(each.report, CaseFact) and each.fate == "counts"
    ]
