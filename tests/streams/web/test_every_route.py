"""Schemathesis asks every route there is, pages and forms too, as who may most and as nobody.

Pages are not in the site's OpenAPI, which is for programs; here they are put into one of their own,
so that a route that is added is walked without a word.
"""

import re

import pytest
import schemathesis
from fastapi.openapi.utils import get_openapi
from hypothesis import given, settings
from schemathesis import GenerationMode
from schemathesis.core.result import Ok

from streams.web.app import right_of, routes_of
from streams.web.lis_looks import PURPOSE
from streams.web.sessions import COOKIE
from tests.streams.web.test_openapi import ANSWERED, WALK
from tests.support.browser import serving
from tests.support.desk_site import desk_site
from tests.support.ports import free_port
from tests.support.site_client import HERE, visitor

EVERYTHING = visitor("auditor", "operator", "caseworker", "economy", municipality="751")
LIMITED = {409, 429, 503}
"""Answers of routes that are bounded, wait for another person, or ask a provider that is away."""
EXAMPLES = 2
LOG_OFF = "/log-af"
REFUSED = {303, 400, 401, 403, 405, 413}
"""400 and 413 are for bodies that are no form or too long: they are refused before anybody is asked
who he is."""
ECHO = re.compile(b"<script>alert|Traceback|site-packages")


@pytest.fixture(scope="module")
def cases():
    """Requests to every route, those of pages too, that fit their description or are spoiled."""
    with pytest.MonkeyPatch.context() as patch:
        for route in routes_of():
            patch.setattr(route, "include_in_schema", True)
        described = get_openapi(title="all", version="1", routes=routes_of())
    made: list[schemathesis.Case] = []

    def take(case):
        made.append(case)

    for each in schemathesis.openapi.from_dict(described).get_all_operations():
        assert isinstance(each, Ok)
        operation = each.ok()
        modes = [GenerationMode.POSITIVE]
        if [*operation.query, *operation.body]:  # a path's values have nothing that can be spoiled
            modes.append(GenerationMode.NEGATIVE)
        for mode in modes:
            strategy = operation.as_strategy(generation_mode=mode)
            settings(WALK, max_examples=EXAMPLES)(given(strategy)(take))()
    assert {case.operation.path for case in made} == {route.path for route in routes_of()}
    return made


@pytest.mark.long
@pytest.mark.parametrize("who", [EVERYTHING, None])
def test_no_route_has_a_defect_and_nobody_is_answered_by_what_is_closed(
    folder, tmp_path, cases, who
):
    app, _ = desk_site(folder, tmp_path)
    closed = {route.path for route in routes_of() if right_of(route).roles}
    port, cookie = free_port(), {"Sec-Fetch-Site": "same-origin", "Host": "localhost"}
    if who:
        session = app.state.parts.sessions.begin(who)
        app.state.parts.sessions.get(session).kept[PURPOSE] = "sag 1"
        cookie["Cookie"] = f"{COOKIE}={session}"

    with serving(app, port):
        for case in cases:
            path = case.operation.path
            if path == LOG_OFF:
                continue
            answer = case.call(
                base_url=f"http://localhost:{port}",
                headers=cookie,
                timeout=120,
                allow_redirects=False,
            )
            assert answer.status_code in ANSWERED | LIMITED, case
            assert not ECHO.search(answer.content), case
            if who is None and path in closed:
                assert answer.status_code in REFUSED | LIMITED, case
                assert HERE not in answer.headers.get("location", ""), case
