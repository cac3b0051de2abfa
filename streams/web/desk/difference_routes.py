"""The routes of differences: what a replay would move, and what another answer would cost.

They were kept by `refusion replay`, and `refusion compare --keep`; no topic is read here. A
municipality sees its own part.
"""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import Response

from streams.operations.kept_differences import KeptDifference, kept_difference
from streams.web.desk.difference_pages import is_for
from streams.web.desk.run_routes import SEES_ALL, place_of
from streams.web.lis_told import speaker_of
from streams.web.parts import page, parts_of
from streams.web.rights import ANY_ROLE, RUNS
from streams.web.visitors import Visitor

router = APIRouter()


@router.get("/koersler/genberegninger/{name}", include_in_schema=False)
async def recalculation_page(
    request: Request, name: str, visitor: Annotated[Visitor, Depends(RUNS)]
) -> Response:
    """Show what a replay would move, or has moved, by municipality and by cause."""
    place = place_of(visitor)
    found = await _found(request, name, place)
    return _page(request, found, place, "/koersler#genberegninger", "differences.to_runs")


@router.get("/regler/svar/{name}", include_in_schema=False)
async def answer_page(
    request: Request, name: str, visitor: Annotated[Visitor, Depends(ANY_ROLE)]
) -> Response:
    """Show what another answer to an open question would cost, by municipality."""
    place = place_of(visitor)
    found = await _found(request, name, place)
    if not found.answer:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return _page(request, found, place, "/regler#svar", "differences.to_rules")


async def _found(request: Request, name: str, place: str | None) -> KeptDifference:
    parts = parts_of(request)
    operations_dir = parts.settings.operations_dir
    found = await parts.lanes.desk.run(kept_difference, operations_dir, name)
    if found is None or not is_for(found, place):
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return found.of(place)


def _page(
    request: Request, found: KeptDifference, place: str | None, above: str, to_above: str
) -> Response:
    return page(
        request,
        "desk/difference.html",
        found=found,
        by_cause=found.by_cause(),
        by_municipality=found.by_municipality(),
        place=place,
        above=above,
        to_above=to_above,
        speaker=speaker_of(request),
        may_see_requests=bool(request.state.visitor.roles & SEES_ALL),
    )
