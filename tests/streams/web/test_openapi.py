"""Schemathesis asks the served site by its OpenAPI, as a stranger who is logged on, and as nobody.

What it makes fits the description, or does not: nothing of it is a defect of ours, and no answer
has a row of another municipality.
"""

from collections import Counter

import pytest
import schemathesis
import yaml
from fastapi.openapi.utils import get_openapi
from hypothesis import HealthCheck, Phase, given, settings
from jsonschema import Draft202012Validator
from schemathesis import GenerationMode
from schemathesis.core.result import Ok

from streams.web.app import right_of, routes_of
from streams.web.openapi import document, text
from streams.web.rights import CITIZENS
from streams.web.sessions import COOKIE
from tests.support.browser import serving
from tests.support.lis_site import OWN, lis_site
from tests.support.places import ROOT
from tests.support.ports import free_port
from tests.support.site_client import client_of, visitor

EXAMPLES = 4
"""Requests that fit the description, and as many that do not, to each route."""
OF_ALL = {"/lis/sammenligning.json"}
"""Routes whose rows are of every municipality, small numbers hidden."""
ANSWERED = {200, 303, 304, 400, 401, 403, 404, 405, 413, 415, 422}
WALK = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def walk(app, who, walked):
    """Ask every view's route of JSON as often as `walked` says; count the statuses of the answers.

    The other forms of a view have the same code before their bytes.
    """
    port = free_port()
    found: Counter[int] = Counter()
    described = get_openapi(title="programs", version="1", routes=routes_of())
    schema = schemathesis.openapi.from_dict(described)
    cookie = {"Cookie": f"{COOKIE}={app.state.parts.sessions.begin(who)}"} if who else {}

    def ask(case):
        answer = case.call(base_url=f"http://localhost:{port}", headers=cookie, timeout=60)
        found[answer.status_code] += 1
        assert answer.status_code in ANSWERED, (case.path, case.query, answer.status_code)
        if case.path.endswith(".json") and answer.status_code == 200 and case.path not in OF_ALL:
            assert {row.get("municipality", OWN) for row in answer.json()["rows"]} <= {OWN, None}

    with serving(app, port):
        for each in schema.include(path_regex=r"\.json$").get_all_operations():
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                assert isinstance(each, Ok)
                strategy = each.ok().as_strategy(generation_mode=mode)
                walked(given(strategy)(ask))()
    return found


@pytest.mark.long
@pytest.mark.parametrize("role", ["economy", None])
def test_what_the_openapi_makes_is_answered_and_leads_to_nobody_else(folder, role):
    app = lis_site(folder)
    found = walk(app, role and visitor(role, municipality=OWN), WALK)
    assert found.total() > 100
    assert set(found) == {401} if role is None else {200, 422} <= set(found)


# --- the document for who writes a program --------------------------------------------------------


def test_the_document_is_made_from_the_routes():
    assert (ROOT / "docs" / "openapi.yaml").read_text() == text(), "make contract"
    assert yaml.safe_load(text()) == document()


def test_the_document_has_what_a_program_may_ask_for_and_no_citizens():
    allowed = {
        route.path
        for route in routes_of()
        if right_of(route).of_data and "lis" in right_of(route).roles
    }
    described = document()
    assert {*described["paths"]} == allowed
    closed = {route.path for route in routes_of() if right_of(route).roles <= CITIZENS.roles}
    assert not closed & {*described["paths"]}
    named = {*described["components"]["parameters"]}
    assert {"municipality", "month", "run", "benefit", "as"} <= named
    assert not named & {"persons", "citizen", "purpose"}


def test_what_a_program_gets_fits_the_document(app):
    client = client_of(app, visitor("lis", municipality=OWN))
    seen = set()
    for path, told in document()["paths"].items():
        if not path.endswith(".json"):
            continue
        answer, responses = client.get(path), told["get"]["responses"]
        assert str(answer.status_code) in responses, path
        if answer.status_code == 200:
            schema = responses["200"]["content"]["application/json"]["schema"]
            row = schema["properties"]["rows"]["items"]
            columns = {*row.get("properties", ())}
            faults = [
                each.message for each in Draft202012Validator(schema).iter_errors(answer.json())
            ]
            assert faults == [], path
            seen |= columns & {name for each in answer.json()["rows"] for name in each}
    assert {"amount_ore", "refusion_ore", "persons", "rate", "data_month"} <= seen
