"""The rules on the site: whole, searched, and held against each other."""

import html
import re

import pytest

from domain.ruledata.coverage import series
from streams.citizens.rule_sets import load_rule_set
from streams.kit.errors import UnworkableError
from streams.settings import Settings
from streams.web.desk.rule_book import law_cases, rule_book
from streams.web.server import WebPlace, serve
from streams.web.visitors import Role
from tests.support.site_client import a_site, client_of, visitor

CPR = "010190" + "1234"


@pytest.fixture(scope="module")
def client():
    return client_of(a_site(), visitor("lis", municipality="730"))


def test_any_role_reads_them_and_nobody_else():
    app = a_site()
    for role in Role:
        assert client_of(app, visitor(role, municipality="730")).get("/regler").status_code == 200
    assert client_of(app).get("/regler").status_code == 303


def test_every_value_stands_there_with_its_reference_and_mark(client):
    text = html.unescape(re.sub(r"<[^>]+>", "", client.get("/regler").text))
    for name, values in series(load_rule_set().dated).items():
        for value in values:
            assert value.source.reference in text, name
            assert str(value.valid_from.year) in text
    for question in load_rule_set().questions.values():
        assert question.question in text
        assert question.meaning in text
    assert "Grundlag: antaget" in text


def test_a_search_finds_the_sections_with_every_word(client):
    page = client.get("/regler", params={"soeg": "Fleksbidrag loft"}).text
    sections = re.findall(r"<summary>(.*?)</summary>", page)
    assert 0 < len(sections) < 20
    assert any("loft" in section for section in sections)
    assert "0 afsnit" in client.get("/regler", params={"soeg": "xyzzy"}).text
    answer = client.get("/regler", params={"soeg": CPR})
    assert answer.status_code == 422
    assert CPR not in answer.text


def test_a_rule_set_is_held_against_another(client):
    page = client.get("/regler", params={"mod": "R-2"}).text
    assert "Det, som R-2 ændrer i R-1" in page
    titles = set(re.findall(r"<summary>(.*?)</summary>", page))
    assert any("genberegnes" in title for title in titles)
    assert len(titles) < len(re.findall("<summary>", client.get("/regler").text))
    assert client.get("/regler", params={"regelsaet": "R-9"}).status_code == 404


@pytest.mark.parametrize("role", ["lis", "operator", "state"])
def test_a_rule_set_file_that_cannot_be_read_is_told_on_the_page(tmp_path, role):
    """It was put there while the site runs: one that starts with it says so and ends."""
    settings = Settings.load(
        {"REFUSION_DEMO": "1", "REFUSION_STATE_DIR": str(tmp_path), "REFUSION_RULES": str(tmp_path)}
    )
    client = client_of(a_site(settings), visitor(role, municipality="730"))
    assert client.get("/regler").status_code == 200
    (tmp_path / "R-9.yaml").write_text("name: R-9\nbuilds_on: R-1\nnonsense: [")
    with pytest.raises(UnworkableError, match=r"R-9\.yaml"):
        serve(settings, WebPlace("127.0.0.1", 1))
    for asked in ({"regelsaet": "R-9"}, {"regelsaet": "R-9", "soeg": "trin"}, {"mod": "R-9"}):
        answer = client.get("/regler", params=asked)
        assert answer.status_code == 200
        assert "R-9.yaml" in answer.text


def test_a_case_that_shows_a_rule_is_one_link_away(client):
    page = client.get("/regler").text
    names = set(re.findall(r'href="/regler/sager/([a-z0-9_]+)"', page))
    assert len(names) > 40
    assert names <= law_cases().keys()
    case = client.get(f"/regler/sager/{min(names)}")
    assert case.status_code == 200
    assert "reporter 12345678" in case.text
    assert client.get("/regler/sager/nothing").status_code == 404


def test_each_case_is_shown_whole_and_to_any_role(client):
    for name, case in law_cases().items():
        page = html.unescape(client.get(f"/regler/sager/{name}").text)
        assert case["text"].strip() in page, name
        assert all(rule in page for rule in case["shows"]), name


NEXT = """
name: R-own
based_on: R-1
valid_from: 2014-07-01
valid_to: null
note: "Loven med en ny ydelse."
benefits:
  - code: NYD
    name: {}
    mechanism: refusion
    rate: staircase
    counts: yes
    blocks: yes
    valid_from: 2024-01-01
    valid_to: null
    before_first: not_in_force
    reference: "tænkt; lovens paragraf og kilde"
    evidence: assumed
    note: "Hvad der er læst, og hvad der er antaget."
"""


def test_a_rule_file_that_changed_is_read_anew(tmp_path):
    for name in ("Første ydelse", "Anden ydelse"):
        (tmp_path / "R-own.yaml").write_text(NEXT.format(name))
        book = rule_book(tmp_path, "R-own")
        assert book.found([name.casefold()]), name
    assert rule_book(tmp_path, "R-own") is book


def test_links_to_sources_lead_to_their_addresses():
    book = rule_book(None, "R-1")
    linked = {
        int(number)
        for chapter in book.chapters
        for section in chapter.sections
        for number in re.findall(r'href="#kilde-(\d+)"', section.page_text)
    }
    assert linked
    assert max(linked) <= len(book.sources)
