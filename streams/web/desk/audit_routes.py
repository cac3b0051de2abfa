"""The route of the auditor's page: what was checked last, how large everything is, what to ask."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from streams.operations.topic_sizes import TopicSizes
from streams.web.access import Look
from streams.web.desk.answers import UNKEPT, trouble_of
from streams.web.desk.last_checks import checks_told
from streams.web.desk.package_routes import PACKAGE
from streams.web.lis_told import speaker_of
from streams.web.parts import page, parts_of
from streams.web.rights import AUDIT
from streams.web.visitors import Visitor

router = APIRouter()


@router.get("/revision", include_in_schema=False)
async def audit_page(request: Request, visitor: Annotated[Visitor, Depends(AUDIT)]) -> Response:
    """Show the last audits of this machine, lags and sizes, and how to check for oneself."""
    parts = parts_of(request)
    settings = parts.settings
    await parts.access.record(request, visitor, Look("site audit"))
    sizes, trouble = await trouble_of(parts.lanes.desk, parts.works.sizes)
    answer = page(
        request,
        "desk/audit.html",
        checks=[*checks_told(settings.operations_dir, speaker_of(request))],
        board=parts.board,
        sizes=sizes or TopicSizes({}, []),
        most=max((sizes.records if sizes else {}).values(), default=0),
        four_eyes=settings.four_eyes,
        has_persons=settings.persons is not None,
        packaging=parts.chores.last(PACKAGE),
        last_run=parts.board.seen.last.run if parts.board.seen and parts.board.seen.last else None,
        speaker=speaker_of(request),
        trouble=trouble,
    )
    answer.headers.update(UNKEPT)
    return answer
