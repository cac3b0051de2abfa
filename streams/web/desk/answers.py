"""Helps routes of the desk to answer: a broker that is gone yields a sentence, not an error."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Final, ParamSpec, TypeVar

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from streams.kit.errors import UserError
from streams.web.lanes import Lane
from streams.web.pages import language_of, link
from streams.web.parts import page
from streams.web.words import words_in

Found = TypeVar("Found")
Given = ParamSpec("Given")
UNKEPT: Final = {"Cache-Control": "no-store"}


async def trouble_of(
    lane: Lane, work: Callable[Given, Found], *given: Given.args, **named: Given.kwargs
) -> tuple[Found | None, str]:
    """Do work in a thread; return what was found, or why nothing was, as the command line says it.

    Raises HTTPException where too many wait already.
    """
    try:
        return await lane.run(work, *given, **named), ""
    except UserError as error:
        return None, str(error)


def busy(request: Request, key: str = "desk.busy") -> Response:
    """Say that nothing was begun, because other work of its kind goes on."""
    word = words_in(language_of(request))
    return page(
        request,
        "refusal.html",
        HTTPStatus.CONFLICT,
        title=word("desk.not_begun"),
        text=word(key),
        fields=[],
        request_id="",
    )


def moved(request: Request, path: str) -> RedirectResponse:
    """Lead to a page of this site after something was done."""
    address = link(language_of(request), path)
    return RedirectResponse(address, HTTPStatus.SEE_OTHER, UNKEPT)
