"""The routes of the guides: what caseworkers, controllers and operators do here, in ten minutes.

Guides are public: they show no person but fictive ones. The words are in `words/guides.yaml`, the
pictures in `static/guides`, which `make pictures` makes anew.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Final, NamedTuple

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import Response

from streams.web.parts import page
from streams.web.rights import PUBLIC
from streams.web.visitors import Visitor

GUIDES_PAGE: Final = "/vejledning"
router = APIRouter()


class GuideStep(NamedTuple):
    """A step: the key of its words, the page that it is about, and the name of its picture."""

    key: str
    path: str
    picture: str = ""


GUIDES: Final[Mapping[str, Sequence[GuideStep]]] = {
    "sagsbehandler": (
        GuideStep("caseworker_start", "/lis", "sagsbehandler-start"),
        GuideStep("caseworker_citizen", "/borger"),
        GuideStep("caseworker_why", "/borger", "sagsbehandler-borger"),
        GuideStep("caseworker_falling", "/lis/paa-vej-ned"),
        GuideStep("caseworker_notices", "/adviser"),
        GuideStep("caseworker_wrong", "/kontakt"),
    ),
    "controller": (
        GuideStep("controller_start", "/lis", "controller-start"),
        GuideStep("controller_settlement", "/lis/afregning"),
        GuideStep("controller_corrections", "/lis/korrektioner", "controller-korrektioner"),
        GuideStep("controller_books", "/lis/afstemning"),
        GuideStep("controller_runs", "/koersler"),
        GuideStep("controller_access", "/adgang/gennemgang", "controller-adgang"),
    ),
    "drift": (
        GuideStep("operator_status", "/drift"),
        GuideStep("operator_run", "/koersler", "drift-koersler"),
        GuideStep("operator_approval", "/godkendelser", "drift-godkendelser"),
        GuideStep("operator_letters", "/drift/doede-breve"),
        GuideStep("operator_rules", "/regler"),
        GuideStep("operator_trouble", "/nyheder"),
    ),
}
"""The guides by their addresses."""


@router.get(GUIDES_PAGE, include_in_schema=False)
async def guides_page(request: Request, _visitor: Annotated[Visitor, Depends(PUBLIC)]) -> Response:
    """List the guides."""
    return page(request, "guides.html", guides=list(GUIDES))


@router.get(GUIDES_PAGE + "/{guide}", include_in_schema=False)
async def guide_page(
    request: Request, guide: str, _visitor: Annotated[Visitor, Depends(PUBLIC)]
) -> Response:
    """Show a guide."""
    steps = GUIDES.get(guide)
    if steps is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return page(request, "guide.html", guide=guide, steps=steps)
