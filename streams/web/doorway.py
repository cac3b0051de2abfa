"""Lets requests in and answers out: bounds, headers of every answer, a line in the log.

It has no rights of its own: those are of the routes. A defect becomes status 500 and a line with
its kind and place; neither the answer nor the line has a word of what was asked.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from fastapi import HTTPException, Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from streams.kit.errors import kind_and_place
from streams.web.pages import ENGLISH
from streams.web.refusals import refusal

LARGEST_BODY: Final = 64 * 1024
"""Bytes of a form; ours have some hundred."""
BODY_S: Final = 15.0
"""Seconds that a body may take to come."""
READ_S: Final = 60.0
"""Seconds that a reader may take for a part of an answer."""
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
METHODS: Final = SAFE_METHODS | {"POST", "PUT", "PATCH", "DELETE"}
"""Methods that the log names; any other is a word of a stranger."""
_ID_LETTERS: Final = "abcdefghijkmnpqrstuvwxyz"
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
HSTS: Final = "max-age=31536000; includeSubDomains"
log = logging.getLogger("refusion")


def security_headers(form_targets: Iterable[str] = (), *, behind_tls: bool) -> dict[str, str]:
    """Return the headers of every answer; forms may lead to this site and to `form_targets`."""
    targets = " ".join(("'self'", *form_targets))
    policy = (
        "default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none';"
        f" form-action {targets}"
    )
    tls = {"Strict-Transport-Security": HSTS} if behind_tls else {}
    return _HEADERS | {"Content-Security-Policy": policy} | tls


def is_from_elsewhere(request: Request) -> bool:
    """Tell whether another site's page sent a request; one without a browser has no page."""
    if request.method in SAFE_METHODS:
        return False
    if place := request.headers.get("sec-fetch-site"):
        return place != "same-origin"
    origin = request.headers.get("origin")
    if origin is None:
        return False
    try:
        return urlsplit(origin).netloc != request.headers.get("host")
    except ValueError:  # no address at all
        return True


def came_from_elsewhere(request: Request) -> bool:
    """Tell whether another site's page led here, as a browser says it."""
    return request.headers.get("sec-fetch-site") in {"cross-site", "same-site"}


def has_two_ends(request: Request) -> bool:
    """Tell whether a request says twice where it ends: a proxy may have believed the other."""
    return {"content-length", "transfer-encoding"} <= {*request.headers}


class Doorway:
    """The outermost part of the site."""

    def __init__(self, app: ASGIApp, headers: dict[str, str]) -> None:
        self._app = app
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        _take_language(scope)
        began, request = time.monotonic(), Request(scope)
        request.state.request_id = request_id = _new_request_id()
        answer = _Answer(send, self._headers | {"X-Request-Id": request_id})
        try:
            if has_two_ends(request):
                refused = refusal(request, HTTPStatus.BAD_REQUEST)
                refused.headers["Connection"] = "close"
                await refused(scope, receive, answer.send)
            elif is_from_elsewhere(request):
                await refusal(request, HTTPStatus.FORBIDDEN)(scope, receive, answer.send)
            else:
                await self._app(scope, _Body(request, receive).receive, answer.send)
        except HTTPException as error:  # of a body that was too long or too slow
            await answer.finish(request, receive, error.status_code)
        except TimeoutError:
            log.warning("a reader was too slow for its answer and was left, request %s", request_id)
            raise
        except Exception as error:  # noqa: BLE001 - a defect, whatever it is
            where = kind_and_place(error)
            log.error(  # noqa: TRY400 - the error's text may hold a value
                "a page failed by a defect: %s, request %s", where, request_id
            )
            await answer.finish(request, receive, HTTPStatus.INTERNAL_SERVER_ERROR)
        finally:
            route = getattr(scope.get("route"), "path", "(no route)")
            method = request.method if request.method in METHODS else "(other)"
            spent = round(1000 * (time.monotonic() - began))
            log.info(
                "asked: %s %s, status %s, %s ms, request %s",
                method, route, answer.status, spent, request_id,
            )  # fmt: skip


def _take_language(scope: Scope) -> None:
    """Take the language out of the path: routes know paths in Danish alone."""
    path = scope["path"]
    if path == ENGLISH or path.startswith(f"{ENGLISH}/"):
        scope["path"] = path[len(ENGLISH) :] or "/"
        scope["raw_path"] = scope["path"].encode()
        scope["language"] = "en"


def _new_request_id() -> str:
    """Make an id of letters: nobody takes a part of it for a CPR number."""
    return "".join(secrets.choice(_ID_LETTERS) for _ in range(16))


class _Answer:
    """The answer to a request as it goes out."""

    def __init__(self, send: Send, headers: dict[str, str]) -> None:
        self._send = send
        self._headers = headers
        self.status = 0

    async def send(self, message: Message) -> None:
        """Send a part; TimeoutError where the reader takes too long."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in self._headers.items():
                headers[name] = value
            headers.setdefault("Cache-Control", "no-store")
        async with asyncio.timeout(READ_S):
            await self._send(message)

    async def finish(self, request: Request, receive: Receive, status: int) -> None:
        """Answer with a refusal where nothing was sent yet; else leave it cut off."""
        if not self.status:
            await refusal(request, status)(request.scope, receive, self.send)


class _Body:
    """The body of a request as it comes in, within bounds."""

    def __init__(self, request: Request, receive: Receive) -> None:
        self._receive = receive
        self._left = LARGEST_BODY
        self._is_whole = False
        self._ends_at = time.monotonic() + BODY_S
        length = request.headers.get("content-length", "0")
        self._is_too_long = not length.isdecimal() or int(length[:12]) > LARGEST_BODY

    async def receive(self) -> Message:
        """Return the next part. Raises HTTPException where it is too long or too slow."""
        if self._is_whole:
            return await self._receive()
        if self._is_too_long:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        try:
            async with asyncio.timeout(self._ends_at - time.monotonic()):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(HTTPStatus.REQUEST_TIMEOUT) from None
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        self._is_whole = not message.get("more_body", False)
        return message
