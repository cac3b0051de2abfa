"""Schemathesis asks every route there is, pages and forms too, as who may most and as nobody.

Pages are not in the site's OpenAPI, which is for programs; here they are put into one of their own,
so that a route that is added is walked without a word.
"""

import re
from contextlib import suppress

import pytest
import schemathesis
from fastapi.openapi.utils import get_openapi
from hypothesis import given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.result import Ok

from streams.web.app import right_of, routes_of
from streams.web.lis_looks import PURPOSE
from streams.web.sessions import COOKIE
from tests.streams.web.test_openapi import ANSWERED, WALK
from tests.support.browser import free_port, serving
from tests.support.desk_site import desk_site
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


@pytest.fixture
def described(monkeypatch):
    """Describe every route, those of pages too."""
    for route in routes_of():
        monkeypatch.setattr(route, "include_in_schema", True)
    return get_openapi(title="all", version="1", routes=routes_of())


@pytest.mark.long
@pytest.mark.parametrize("who", [EVERYTHING, None])
def test_no_route_has_a_defect_and_nobody_is_answered_by_what_is_closed(
    folder, tmp_path, described, who
):
    app, _ = desk_site(folder, tmp_path)
    assert {route.path for route in routes_of()} == {*described["paths"]}
    closed = {route.path for route in routes_of() if right_of(route).roles}
    port, cookie = free_port(), {"Sec-Fetch-Site": "same-origin", "Host": "localhost"}
    if who:
        session = app.state.parts.sessions.begin(who)
        app.state.parts.sessions.get(session).kept[PURPOSE] = "sag 1"
        cookie["Cookie"] = f"{COOKIE}={session}"
    walked = set()

    def ask(case):
        answer = case.call(
            base_url=f"http://localhost:{port}", headers=cookie, timeout=120, allow_redirects=False
        )
        walked.add(case.operation.path)
        assert answer.status_code in ANSWERED | LIMITED, (case.method, case.operation.path)
        assert not ECHO.search(answer.content), case.operation.path
        if who is None and case.operation.path in closed:
            assert answer.status_code in REFUSED | LIMITED, case.operation.path
            assert HERE not in answer.headers.get("location", "")

    with serving(app, port):
        for each in schemathesis.openapi.from_dict(described).get_all_operations():
            assert isinstance(each, Ok)
            operation = each.ok()
            if operation.path == LOG_OFF:
                walked.add(operation.path)
                continue
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                strategy = operation.as_strategy(generation_mode=mode)
                has_nothing_to_spoil = mode is GenerationMode.NEGATIVE
                with suppress(*(Unsatisfiable,) * has_nothing_to_spoil):
                    settings(WALK, max_examples=EXAMPLES)(given(strategy)(ask))()
    assert walked >= closed, "each closed route was asked"
