"""The benchmark of the site asks for every page there is, and each answers."""

import pytest

from bench import lis, lis_views, web, web_explained
from bench.national import month_of
from streams.web.app import right_of, routes_of

NOT_MEASURED = {
    "/healthz", "/nyheder.atom", "/nyheder/{name}", "/kontakt", "/nyhedsmail",
    "/nyhedsmail/bekraeft", "/nyhedsmail/afmeld", "/tilgaengelighed", "/was", "/behandling",
    "/log-paa", "/log-paa/svar", "/borger", "/koersler/{run}", "/godkendelser",
    "/drift/doede-breve", "/drift/doede-breve/{partition}/{offset}", "/adviser", "/adgang",
    "/revision", "/regler/sager/{name}", "/regler/svar/{name}", "/arbejde/{name}",
    "/koersler/genberegninger/{name}", "/drift/vagt", "/adgang/gennemgang", "/vejledning",
    "/vejledning/{guide}", "/dokumenter/{name}", "/dokumenter/decisions/{name}",
    *(f"/lis/{view}" for view in web.WITHOUT_ROWS),
}  # fmt: skip
"""Pages without a figure, and those that cannot be asked without more than a ledger."""


def test_a_page_of_figures_that_is_added_is_measured():
    there = {route.path for route in routes_of() if "GET" in (route.methods or ())}
    of_views = {path for path in there if "." not in path}
    asked = [*web.pages("2024-01"), *web_explained.PAGES]
    measured = {page.path.replace(web.CITIZEN, "{token}") for page in asked}
    assert of_views - NOT_MEASURED <= measured
    assert all(
        right_of(route).roles for route in routes_of() if route.path in measured - {*web.PUBLIC}
    )


@pytest.mark.long
def test_each_page_answers_and_the_ledger_is_asked_beside_it(tmp_path, monkeypatch):
    monkeypatch.setattr(lis, "RUNS", 2)
    monkeypatch.setattr(lis, "ROWS", 1_000)
    monkeypatch.setattr(web, "REQUESTS", 4)
    monkeypatch.setattr(lis_views, "ASKED", 4)
    figures = web.figures(tmp_path)
    names = [name for name, _, _ in figures]
    for page in web.pages("2024-01"):
        assert any(f"web: {page.path}" in name for name in names), page
    assert sum("the ledger" in peer for _, _, peer in figures) == len(lis.QUESTIONS)
    told = ("time of a page, first", "a page, again", "a second", "memory")
    for name, end in zip(names[-4:], told, strict=True):
        assert end in name
    # The same tables are taken where they are named, and no others are made.
    monkeypatch.setenv("REFUSION_LEDGER", str(tmp_path / "web" / "ledger"))
    monkeypatch.setenv("REFUSION_LIS", str(tmp_path / "web" / "lis"))
    there = lis.there()
    assert there is not None
    environment, last = there
    assert environment["REFUSION_LIS"] == str(tmp_path / "web" / "lis")
    assert last == month_of(1)
