"""Makes the site of its routers. Each route has a right of its own, or the site is not made.

A part of the site is a module with a `router`; it is added by a line of `ROUTERS`.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from fastapi import APIRouter, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from streams.settings import Settings
from streams.web import (
    citizen_routes,
    contact,
    document_routes,
    guide_routes,
    lis_routes,
    logon,
    news_list,
    public,
)
from streams.web.desk import (
    access_routes,
    approval_routes,
    audit_routes,
    difference_routes,
    duty_routes,
    letter_routes,
    notice_routes,
    package_routes,
    review_routes,
    rule_routes,
    run_routes,
    work_routes,
)
from streams.web.doorway import Doorway, security_headers
from streams.web.parts import Parts
from streams.web.refusals import answer_refusals
from streams.web.rights import RouteRight
from streams.web.routes import Heads, found_by_path

ROUTERS: Final[tuple[APIRouter, ...]] = (
    public.router,
    contact.router,
    guide_routes.router,
    document_routes.router,
    news_list.router,
    logon.router,
    lis_routes.router,
    citizen_routes.router,
    run_routes.router,
    difference_routes.router,
    duty_routes.router,
    work_routes.router,
    approval_routes.router,
    rule_routes.router,
    letter_routes.router,
    notice_routes.router,
    access_routes.router,
    review_routes.router,
    audit_routes.router,
    package_routes.router,
)
"""The parts of the site."""
STATIC: Final = Path(__file__).parent / "static"
NEAR: Final = ("localhost", "127.0.0.1", "[::1]")
"""Names by which this machine itself asks, as for `/healthz`."""


class RightlessRouteError(TypeError):
    """A route has no right, or several: a defect of the program."""


class _OurFiles(StaticFiles):
    """Style, fonts, icons and htmx, which a browser may keep for an hour."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file."""
        answer = await super().get_response(path, scope)
        answer.headers["Cache-Control"] = "public, max-age=3600"
        return answer


def site(
    settings: Settings,
    parts: Parts | None = None,
    routers: Iterable[APIRouter] = ROUTERS,
    url: str = "http://localhost:8420",
) -> FastAPI:
    """Make the site; `url` is its address where no other one is set.

    Raises:
        RightlessRouteError: a route has not one right.
        UserError: the settings do not fit.
    """
    parts = parts or Parts.of(settings, url)
    app = FastAPI(
        title="Ydelsesrefusion", docs_url=None, redoc_url=None, openapi_url=None,
        redirect_slashes=False, lifespan=_lifespan,
    )  # fmt: skip
    app.state.parts = parts
    routes = routes_of(routers)
    for route in routes:
        right_of(route)
    by_path, others = found_by_path(routes)
    app.router.routes += [Heads(_read_by_all(routes)), by_path, *others]
    app.mount("/static", _OurFiles(directory=STATIC), name="static")
    answer_refusals(app)
    address = urlsplit(parts.url)
    hosts = [name for name in (address.hostname, *NEAR) if name]
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False)
    provider = [origin_of(parts.provider.issuer)] if parts.provider else []
    headers = security_headers(provider, behind_tls=address.scheme == "https")
    app.add_middleware(Doorway, headers=headers)
    return app


def _read_by_all(routes: Iterable[APIRoute]) -> list[APIRoute]:
    """Return the public routes; those of the log-on are none, they do something when asked."""
    return [r for r in routes if not right_of(r).roles and r not in logon.router.routes]


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Watch the runs and send mails as long as the site is up, and close what it keeps open."""
    parts: Parts = app.state.parts
    mails = parts.news_mail, parts.status_mail
    tasks = [asyncio.create_task(each.run()) for each in (parts.board, *mails)]
    yield
    for mail in mails:
        mail.close()
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    await asyncio.to_thread(parts.typesetter.close)
    parts.lis.close()
    parts.citizens.close()
    await parts.access.close()


def origin_of(address: str) -> str:
    """Return the scheme and host of an address.

    >>> origin_of("https://id.example.org:8443/realms/x")
    'https://id.example.org:8443'
    """
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def routes_of(routers: Iterable[APIRouter] = ROUTERS) -> list[APIRoute]:
    """Return the routes of routers. Raises RightlessRouteError where one holds something else."""
    entries = [entry for router in routers for entry in router.routes]
    routes = [entry for entry in entries if isinstance(entry, APIRoute)]
    if len(routes) < len(entries):
        raise RightlessRouteError("a router has something else than routes; add it to ROUTERS")
    return routes


def right_of(route: APIRoute) -> RouteRight:
    """Return a route's right. Raises RightlessRouteError where it has none, or several."""
    rights = list(_rights_in(route.dependant))
    if len(rights) != 1:
        raise RightlessRouteError(f"{route.path} has {len(rights)} rights; give it one")
    return rights[0]


def _rights_in(dependant: Dependant) -> Iterator[RouteRight]:
    if isinstance(dependant.call, RouteRight):
        yield dependant.call
    for other in dependant.dependencies:
        yield from _rights_in(other)
