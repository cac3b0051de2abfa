"""Groups of reports: those that one report of the reporter's own consists of (schema 2).

A reversal in eIndkomst names such a report as a whole. So the state keeps, for each group of a
citizen and reporter, which reports belong to it, and whether it was reversed: then what comes later
under its name never counts either.

    group/0/<reporter>/<group>    whether it was reversed, and the number of its reports
    group/<n>/<reporter>/<group>  the id of its n-th report

An entry for each report costs the same however many there are; a list would be written again with
each of them.
"""

from typing import Final

from domain.citizen.records import FREED, WAITING, SeenReport, StateError
from domain.citizen.state import Citizen

NO_REPORTS: Final = SeenReport("G", False, "0")
"""The memory of a group that nothing has named yet."""
_NOT_MEMBERS: Final = frozenset({FREED, WAITING.type, "R"})


def _key(number: int, reporter: str, group: str) -> str:
    return f"group/{number}/{reporter}/{group}"


def enter_group(citizen: Citizen, reporter: str, report_id: str, group: str) -> bool:
    """Note that a report belongs to a group, and tell if the group was reversed before."""
    first = _key(0, reporter, group)
    known = citizen.seen(first) or NO_REPORTS
    if known.reversed:
        return True
    number = int(known.place) + 1
    citizen.remember(first, known._replace(place=str(number)))
    citizen.remember(_key(number, reporter, group), SeenReport("M", False, report_id))
    return False


def members_taken_back(citizen: Citizen, reporter: str, group: str) -> dict[str, SeenReport] | None:
    """Note that a group is reversed; give its reports that stand, by id, each as it was seen.

    They are noted as reversed too. None is for a group of which no report has come, and that
    nobody has reversed.
    """
    first = _key(0, reporter, group)
    known = citizen.seen(first) or NO_REPORTS
    if known.reversed:
        return {}
    citizen.remember(first, known._replace(reversed=True))
    members: dict[str, SeenReport] = {}
    for number in range(1, int(known.place) + 1):
        member = citizen.seen(_key(number, reporter, group))
        if member is None:
            raise StateError(f"the state of citizen {citizen.id} lacks a report of a group")
        name = f"{reporter}/{member.place}"
        seen = citizen.seen(name)
        # an id that was freed may have come to another report, of another group
        if seen and seen.group == group and not seen.reversed and seen.type not in _NOT_MEMBERS:
            members[member.place] = seen
            citizen.remember(name, seen._replace(reversed=True))
    return members if known.place != NO_REPORTS.place else None
