"""The reports of each person, where one person had several numbers.

Numbers that were merged are one person, under the number to which the others lead. A merge that
was undone is as if it had never been: each report counts for the number that it was reported for.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from domain.oracle.reports import JsonObject


class Merge(NamedTuple):
    """Two numbers are one person from here on: the `former` leads to the other."""

    former: str
    to: str


class Parting(NamedTuple):
    """A merge was wrong: the `former` number is a person by itself again."""

    former: str


Told = JsonObject | Merge | Parting
"""A report, which has its number in `cpr`, or what was decided about numbers."""


def reports_by_person(told: Iterable[Told]) -> dict[str, list[JsonObject]]:
    """The reports of each person by number, those of each number in their order.

    A number that leads to another one has none.
    """
    reports: dict[str, list[JsonObject]] = {}
    leads_to: dict[str, str] = {}
    for each in told:
        match each:
            case Merge(former, to):
                leads_to[former] = to
                reports.setdefault(to, [])
                reports.setdefault(former, [])
            case Parting(former):
                del leads_to[former]
            case report:
                reports.setdefault(report["cpr"], []).append(report)
    persons: dict[str, list[JsonObject]] = {number: [] for number in reports}
    for number in sorted(reports, key=lambda number: number in leads_to):
        persons[_end_of(number, leads_to)] += reports[number]
    return persons


def _end_of(number: str, leads_to: Mapping[str, str]) -> str:
    while number in leads_to:
        number = leads_to[number]
    return number
