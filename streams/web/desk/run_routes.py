"""The routes of runs: what is settled, what is open, and closing by two persons.

1. An operator has the open run looked at, as `refusion run close --dry-run` does.
2. The operator asks for its closing, with a reason where there are doubts. Nothing is closed.
3. Another operator approves that, on the page of approvals or with `refusion approve`.
"""

from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Final, NamedTuple

from fastapi import APIRouter, Depends, Form, HTTPException, Request
from fastapi.responses import Response

from domain.basics.weeks import month_number
from streams.acts.four_eyes import APPROVED, OPEN, ApprovalRequest
from streams.operations.runs import Closing
from streams.privacy.cpr import may_hold_cpr
from streams.web.desk.actor import acting, acting_name
from streams.web.desk.answers import busy, moved, trouble_of
from streams.web.desk.difference_pages import recalculations
from streams.web.desk.run_pages import look_of, run_details, run_overview
from streams.web.lis_desk import LisRefusedError
from streams.web.lis_told import speaker_of
from streams.web.parts import page, parts_of
from streams.web.rights import DECISIONS, RUNS, refused
from streams.web.visitors import OF_ALL, Role, Visitor
from streams.wire.control_records import run_of

LOOK: Final = "run look"
CLOSE: Final = "run close"
CARRY: Final = "carry out"
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
    return await _page(request, visitor)


async def _page(
    request: Request,
    visitor: Visitor,
    status: int = HTTPStatus.OK,
    refused_because: str = "",
    reason: str = "",
) -> Response:
    place, parts = place_of(visitor), parts_of(request)
    speaker, values = speaker_of(request), dict[str, Any]()
    chores, overview = parts.chores, None
    try:
        overview = await parts.lanes.answers.run(run_overview, parts.lis, place)
    except LisRefusedError as error:
        values["why"] = error.key
    replayed = await parts.lanes.desk.run(recalculations, parts.settings.operations_dir, place)
    look = look_of(chores.last(LOOK), speaker) if place is None else None
    if may_decide(visitor):
        open_run = overview.open_run if overview else None
        closings, trouble = await _closings(request, open_run or (look.run if look else None))
        values |= {"asked": closings, "trouble": trouble}
    return page(
        request,
        "desk/runs.html",
        status,
        speaker=speaker,
        place=place,
        board=parts.board,
        overview=overview,
        replayed=replayed,
        look=look,
        looking=chores.last(LOOK) if place is None else None,
        closing=chores.last(CLOSE) if place is None else None,
        may_decide=may_decide(visitor),
        four_eyes=parts.settings.four_eyes,
        refused_because=refused_because,
        reason="" if may_hold_cpr(reason) else reason,
        **{"asked": Closings([], []), "trouble": ""} | values,
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
                run_details, parts.lis, parts.settings.operations_dir, place, int(run),
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
) -> Response:
    """Have the open run looked at; nothing is written."""
    parts = parts_of(request)
    asked = Closing(month, wait=False, dry_run=True)
    work = partial(parts.works.close, asked)
    _, is_new = parts.chores.begin(LOOK, month, acting_name(visitor), work)
    return moved(request, "/koersler#gennemsyn") if is_new else busy(request)


@router.post("/koersler/luk", include_in_schema=False)
async def ask_to_close(
    request: Request,
    visitor: Annotated[Visitor, Depends(DECISIONS)],
    month: Annotated[str, Form(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$")],
    reason: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """Ask for the closing of the open run, which another person approves; once, not twice."""
    parts = parts_of(request)
    closings, trouble = await _closings(request, run_of(month_number(month)))
    why = "runs.unseen" if trouble else "runs.waits_already" if closings.waiting else ""
    if not why:
        accept = (reason.strip(),) if reason.strip() else ()
        work = partial(parts.works.close, Closing(month, accept=accept, by_two=True))
        with acting(visitor):
            _, is_new = parts.chores.begin(CLOSE, month, acting_name(visitor), work)
        if is_new:
            return moved(request, "/koersler#lukning")
        why = "desk.busy"
    return await _page(request, visitor, HTTPStatus.CONFLICT, why, reason)


def may_decide(visitor: Visitor) -> bool:
    """Tell whether a visitor may ask for acts and approve them."""
    return bool(visitor.roles & DECISIONS.roles)


class Closings(NamedTuple):
    """The requests to close a run: those that wait, and those that came to nothing."""

    waiting: list[ApprovalRequest]
    failed: list[ApprovalRequest]


async def _closings(request: Request, run: int | None) -> tuple[Closings, str]:
    """Return the requests to close a run (None: any), or why they cannot be seen.

    One that was approved, and is not being carried out here, has failed: it may be approved again,
    and does not keep others from asking.
    """
    parts = parts_of(request)
    requests, trouble = await trouble_of(parts.lanes.desk, parts.works.requests)
    of_run = [
        each
        for each in requests or ()
        if each.fields["command"][:2] == ["run", "close"]
        and run in (None, each.fields["scope"].get("run"))
    ]
    is_carried_out = parts.chores.is_busy(CARRY)
    waiting = [
        each for each in of_run if each.state == OPEN or (each.state == APPROVED and is_carried_out)
    ]
    failed = [each for each in of_run if each.state == APPROVED and not is_carried_out]
    return Closings(waiting, failed), trouble
