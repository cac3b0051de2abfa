"""The routes of dead letters: refused records, masked, and sent again."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import Response

from streams.operations.dead_letters import OUR_FAULTS, Letter, Wanted
from streams.operations.letter_counts import MOST_READ, LetterCounts
from streams.operations.letter_retry import Retry
from streams.web.access import Look
from streams.web.desk.actor import acting, acting_name
from streams.web.desk.answers import busy, moved, trouble_of
from streams.web.desk.run_routes import may_decide
from streams.web.lis_told import speaker_of
from streams.web.parts import page, parts_of
from streams.web.rights import DECISIONS, OPERATION
from streams.web.visitors import Visitor
from streams.web.words import Word, catalogue
from streams.wire.rejections import REASONS

LETTERS: Final = "/drift/doede-breve"
RETRY: Final = "dead-letters retry"
DAYS: Final = (1, 7, 30, 90)
MOST_COUNTS: Final = 200
"""Lines of the table of counts, the largest ones."""
SINCE: Final = r"^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z)?$"
PLACE: Final = re.compile(r"[0-9]{1,6}/[0-9]{1,18}")
router = APIRouter()


@dataclass(frozen=True)
class LetterLine:
    """A dead letter of the list; what is told of it names nobody."""

    letter: Letter
    reason: str

    @property
    def is_ours(self) -> bool:
        """True if a defect of this program refused it, which a repair removes."""
        return self.letter.reason in OUR_FAULTS


@router.get(LETTERS, include_in_schema=False)
async def letters_page(
    request: Request,
    visitor: Annotated[Visitor, Depends(OPERATION)],
    dage: Annotated[int, Query(ge=1, le=90)] = 7,
    grund: Annotated[str, Query(pattern=r"^[a-z_]{0,30}$")] = "",
    trin: Annotated[str, Query(pattern=r"^(intake|citizens)?$")] = "",
) -> Response:
    """List the refused records of some days, and count them."""
    parts, word = parts_of(request), speaker_of(request).word
    since = (datetime.now(UTC) - timedelta(days=dage)).strftime("%Y-%m-%dT%H:%M:%SZ")
    wanted = Wanted(grund, trin, since)
    await _record_list(request, visitor, wanted)
    found, trouble = await trouble_of(parts.lanes.desk, parts.works.letters, wanted)
    letters = found or LetterCounts({}, [], is_cut=False)
    counts = [
        (stage, _reason(reason, word), reporter, count)
        for (stage, reason, reporter), count in letters.counts.items()
    ]
    lines = [LetterLine(each, _reason(each.reason, word)) for each in letters.newest]
    return page(
        request,
        "desk/letters.html",
        lines=lines,
        counts=counts[:MOST_COUNTS],
        more_counts=len(counts) - MOST_COUNTS,
        count=letters.total,
        most=MOST_READ if letters.is_cut else None,
        ours=letters.ours,
        since=since,
        days=DAYS,
        reasons=[(reason, _reason(reason, word)) for reason in REASONS],
        asked={"dage": dage, "grund": grund, "trin": trin},
        **_shared(request, visitor),
        trouble=trouble,
    )


@router.get(LETTERS + "/{partition}/{offset}", include_in_schema=False)
async def letter_page(
    request: Request,
    visitor: Annotated[Visitor, Depends(OPERATION)],
    partition: str,
    offset: str,
) -> Response:
    """Show a refused record, with everything masked that may tell whom it is about."""
    parts, place = parts_of(request), f"{partition}/{offset}"
    if not PLACE.fullmatch(place):
        return moved(request, LETTERS)
    shown = Look("dead-letters show", about={"letter": place, "masked": True})
    await parts.access.record(request, visitor, shown)
    found, trouble = await trouble_of(parts.lanes.desk, parts.works.masked_letter, place)
    letter, text = found or (None, "")
    reason = _reason(letter.reason, speaker_of(request).word) if letter else ""
    return page(
        request,
        "desk/letter.html",
        HTTPStatus.OK if letter else HTTPStatus.NOT_FOUND,
        line=letter and LetterLine(letter, reason),
        place=place,
        text=text,
        **_shared(request, visitor),
        trouble=trouble,
    )


@router.post(LETTERS, include_in_schema=False)
async def send_letters_again(
    request: Request,
    visitor: Annotated[Visitor, Depends(DECISIONS)],
    place: Annotated[str, Form(pattern=rf"^(?:{PLACE.pattern})?$")] = "",
    unchanged: Annotated[bool, Form()] = False,
    trin: Annotated[str, Form(pattern=r"^(intake|citizens)?$")] = "",
    siden: Annotated[str, Form(pattern=SINCE)] = "",
) -> Response:
    """Send a record again, or those of a page's choice that met a defect.

    Errors in content need another person.
    """
    parts = parts_of(request)
    of_page = Wanted(stage=trin, since=siden)
    asked = Retry((place,), unchanged=unchanged) if place else Retry(wanted=of_page)
    with acting(visitor):
        _, is_new = parts.chores.begin(
            RETRY, place, acting_name(visitor), lambda _show: parts.works.retry(asked)
        )
    return moved(request, f"{LETTERS}#afsendelse") if is_new else busy(request)


async def _record_list(request: Request, visitor: Visitor, wanted: Wanted) -> None:
    """Record a look at all records: with the keys each is opened, to read its reporter."""
    parts = parts_of(request)
    if parts.settings.has_keys:
        about = {name: value for name, value in wanted._asdict().items() if value}
        await parts.access.record(request, visitor, Look("dead-letters list", about=about))


def _shared(request: Request, visitor: Visitor) -> dict[str, Any]:
    """Return what both pages show of the visitor and of the work that goes on."""
    parts = parts_of(request)
    return {
        "may_decide": may_decide(visitor),
        "four_eyes": parts.settings.four_eyes,
        "sending": parts.chores.last(RETRY),
        "speaker": speaker_of(request),
    }


def _reason(reason: str, word: Word) -> str:
    key = f"letters.reason_{reason}"
    return word(key) if key in catalogue() else reason
