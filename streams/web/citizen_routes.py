"""The routes of `/borger`: one citizen, asked for by a CPR number that stands in no address.

The form posts the number and the purpose, and leads to a token of the session. What the ledger
knows is shown at once; what the journal knows is asked for by a second request.
"""

import logging
import re
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Final, NamedTuple

from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request
from fastapi.responses import RedirectResponse, Response

from domain.basics.weeks import day, week_of, week_text
from streams.explain.index import IndexInUseError
from streams.explain.patience import LateError
from streams.explain.placed import MergedError
from streams.kit.catalogue import Catalogue
from streams.kit.errors import UserError
from streams.privacy.cpr import without_cpr
from streams.web.citizen_explanations import CitizenExplainer, LifeExplanation, WeekExplanation
from streams.web.citizen_looks import (
    CitizenLook,
    NotShownError,
    count_search,
    look_of_token,
    purpose_in,
    session_of,
)
from streams.web.citizen_pages import CitizenPage, CitizenPageMaker, Moments
from streams.web.citizen_paper import CitizenPaper
from streams.web.lis_options import LONGEST, MOST_RUNS
from streams.web.lis_told import speaker_of
from streams.web.pages import language_of, link
from streams.web.parts import page as site_page
from streams.web.parts import parts_of
from streams.web.rights import CITIZENS, RouteRight, refused
from streams.web.visitors import Visitor
from streams.web.words import words_in
from streams.wire.content import LAST_DAY

BORGER: Final = "/borger"
NOW: Final = "nu"
MOMENT: Final = re.compile(r"nu|[1-9][0-9]{0,3}")
AWAY: Final = "explanation_away"
AGAIN: Final = "explanation_again"
MERGED: Final = "explanation_merged"
_UNKEPT: Final = {"Cache-Control": "no-store"}
log = logging.getLogger("refusion")
router = APIRouter()

CITIZEN_FILE: Final = RouteRight("citizen file", CITIZENS.roles, of_data=True)
FILE_NAME: Final = "borgerens-forloeb.pdf"
LAST_WEEK: Final = week_of(LAST_DAY)

Day = Annotated[str | None, Query(pattern=r"^(?:[0-9]{4}-[0-9]{2}-[0-9]{2}|)$")]
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
    count_search(request, visitor)
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
    return _shown(
        look,
        token,
        "citizen/page.html",
        page=made,
        is_compared=moments is not None,
        has_journal=look.parts.citizens.has_journal,
    )


@router.get(f"{BORGER}/{{token}}/forklaring", include_in_schema=False)
async def explain(
    request: Request,
    visitor: Annotated[Visitor, Depends(CITIZENS)],
    token: str,
    uge: Day = None,
) -> Response:
    """Explain a life, or one week of it, from the reports in the journal."""
    week = week_in(uge)
    try:
        look = look_of_token(request, visitor, token)
        await look.posted("explanation", **_of_week(week))
    except NotShownError as error:
        return _not_shown(request, error)
    explainer, away, merged = await explainer_of(look)
    life, one = await _explained(look, explainer, week)
    monday = "" if week is None else week_text(week)
    given = {"life": life, "week": one, "monday": monday, "away": away, "merged": merged}
    return _shown(look, token, "citizen/explanation.html", **given)


class Explaining(NamedTuple):
    """This explains a citizen; `away` names the sentence that says why nothing does.

    `merged` is the look at the citizen with whom this one was merged.
    """

    explainer: CitizenExplainer | None
    away: str = ""
    merged: CitizenLook | None = None


async def explainer_of(look: CitizenLook) -> Explaining:
    """Read a citizen's reports from the journal."""
    desk = look.parts.citizens
    if not desk.has_journal:
        return Explaining(None, AWAY)
    try:
        found = await look.parts.lanes.journal.run(desk.evidence, look.citizen)
    except (LateError, IndexInUseError, HTTPException) as error:
        log.warning("a citizen's reports were not read in time (%s)", type(error).__name__)
        return Explaining(None, AGAIN)
    except MergedError as error:
        return Explaining(None, MERGED, look.of(error.to))
    except UserError as error:
        log.warning("a citizen's reports cannot be read: %s", without_cpr(str(error)))
        return Explaining(None, AWAY)
    language = language_of(look.request)
    made = CitizenExplainer(found, look.place, Catalogue(language), words_in(language))
    return Explaining(made)


async def _explained(
    look: CitizenLook, explainer: CitizenExplainer | None, week: int | None
) -> tuple[LifeExplanation | None, WeekExplanation | None]:
    """Explain one week, or the life where none is asked for; nothing without an explainer."""
    run = look.parts.lanes.answers.run
    if explainer is None:
        return None, None
    if week is None:
        return await run(explainer.life, today()), None
    return None, await run(explainer.week, week)


@router.get(f"{BORGER}/{{token}}.pdf", include_in_schema=False)
async def give_paper(
    request: Request,
    visitor: Annotated[Visitor, Depends(CITIZEN_FILE)],
    token: str,
    uge: Day = None,
) -> Response:
    """Give a citizen's course, or the explanation of a week, as a PDF."""
    week = week_in(uge)
    try:
        look = look_of_token(request, visitor, token)
        life = await look.posted("pdf", **_of_week(week))
    except NotShownError as error:
        return _not_shown(request, error)
    explainer, away, _ = await explainer_of(look)
    if week is not None and explainer is None:
        return _not_shown(request, NotShownError(HTTPStatus.SERVICE_UNAVAILABLE, f"no_{away}"))
    speaker, run = speaker_of(request), look.parts.lanes.answers.run
    maker = CitizenPageMaker(life, speaker, look.place, today())
    course = await run(maker.page, None)
    paper = CitizenPaper(course, *await _explained(look, explainer, week), away=away)
    values = paper.values(speaker.word, speaker.language)
    made = await look.parts.lanes.paper.run(look.parts.typesetter.pdf, values)
    headers = {"Content-Disposition": f'attachment; filename="{FILE_NAME}"'} | _UNKEPT
    return Response(made, media_type="application/pdf", headers=headers)


router.add_api_route(f"{BORGER}/{{token}}", show, include_in_schema=False)


def _shown(look: CitizenLook, token: str, template: str, **values: Any) -> Response:
    address = f"{BORGER}/{token}"
    shown = values | {"purpose": look.purpose, "address": address}
    return _unkept(site_page(look.request, template, **shown))


def week_in(day_text: str | None) -> int | None:
    """Return the week of a day in an address. Raises RequestValidationError for none of ours."""
    if not day_text:
        return None
    try:
        week = week_of(day(day_text))
    except ValueError:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY) from None
    if not 0 <= week <= LAST_WEEK:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY)
    return week


def _of_week(week: int | None) -> dict[str, str]:
    return {} if week is None else {"week": week_text(week)}


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
