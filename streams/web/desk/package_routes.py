"""The routes of the auditor's package: it is made beside the pages, and sent to who asked."""

from functools import partial
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form, HTTPException, Request
from fastapi.responses import Response

from streams.web.access import Look
from streams.web.desk.actor import acting, acting_name
from streams.web.desk.answers import UNKEPT, busy, moved
from streams.web.desk.works import ZippedPackage
from streams.web.parts import parts_of
from streams.web.rights import AUDIT
from streams.web.visitors import Visitor

PACKAGE: Final = "audit package"
MADE: Final = "site audit package"
PAGE: Final = "/revision"
router = APIRouter()


@router.post(f"{PAGE}/pakke", include_in_schema=False)
async def make_package(
    request: Request,
    visitor: Annotated[Visitor, Depends(AUDIT)],
    run: Annotated[int, Form(ge=1, le=9999)],
    traek: Annotated[int, Form(ge=0, le=2**31)] = 1,
) -> Response:
    """Have the package of a closed run made; nothing is written but a record of it."""
    parts = parts_of(request)
    if parts.chores.is_busy(PACKAGE):
        return busy(request)
    about = {"run": run, "draw": traek}
    await parts.access.record(request, visitor, Look(MADE, about=about | {"form": "made"}))
    with acting(visitor):
        _, is_new = parts.chores.begin(
            PACKAGE, str(run), acting_name(visitor), partial(parts.works.package, run, traek)
        )
    return moved(request, f"{PAGE}#pakke") if is_new else busy(request)


@router.get(f"{PAGE}/pakke.zip", include_in_schema=False)
async def send_package(request: Request, visitor: Annotated[Visitor, Depends(AUDIT)]) -> Response:
    """Send the package that was made last; the record of it is written first."""
    parts = parts_of(request)
    chore = parts.chores.last(PACKAGE)
    if chore is None or not isinstance(chore.outcome, ZippedPackage):
        raise HTTPException(HTTPStatus.NOT_FOUND)
    made = chore.outcome
    about = {"run": made.run, "form": "sent"}
    await parts.access.record(request, visitor, Look(MADE, about=about))
    headers = {"Content-Disposition": f'attachment; filename="revisionspakke-{made.run:04d}.zip"'}
    return Response(made.content, media_type="application/zip", headers=headers | UNKEPT)
