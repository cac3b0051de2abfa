"""The public pages, which need no log-on and live when all else is down."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response

from streams.web.folder import Folder
from streams.web.parts import page, parts_of
from streams.web.rights import PUBLIC

FRONT_NEWS: Final = 3
router = APIRouter(dependencies=[Depends(PUBLIC)])


def folder_of(request: Request) -> Folder:
    """Return what operators have written."""
    return parts_of(request).folder


@router.get("/healthz", include_in_schema=False)
async def health() -> PlainTextResponse:
    """Say that this process answers, whatever its threads do."""
    return PlainTextResponse("ok\n")


def _page_with_state(request: Request, template: str, **values: Any) -> HTMLResponse:
    """Make a page that shows what runs and stages do, and when they will not."""
    board, folder = parts_of(request).board, folder_of(request)
    today = datetime.now(UTC).date()
    coming = next((each for each in folder.calendar() if each.day >= today), None)
    return page(request, template, board=board, windows=folder.windows(), coming=coming, **values)


@router.get("/", include_in_schema=False)
def front_page(request: Request) -> HTMLResponse:
    """Show which month is settled, and what is new."""
    folder = folder_of(request)
    return _page_with_state(
        request,
        "front.html",
        news=folder.news()[:FRONT_NEWS],
        calendar=folder.calendar(),
        documents=folder.documents(),
    )


@router.get("/drift", include_in_schema=False)
def operation_page(request: Request) -> HTMLResponse:
    """Show the stages, service windows and known faults."""
    return _page_with_state(request, "operation.html", faults=folder_of(request).faults())


@router.get("/nyheder", include_in_schema=False)
def news_page(request: Request) -> HTMLResponse:
    """Show the news."""
    has_mail = parts_of(request).news_mail.place is not None
    return page(request, "news.html", news=folder_of(request).news(), has_mail=has_mail)


@router.get("/nyheder/{name}", include_in_schema=False)
def news_item_page(request: Request, name: str) -> HTMLResponse:
    """Show a piece of news."""
    for item in folder_of(request).news():
        if item.name == name:
            return page(request, "news_item.html", item=item)
    raise HTTPException(HTTPStatus.NOT_FOUND)


@router.get("/nyheder.atom", include_in_schema=False)
def news_feed(request: Request) -> Response:
    """Return the news as an Atom feed."""
    url, items = parts_of(request).url, folder_of(request).news()
    updated = f"{items[0].day.isoformat()}T00:00:00Z" if items else "2026-01-01T00:00:00Z"
    entries = "".join(
        f"<entry><title>{escape(item.title)}</title><id>{escape(f'{url}/nyheder/{item.name}')}</id>"
        f"<link href={quoteattr(f'{url}/nyheder/{item.name}')}/>"
        f"<updated>{item.day.isoformat()}T00:00:00Z</updated>"
        f'<content type="html">{escape(str(item.text))}</content></entry>'
        for item in items
    )
    feed = (
        '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom"'
        f' xml:lang="da"><title>Ydelsesrefusion: nyheder</title><id>{escape(url)}/nyheder</id>'
        f'<link rel="self" href={quoteattr(f"{url}/nyheder.atom")}/>'
        f"<author><name>Ydelsesrefusion</name></author><updated>{updated}</updated>{entries}"
        "</feed>\n"
    )
    return Response(feed, media_type="application/atom+xml")


@router.get("/tilgaengelighed", include_in_schema=False)
@router.get("/was", include_in_schema=False)
def accessibility_page(request: Request) -> HTMLResponse:
    """Show the accessibility statement."""
    statement = folder_of(request).accessibility()
    return page(request, "accessibility.html", statement=statement)


@router.get("/behandling", include_in_schema=False)
def processing_page(request: Request) -> HTMLResponse:
    """Show what is processed and why."""
    return page(request, "processing.html")
