"""The routes of the access log: what was looked at, who saw a citizen, and a random sample."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import Response

from streams.acts.act_search import MOST, ActLine, ActQuestion
from streams.kit.csv_table import csv_table
from streams.kit.errors import UserError
from streams.privacy.cpr import may_hold_cpr
from streams.web.access import Look
from streams.web.citizen_looks import count_search, purpose_in
from streams.web.desk.answers import UNKEPT, trouble_of
from streams.web.lis_told import speaker_of
from streams.web.parts import page, parts_of
from streams.web.rights import AUDIT
from streams.web.visitors import Visitor

ACCESS: Final = "/adgang"
LOG: Final = "site access log"
WHO_SAW: Final = "site who saw"
DAYS: Final = (1, 7, 31, 92)
SAMPLE: Final = 20
MEDIA: Final = "text/csv; charset=utf-8"
router = APIRouter()


@router.get(ACCESS, include_in_schema=False)
async def access_page(
    request: Request,
    visitor: Annotated[Visitor, Depends(AUDIT)],
    dage: Annotated[int, Query(ge=1, le=92)] = 1,
    handling: Annotated[str, Query(max_length=60)] = "",
    hvem: Annotated[str, Query(max_length=100)] = "",
    stikproeve: Annotated[int, Query(ge=0, le=MOST)] = 0,
    traek: Annotated[int, Query(ge=0, le=2**31)] = 0,
) -> Response:
    """Show the acts of some days, the newest first, or a sample of the looks at citizens."""
    parts = parts_of(request)
    if may_hold_cpr(hvem) or may_hold_cpr(handling):
        return _page(request, HTTPStatus.UNPROCESSABLE_ENTITY, bad_search=True)
    asked = {"dage": dage, "handling": handling, "hvem": hvem}
    draw = {"stikproeve": stikproeve, "traek": traek}
    await parts.access.record(request, visitor, Look(LOG, about={"asked": asked | draw}))
    since = datetime.now(UTC) - timedelta(days=dage)
    question = ActQuestion(since, act=handling, who=hvem.strip(), sample=stikproeve, draw=traek)
    found, trouble = await trouble_of(parts.lanes.desk, parts.works.acts, question)
    return _page(request, found=found, trouble=trouble, asked=asked | draw)


@router.post(ACCESS, include_in_schema=False)
async def who_saw_page(
    request: Request,
    visitor: Annotated[Visitor, Depends(AUDIT)],
    cpr: Annotated[str, Form(max_length=40)] = "",
    purpose: Annotated[str, Form(max_length=500)] = "",
    form: Annotated[str, Form(pattern="^(page|csv)$")] = "page",
) -> Response:
    """Show who saw a citizen, or give it as a file; the number stands in no address."""
    count_search(request, visitor)
    parts, why = parts_of(request), purpose_in(purpose)
    try:
        citizen = parts.citizens.citizen_of(cpr)
    except UserError as error:
        return _page(request, HTTPStatus.SERVICE_UNAVAILABLE, trouble=str(error))
    if citizen is None or why is None:
        problems = {"bad_cpr": citizen is None, "bad_purpose": why is None}
        return _page(request, HTTPStatus.UNPROCESSABLE_ENTITY, **problems)
    look = Look(WHO_SAW, [citizen], why, {"form": form})
    await parts.access.record(request, visitor, look)
    question = ActQuestion(citizen=citizen)
    found, trouble = await trouble_of(parts.lanes.desk, parts.works.acts, question)
    if found is not None and form == "csv":
        headers = {"Content-Disposition": 'attachment; filename="hvem-saa.csv"'} | UNKEPT
        return Response(_csv(found.lines), media_type=MEDIA, headers=headers)
    return _page(request, found=found, trouble=trouble, is_of_citizen=True)


def _page(request: Request, status: int = HTTPStatus.OK, **values: Any) -> Response:
    asked = {"dage": 1, "handling": "", "hvem": "", "stikproeve": 0, "traek": 0}
    shown = {"found": None, "trouble": "", "asked": asked, "is_of_citizen": False}
    problems = {"bad_cpr": False, "bad_purpose": False, "bad_search": False}
    fixed = {"days": DAYS, "most": MOST, "sample": SAMPLE, "speaker": speaker_of(request)}
    answer = page(request, "desk/access.html", status, **fixed | problems | shown | values)
    answer.headers.update(UNKEPT)
    return answer


def _csv(lines: list[ActLine]) -> bytes:
    """Write who saw a citizen as the extract that the citizen is given."""
    heads = ("Tidspunkt", "Hvem", "Rolle", "Kommune", "Handling", "Side", "Formål", "Id")
    rows = [
        (
            line.at,
            line.who,
            line.roles,
            line.municipality,
            line.act,
            line.page,
            line.reason,
            line.id,
        )
        for line in lines
    ]
    return csv_table(heads, rows)
