"""Every view of LIS has rows on the site that tests look at, so that none is seen empty alone."""

import re

import pytest

from projections.lis.views import VIEWS
from streams.web.lis_looks import BOOKS_VIEW
from tests.support.lis_site import OWN
from tests.support.site_client import client_of, visitor

BOOKS = ("books.csv", b"account;month;amount\n5.57.71.2.011;2023-12;100,00\n")


@pytest.fixture(scope="module")
def seer(app):
    """An auditor who has said why."""
    who = client_of(app, visitor("auditor"))
    who.post("/lis/personer?persons=1", data={"purpose": "sag 12"})
    return who


def rows_of_page(answer):
    """Count the rows of a page's table, without the sum of all."""
    assert answer.status_code == 200
    body = answer.text.partition("<tbody>")[2].partition("</tbody>")[0]
    return len(re.findall("<tr>", body))


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_has_rows_on_its_page(seer, view):
    if view == BOOKS_VIEW:
        answer = seer.post(f"/lis/{view}?municipality={OWN}", files={"books": BOOKS})
    elif view == "borger":
        listed = seer.get("/lis/personer.json?persons=1").json()["rows"]
        answer = seer.get(f"/lis/{view}?citizen={listed[0]['citizen']}")
    else:
        answer = seer.get(f"/lis/{view}")
    assert rows_of_page(answer) > 0


@pytest.mark.parametrize("view", [view.name for view in VIEWS.values() if view.behind])
def test_every_list_of_citizens_has_rows(seer, view):
    assert rows_of_page(seer.get(f"/lis/{view}?persons=1")) > 0
