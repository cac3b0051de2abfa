"""Role × route × municipality, from the list of routes: a stranger's municipality is refused.

A route that is added is tried without a word here: whoever may see one municipality alone asks
each of them for another one, in every place of the address that names a municipality.
"""

import pytest
from fastapi import UploadFile
from pydantic import BaseModel

from projections.lis.views import VIEWS
from streams.web.app import right_of, routes_of
from streams.web.grants import OF_ONE
from streams.web.rights import CITIZENS
from streams.web.visitors import Role
from tests.support.site_client import a_site, client_of, visitor

OWN, OTHER, NONE = "730", "751", "999"


def names_in_query(route):
    """Return the names in a route's query, those of models among them."""
    for field in route.dependant.query_params:
        kind = field.field_info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from kind.model_fields
        else:
            yield field.alias


def places(route):
    """Return where a route's address names a municipality."""
    return [name for name in (*names_in_query(route), *route.param_convertors) if "munic" in name]


CLOSED = [route for route in routes_of() if right_of(route).roles]
ASKED = [route for route in CLOSED if places(route)]
LISTS = {f"/lis/{name}" for name, view in VIEWS.items() if view.names_citizens or view.behind}
"""Views that name citizens, or list those behind a count."""


def address(route, municipality):
    """Return the route's address with a municipality in every place that names one."""
    path = route.path
    for name in route.param_convertors:
        path = path.replace(f"{{{name}}}", municipality if "munic" in name else "x")
    return path, {name: municipality for name in names_in_query(route) if "munic" in name}


def form_of(route):
    """Return fields and files of a form that is filled in, so that it is not refused for itself."""
    fields = [(each.alias, each.field_info.annotation) for each in route.dependant.body_params]
    books = ("books.csv", b"account;month;amount\n")
    return {
        "data": {name: "sag 12/2024" for name, kind in fields if kind is not UploadFile},
        "files": {name: books for name, kind in fields if kind is UploadFile},
    }


@pytest.fixture(scope="module")
def app():
    """One site for all of them: to make one takes longer than to ask it."""
    return a_site()


@pytest.mark.parametrize("role", Role)
def test_who_lacks_the_role_is_refused_on_every_route(app, role):
    client = client_of(app, visitor(role, municipality=OWN))
    for route in CLOSED:
        path, _ = address(route, OWN)
        if role not in right_of(route).roles:
            for method in sorted(route.methods or ()):
                assert client.request(method, path).status_code == 403, (method, path)


@pytest.mark.parametrize("role", sorted(OF_ONE))
def test_another_municipality_is_refused_on_every_route_as_one_that_does_not_exist(app, role):
    client = client_of(app, visitor(role, municipality=OWN))
    for route in ASKED:
        asked = [
            (method, *address(route, municipality), form_of(route) if method == "POST" else {})
            for municipality in (OTHER, NONE)
            for method in sorted(route.methods or set())
        ]
        answers = {
            client.request(method, path, params=query, **form).status_code
            for method, path, query, form in asked
        }
        assert answers == {403}, route.path


@pytest.mark.parametrize("national", sorted(set(Role) - OF_ONE))
@pytest.mark.parametrize("role", sorted(OF_ONE))
def test_a_role_of_all_opens_no_other_municipality_to_a_role_of_one(app, role, national):
    """Routes that the role of all has no right to are those of the other role alone."""
    client = client_of(app, visitor(role, national, municipality=OWN))
    for route in ASKED:
        if national in right_of(route).roles:
            continue
        for method in sorted(route.methods or set()):
            path, query = address(route, OTHER)
            form = form_of(route) if method == "POST" else {}
            answer = client.request(method, path, params=query, **form)
            assert answer.status_code == 403, (method, path)


@pytest.mark.parametrize("national", sorted(set(Role) - OF_ONE - CITIZENS.roles))
@pytest.mark.parametrize("role", sorted(OF_ONE))
def test_a_role_of_all_sums_opens_no_citizens_of_another_municipality(app, role, national):
    client = client_of(app, visitor(role, national, municipality=OWN))
    lists = [each for each in ASKED if each.path.partition(".")[0] in LISTS]
    assert {"/lis/personer", "/lis/personer.csv"} <= {route.path for route in lists}
    for route in lists:
        path, query = address(route, OTHER)
        answer = client.get(path, params=query | {"persons": "1"})
        assert answer.status_code == 403, path


def test_forms_are_among_the_routes_that_name_a_municipality():
    assert sum("POST" in (route.methods or ()) for route in ASKED) == 12


def test_a_visitor_without_a_municipality_sees_no_route_that_has_one(app):
    client = client_of(app, visitor(*sorted(OF_ONE)))
    for route in ASKED:
        path, query = address(route, OWN)
        if "GET" in (route.methods or ()):
            assert client.get(path, params=query).status_code == 403, path
