"""The documents of the product are pages: for everybody, with links that lead somewhere."""

import re
from html import unescape
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import pytest

from streams.web import documents
from streams.web.app import STATIC
from streams.web.documents import (
    FOLDER,
    IN_DANISH,
    SCHEMAS,
    address_of,
    document_page,
    names,
    slug_of,
)
from streams.web.folder import Folder
from tests.support.places import DOCS
from tests.support.site_client import a_site, client_of

NAMES = sorted(names())
ENDING = ".md"


class Parts(HTMLParser):
    """The elements of a page: their names and attributes."""

    def __init__(self, text):
        super().__init__()
        self.elements = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def values(self, name, *tags):
        found = (each.get(name) for tag, each in self.elements if not tags or tag in tags)
        return [value for value in found if value is not None]


@pytest.fixture(scope="module")
def client():
    return client_of(a_site())


def text_of(client, path):
    answer = client.get(path)
    assert answer.status_code == 200, path
    assert "set-cookie" not in answer.headers
    return answer.text


def test_every_document_is_served_in_the_language_that_it_is_in():
    assert set(NAMES) == {
        str(path.relative_to(DOCS).with_suffix("")) for path in DOCS.rglob("*.md")
    }
    assert {f"{name}.yaml" for name in SCHEMAS} == {path.name for path in DOCS.glob("*.yaml")}


def test_the_list_leads_to_each_document_and_to_what_operators_added(client, tmp_path):
    for language in ("", "/en"):
        page = Parts(text_of(client, f"{language}/dokumenter"))
        wanted = {f"{language}/dokumenter/{name}" for name in NAMES}
        wanted |= {f"/dokumenter/{name}.yaml" for name in SCHEMAS}
        assert wanted <= set(page.values("href", "a"))
    (tmp_path / "documents.yaml").write_text("- {title: Aftale, address: /a, text: Om den}\n")
    with_more = client_of(a_site(folder=Folder(tmp_path)))
    for path in ("/", "/dokumenter"):
        assert '<a href="/a">Aftale</a>: Om den' in with_more.get(path).text
    assert 'href="/dokumenter"' in client.get("/drift").text


@pytest.mark.parametrize("name", NAMES)
def test_a_document_has_one_heading_its_language_and_no_id_twice(client, name):
    text = text_of(client, f"/dokumenter/{name}")
    page = Parts(text)
    assert [tag for tag, _ in page.elements].count("h1") == 1
    language = "da" if name in IN_DANISH else "en"
    assert f'<div class="document" lang="{language}">' in text
    assert ("Dokumentet er på engelsk." in text) == (language == "en")
    ids = page.values("id")
    assert len(ids) == len({*ids})
    assert page.values("style") == []
    tables = [each for tag, each in page.elements if tag == "table"]
    regions = [each for _, each in page.elements if each.get("role") == "region"]
    assert len(tables) == len(regions)
    assert all(each["aria-label"] and each["tabindex"] == "0" for each in regions)
    assert set(page.values("scope", "th")) <= {"col"}
    assert len(page.values("scope", "th")) == [tag for tag, _ in page.elements].count("th")


@pytest.mark.parametrize("language", ["", "/en"])
def test_every_link_of_every_document_leads_to_a_page_and_a_place_on_it(client, language):
    pages, links = {}, set()
    for name in NAMES:
        path = f"{language}/dokumenter/{name}"
        part = text_of(client, path).partition("<main")[2].partition("</main>")[0]
        page = pages[path] = Parts(part)
        links |= {(path, urljoin(path, link)) for link in page.values("href", "a")}
    ways = [(path, urlsplit(link)) for path, link in links]
    assert {way.scheme for _, way in ways} <= {"", "https"}
    inside = [(path, way) for path, way in ways if not way.scheme]
    assert len({way.path for _, way in inside}) > len(NAMES) / 2
    for path, way in inside:
        if way.path in pages:
            place = unescape(way.fragment)
            assert not place or place in pages[way.path].values("id"), (path, way)
        else:
            assert client.get(way.path).status_code == 200, (path, way)
            assert way.path.startswith(f"{language}/dokumenter")


def test_a_link_to_what_is_no_page_stays_as_words():
    first, second = sorted(name for name in NAMES if name.startswith("decisions/"))[:2]
    sibling = first.removeprefix("decisions/")
    assert address_of(f"../contract{ENDING}#10-the-site", second) == "../contract#10-the-site"
    assert address_of(f"{sibling}{ENDING}", second) == sibling
    assert address_of(f"{sibling}{ENDING}", "contract") is None
    assert address_of("../tests/law/cases/x01.txt", "law") is None
    assert address_of("../../etc/passwd", "contract") is None
    assert address_of("asyncapi.yaml", "topics") == "asyncapi.yaml"
    assert address_of("http://example.org", "topics") is None
    law = document_page("law")
    assert "x17_fleksbidrag.txt" not in law.text
    assert "tests/law" not in "".join(Parts(law.text).values("href", "a"))


def test_no_html_of_a_document_is_let_through(monkeypatch, tmp_path):
    (tmp_path / "law.md").write_text(
        "# One <b>two</b>\n\n<!-- made by\nmake -->\n<script>alert(1)</script>\n\n"
        '<a id="place"></a><a id="x" onclick="y"></a> [x](javascript:alert(1)) '
        "[y](data:text/html,1)\n"
        "\n## Again\n\n| a | b |\n|---|--:|\n| <img src=x onerror=y> | 1 |\n\n## Again\n"
    )
    monkeypatch.setattr(documents, "FOLDER", tmp_path)
    document_page.cache_clear()
    try:
        page = document_page("law")
    finally:
        document_page.cache_clear()
    assert page.title == "One <b>two</b>"
    assert [heading.name for heading in page.contents] == ["again", "again-1"]
    html = Parts(page.text)
    assert {tag for tag, _ in html.elements} == {
        "p", "h2", "div", "table", "thead", "tbody", "tr", "th", "td", "span",
    }  # fmt: skip
    assert html.values("id") == ["place", "again", "again-1"]
    assert html.values("href") == []
    assert "make" not in page.text
    assert '<td class="number">1</td>' in page.text


def test_what_is_no_document_is_not_found(client):
    for path in ("x", "decisions", "decisions/x", "law.md", "..%2fREADME", "decisions/..%2flaw",
                 "x.yaml", "law.yaml"):  # fmt: skip
        assert client.get(f"/dokumenter/{path}").status_code == 404, path


@pytest.mark.parametrize("name", SCHEMAS)
def test_descriptions_for_programs_are_sent_as_they_are(client, name):
    answer = client.get(f"/dokumenter/{name}.yaml")
    assert answer.content == (DOCS / f"{name}.yaml").read_bytes()
    assert answer.headers["content-type"].startswith("text/plain")


def test_the_documents_are_those_of_the_repository():
    assert FOLDER.resolve() == DOCS
    assert (STATIC / "documents.css").exists()


def test_ids_of_headings_are_those_that_links_in_the_repository_have():
    assert slug_of("10. The site") == "10-the-site"
    assert slug_of("New keys, more partitions, erasure") == "new-keys-more-partitions-erasure"
    assert slug_of("Når `refusion` går i stå") == "når-refusion-går-i-stå"


def test_a_code_block_breaks_its_lines_on_a_narrow_screen():
    css = (STATIC / "documents.css").read_text()
    assert re.search(r"\.document pre \{[^}]*white-space: pre-wrap", css)
