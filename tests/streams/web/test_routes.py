"""A route is found by its path, whatever its method, and no others are tried."""

from fastapi.routing import APIRoute
from starlette.routing import Match

from streams.settings import Settings
from streams.web.app import ROUTERS, routes_of
from streams.web.routes import found_by_path
from tests.support.site_client import a_site, client_of, visitor

SETTINGS = Settings.load({"REFUSION_DEMO": "1"})


def test_every_route_is_found_once_and_those_with_values_after_the_others():
    routes = routes_of(ROUTERS)
    by_path, others = found_by_path(routes)
    assert {route.path for route in others} == {each.path for each in routes if "{" in each.path}
    for route in routes:
        for method in route.methods or ():
            path = route.path.replace("{", "").replace("}", "")
            scope = {"type": "http", "method": method, "path": path}
            match, found = by_path.matches(scope)
            if route in others:
                assert match is Match.NONE
            else:
                assert match is Match.FULL
                assert found["route"] is route


def test_a_method_that_a_path_has_not_is_refused_with_those_that_it_has():
    who = client_of(a_site(SETTINGS), visitor("auditor"))
    refused = who.put("/regler", headers={"sec-fetch-site": "same-origin"})
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET")
    assert who.get("/regler").status_code == 200
    assert who.get("/regler/").status_code == 404


def test_no_more_routes_are_tried_than_have_the_path(monkeypatch):
    tried = []
    matches = APIRoute.matches

    def noted(route, scope):
        tried.append(route.path)
        return matches(route, scope)

    monkeypatch.setattr(APIRoute, "matches", noted)
    assert client_of(a_site(SETTINGS), visitor("auditor")).get("/regler").status_code == 200
    assert set(tried) == {"/regler"}
