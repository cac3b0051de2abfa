"""A page that refuses leads on to one that this visitor may see."""

import re
from html import unescape

import pytest

from projections.lis.money_lines import LINES
from projections.lis.views import VIEWS
from streams.lis.engine import TooLargeError
from streams.lis.marts import Marts
from streams.web import lis_desk
from streams.web.grants import OF_ONE
from streams.web.visitors import Role
from tests.support.lis_site import OWN, lis_site
from tests.support.site_client import client_of, visitor

ASKED = ("", "?as=of&run=9999", "?as=settled&run=50&by=nothing", "?page=99999")


def ways_on(answer):
    """The addresses that the refusal itself has, without those of the frame around it."""
    main = answer.text.partition("<main")[2].partition("</main>")[0]
    assert main, answer.text
    own = re.sub("<nav.*?</nav>", "", main, flags=re.DOTALL)
    return [unescape(address) for address in re.findall('<a href="([^"]*)"', own)]


def refused_pages(who):
    """Ask for every view in some ways; return the address and answer of each refused page."""
    for view in (*VIEWS, LINES):
        for query in ASKED:
            answer = who.get(f"/lis/{view}{query}")
            if answer.status_code >= 400:
                yield f"/lis/{view}{query}", answer


@pytest.mark.parametrize("role", Role)
def test_every_refusal_of_a_view_leads_to_a_page_that_the_role_may_see(app, role):
    who = client_of(app, visitor(role, municipality=OWN if role in OF_ONE else None))
    refused = list(refused_pages(who))
    assert refused
    for address, answer in refused:
        (way_on,) = ways_on(answer)
        assert who.get(way_on).status_code == 200, (address, way_on)


def test_an_auditor_who_asks_for_too_much_is_led_to_what_can_be_shown(folder, monkeypatch):
    lines = f"/lis/{LINES}"
    many = client_of(lis_site(folder), visitor("auditor")).get(f"{lines}.json").json()["rows"]
    monkeypatch.setattr(lis_desk, "MOST_ROWS", len(many) - 1)
    who = client_of(lis_site(folder), visitor("auditor"))
    refused = who.get(lines)
    assert refused.status_code == 400
    assert ways_on(refused) == ["/lis"]
    assert who.get("/lis").status_code == 200


@pytest.mark.parametrize("query", ["", "?month=2024-01"])
def test_a_question_too_large_leads_to_the_list_of_views(folder, monkeypatch, query):
    who = client_of(lis_site(folder), visitor("auditor"))

    def too_large(*_):
        raise TooLargeError("too large")

    with monkeypatch.context() as patched:
        patched.setattr(Marts, "rows", too_large)
        refused = who.get(f"/lis/overgange{query}")
    assert refused.status_code == 400
    assert ways_on(refused) == ["/lis"]
    assert who.get("/lis").status_code == 200


def test_where_there_are_no_tables_a_refusal_leads_to_the_public_pages(tmp_path):
    who = client_of(lis_site(tmp_path), visitor("auditor"))
    for address in ("/lis", "/lis/beloeb", "/lis/beloeb?month=2024-01"):
        refused = who.get(address)
        assert refused.status_code == 503
        (way_on,) = ways_on(refused)
        assert who.get(way_on).status_code == 200
