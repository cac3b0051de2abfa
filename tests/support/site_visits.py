"""Visits to every page of the site, made from the list of its routes.

A page whose path has no values is visited without a word here, as is every form, left empty; one
with values must be named in `PAGES`. So a page that is added is looked at, or `visits` says that it
is not.
"""

import re
from typing import Any, NamedTuple

from projections.lis.views import VIEWS
from streams.web.app import right_of, routes_of
from streams.web.grants import OF_ONE
from streams.web.lis_looks import BOOKS_VIEW
from streams.web.visitors import Visitor
from tests.support.desk_site import ANNA, ANSWERED, DORTE, REPLAYED
from tests.support.lis_site import OWN
from tests.support.site_client import visitor

AUDITOR = visitor("auditor")
CASEWORKER = visitor("caseworker", municipality=OWN, subject="has not said why")
ECONOMY = visitor("economy", municipality=OWN)
STATE = visitor("state")
IS_FILE = re.compile(r"\.(csv|json|parquet|pdf|zip|atom|yaml)$")
NO_PAGE = {"/healthz", "/arbejde/{name}", "/log-af"}
"""A word for monitors, a block of other pages, and what only leads on."""
NEWS = "2026-11-20-ny-sats"
BOOKS = {"books": ["account;month;amount", "5.57.71.2.011;2023-12;100,00", ""]}
GROUPS = ("public", "lis", "desk", "citizens")


class Visit(NamedTuple):
    """A page, who looks at it, and its status; one with a form is the answer to what was sent.

    Status 0 is any refusal. `{citizen}` and `{token}` stand for a citizen's names in the session. A
    value that is a list are the lines of a file. `wait` is shown once the page is whole.
    """

    path: str
    who: Visitor | None = AUDITOR
    status: int = 200
    form: dict[str, Any] | None = None
    wait: str = "h1"


EXPLAINED = "#explained li"
PAGES = {
    "/nyheder/{name}": [Visit(f"/nyheder/{NEWS}", None)],
    "/vejledning/{guide}": [
        Visit(f"/vejledning/{guide}", None) for guide in ("sagsbehandler", "controller", "drift")
    ],
    "/dokumenter/{name}": [
        Visit(f"/dokumenter/{name}", None) for name in ("ten-rules", "fortegnelse", "upstream")
    ],
    "/dokumenter/decisions/{name}": [Visit("/dokumenter/decisions/0012-marts", None)],
    "/nyhedsmail": [Visit("/nyhedsmail", None), Visit("/nyhedsmail?sendt=1", None)],
    "/kontakt": [Visit("/kontakt", None), Visit("/kontakt?sendt=1", None)],
    "/log-paa": [Visit("/log-paa", None, 429)],
    "/log-paa/svar": [Visit("/log-paa/svar", None, 403)],
    "/lis": [Visit("/lis", who) for who in (AUDITOR, ECONOMY, CASEWORKER, STATE)],
    "/lis/borger": [
        Visit("/lis/borger?citizen={citizen}"),
        Visit("/lis/borger", status=400),
    ],
    "/borger": [Visit("/borger")],
    "/borger/{token}": [
        Visit("/borger/{token}", wait=EXPLAINED),
        Visit("/borger/{token}?fra=49&til=nu", wait=EXPLAINED),
        Visit("/en/borger/{token}", wait=EXPLAINED),
    ],
    "/borger/{token}/forklaring": [
        Visit("/borger/{token}/forklaring"),
        Visit("/borger/{token}/forklaring?uge=2016-03-01"),
    ],
    "/koersler/{run}": [Visit("/koersler/51", who) for who in (AUDITOR, ECONOMY)],
    "/koersler/genberegninger/{name}": [Visit(f"/koersler/genberegninger/{REPLAYED.id}")],
    "/regler": [Visit("/regler"), Visit("/regler?soeg=trin"), Visit("/regler?soeg=intet-af-dette")],
    "/regler/svar/{name}": [Visit(f"/regler/svar/{ANSWERED.id}")],
    "/regler/sager/{name}": [Visit("/regler/sager/answer_fleksbidrag_none_in_the_month")],
    "/drift/doede-breve/{partition}/{offset}": [
        Visit("/drift/doede-breve/3/17", who) for who in (AUDITOR, ANNA)
    ],
    "/adviser": [Visit("/adviser"), Visit("/adviser", CASEWORKER)],
    "/adgang/gennemgang": [
        Visit("/adgang/gennemgang?municipality=751"),
        Visit("/adgang/gennemgang", ECONOMY),
    ],
    "/godkendelser": [Visit("/godkendelser", who) for who in (AUDITOR, ANNA, DORTE)],
}
"""The visits of pages that one address, or one visitor, does not show."""
FORMS = {
    "/nyhedsmail/bekraeft": [Visit("/nyhedsmail/bekraeft?kode=x", None, form={})],
    "/nyhedsmail/afmeld": [Visit("/nyhedsmail/afmeld?kode=x", None, form={})],
    "/drift/doede-breve": [Visit("/drift/doede-breve", ANNA, 422, {"place": "x"})],
    "/lis/afstemning": [
        Visit(f"/lis/{BOOKS_VIEW}?municipality={OWN}", form=BOOKS),
        Visit(f"/lis/{BOOKS_VIEW}", status=400, form={"books": ["x"]}),
    ],
    "/koersler/luk": [Visit("/koersler/luk", ANNA, 409, {"month": "2024-04"})],
    "/adgang/gennemgang": [Visit("/adgang/gennemgang", ECONOMY, 422, {"halvaar": "2026-1"})],
}
"""Forms that do something, or more, when nothing is filled in."""
REFUSALS = {
    "public": [Visit("/findes-ikke", None, 404), Visit("/en/findes-ikke", None, 404)],
    "lis": [
        Visit("/lis/beloeb?month=x", status=422),
        Visit("/lis/beloeb?as=of&run=9999", status=404),
        Visit("/lis/beloeb?month=2015-01"),
        Visit("/lis/fuldstaendighed", ECONOMY, 403),
        Visit("/lis/personer?persons=1", CASEWORKER),
        Visit("/en/lis"),
        *(Visit(f"/lis/{view.name}?persons=1") for view in VIEWS.values() if view.behind),
        *(Visit(f"/lis/{view.name}?reporters=1") for view in VIEWS.values() if view.of_reporters),
        *(Visit(f"/en/lis/{view}") for view in ("beloeb", "prognose", "forventet", "overgange")),
    ],
    "desk": [Visit("/revision", ECONOMY, 403), Visit("/koersler/9999", status=404)],
    "citizens": [
        Visit("/borger/x", status=403),
        *(Visit(f"/lis{path}", status=503) for path in ("", "/beloeb", "/kontrol")),
    ],
}
"""Pages that are refused, and other forms of pages: lists of citizens, English.

The site of citizens has no tables of LIS, and its threads for `kontrol` are taken.
"""


def is_page(path):
    return path not in NO_PAGE and not IS_FILE.search(path)


def group_of(route):
    if not right_of(route).roles:
        return "public"
    start = route.path.split("/")[1]
    return {"lis": "lis", "borger": "citizens"}.get(start, "desk")


def somebody(route):
    """Somebody who may use a route, and who may most by it."""
    roles = right_of(route).roles
    if not roles:
        return None
    if AUDITOR.roles <= roles:
        return AUDITOR
    role = min(roles)
    return visitor(role, municipality=OWN if role in OF_ONE else None, subject=ANNA.subject)


def pages_of(route):
    """Visits of a route that is read."""
    if route.path in PAGES:
        return PAGES[route.path]
    assert not route.param_convertors, f"{route.path}: name an address of it in PAGES"
    visits = [Visit(route.path, somebody(route))]
    if ANNA.roles <= right_of(route).roles:
        visits.append(Visit(route.path, ANNA))
    if group_of(route) in ("public", "desk"):
        visits.append(Visit(f"/en{route.path}", somebody(route)))
    return visits


def forms_of(route):
    """Visits of a route that takes a form: as it is answered when nothing is filled in."""
    path = re.sub(r"\{\w+\}", "a" * 16, route.path)
    return FORMS.get(route.path) or [Visit(path, somebody(route), 0, {})]


def visits(group):
    """All visits of a part of the site."""
    found = list(REFUSALS[group])
    for route in routes_of():
        if is_page(route.path) and group_of(route) == group:
            is_read = "GET" in (route.methods or ())
            found += pages_of(route) if is_read else forms_of(route)
    return found
