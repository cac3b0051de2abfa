"""Finds the route of a request by its path.

FastAPI tries one route after the other, twice for routes of a router that is included, and the site
has more than a hundred: half of what a kept page cost. Most have no part of the path as a value, so
their path is looked up; the others are tried after them, as ever.
"""

from collections import defaultdict
from collections.abc import Iterable

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Match
from starlette.types import Message, Receive, Scope, Send


class RoutesByPath(BaseRoute):
    """Routes without values in their paths: whichever has the path of a request answers it."""

    def __init__(self, routes: Iterable[APIRoute]) -> None:
        self._by_path: defaultdict[str, list[APIRoute]] = defaultdict(list)
        for route in routes:
            self._by_path[route.path].append(route)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return the best match, and what it says of the request: its route among it."""
        best: tuple[Match, Scope] = Match.NONE, {}
        for route in self._by_path.get(scope["path"], ()):
            match, found = route.matches(scope)
            if match is Match.FULL:
                return match, found
            if best[0] is Match.NONE:
                best = match, found
        return best

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer by the route that matched; one of another method refuses."""
        route: APIRoute = scope["route"]
        await route.handle(scope, receive, send)


class Heads(BaseRoute):
    """Routes that answer HEAD as they answer GET, without the body: monitors ask so."""

    def __init__(self, routes: Iterable[APIRoute]) -> None:
        self._routes = [route for route in routes if "GET" in (route.methods or ())]

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return the match of a request for the head of a page."""
        if scope["type"] == "http" and scope["method"] == "HEAD":
            as_get: Scope = {**scope, "method": "GET"}
            for route in self._routes:
                match, found = route.matches(as_get)
                if match is Match.FULL:
                    return match, found
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer by the route that matched."""

        async def without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        route: APIRoute = scope["route"]
        await route.handle({**scope, "method": "GET"}, receive, without_body)


def found_by_path(routes: Iterable[APIRoute]) -> tuple[RoutesByPath, list[APIRoute]]:
    """Return routes as an application tries them: those that are looked up, then the others."""
    exact: list[APIRoute] = []
    others: list[APIRoute] = []
    for route in routes:
        (others if route.param_convertors else exact).append(route)
    return RoutesByPath(exact), others
