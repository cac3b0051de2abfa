"""Pages with citizens that are kept: each look is on record first, and names them for it alone."""

import re
from functools import partial
from types import SimpleNamespace
from urllib.parse import quote

import pytest
from fastapi import HTTPException

from projections.lis.questions import LisQuestion
from streams.lis import inquiry
from streams.web import lis_options
from streams.web.citizen_marks import filled, mark
from streams.web.citizen_tokens import tokens_of
from streams.web.kept_pages import KeptPages
from streams.web.lis_desk import LisDesk
from streams.web.lis_looks import PURPOSE
from streams.web.lis_typesetter import Typesetter
from streams.web.sessions import COOKIE
from tests.support.lis_site import OWN, lis_site
from tests.support.site_client import client_of, visitor

OTHER = "101"
LISTS = ("/lis/personer?persons=1", "/lis/genoptjening?persons=1")
CASEWORKER = visitor("caseworker", municipality=OWN, subject="a")
TOKEN = re.compile(r"[a-r]{64}")


class Book:
    """Takes records of looks, or refuses them."""

    def __init__(self):
        self.looks, self.refuses = [], False
        self.meanwhile = lambda: None

    async def record(self, _request, visitor, look):
        if self.refuses:
            raise HTTPException(503)
        self.looks.append((visitor.subject, look.purpose, [*look.citizens], dict(look.about)))
        self.meanwhile()

    async def close(self):
        """Nothing is open."""


@pytest.fixture
def book():
    return Book()


@pytest.fixture
def app(folder, book):
    return lis_site(folder, access=book)


@pytest.fixture
def asked(monkeypatch):
    """The questions that the desk was asked since the test began."""
    questions, answered = [], LisDesk.answered

    def counted(desk, question, **how):
        questions.append(question)
        return answered(desk, question, **how)

    monkeypatch.setattr(LisDesk, "answered", counted)
    return questions


def looking(app, who, purpose):
    """Return a client whose visitor has said why."""
    client = client_of(app, who)
    assert client.post("/lis/paa-vej-ned", data={"purpose": purpose}).status_code == 303
    return client


def citizens_in_turn(app, client, text):
    """Return the pseudonyms of the tokens in a page, one after the other."""
    session = app.state.parts.sessions.get(client.cookies[COOKIE])
    return [tokens_of(session).citizen(token) for token in TOKEN.findall(text)]


@pytest.mark.parametrize("address", LISTS)
def test_each_look_at_a_page_that_is_kept_is_on_record_with_its_own_purpose(
    app, book, asked, address
):
    looks = [("a", "sag 1"), ("b", "sag 2"), ("b", "<b>sag & 3</b>")]
    tokens, pages = [], []
    for subject, purpose in looks:
        who = looking(app, visitor("caseworker", municipality=OWN, subject=subject), purpose)
        page = who.get(address)
        assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
        assert "etag" not in page.headers
        seen = {*citizens_in_turn(app, who, page.text)}
        assert None not in seen
        assert book.looks[-1][:2] == (subject, purpose)
        assert {*book.looks[-1][2]} == seen != set()
        assert not any(name in page.text for name in seen)
        assert "mark-" not in page.text
        tokens.append({*TOKEN.findall(page.text)})
        pages.append(page.text)
    assert "<b>sag" not in pages[2]
    assert "&lt;b&gt;sag &amp; 3&lt;/b&gt;" in pages[2]
    assert tokens[0].isdisjoint(tokens[1] | tokens[2])
    assert len(book.looks) == len(looks)
    assert len(asked) == 1
    assert book.looks[0][3] == book.looks[1][3]


@pytest.mark.parametrize("form", ["", ".csv", ".json"])
@pytest.mark.parametrize("when", ["before the record", "during the record"])
def test_who_logs_off_meanwhile_gets_what_is_on_record_and_no_pseudonym(
    app, book, monkeypatch, form, when
):
    who = looking(app, CASEWORKER, "sag 1")
    log_off = partial(app.state.parts.sessions.end, who.cookies[COOKIE])
    answered = LisDesk.answered

    def then_gone(desk, question, **how):
        found = answered(desk, question, **how)
        log_off()
        return found

    if when == "before the record":
        monkeypatch.setattr(LisDesk, "answered", then_gone)
    else:
        book.meanwhile = log_off
    given = who.get(f"/lis/personer{form}?persons=1")
    ((_, purpose, citizens, _),) = book.looks
    assert (given.status_code, purpose) == (200, "sag 1")
    assert len({*TOKEN.findall(given.text)}) == len({*citizens}) > 0
    assert not [citizen for citizen in citizens if citizen in given.text]
    assert app.state.parts.sessions.get(who.cookies[COOKIE]) is None


def test_a_page_shows_the_purpose_that_is_on_record(app, book):
    who = looking(app, CASEWORKER, "sag 1")
    session = app.state.parts.sessions.get(who.cookies[COOKIE])
    book.meanwhile = lambda: session.kept.update({PURPOSE: "sag 2"})  # in another tab
    page = who.get(LISTS[0]).text
    assert ("sag 1" in page, "sag 2" in page) == (True, False)
    assert "sag 2" in who.get(LISTS[0]).text
    assert [look[1] for look in book.looks] == ["sag 1", "sag 2"]


def test_expected_payments_that_differ_are_listed_with_links(app, book, monkeypatch):
    row = (1, "12345678", "KTH", "2024-01", "c" * 32, 1, 100, 50, 1, 0)
    monkeypatch.setattr(inquiry, "KEPT_EXPECTED", SimpleNamespace(rows=lambda _ledger: [row]))
    who = looking(app, visitor("auditor"), "sag 1")
    page = who.get("/lis/forventet?persons=1")
    assert page.status_code == 200
    (token,) = {*TOKEN.findall(page.text)}
    assert f"citizen={token}" in page.text
    assert book.looks[-1][2] == ["c" * 32]


def test_a_page_that_is_kept_is_the_page_that_would_be_made_anew(app, folder):
    anew = lis_site(folder, access=Book(), kept_citizens=KeptPages(most=0))
    for address in (address for start in ("", "/en") for address in map(start.__add__, LISTS)):
        looking(app, CASEWORKER, "sag 1").get(address)
        texts = []
        for site in (app, anew):
            who = looking(site, visitor("caseworker", municipality=OWN, subject="b"), "sag 2")
            text = who.get(address).text
            texts.append([TOKEN.sub("", text), citizens_in_turn(site, who, text)])
        assert texts[0] == texts[1]


@pytest.mark.parametrize("address", LISTS)
def test_nothing_is_shown_of_a_page_that_is_kept_without_a_record_or_a_purpose(
    app, book, asked, address
):
    who = looking(app, CASEWORKER, "sag 1")
    assert who.get(address).status_code == 200
    book.refuses, before = True, len(book.looks)
    refused = who.get(address)
    assert (refused.status_code, TOKEN.findall(refused.text)) == (503, [])
    book.refuses = False
    without = client_of(app, CASEWORKER).get(address)
    assert "Hvorfor ser du på borgerne?" in without.text
    for place in ("cross-site", "same-site"):
        lured = who.get(address, headers={"sec-fetch-site": place})
        assert "Hvorfor ser du på borgerne?" in lured.text
    assert (len(book.looks), len(asked)) == (before, 1)


@pytest.mark.parametrize("address", LISTS)
def test_who_has_other_rights_is_told_another_page(app, book, asked, address):
    others = [
        visitor("caseworker", municipality=OTHER, subject="c"),
        visitor("auditor", subject="d"),
        visitor("auditor", "caseworker", municipality=OWN, subject="e"),
    ]
    for who in (CASEWORKER, *others):
        assert looking(app, who, "sag").get(address).status_code == 200
    assert len(asked) == 1 + len(others)
    assert {*book.looks[0][2]}.isdisjoint(book.looks[1][2])
    for who in (visitor("economy", municipality=OWN), visitor("state"), visitor("operator"), None):
        assert client_of(app, who).get(address).status_code in (303, 403)
    assert len(book.looks) == 1 + len(others)


def test_each_page_of_a_list_is_kept_by_itself(app, book, asked, monkeypatch):
    monkeypatch.setattr(lis_options, "ROWS_OF_PAGE", 2)
    who = looking(app, CASEWORKER, "sag")
    for _ in range(2):
        for page in (1, 2):
            assert who.get(f"/lis/personer?persons=1&page={page}").status_code == 200
    seen = [citizens for _, _, citizens, _ in book.looks]
    assert (seen[:2], len(asked)) == (seen[2:], 2)
    assert seen[0] != seen[1]


def test_a_newer_build_is_asked_anew(app, asked, monkeypatch):
    who = looking(app, CASEWORKER, "sag")
    newer = app.state.parts.lis.state()._replace(number=99)
    who.get(LISTS[0])
    monkeypatch.setattr(LisDesk, "state", lambda _: newer)
    for _ in range(2):
        who.get(LISTS[0])
    assert len(asked) == 2


def test_what_was_kept_of_citizens_is_gone_as_soon_as_any_page_asks_a_newer_build(app, monkeypatch):
    kept, addresses = app.state.parts.kept_citizens, (LISTS[0], "/lis/beloeb")
    state = app.state.parts.lis.state()
    who, sizes = looking(app, CASEWORKER, "sag"), []
    for number, address in enumerate(addresses):
        monkeypatch.setattr(LisDesk, "state", lambda _, n=number: state._replace(number=n))
        who.get(address)
        sizes.append(kept.count)
    assert sizes == [1, 0]


def test_citizens_are_kept_in_a_place_of_their_own(app, monkeypatch):
    parts, kept = app.state.parts, []
    for pages in (parts.kept_pages, parts.kept_citizens):

        def keep(_build, _key, page, of=pages):
            kept.append((of, page))

        monkeypatch.setattr(pages, "keep", keep)
    who = looking(app, CASEWORKER, "sag 77/2031")
    for address in ("/lis/beloeb", LISTS[0]):
        who.get(address)
    (figures, beloeb), (citizens, listed) = kept
    assert (figures, citizens) == (parts.kept_pages, parts.kept_citizens)
    assert (beloeb.citizens, "77/2031" in listed.main) == ((), False)
    assert len(listed.citizens) > 0
    assert not any(name in listed.main for name in listed.citizens)


def test_the_page_of_one_citizen_is_made_anew_for_each_look(app, book, asked):
    who = looking(app, CASEWORKER, "sag")
    address = re.findall(r'href="(/lis/borger[^"]*)"', who.get(LISTS[1]).text)[0]
    for _ in range(2):
        assert who.get(address.replace("&amp;", "&")).status_code == 200
    assert [question.view for question in asked] == ["genoptjening", "borger", "borger"]
    assert [len(citizens) for _, _, citizens, _ in book.looks[1:]] == [1, 1]


def test_what_somebody_types_is_never_taken_for_a_mark(app):
    typed = "mark-0-, mark-" + "a" * 32 + "-1-"
    page = looking(app, CASEWORKER, typed).get(f"{LISTS[1]}&purpose={quote(typed)}")
    assert typed in page.text
    assert filled(f"{mark(1)} {mark(0)} {typed}", ["0", "1"]) == f"1 0 {typed}"
    assert filled(mark(0), [mark(1), "citizen"]) == mark(1)


def test_a_list_says_of_which_version_of_the_ledger_it_was_made(app, book):
    version = app.state.parts.lis.answered(LisQuestion("beloeb", OWN)).ledger_version
    for _ in range(2):
        looking(app, CASEWORKER, "sag").get(LISTS[0])
    assert [about["ledger_version"] for *_, about in book.looks] == [version] * 2


def test_no_paper_that_names_citizens_is_kept(app, monkeypatch):
    made = []
    for name in ("pdf", "kept_pdf"):

        def noted(_typesetter, _values, by=name):
            made.append(by)
            return b"%PDF"

        monkeypatch.setattr(Typesetter, name, noted)
    who = looking(app, CASEWORKER, "sag")
    for address in ("/lis/personer.pdf?persons=1", "/lis/beloeb.pdf"):
        assert who.get(address).content == b"%PDF"
    assert made == ["pdf", "kept_pdf"]
