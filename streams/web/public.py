"""The public pages, which need no log-on and live when all else is down."""

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, PlainTextResponse

from streams.web.parts import page
from streams.web.rights import PUBLIC

router = APIRouter(dependencies=[Depends(PUBLIC)])


@router.get("/healthz", include_in_schema=False)
def health() -> PlainTextResponse:
    """Say that this process answers."""
    return PlainTextResponse("ok\n")


@router.get("/", include_in_schema=False)
def front_page(request: Request) -> HTMLResponse:
    """Show where one is, and what there is."""
    return page(request, "front.html")
