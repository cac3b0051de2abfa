"""Lists of citizens are shown a page at a time, however long they are."""

import pytest

from projections.lis.citizen_lists import COUNTED, list_of
from projections.lis.views import VIEWS
from streams.lis.citizens import CITIZEN
from streams.lis.engine import TooLargeError
from streams.lis.marts import Marts
from streams.web import lis_desk, lis_options
from streams.web.lis_files import MEDIA
from tests.support.lis_site import lis_site
from tests.support.site_client import client_of, visitor

OTHER = "730"
"""Another municipality with citizens."""
OF_SOURCES_BESIDE = {"forventet"}
"""A view whose citizens are not in the marts."""


def test_a_view_with_citizens_is_a_list_or_has_a_source_of_its_own():
    with_citizens = {
        name
        for name, view in VIEWS.items()
        for figures in (view.figures, view.behind[0] if view.behind else ())
        if CITIZEN in [figure.name for figure in figures]
    }
    assert with_citizens == {*COUNTED} | OF_SOURCES_BESIDE
    assert list_of("forventet", persons=True) is None
    assert list_of("personer", persons=False) is None
    assert list_of("linjer", persons=True) is None


@pytest.mark.parametrize("view", ["genoptjening", "personer"])
def test_a_list_that_is_too_long_for_files_is_shown_page_by_page(folder, monkeypatch, view):
    monkeypatch.setattr(lis_desk, "MOST_ROWS", 2)
    monkeypatch.setattr(lis_options, "ROWS_OF_PAGE", 1)
    who = client_of(lis_site(folder), visitor("caseworker", municipality=OTHER))
    asked = f"/lis/{view}?persons=1&purpose=sag"
    page = who.get(asked)
    assert page.status_code == 200
    assert "En fil har højst 2: vælg fx én ydelse ad gangen" in page.text
    assert f'href="/lis/{view}.pdf' in page.text
    assert who.get(f"{asked}&page=2").status_code == 200
    for form in MEDIA:
        answer = who.get(asked.replace("?", f".{form}?"))
        assert answer.status_code == (200 if form == "pdf" else 400), form
        assert (f'href="/lis/{view}.{form}' in page.text) == (form == "pdf")


def test_a_question_that_needs_too_much_memory_is_refused_with_what_to_do(folder, monkeypatch):
    def too_large(*_):
        raise TooLargeError("too large")

    app = lis_site(folder)
    monkeypatch.setattr(Marts, "rows", too_large)
    answer = client_of(app, visitor("auditor")).get("/lis/overgange")
    assert (answer.status_code, "for stort til en side" in answer.text) == (400, True)
