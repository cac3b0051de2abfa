"""Frees the id of a false report, so that the true one can come under it.

An id is taken by the first report that comes under it, reversed or not. A false report that came
first, or a reversal sent in advance, would keep the true one out for ever. Two persons free the id
by a control record: what came under it is taken back and stays in the state under an id that no
report has; the next report with other content counts, whatever reversals came before.
"""

from domain.citizen.aggregate import take_back
from domain.citizen.consequences import UNCHANGED, Settling, line_in_parts
from domain.citizen.records import FREED, FREED_LINE, WAITING, SeenReport
from domain.citizen.reports import Freeing, line_digest
from domain.citizen.state import Citizen
from domain.law.staircase import Law


def free(law: Law, citizen: Citizen, freeing: Freeing) -> Settling:
    """Free an id; nothing follows where nobody uses it, or where a reversal has it."""
    name = freeing.name
    seen = citizen.seen(name)
    if seen is None or seen.type in {"R", FREED}:
        return UNCHANGED
    if seen.type == WAITING.type:
        head = citizen.change_head()
        this = freeing.reporter, freeing.report_id, ""
        head.waiting = [waits for waits in head.waiting if not waits.awaits(*this)]
        citizen.remember(name, SeenReport(FREED, False, ""))
        return UNCHANGED
    settling = UNCHANGED
    if not seen.reversed:
        settling = take_back(law, citizen, seen, freeing.reporter, freeing.report_id)
    aside = _put_aside(citizen, seen, freeing)
    citizen.remember(name, SeenReport(FREED, False, aside, seen.group))
    return settling


def _put_aside(citizen: Citizen, seen: SeenReport, freeing: Freeing) -> str:
    """Give a report's line an id that no report has; give the report's content."""
    if not seen.place.isdecimal():
        return seen.place
    line, parts = line_in_parts(citizen, seen, freeing.reporter, freeing.report_id)
    content = line_digest(line)
    for part in parts:
        for copy in part.lines_of(seen.type, freeing.reporter, freeing.report_id):
            copy.report_id += FREED_LINE
    return content
