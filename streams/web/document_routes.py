"""The routes of the documents: the handbook, the contract, the law and the decisions, for all."""

from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import HTMLResponse, Response

from streams.web.documents import (
    DECISIONS,
    GROUPS,
    SCHEMAS,
    decisions,
    document_page,
    names,
    schema_text,
)
from streams.web.parts import page, parts_of
from streams.web.rights import PUBLIC

DOCUMENTS_PAGE: Final = "/dokumenter"
router = APIRouter(dependencies=[Depends(PUBLIC)])


@router.get(DOCUMENTS_PAGE, include_in_schema=False)
def documents_page(request: Request) -> HTMLResponse:
    """List the documents of the product, and those that operators have added."""
    return page(
        request,
        "documents.html",
        groups=GROUPS,
        schemas=SCHEMAS,
        decisions={name: document_page(f"{DECISIONS}/{name}").title for name in decisions()},
        added=parts_of(request).folder.documents(),
    )


@router.get(DOCUMENTS_PAGE + "/{name}.yaml", include_in_schema=False)
def schema_page(name: str) -> Response:
    """Send a description for programs."""
    if name not in SCHEMAS:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return Response(schema_text(name), media_type="text/plain; charset=utf-8")


@router.get(DOCUMENTS_PAGE + "/{name}", include_in_schema=False)
def one_document_page(request: Request, name: str) -> HTMLResponse:
    """Show a document."""
    return _shown(request, name)


@router.get(DOCUMENTS_PAGE + "/decisions/{name}", include_in_schema=False)
def decision_page(request: Request, name: str) -> HTMLResponse:
    """Show a decision."""
    return _shown(request, f"{DECISIONS}/{name}")


def _shown(request: Request, name: str) -> HTMLResponse:
    if name not in names():
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return page(request, "document.html", document=document_page(name))
