"""Several reports of a citizen taken back at once: those of a group that is reversed.

Each by itself would find cells that the one before has moved and that are not posted yet. So their
lines are marked, and the citizen is settled anew from all lines; only what differs is posted.
"""

from collections.abc import Mapping

from domain.citizen.consequences import Settling, line_in_parts, moved_counters
from domain.citizen.doubts import Notice, contradicted, contradiction_notices, net_notices
from domain.citizen.recalculation import settle_all_lines
from domain.citizen.records import Part, SeenReport
from domain.citizen.reports import Line
from domain.citizen.state import Citizen
from domain.law.old_cases import DECIDING_FACTS
from domain.law.staircase import Law


def take_back_several(
    law: Law, citizen: Citizen, reporter: str, reports: Mapping[str, SeenReport]
) -> Settling:
    """Take back reports of a reporter, by their ids; each is as it was seen."""
    head = citizen.change_head()
    was = head.weeks
    facts = [seen.place.split(":") for seen in reports.values() if seen.type == "C"]
    decides = any(fact in DECIDING_FACTS for fact, _ in facts)
    before = contradicted(law, citizen) if decides else {}
    for fact, date in facts:
        _forget_fact(head.facts[fact], int(date))
    months: dict[str, dict[int, Part]] = {}
    for report_id, seen in reports.items():
        if seen.type != "C" and seen.place.isdecimal():
            line, parts = line_in_parts(citizen, seen, reporter, report_id)
            for part in parts:
                for copy in part.lines_of(seen.type, reporter, report_id):
                    copy.reversed = 1
            if isinstance(line, Line):
                months.setdefault(line.code, {}).update({part.month: part for part in parts})
    settling = settle_all_lines(law, citizen)
    notices: list[Notice] = []
    for code, parts_by_month in months.items():
        own = [change for change in settling.changes if change.group.code == code]
        notices += net_notices(code, [*parts_by_month.values()], own)
    if decides:
        notices += contradiction_notices(head.facts, before, contradicted(law, citizen))
    return settling._replace(
        counters=moved_counters(law, was, head.weeks),
        notices=[*notices, *settling.notices],
        is_reversal=True,
    )


def _forget_fact(dates: dict[int, int], date: int) -> None:
    dates[date] -= 1
    if not dates[date]:
        del dates[date]
