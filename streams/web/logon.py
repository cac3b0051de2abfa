"""Logging on and off: the routes, and what is kept between them.

1. `/log-paa` keeps an attempt in this process, its id in a cookie of ten minutes, and sends the
visitor to the provider.
2. `/log-paa/svar` takes the attempt out, so that it can be used once, and asks the provider.
3. The log-on is recorded in `access`; only then a session begins, with a new id.
"""

import logging
from http import HTTPStatus
from secrets import compare_digest
from typing import Annotated, Final

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import RedirectResponse, Response

from streams.web.access import LOG_OFF, LOG_ON, Look
from streams.web.attempts import ATTEMPT_S, Begun
from streams.web.grants import NoRoleError, visitor_of_claims
from streams.web.limits import network_of_visitor, too_many
from streams.web.pages import LIS, language_of, link
from streams.web.parts import Parts, page, parts_of
from streams.web.provider import OidcProvider, ProviderError
from streams.web.rights import PUBLIC, refused
from streams.web.sessions import COOKIE
from streams.web.visitors import READERS, Visitor
from streams.web.words import Language

ATTEMPT_COOKIE: Final = "__Host-refusion-logon"
BACK: Final = "/log-paa/svar"
LONGEST_PATH: Final = 2_000
ON_DUTY: Final = "/drift/vagt"
"""The start page of operators."""
LANGUAGE_OF_FRONT: Final[dict[str, Language]] = {link(each, "/"): each for each in ("da", "en")}
log = logging.getLogger("refusion")
router = APIRouter(dependencies=[Depends(PUBLIC)])


def _provider(parts: Parts) -> OidcProvider:
    if parts.provider is None:
        raise refused()
    return parts.provider


def safe_path(wanted: str) -> str:
    r"""Return the page that was wanted if it is one of this site, else the front page.

    >>> safe_path("/lis/beloeb?month=2026-01"), safe_path("//example.org"), safe_path("/\\e.org")
    ('/lis/beloeb?month=2026-01', '/', '/')
    """
    is_ours = wanted.startswith("/") and wanted[1:2] not in {"/", "\\"} and wanted.isprintable()
    return wanted if is_ours and len(wanted) <= LONGEST_PATH else "/"


def start_of(visitor: Visitor, wanted: str) -> str:
    """Return the page that a visitor wanted; in place of the front page, the own start page."""
    language = LANGUAGE_OF_FRONT.get(wanted)
    if language is None:
        return wanted
    return link(language, LIS if visitor.roles & READERS else ON_DUTY)


@router.get("/log-paa", include_in_schema=False)
async def begin_log_on(request: Request, til: Annotated[str, Query()] = "/") -> Response:
    """Send a visitor to the provider."""
    parts = parts_of(request)
    provider = _provider(parts)
    parts.attempts.take(request.cookies.get(ATTEMPT_COOKIE, ""))  # a browser has one at a time
    if not parts.limits.begun.passes(network_of_visitor(request)):
        log.warning("too many log-ons of one network, the next ones wait: see docs/web.md")
        raise too_many()
    try:
        attempt = await provider.begin(parts.url + BACK)
    except ProviderError as error:
        log.warning("the OpenID provider cannot be asked: %s", error)
        raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE) from error
    wanted = link(language_of(request), safe_path(til))
    attempt_id = parts.attempts.put(Begun(attempt, wanted))
    answer = RedirectResponse(attempt.address, HTTPStatus.SEE_OTHER)
    _set_cookie(answer, ATTEMPT_COOKIE, attempt_id, ATTEMPT_S)
    return answer


@router.get(BACK, include_in_schema=False)
async def finish_log_on(request: Request, code: str = "", state: str = "") -> Response:
    """Take a visitor back from the provider."""
    parts = parts_of(request)
    provider = _provider(parts)
    begun = parts.attempts.take(request.cookies.get(ATTEMPT_COOKIE, ""))
    if begun is None or not compare_digest(begun.attempt.state.encode(), state.encode()):
        return _failed(request, ProviderError("it began elsewhere, or too long ago"))
    try:
        proof = await provider.finish(begun.attempt, code)
        visitor = visitor_of_claims(proof.claims, parts.grants)
    except (ProviderError, NoRoleError) as error:
        return _failed(request, error)
    if not parts.limits.accounts.passes(visitor.subject):
        log.warning("too many log-ons of one account, the next ones wait: see docs/web.md")
        raise too_many()
    await parts.access.record(request, visitor, Look(LOG_ON))
    parts.sessions.end(request.cookies.get(COOKIE, ""))
    session_id = parts.sessions.begin(visitor, id_token=proof.id_token)
    answer = RedirectResponse(start_of(visitor, begun.wanted), HTTPStatus.SEE_OTHER)
    _set_cookie(answer, COOKIE, session_id, None)
    _set_cookie(answer, ATTEMPT_COOKIE, "", 0)
    return answer


@router.post("/log-af", include_in_schema=False)
async def log_off(request: Request) -> Response:
    """End a session here and at the provider."""
    parts = parts_of(request)
    session = parts.sessions.end(request.cookies.get(COOKIE, ""))
    front = link(language_of(request), "/")
    address = None
    if session is not None:
        if parts.provider is not None:
            back = parts.url + front
            address = await parts.provider.log_off_address(session.id_token, back)
        await parts.access.record(request, session.visitor, Look(LOG_OFF))
    answer = RedirectResponse(address or front, HTTPStatus.SEE_OTHER)
    _set_cookie(answer, COOKIE, "", 0)
    return answer


def _failed(request: Request, error: Exception) -> Response:
    """Say that it did not work, and tell the operator why."""
    log.warning("a log-on failed: %s", error)
    if not parts_of(request).limits.failed.passes(""):
        log.warning("many log-ons fail: see docs/web.md, log-on")
    answer = page(request, "logon_failed.html", HTTPStatus.FORBIDDEN)
    _set_cookie(answer, ATTEMPT_COOKIE, "", 0)
    return answer


def _set_cookie(answer: Response, name: str, value: str, seconds: int | None) -> None:
    answer.set_cookie(
        name, value, max_age=seconds, path="/", secure=True, httponly=True, samesite="lax"
    )
