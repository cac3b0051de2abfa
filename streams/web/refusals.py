"""Answers that are no pages: refusals and errors, which never repeat what was asked.

Programs get JSON, people a page; who asks for data is known by the route's right.
"""

from http import HTTPStatus
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException as AnyHTTPException

from streams.web.pages import language_of
from streams.web.parts import page
from streams.web.words import words_in

TOLD: Final = frozenset({400, 401, 403, 404, 405, 408, 413, 422, 429, 500, 503})
"""Statuses that have words of their own; another one gets those of 400 or of 500."""
NOT_IN_FORM: Final = 422
UNKNOWN_FIELD: Final = "extra_forbidden"


def refusal(
    request: Request, status: int, fields: list[str] | None = None, of_data: bool = False
) -> Response:
    """Make the answer of a status; `fields` are names of our own that have no good value."""
    told = status if status in TOLD else (400 if status < HTTPStatus.INTERNAL_SERVER_ERROR else 500)
    word = words_in(language_of(request))
    if of_data:
        detail = word(f"refusals.title_{told}")
        return JSONResponse({"status": status, "error": detail, "fields": fields or []}, status)
    return page(
        request,
        "refusal.html",
        status,
        title=word(f"refusals.title_{told}"),
        text=word(f"refusals.text_{told}"),
        fields=fields or [],
        request_id=getattr(request.state, "request_id", ""),
    )


def answer_refusals(app: FastAPI) -> None:
    """Let a site answer errors in its own way."""
    app.add_exception_handler(AnyHTTPException, _of_status)
    app.add_exception_handler(RequestValidationError, _of_form)


def _wants_data(request: Request) -> bool:
    """Tell whether the route gives data: its right says so."""
    return bool(getattr(request.state, "of_data", False))


async def _of_status(request: Request, error: Exception) -> Response:
    assert isinstance(error, AnyHTTPException)
    if error.status_code == HTTPStatus.SEE_OTHER:
        return Response(status_code=error.status_code, headers=error.headers)
    answer = refusal(request, error.status_code, of_data=_wants_data(request))
    answer.headers.update(error.headers or {})
    return answer


async def _of_form(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    fields = sorted(
        {
            str(problem["loc"][-1])
            for problem in error.errors()
            if problem["type"] != UNKNOWN_FIELD  # its name is the visitor's own word
        }
    )
    return refusal(request, NOT_IN_FORM, fields, _wants_data(request))
