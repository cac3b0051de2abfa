"""`/borger`: who finds which citizen, on which record, and where a CPR number never stands."""

import re

import pytest
from fastapi import HTTPException

from domain.basics.municipalities import municipality_of_row
from streams.web.limits import WINDOW_S, Limiter, SiteLimits
from tests.support.citizen_site import citizen_of, citizen_site, some_lives, write_ledger
from tests.support.site_client import client_of, visitor

PURPOSE = "sag 12/2024"
UNKNOWN = "6101900000"


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


@pytest.fixture(scope="module")
def lives():
    return [reports for reports in some_lives(3) if reports]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, lives):
    made = tmp_path_factory.mktemp("citizens")
    write_ledger(made / "ledger", lives)
    return made


@pytest.fixture
def book():
    return Book()


@pytest.fixture
def app(folder, book):
    return citizen_site(folder, access=book)


@pytest.fixture
def auditor(app):
    return client_of(app, visitor("auditor"))


def found(client, reports, purpose=PURPOSE, language=""):
    return client.post(f"{language}/borger", data={"cpr": reports[0]["cpr"], "purpose": purpose})


def places_of(app, reports):
    rows = app.state.parts.citizens.posted(citizen_of(reports)).rows
    return {
        municipality_of_row(row.mechanism, row.paying, row.financing) for row in rows if row.id
    } - {None}


def a_caseworker(app, place):
    return client_of(app, visitor("caseworker", municipality=place))


def test_a_number_leads_to_a_token_that_says_nothing(auditor, lives):
    for language in ("", "/en"):
        answer = found(auditor, lives[0], language=language)
        assert answer.status_code == 303
        address = answer.headers["location"]
        assert re.fullmatch(rf"{language}/borger/[a-r]{{64}}", address)
        assert citizen_of(lives[0]) not in address
        page = auditor.get(address)
        assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
        assert citizen_of(lives[0]) not in page.text
        assert lives[0][0]["cpr"] not in page.text


@pytest.mark.parametrize("sign", ["-", " ", "–", " - "])
def test_a_number_may_be_typed_with_a_hyphen_or_blanks(auditor, lives, sign):
    cpr = lives[0][0]["cpr"]
    typed = f" {cpr[:6]}{sign}{cpr[6:]} "
    assert auditor.post("/borger", data={"cpr": typed, "purpose": PURPOSE}).status_code == 303


def test_a_caseworker_sees_citizens_with_a_row_of_the_own_municipality_alone(app, book, lives):
    reports = next(each for each in lives if places_of(app, each))
    own = min(places_of(app, reports))
    assert found(a_caseworker(app, own), reports).status_code == 303
    assert book.looks[-1].about["outcome"] == "shown"
    stranger = a_caseworker(app, "851")
    assert "851" not in places_of(app, reports)
    refused = found(stranger, reports)
    unknown = stranger.post("/borger", data={"cpr": UNKNOWN, "purpose": PURPOSE})
    assert (refused.status_code, refused.text) == (403, unknown.text)
    assert unknown.status_code == 403
    assert [look.about["outcome"] for look in book.looks[-2:]] == ["denied", "denied"]
    assert [look.purpose for look in book.looks[-2:]] == [PURPOSE, PURPOSE]
    assert [*book.looks[-2].citizens] == [citizen_of(reports)]


def test_an_auditor_is_told_that_there_is_nobody_and_that_is_on_record(auditor, book):
    answer = auditor.post("/borger", data={"cpr": UNKNOWN, "purpose": PURPOSE})
    assert answer.status_code == 404
    assert "Der er ingen rækker for borgeren" in answer.text
    assert book.looks[-1].about["outcome"] == "not found"


def test_every_page_is_on_record_before_it_is_shown(auditor, book, lives):
    address = found(auditor, lives[0]).headers["location"]
    auditor.get(address)
    auditor.get(f"{address}?fra=50&til=nu")
    assert [look.about["shows"] for look in book.looks] == ["search", "page", "page"]
    assert {look.act for look in book.looks} == {"site citizen"}
    assert {look.purpose for look in book.looks} == {PURPOSE}
    assert book.looks[-1].about["then"] == 50
    book.refuses = True
    assert auditor.get(address).status_code == 503
    assert found(auditor, lives[0]).status_code == 503


def test_a_token_holds_in_its_own_session_alone(app, auditor, lives, book):
    address = found(auditor, lives[0]).headers["location"]
    before = len(book.looks)
    other = client_of(app, visitor("auditor"))
    for path in (address, "/borger/x", f"/borger/{'a' * 64}"):
        answer = other.get(path)
        assert answer.status_code == 403
        assert "Linket gælder ikke her" in answer.text
    assert len(book.looks) == before
    assert client_of(app).get(address).status_code == 303


def test_a_caseworker_does_not_see_a_citizen_by_a_token_who_is_not_the_municipalitys(
    app, lives, book
):
    reports = next(each for each in lives if places_of(app, each))
    client = a_caseworker(app, min(places_of(app, reports)))
    address = found(client, reports).headers["location"]
    session = app.state.parts.sessions.get(next(iter(client.cookies.values())))
    session.visitor = visitor("caseworker", municipality="851")
    assert client.get(address).status_code == 403
    assert book.looks[-1].about["outcome"] == "denied"


def test_who_comes_from_another_site_is_asked_why(auditor, lives):
    address = found(auditor, lives[0]).headers["location"]
    answer = auditor.get(address, headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 400
    assert "Hvorfor ser du på borgeren?" in answer.text


@pytest.mark.parametrize("role", ["lis", "economy", "state", "operator"])
def test_others_find_nobody(app, role, lives):
    client = client_of(app, visitor(role, municipality="751"))
    assert client.get("/borger").status_code == 403
    assert found(client, lives[0]).status_code == 403


def test_sums_of_all_beside_a_caseworkers_role_show_no_citizen_of_others(app, lives):
    client = client_of(app, visitor("caseworker", "state", municipality="851"))
    assert found(client, lives[0]).status_code == 403


@pytest.mark.parametrize(
    ("cpr", "purpose", "told"),
    [
        ("6113901234", PURPOSE, "Det er ikke et CPR-nummer"),
        ("", PURPOSE, "Det er ikke et CPR-nummer"),
        ("6101801234", "", "Skriv en grund"),
        ("6101801234", "om 610180-1234", "Skriv en grund"),
    ],
)
def test_what_is_typed_wrongly_is_asked_for_again_and_not_repeated(
    auditor, book, cpr, purpose, told
):
    answer = auditor.post("/borger", data={"cpr": cpr, "purpose": purpose})
    assert answer.status_code == 422
    assert told in answer.text
    assert not any(text and text in answer.text for text in (cpr, purpose))
    assert book.looks == []


def test_a_number_is_in_no_address_error_log_or_record(app, auditor, lives, book, caplog):
    caplog.set_level("DEBUG")
    cpr = lives[0][0]["cpr"]
    answers = [
        found(auditor, lives[0]),
        auditor.post("/borger", data={"cpr": cpr, "purpose": f"om {cpr}"}),
        auditor.get("/borger", params={"cpr": cpr}),
        auditor.get(f"/borger/{cpr}"),
        a_caseworker(app, "851").post("/borger", data={"cpr": cpr, "purpose": PURPOSE}),
    ]
    told = repr(book.looks)
    told += "".join(each.getMessage() for each in caplog.records if each.name == "refusion")
    told += "".join(answer.text + str(answer.headers) for answer in answers)
    for number in (cpr, f"{cpr[:6]}-{cpr[6:]}", cpr[:6]):
        assert number not in told


def test_a_ledger_that_is_not_there_is_told_and_the_look_is_on_record(tmp_path, book, lives):
    client = client_of(citizen_site(tmp_path, access=book), visitor("auditor"))
    answer = found(client, lives[0])
    assert answer.status_code == 503
    assert "Afregningen svarer ikke" in answer.text
    assert book.looks[-1].about["outcome"] == "failed"


def test_one_account_that_searches_again_and_again_waits(app, lives, caplog):
    """Refused searches count too, in all sessions of the account; others search meanwhile."""
    app.state.parts.limits = SiteLimits.usual()._replace(searches=Limiter(4, 600))
    first, second = (a_caseworker(app, "999") for _ in range(2))
    asked = [found(client, reports) for client in (first, second) for reports in lives[:2]]
    assert {answer.status_code for answer in asked} == {403}
    answer = found(second, lives[0])
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "600")
    assert "Vent ti minutter" in answer.text
    number = lives[0][0]["cpr"]
    assert number not in answer.text
    assert "too many searches by CPR number" in caplog.text
    assert number not in caplog.text
    other = client_of(app, visitor("auditor", subject="another"))
    assert found(other, lives[0]).status_code == 303


def test_who_saw_a_citizen_and_the_citizen_are_searches_of_one_bound(app, lives):
    app.state.parts.limits = SiteLimits.usual()._replace(searches=Limiter(2, 600))
    client = client_of(app, visitor("auditor"))
    asked = {"cpr": lives[0][0]["cpr"], "purpose": ""}
    statuses = [client.post(path, data=asked).status_code for path in ("/borger", "/adgang") * 2]
    assert statuses == [422, 422, 429, 429]


def test_a_search_each_ten_seconds_all_day_is_within_the_bound():
    now = [0.0]
    limiter = Limiter(SiteLimits.usual().searches._most, WINDOW_S, lambda: now[0])
    for at in range(0, 8 * 3600, 10):
        now[0] = float(at)
        assert limiter.passes("caseworker")
    assert not all(limiter.passes("program") for _ in range(61))
