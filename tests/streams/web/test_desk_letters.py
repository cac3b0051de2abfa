"""Dead letters and notices on the site: masked or by token, on record, sent again by two."""

import re
from html import unescape

import pytest

from streams.kit.catalogue import Catalogue
from streams.web.desk.letter_routes import LETTERS, RETRY
from streams.web.desk.run_routes import CARRY
from tests.support.desk_site import ANNA, BIRTE, CPR, at_rest, desk_site
from tests.support.site_client import client_of, visitor

CASEWORKER = visitor("caseworker", municipality="751")


@pytest.fixture
def desk(folder, tmp_path):
    return desk_site(folder, tmp_path)


def test_dead_letters_are_listed_masked_and_each_look_is_on_record(desk):
    app, works = desk
    anna = client_of(app, ANNA)
    page = anna.get(LETTERS).text
    assert "2 døde breve" in page
    assert "ukendt ydelse" in page
    assert "fejl i programmet" in page
    page = anna.get(f"{LETTERS}/3/17").text
    assert "KTX" in page
    assert CPR not in page
    assert "Tage" not in page
    acts = [(each["act"], each["scope"]["visitor"]["subject"]) for each in works.kept()]
    assert acts == [
        ("dead-letters list", "subject-of-anna"),
        ("dead-letters show", "subject-of-anna"),
    ]
    assert anna.get(f"{LETTERS}/3/18").status_code == 404
    assert anna.get(f"{LETTERS}/x/y").status_code == 303
    assert "1 dødt brev" in anna.get(LETTERS, params={"grund": "unknown_benefit"}).text


def test_where_no_look_can_be_recorded_nothing_is_shown(desk):
    app, works = desk
    works.topic.failing = OSError("gone")
    client = client_of(app, ANNA)
    for path in (LETTERS, f"{LETTERS}/3/17"):
        answer = client.get(path)
        assert answer.status_code == 503
        assert "KTX" not in answer.text


def test_what_met_a_defect_is_sent_by_one_and_an_error_in_content_by_two(desk):
    app, works = desk
    anna = client_of(app, ANNA)
    assert anna.post(LETTERS).status_code == 303
    assert at_rest(app, RETRY).state == "done"
    assert len(works.closed) == 1
    anna.post(LETTERS, data={"place": "3/17", "unchanged": "true"})
    chore = at_rest(app, RETRY)
    assert (chore.state, len(works.closed)) == ("waits", 1)
    assert "Der er bedt om at sende igen" in anna.get(LETTERS).text
    request = chore.request
    assert anna.post(f"/godkendelser/{request}/godkend").status_code == 409
    birte = client_of(app, BIRTE)
    assert "Send afviste indberetninger igen" in birte.get("/godkendelser").text
    birte.post(f"/godkendelser/{request}/godkend")
    assert at_rest(app, CARRY).state == "done"
    assert [asked.places for asked in works.closed] == [(), ("3/17",)]
    assert "1 indberetning er sendt igen" in birte.get("/godkendelser").text
    assert client_of(app, visitor("auditor")).post(LETTERS).status_code == 403
    assert anna.post(LETTERS, data={"place": "3/17; x"}).status_code == 422


def test_a_caseworker_sees_the_own_notices_by_token_for_a_purpose(desk):
    app, works = desk
    client = client_of(app, CASEWORKER)
    page = client.get("/adviser").text
    assert "Hvorfor ser du på adviserne?" in page
    assert "12345678/P2" not in page
    for bad in ("", f"se {CPR}"):
        assert client.post("/adviser", data={"purpose": bad}).status_code == 422
    assert client.post("/adviser", data={"purpose": "sag 12"}).status_code == 303
    page = client.get("/adviser").text
    assert "Samme ydelse, periode og beløb" in page
    assert Catalogue("da", "notices").text("advice.possible_duplicate") in page
    assert "12345678/P2" in page
    assert "12345678/P9" not in page
    assert "ab" * 16 not in page
    assert 'href="/borger/' in page
    (act,) = works.kept()
    assert (act["act"], act["reason"]) == ("site notices", "sag 12")
    assert act["scope"]["citizens"] == ["ab" * 16]
    assert client.get("/adviser", params={"municipality": "730"}).status_code == 403


@pytest.mark.parametrize(("path", "language"), [("/adviser", "da"), ("/en/adviser", "en")])
def test_notices_speak_the_language_of_the_page(desk, path, language):
    app, works = desk
    first, second = works.noticed
    works.noticed = [first._replace(is_repeat=True), second._replace(code="of_a_later_version")]
    client = client_of(app, visitor("auditor"))
    client.post("/adviser", data={"purpose": "revision"})
    page = unescape(client.get(path).text)
    words = Catalogue(language, "notices")
    for key in ("meaning_repeat", "advice_one_reporter"):
        assert words.text(f"{key}.possible_duplicate") in page
    assert f'<option value="after_death">{words.text("meaning.after_death")}</option>' in page
    assert "of_a_later_version (1)" in page
    other = Catalogue("en" if language == "da" else "da", "notices")
    assert other.text("meaning_repeat.possible_duplicate") not in page


def test_an_auditor_sees_the_notices_of_all_and_nobody_else_does(desk):
    app, _ = desk
    client = client_of(app, visitor("auditor"))
    client.post("/adviser", data={"purpose": "revision"})
    page = client.get("/adviser").text
    assert "12345678/P2" in page
    assert "12345678/P9" in page
    assert "12345678/P2" not in client.get("/adviser", params={"municipality": "730"}).text
    both = client_of(app, visitor("state", "caseworker", municipality="751"))
    both.post("/adviser", data={"purpose": "sag 1"})
    assert "12345678/P9" not in both.get("/adviser").text
    linked = {"Sec-Fetch-Site": "cross-site"}
    assert "Hvorfor ser du" in client.get("/adviser", headers=linked).text


def test_those_of_the_page_are_sent_again_and_no_others(desk):
    app, works = desk
    anna = client_of(app, ANNA)
    page = anna.get(LETTERS, params={"trin": "citizens", "dage": 90}).text
    assert "Send den ene igen, som programmet fejlede på" in page
    values = dict(re.findall(r'type="hidden" name="(trin|siden)" value="([^"]+)"', page))
    assert values.keys() == {"trin", "siden"}
    anna.post(LETTERS, data=values)
    at_rest(app, RETRY)
    (asked,) = works.closed
    assert (asked.wanted.stage, asked.wanted.since) == ("citizens", values["siden"])
    assert "programmet fejlede på" not in anna.get(LETTERS, params={"trin": "intake"}).text
    assert anna.post(LETTERS, data={"siden": "x"}).status_code == 422


def test_the_page_tells_when_there_are_more_letters_than_it_reads(desk):
    app, works = desk
    anna = client_of(app, ANNA)
    assert "flere, end siden læser" not in anna.get(LETTERS).text
    works.is_cut = True
    assert "Kun omkring de 200.000 nyeste er talt" in anna.get(LETTERS).text
