"""The route of the auditor's page: what was checked last, how large everything is, what to ask."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from streams.kit.last_outcomes import last_outcome
from streams.operations.topic_sizes import TopicSizes
from streams.web.access import Look
from streams.web.desk.answers import UNKEPT, trouble_of
from streams.web.desk.package_routes import PACKAGE
from streams.web.lis_told import speaker_of
from streams.web.parts import page, parts_of
from streams.web.rights import AUDIT
from streams.web.visitors import Visitor

OUTCOMES: Final = ("verify", "backup")
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
        outcomes={name: last_outcome(settings.operations_dir, name) for name in OUTCOMES},
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
