"""The route that a page asks how far work is: it reads nothing, and answers the work's block alone.

Once the work has ended the browser loads the whole page anew, for what stands around the block
(forms, requests, figures) is another then.
"""

from http import HTTPStatus
from typing import Annotated, Final, NamedTuple

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import Response

from streams.web.desk.answers import UNKEPT
from streams.web.desk.letter_routes import LETTERS, RETRY
from streams.web.desk.package_routes import PACKAGE
from streams.web.desk.run_routes import CARRY, CLOSE, LOOK, SEES_ALL
from streams.web.lis_told import speaker_of
from streams.web.parts import page, parts_of
from streams.web.rights import AUDIT, OPERATION, RUNS, refused
from streams.web.visitors import Role, Visitor

router = APIRouter()


class ShownWork(NamedTuple):
    """Work that a page shows: its kind, the page, the words for it, and who sees it."""

    kind: str
    address: str
    names: str
    roles: frozenset[Role]


WORKS: Final = {
    "gennemsyn-svar": ShownWork(LOOK, "/koersler", "runs.look", SEES_ALL),
    "lukning-svar": ShownWork(CLOSE, "/koersler", "runs.close", SEES_ALL),
    "godkendt": ShownWork(CARRY, "/godkendelser", "approvals.carry", OPERATION.roles),
    "pakke-svar": ShownWork(PACKAGE, "/revision", "audit.package", AUDIT.roles),
    "afsendelse": ShownWork(RETRY, LETTERS, "letters.send", OPERATION.roles),
}
"""The work by the id of its block, which is its name in the address too."""


@router.get("/arbejde/{name}", include_in_schema=False)
async def work_block(
    request: Request, name: str, visitor: Annotated[Visitor, Depends(RUNS)]
) -> Response:
    """Show how far work is; where it has ended, have the page loaded anew."""
    work = WORKS.get(name)
    if work is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    if not visitor.roles & work.roles:
        raise refused()
    chore = parts_of(request).chores.last(work.kind)
    if chore is None or not chore.is_running:
        return Response(status_code=HTTPStatus.OK, headers={"HX-Refresh": "true", **UNKEPT})
    speaker = speaker_of(request)
    answer = page(request, "desk/work.html", speaker=speaker, chore=chore, place=name, shown=work)
    answer.headers.update(UNKEPT)
    return answer
