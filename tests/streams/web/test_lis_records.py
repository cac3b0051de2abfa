"""Citizens on the pages of LIS: for a purpose, on record, by tokens, page by page."""

import re
import threading

import pytest
from fastapi import HTTPException

from projections.lis.questions import LisQuestion
from streams.web import lis_desk, lis_looks, lis_options
from streams.web.citizen_tokens import CitizenTokens
from streams.web.lis_files import MEDIA
from tests.support.lis_site import OWN, lis_site
from tests.support.site_client import client_of, visitor


def test_persons_are_shown_for_a_purpose_alone(app):
    who = client_of(app, visitor("caseworker", municipality=OWN))
    page = who.get("/lis/paa-vej-ned")
    assert page.status_code == 200
    assert "Hvorfor ser du på borgerne?" in page.text
    assert page.headers["cache-control"] == "no-store"
    assert who.get("/lis/paa-vej-ned.csv").status_code == 400


class Book:
    """Takes records of looks, or refuses them."""

    def __init__(self):
        self.looks, self.refuses = [], False

    async def record(self, _request, _visitor, look):
        if self.refuses:
            raise HTTPException(503)
        self.looks.append(look)

    async def close(self):
        """Nothing is open."""


def test_no_citizen_is_shown_before_the_look_is_recorded(folder):
    book = Book()
    app = lis_site(folder, access=book)
    who = client_of(app, visitor("caseworker", municipality=OWN))
    lasting = app.state.parts.lis.answered(LisQuestion("genoptjening", OWN), persons=True).answer
    at = lasting.names.index("citizen")
    pseudonyms = {row[at] for row in lasting.rows}
    assert pseudonyms
    moved = who.post("/lis/paa-vej-ned?weeks=900", data={"purpose": "sag 12/2024"})
    assert (moved.status_code, moved.headers["location"]) == (303, "/lis/paa-vej-ned?weeks=900")
    for form in ("", ".json", ".pdf"):
        before = len(book.looks)
        shown = who.get(f"/lis/genoptjening{form}?persons=1")
        assert (shown.status_code, shown.headers["cache-control"]) == (200, "no-store")
        (look,) = book.looks[before:]
        assert (look.purpose, {*look.citizens}) == ("sag 12/2024", pseudonyms)
        assert not any(name in shown.text for name in pseudonyms)
    book.refuses = True
    for form in ("", ".csv"):
        refused = who.get(f"/lis/genoptjening{form}?persons=1")
        assert refused.status_code == 503
        assert app.state.parts.lis.law.municipalities[OWN] not in refused.text


def told_citizens(app):
    answer = app.state.parts.lis.answered(LisQuestion("personer", OWN), persons=True).answer
    return [row[answer.names.index("citizen")] for row in answer.rows]


def next_page(page):
    found = re.findall(r'href="(/lis/[^"]*)">Næste rækker<', page)
    return found[0].replace("&amp;", "&") if found else None


def test_a_long_list_is_shown_page_by_page_and_each_page_is_recorded_with_its_citizens_alone(
    folder, monkeypatch
):
    monkeypatch.setattr(lis_options, "ROWS_OF_PAGE", 20)
    book = Book()
    app = lis_site(folder, access=book)
    who = client_of(app, visitor("caseworker", municipality=OWN))
    citizens, address = told_citizens(app), "/lis/personer?persons=1"
    who.post(address, data={"purpose": "sag 12"})
    seen, shown = [], []
    while address:
        page = who.get(address)
        assert page.status_code == 200
        seen.append([*book.looks[-1].citizens])
        shown.append(len({*re.findall(r"citizen=([a-r]{64})", page.text)}))
        address = next_page(page.text)
    pages = [sorted({*citizens[at : at + 20]}) for at in range(0, len(citizens), 20)]
    assert (seen, shown) == (pages, [*map(len, pages)])
    assert len(pages) > 2
    asked = client_of(app, visitor("caseworker", municipality=OWN))
    form = re.findall(r'action="([^"]*)"', asked.get("/lis/personer?persons=1&page=2").text)
    (address,) = (text.replace("&amp;", "&") for text in form if "persons=1" in text)
    answer = asked.post(address, data={"purpose": "sag 12"}, follow_redirects=False)
    assert answer.headers["location"] == "/lis/personer?persons=1&page=2"
    assert "Forrige rækker" in page.text
    for beyond in ("page=9999", "page=0", "page=-1", "page=1e9"):
        assert who.get(f"/lis/personer?persons=1&{beyond}").status_code in (404, 422)
    assert who.get("/lis/personer.csv?persons=1&page=2").status_code == 400


def test_what_a_pdf_leaves_out_is_not_recorded_as_seen(folder, monkeypatch):
    monkeypatch.setattr(lis_looks, "MOST_ON_PAPER", 2)
    book = Book()
    app = lis_site(folder, access=book)
    who = client_of(app, visitor("caseworker", municipality=OWN))
    assert who.get("/lis/personer.pdf?persons=1&purpose=sag").status_code == 200
    assert sorted({*told_citizens(app)[:2]}) == book.looks[-1].citizens != []


def test_lines_without_end_are_refused_with_what_to_do(folder, monkeypatch):
    monkeypatch.setattr(lis_desk, "MOST_ROWS", 3)
    who = client_of(lis_site(folder), visitor("caseworker", municipality=OWN))
    for form in ("", *(f".{form}" for form in MEDIA)):
        answer = who.get(f"/lis/linjer{form}?purpose=sag")
        assert answer.status_code == 400, form
        assert "Vælg en kommune, en måned eller en ydelse" in answer.text


@pytest.mark.parametrize("view", ["beloeb", "anciennitet", "genoptjening", "personer"])
def test_figures_of_all_municipalities_have_a_bound_too(folder, monkeypatch, view):
    """All months of 98 municipalities are millions of rows, which no page shows."""
    monkeypatch.setattr(lis_desk, "MOST_ROWS", 2)
    who = client_of(lis_site(folder), visitor("auditor"))
    for form in ("", *(f".{form}" for form in MEDIA)):
        answer = who.get(f"/lis/{view}{form}")
        assert (answer.status_code, "Vælg en kommune" in answer.text) == (400, True), form


def test_a_file_is_recorded_before_it_is_given_whoever_it_names(folder):
    book = Book()
    who = client_of(lis_site(folder, access=book), visitor("lis", municipality=OWN))
    assert who.get("/lis/beloeb").status_code == 200
    assert book.looks == []
    for form in MEDIA:
        tag = who.get(f"/lis/beloeb.{form}?month=2023-12&benefit=KTH").headers["etag"]
        look = book.looks.pop()
        asked = {"view": "beloeb", "municipality": OWN, "month": "2023-12", "benefit": "KTH"}
        assert asked.items() <= look.about.items()
        assert (look.act, look.about["persons"], [*look.citizens]) == ("lis", 0, [])
        same = {"if-none-match": tag}
        again = who.get(f"/lis/beloeb.{form}?month=2023-12&benefit=KTH", headers=same)
        assert (again.status_code, book.looks) == (304, [])
    book.refuses = True
    assert who.get("/lis/beloeb.csv").status_code == 503
    assert who.get("/lis/beloeb").status_code == 200


@pytest.mark.parametrize("place", ["cross-site", "same-site"])
def test_a_link_of_another_site_does_not_say_why_somebody_looks(folder, place):
    book = Book()
    who = client_of(lis_site(folder, access=book), visitor("caseworker", municipality=OWN))
    there = {"sec-fetch-site": place}
    for kept in (False, True):
        page = who.get("/lis/personer?persons=1&purpose=lokket", headers=there)
        assert (page.status_code, "Hvorfor ser du på borgerne?" in page.text) == (200, True)
        data = who.get("/lis/personer.csv?persons=1&purpose=lokket", headers=there)
        assert (data.status_code, book.looks) == (400, [])
        if not kept:
            who.post("/lis/personer?persons=1", data={"purpose": "sag 12"})
    own = {"sec-fetch-site": "same-origin"}
    assert who.get("/lis/personer?persons=1", headers=own).status_code == 200
    assert book.looks[-1].purpose == "sag 12"


def test_tokens_are_made_beside_the_loop_that_answers_all(folder, monkeypatch):
    threads = []

    class Watched(Book):
        async def record(self, *look):
            threads.append(threading.get_ident())
            await super().record(*look)

    made = lis_looks._with_tokens

    def watched(*given):
        threads.append(threading.get_ident())
        return made(*given)

    monkeypatch.setattr(lis_looks, "_with_tokens", watched)
    app = lis_site(folder, access=Watched())
    who = client_of(app, visitor("caseworker", municipality=OWN))
    assert who.get("/lis/personer.csv?persons=1&purpose=sag").status_code == 200
    loop, beside = threads
    assert loop != beside


def test_a_citizen_leads_to_its_months_and_back(folder):
    book = Book()
    app = lis_site(folder, access=book)
    who = client_of(app, visitor("caseworker", municipality=OWN))
    page = who.get("/lis/genoptjening?persons=1&purpose=sag+12").text
    address = re.findall(r'href="(/lis/borger[^"]*)"', page)[0].replace("&amp;", "&")
    assert "sag" not in address
    months = who.get(f"{address}&purpose=sag+12")
    assert months.status_code == 200
    assert "En borgers måneder" in months.text
    assert re.search(r'href="/borger/[a-r]{64}">Se borgerens hele forløb', months.text)
    assert len(book.looks[-1].citizens) == 1
    stranger = client_of(app, visitor("caseworker", municipality=OWN))
    assert stranger.get(f"{address}&purpose=sag+12").status_code == 400


def test_a_purpose_that_holds_a_cpr_number_is_not_kept(app):
    who = client_of(app, visitor("caseworker", municipality=OWN))
    page = who.post("/lis/paa-vej-ned", data={"purpose": "sag om 010190-1234"})
    assert page.status_code == 400
    assert "010190" not in page.text


@pytest.mark.parametrize("view", ["beloeb", "linjer", "paa-vej-ned"])
def test_a_cpr_number_in_the_address_is_refused_wherever_a_purpose_may_stand(app, view, caplog):
    caplog.set_level("INFO", "refusion")
    who = client_of(app, visitor("caseworker", municipality=OWN))
    for form in ("", ".csv", ".pdf"):
        for number in ("010190-1234", "0101901234", "010190 1234"):
            answer = who.get(f"/lis/{view}{form}", params={"purpose": f"sag om {number}"})
            assert answer.status_code == 400, (form, number)
            assert "010190" not in answer.text + str(answer.headers) + caplog.text


def test_a_token_that_was_made_up_is_nobodys():
    tokens = CitizenTokens()
    token = tokens.token("c" * 32)
    assert tokens.citizen(token) == "c" * 32
    for other in (token[:-1] + ("a" if token[-1] != "a" else "b"), "a" * 64, "", "é"):
        assert tokens.citizen(other) is None


def test_tokens_say_nothing_in_another_session():
    first, second = CitizenTokens(), CitizenTokens()
    token = first.token("c" * 32)
    assert (first.token("c" * 32), first.citizen(token)) == (token, "c" * 32)
    assert token != second.token("c" * 32)
    assert second.citizen(token) is None
