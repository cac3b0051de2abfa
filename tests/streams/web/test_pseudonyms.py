"""No page and no file that a caseworker gets has a pseudonym: it would outlive the session."""

import re
from html import unescape

import pytest

from domain.basics.municipalities import municipality_of_row
from projections.lis.money_lines import LINES
from projections.lis.views import VIEWS
from streams.explain.placed import MergedError
from streams.web import citizen_desk
from tests.streams.web.test_citizen_rights import Book
from tests.support.citizen_site import (
    citizen_of,
    citizen_site,
    evidence_of,
    some_lives,
    write_ledger,
)
from tests.support.desk_site import desk_site
from tests.support.lis_site import OWN
from tests.support.site_client import client_of, visitor

PURPOSE = "sag 12/2024"
PSEUDONYM = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")
LISTS = [f"{name}{form}?persons=1" for name, view in VIEWS.items() if view.behind
         for form in ("", ".csv", ".json")]  # fmt: skip
PAGES = [*VIEWS, LINES, *(f"{name}.json" for name in VIEWS), *LISTS]


def test_no_page_or_file_of_lis_nor_of_notices_has_a_pseudonym(folder, tmp_path):
    app, works = desk_site(folder, tmp_path)
    assert OWN in works.noticed[0].municipalities
    client = client_of(app, visitor("caseworker", municipality=OWN))
    assert client.post("/lis/paa-vej-ned", data={"purpose": PURPOSE}).status_code == 303
    shown = {path: client.get(path) for path in ["/lis", "/adviser"]}
    shown |= {f"/lis/{path}": client.get(f"/lis/{path}") for path in PAGES}
    told = {path: answer.text for path, answer in shown.items() if answer.status_code == 200}
    assert {"/adviser", "/lis/paa-vej-ned", "/lis/personer.csv?persons=1"} <= told.keys()
    assert [path for path, text in told.items() if PSEUDONYM.search(text)] == []
    assert re.search("/borger/[a-r]{64}", told["/adviser"])  # whom it is about, by a token


@pytest.fixture(scope="module")
def lives():
    return [reports for reports in some_lives(3) if reports]


def test_no_page_of_a_citizen_has_a_pseudonym_not_that_of_the_new_number_either(
    tmp_path, lives, monkeypatch
):
    write_ledger(tmp_path / "ledger", lives)
    monkeypatch.setattr(citizen_desk.CitizenDesk, "has_journal", property(lambda _: True))
    book = Book()
    app = citizen_site(tmp_path, access=book)
    rows = app.state.parts.citizens.posted(citizen_of(lives[0])).rows
    place = next(municipality_of_row(r.mechanism, r.paying, r.financing) for r in rows if r.id)
    client = client_of(app, visitor("caseworker", municipality=place))
    asked = {"cpr": lives[0][0]["cpr"], "purpose": PURPOSE}
    address = client.post("/borger", data=asked).headers["location"]
    week = next(row.week for row in rows if row.week)

    def read(settings, _laws, citizen, **_):
        return evidence_of(settings, {citizen_of(each): each for each in lives}[citizen])

    def merged(_settings, _laws, citizen, **_):
        raise MergedError(citizen, "ab" * 16)

    for evidence in (read, merged):
        monkeypatch.setattr(citizen_desk, "live_evidence", evidence)
        for path in ("", "?fra=50&til=nu", "/forklaring", f"/forklaring?uge={week}"):
            page = client.get(f"{address}{path}")
            assert page.status_code == 200, path
            assert PSEUDONYM.findall(page.text) == [], path

    page = unescape(client.get(f"{address}/forklaring").text)
    (link,) = re.findall(r'href="(/borger/[a-r]{64})">Se personen under det nye nummer</a>', page)
    assert client.get(link).status_code == 403  # no row of the caseworker's municipality
    assert book.looks[-1].about["outcome"] == "denied"
