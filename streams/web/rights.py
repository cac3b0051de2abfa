"""Says who may see what: each route has one `RouteRight` among its dependencies.

A right looks at the visitor alone, never at the path. A route without one cannot be added: `site`
refuses it. `view_right` makes that of a view of LIS, `scope` says whose rows may be shown.
"""

import logging
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import quote, unquote

from fastapi import HTTPException, Request

from streams.privacy.cpr import may_hold_cpr
from streams.web.grants import NoRoleError, visitor_of_program
from streams.web.pages import language_of, link
from streams.web.parts import Parts, parts_of
from streams.web.provider import ProviderError
from streams.web.sessions import COOKIE
from streams.web.visitors import NOBODY, OF_ALL, READERS, Role, Visitor

LOG_ON: Final = "/log-paa"
log = logging.getLogger("refusion")


def refused() -> HTTPException:
    """Return the refusal: the same whether the thing exists or not."""
    return HTTPException(HTTPStatus.FORBIDDEN)


@dataclass(frozen=True)
class RouteRight:
    """The roles that may use a route; none: it is public.

    `of_data`: programs ask too, so who is not logged on gets status 401 and no page to log on.
    """

    name: str
    roles: frozenset[Role] = frozenset()
    of_data: bool = False

    async def __call__(self, request: Request) -> Visitor:
        """Return who asks. Raises HTTPException where the right is lacking."""
        visitor = await self._visitor(request)
        request.state.visitor, request.state.of_data = visitor, self.of_data
        if not self.roles or visitor.roles & self.roles:
            return visitor
        if visitor.is_logged_on or parts_of(request).provider is None:
            raise refused()
        if self.of_data:
            raise _unknown()
        raise HTTPException(
            HTTPStatus.SEE_OTHER, headers={"Location": log_on_address(request), **_UNCACHED}
        )

    async def _visitor(self, request: Request) -> Visitor:
        """Return who asks: a program by its token, where the route gives data."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if self.of_data and kind.lower() == "bearer":
            request.state.of_data = True
            return await visitor_of_token(parts_of(request), token.strip())
        return visitor_of(request)


def _unknown() -> HTTPException:
    return HTTPException(HTTPStatus.UNAUTHORIZED, headers={"WWW-Authenticate": "Bearer"})


_UNCACHED: Final = {"Cache-Control": "no-store"}


def log_on_address(request: Request) -> str:
    """Return the address of the log-on that leads back to what was asked for."""
    asked = request.url.query
    wanted = request.scope["path"] + (f"?{asked}" if asked else "")
    if may_hold_cpr(unquote(wanted)):
        wanted = "/"
    return link(language_of(request), f"{LOG_ON}?til={quote(wanted, safe='/')}")


def visitor_of(request: Request) -> Visitor:
    """Return who asks, by the session of the cookie."""
    session = parts_of(request).sessions.get(request.cookies.get(COOKIE, ""))
    return NOBODY if session is None else session.visitor


async def visitor_of_token(parts: Parts, token: str) -> Visitor:
    """Return the program that a token is of. Raises HTTPException where it is not believed."""
    if parts.provider is None:
        raise refused()
    try:
        return visitor_of_program(await parts.provider.claims_of(token), parts.grants)
    except (ProviderError, NoRoleError) as error:
        log.warning("a program's token was not believed: %s", error)
        raise _unknown() from error


def scope(visitor: Visitor, municipality: str | None) -> str | None:
    """Return the municipality whose rows may be shown; None: those of all.

    The visitor has the roles alone that may see these rows (`Visitor.only`). Raises HTTPException
    for one without any, and for one who asks for another municipality than the own.
    """
    if visitor.sees_all:
        return municipality
    own = visitor.municipality if visitor.roles else None
    if own is None or municipality not in (None, own):
        raise refused()
    return own


# --- the rights -----------------------------------------------------------------------------------

PUBLIC: Final = RouteRight("public")
ANY_ROLE: Final = RouteRight("any role", frozenset(Role))
_OF_CITIZENS: Final = frozenset({Role.CASEWORKER, Role.AUDITOR})
_OF_VIEWS: Final = {
    "paa-vej-ned": _OF_CITIZENS,
    "fleksbidrag": _OF_CITIZENS,
    "borger": _OF_CITIZENS,
    "fuldstaendighed": OF_ALL,
    "forventet": OF_ALL,
    "korrektioner": frozenset({Role.ECONOMY, Role.STATE, Role.AUDITOR}),
    "afstemning": frozenset({Role.ECONOMY, Role.STATE, Role.AUDITOR}),
}
"""Views of LIS that not every reader may see."""
_OF_COLUMNS: Final = {
    "linjer": {"kind": "korrektioner", "reason": "korrektioner"},
    "landet": {"corrections_ore": "korrektioner"},
}
"""Columns that tell what another view is about: who may not see that one does not see them."""
VIEWS: Final = RouteRight("views", READERS)
"""The start page and list of views."""
CITIZENS: Final = RouteRight("citizens", _OF_CITIZENS)
RUNS: Final = RouteRight("runs", frozenset({Role.ECONOMY, Role.STATE, Role.AUDITOR, Role.OPERATOR}))
OPERATION: Final = RouteRight("operation", frozenset({Role.OPERATOR, Role.AUDITOR}))
DECISIONS: Final = RouteRight("decisions", frozenset({Role.OPERATOR}))
"""Asking for acts of operation, and approving them; an auditor reads about them alone."""
AUDIT: Final = RouteRight("audit", frozenset({Role.AUDITOR}))
REVIEW: Final = RouteRight("review", frozenset({Role.ECONOMY, Role.AUDITOR}))
REVIEW_DATA: Final = RouteRight("review", frozenset({Role.ECONOMY, Role.AUDITOR}), of_data=True)
REVIEW_NOTE: Final = RouteRight("review note", frozenset({Role.ECONOMY}))
"""The review of a municipality's access is made by its controller; an auditor reads it."""


def view_right(view: str, *, of_data: bool = False) -> RouteRight:
    """Return the right to a view of LIS, as a page or as data."""
    return RouteRight(f"view {view}", _OF_VIEWS.get(view, READERS), of_data)


def hidden_columns(visitor: Visitor, view: str) -> frozenset[str]:
    """Return the columns of a view that a visitor may not see."""
    return frozenset(
        name
        for name, other in _OF_COLUMNS.get(view, {}).items()
        if not view_right(other).roles & visitor.roles
    )
