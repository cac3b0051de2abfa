"""The reports of each person, where one person had several numbers.

Numbers that were merged are one person, under the number to which the others lead. A merge that
was undone is as if it had never been: each report counts for the number that it was reported for.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from domain.oracle.reports import JsonObject


class Merge(NamedTuple):
    """Two numbers are one person from here on: the `former` leads to the other."""

    former: str
    to: str


class Parting(NamedTuple):
    """A merge was wrong: the `former` number is a person by itself again."""

    former: str


class Freed(NamedTuple):
    """The id of a report is freed for a number, and for those that are one person with it then."""

    cpr: str
    reporter: str
    report_id: str


Told = JsonObject | Merge | Parting | Freed
"""A report, which has its number in `cpr`, or what was decided about numbers or ids."""


def reports_by_person(told: Sequence[Told]) -> dict[str, list[JsonObject]]:
    """The reports of each person by number, in the order in which they count.

    A number that leads to another one has none: they count behind those of the other, as they stood
    when the two were merged. Ids that were freed are among the reports, as `type` free.
    """
    holding = _holding(told)
    persons: dict[str, list[JsonObject]] = {}
    now: dict[str, str] = {}  # as it was when something was told
    leads_to: dict[str, str] = {}  # without the merges that were undone since
    for place, each in enumerate(told):
        match each:
            case Merge(former, to):
                now[former] = to
                if place in holding:
                    leads_to[former] = to
                    reports, persons[former] = persons.get(former, []), []
                    persons.setdefault(to, []).extend(_without_vacant(reports, persons[to]))
            case Parting(former):
                del now[former]
            case Freed(cpr, reporter, report_id):
                free = {"type": "free", "reporter": reporter, "report_id": report_id}
                one = {number for number in {cpr, *now} if end_of(number, now) == cpr}
                for number in {end_of(number, leads_to) for number in one}:
                    if any(ids_of(free) <= ids_of(had) for had in persons.get(number, ())):
                        persons[number].append(free)  # else it frees nothing
            case report:
                persons.setdefault(end_of(report["cpr"], leads_to), []).append(report)
    return persons


def _holding(told: Sequence[Told]) -> set[int]:
    """The places of merges that are not undone."""
    holding: dict[str, int] = {}
    for place, each in enumerate(told):
        if isinstance(each, Merge):
            holding[each.former] = place
        elif isinstance(each, Parting):
            del holding[each.former]
    return set(holding.values())


def _without_vacant(reports: list[JsonObject], others: list[JsonObject]) -> list[JsonObject]:
    """Leave out what has to do with ids that were freed, not taken since, and are another's."""
    vacant: set[tuple[str, str]] = set()
    for report in reports:
        (vacant.update if report["type"] == "free" else vacant.difference_update)(ids_of(report))
    vacant &= {id_ for report in others for id_ in ids_of(report)}
    return [report for report in reports if vacant.isdisjoint(ids_of(report))]


def ids_of(report: JsonObject) -> set[tuple[str, str]]:
    """The ids that a report has to do with: its own, and the one that it takes back."""
    ids = {report["report_id"], report.get("reverses") or report["report_id"]}
    return {(report["reporter"], id_) for id_ in ids}


def end_of(number: str, leads_to: Mapping[str, str]) -> str:
    """The number to which a number leads."""
    while number in leads_to:
        number = leads_to[number]
    return number
