"""The routes of runs: what is settled, what is open, and closing by two persons.

1. An operator has the open run looked at, as `refusion run close --dry-run` does.
2. The operator asks for its closing, with a reason where there are doubts. Nothing is closed.
3. Another operator approves that, on the page of approvals or with `refusion approve`.
"""

from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from streams.operations.runs import Closing
from streams.web.desk.actor import acting, acting_name
from streams.web.desk.answers import moved, trouble_of
from streams.web.desk.run_pages import look_of, run_details, run_overview
from streams.web.lis_desk import LisRefusedError
from streams.web.lis_routes import speaker_of
from streams.web.parts import page, parts_of
from streams.web.rights import DECISIONS, RUNS, refused
from streams.web.visitors import OF_ALL, Role, Visitor

LOOK: Final = "run look"
CLOSE: Final = "run close"
SEES_ALL: Final = OF_ALL | {Role.OPERATOR}
"""Roles that see the runs of all municipalities."""
LONGEST_NUMBER: Final = 4
router = APIRouter()


def place_of(visitor: Visitor) -> str | None:
    """Return the municipality whose figures a visitor sees; None: those of all."""
    if visitor.roles & SEES_ALL:
        return None
    if visitor.municipality is None:
        raise refused()
    return visitor.municipality


@router.get("/koersler", include_in_schema=False)
async def runs_page(request: Request, visitor: Annotated[Visitor, Depends(RUNS)]) -> Response:
    """Show the open run, and those that are closed."""
    place, parts = place_of(visitor), parts_of(request)
    speaker, values = speaker_of(request), dict[str, Any]()
    try:
        overview = await parts.lanes.answers.run(run_overview, parts.lis, place)
        values["overview"] = overview
    except LisRefusedError as error:
        values |= {"overview": None, "why": error.key}
    if may_decide(visitor):
        values |= await _waiting(request)
    chores = parts.chores
    return page(
        request,
        "desk/runs.html",
        speaker=speaker,
        place=place,
        board=parts.board,
        look=look_of(chores.last(LOOK), speaker) if place is None else None,
        looking=chores.last(LOOK) if place is None else None,
        closing=chores.last(CLOSE) if place is None else None,
        may_decide=may_decide(visitor),
        four_eyes=parts.settings.four_eyes,
        **{"waiting": [], "trouble": ""} | values,
    )


@router.get("/koersler/{run}", include_in_schema=False)
async def run_page(
    request: Request, run: str, visitor: Annotated[Visitor, Depends(RUNS)]
) -> Response:
    """Show a closed run; whoever comes from a log-on amid an act is led to all of them."""
    if not (run.isascii() and run.isdecimal() and len(run) <= LONGEST_NUMBER):
        return moved(request, "/koersler")
    place, parts = place_of(visitor), parts_of(request)
    try:
        details = await parts.lanes.answers.run(
            partial(
                run_details, parts.lis, parts.settings.state_dir, place, int(run),
                tells_doubts=place is None,
            )
        )  # fmt: skip
    except LisRefusedError as error:
        raise HTTPException(error.status) from None
    if details is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return page(request, "desk/run.html", speaker=speaker_of(request), place=place, details=details)


@router.post("/koersler/gennemse", include_in_schema=False)
async def look_at_run(
    request: Request,
    visitor: Annotated[Visitor, Depends(DECISIONS)],
    month: Annotated[str, Form(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$")],
) -> RedirectResponse:
    """Have the open run looked at; nothing is written."""
    parts = parts_of(request)
    asked = Closing(month, wait=False, dry_run=True)
    parts.chores.begin(LOOK, month, acting_name(visitor), partial(parts.works.close, asked))
    return moved(request, "/koersler#gennemsyn")


@router.post("/koersler/luk", include_in_schema=False)
async def ask_to_close(
    request: Request,
    visitor: Annotated[Visitor, Depends(DECISIONS)],
    month: Annotated[str, Form(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$")],
    reason: Annotated[str, Form(max_length=500)] = "",
) -> RedirectResponse:
    """Ask for the closing of the open run, which another person approves."""
    parts = parts_of(request)
    accept = (reason.strip(),) if reason.strip() else ()
    asked = Closing(month, accept=accept, by_two=True)
    with acting(visitor):
        parts.chores.begin(CLOSE, month, acting_name(visitor), partial(parts.works.close, asked))
    return moved(request, "/koersler#lukning")


def may_decide(visitor: Visitor) -> bool:
    """Tell whether a visitor may ask for acts and approve them."""
    return bool(visitor.roles & DECISIONS.roles)


async def _waiting(request: Request) -> dict[str, Any]:
    """Return the requests to close a run that wait, or why they cannot be seen."""
    parts = parts_of(request)
    requests, trouble = await trouble_of(parts.lanes.desk, parts.works.requests)
    waiting = [
        each
        for each in requests or ()
        if each.state in ("open", "approved") and each.fields["command"][:2] == ["run", "close"]
    ]
    return {"waiting": waiting, "trouble": trouble}
