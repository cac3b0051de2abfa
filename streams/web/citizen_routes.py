"""The routes of `/borger`: one citizen, asked for by a CPR number that stands in no address.

The form posts the number and the purpose, and leads to a token of the session. What the ledger
knows is shown at once; what the journal knows is asked for by a second request.
"""

import logging
import re
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from domain.basics.weeks import week_of
from streams.kit.errors import UserError
from streams.web.citizen_looks import (
    CitizenLook,
    NotShownError,
    look_of_token,
    purpose_in,
    session_of,
)
from streams.web.citizen_pages import CitizenPage, CitizenPageMaker, Moments
from streams.web.lis_options import LONGEST, MOST_RUNS
from streams.web.lis_routes import speaker_of
from streams.web.pages import language_of, link
from streams.web.parts import page as site_page
from streams.web.parts import parts_of
from streams.web.rights import CITIZENS, refused
from streams.web.visitors import Visitor

BORGER: Final = "/borger"
NOW: Final = "nu"
MOMENT: Final = re.compile(r"nu|[1-9][0-9]{0,3}")
_UNKEPT: Final = {"Cache-Control": "no-store"}
log = logging.getLogger("refusion")
router = APIRouter()

Moment = Annotated[str | None, Query(pattern=rf"^(?:{MOMENT.pattern}|)$")]


def _unkept(answer: Response) -> Response:
    answer.headers.update(_UNKEPT)
    return answer


def _search(request: Request, status: int = HTTPStatus.OK, **problems: Any) -> Response:
    shown = {"bad_cpr": False, "bad_purpose": False, "told": ""} | problems
    return _unkept(site_page(request, "citizen/search.html", status, **shown))


def _not_shown(request: Request, error: NotShownError) -> Response:
    """Ask again, and say why nothing is shown; the number is not repeated."""
    return _search(request, error.status, told=error.key)


@router.get(BORGER, dependencies=[Depends(CITIZENS)], include_in_schema=False)
async def ask(request: Request) -> Response:
    """Ask for a CPR number and a purpose."""
    return _search(request)


@router.post(BORGER, include_in_schema=False)
async def find(
    request: Request,
    visitor: Annotated[Visitor, Depends(CITIZENS)],
    cpr: Annotated[str, Form(max_length=40)] = "",
    purpose: Annotated[str, Form(max_length=LONGEST)] = "",
) -> Response:
    """Find a citizen, put the search on record, and lead to the citizen's token."""
    session_of(request)
    why, desk = purpose_in(purpose), parts_of(request).citizens
    try:
        citizen = desk.citizen_of(cpr)
    except UserError as error:
        log.warning("a citizen cannot be looked for: %s", error)
        return _search(request, HTTPStatus.SERVICE_UNAVAILABLE, told="no_keys")
    if citizen is None or why is None:
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        return _search(request, status, bad_cpr=citizen is None, bad_purpose=why is None)
    look = CitizenLook(request, visitor, citizen, why)
    try:
        await look.posted("search")
    except NotShownError as error:
        return _not_shown(request, error)
    address = link(language_of(request), f"{BORGER}/{look.token()}")
    return RedirectResponse(address, HTTPStatus.SEE_OTHER, _UNKEPT)


@router.get(f"{BORGER}/{{token}}", include_in_schema=False)
async def show(
    request: Request,
    visitor: Annotated[Visitor, Depends(CITIZENS)],
    token: str,
    fra: Moment = None,
    til: Moment = None,
) -> Response:
    """Show what the ledger knows of a citizen."""
    try:
        look = look_of_token(request, visitor, token)
        moments = moments_of(fra, til)
        life = await look.posted("page", **_told(moments))
    except NotShownError as error:
        return _not_shown(request, error)
    runs = {run.run for run in life.runs}
    if moments and not {moments.then, moments.now} <= runs | {None}:
        return _not_shown(request, NotShownError(HTTPStatus.NOT_FOUND, "no_run"))
    maker = CitizenPageMaker(life, speaker_of(request), look.place, today())
    made: CitizenPage = await look.parts.lanes.answers.run(maker.page, moments)
    return _unkept(
        site_page(
            request,
            "citizen/page.html",
            page=made,
            purpose=look.purpose,
            address=f"{BORGER}/{token}",
            is_compared=moments is not None,
        )
    )


def moments_of(then: str | None, now: str | None) -> Moments | None:
    """Return the two moments that an address asks to compare; None where it asks for none."""
    if not then and not now:
        return None
    first, second = (_run(text) for text in (then or NOW, now or NOW))
    return Moments(first, second)


def _run(text: str) -> int | None:
    if not MOMENT.fullmatch(text):
        raise refused()
    return None if text == NOW else min(int(text), MOST_RUNS)


def _told(moments: Moments | None) -> dict[str, Any]:
    return {} if moments is None else {"then": moments.then, "now": moments.now}


def today() -> int:
    """Return the week that it is now."""
    return week_of(datetime.now(UTC).date().toordinal())
