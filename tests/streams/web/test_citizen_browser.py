"""A caseworker finds a citizen in a real browser: from the number to the PDF, by every way."""

import time
from typing import Any

import pytest

from streams.web import citizen_desk
from streams.web.sessions import COOKIE
from tests.support.axe import violations
from tests.support.browser import open_browser, serving
from tests.support.ports import free_port
from tests.support.site_client import visitor
from tests.support.whole_site import citizens_at_work

AUDITOR = visitor("auditor")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with citizens_at_work(tmp_path_factory.mktemp("citizen-browser")) as made:
        yield made


@pytest.fixture(scope="module")
def app(site):
    return site[0]


@pytest.fixture(scope="module")
def lives(site):
    return site[1]


@pytest.fixture(scope="module")
def address(app):
    port = free_port()
    with serving(app, port):
        yield f"http://localhost:{port}"


@pytest.fixture(scope="module")
def browser():
    with open_browser() as found:
        yield found


@pytest.fixture
def opened(browser, app, address):
    """Open the search as an auditor; all is closed at the end."""
    contexts = []

    def at(**options):
        context = browser.new_context(locale="da-DK", **options)
        contexts.append(context)
        session_id = app.state.parts.sessions.begin(AUDITOR)
        cookie = {"name": COOKIE, "value": session_id, "domain": "localhost", "path": "/"}
        context.add_cookies([cookie | {"secure": True, "httpOnly": True, "sameSite": "Lax"}])
        page = context.new_page()
        page.goto(f"{address}/borger")
        return page

    yield at
    for context in contexts:
        context.close()


def found(page, reports):
    page.get_by_label("CPR-nummer").fill(reports[0]["cpr"])
    page.get_by_label("Formål").fill("sag 12/2024")
    page.get_by_role("button", name="Vis forløbet").click()
    page.get_by_role("heading", name="Borgerens forløb").wait_for()


def explained(page):
    page.locator("#explained li", has_text="Refusionstæller").wait_for()


def test_from_a_number_to_a_week_two_moments_and_a_pdf(opened, lives):
    page = opened()
    cpr = lives[0][0]["cpr"]
    found(page, lives[0])
    assert cpr not in page.url
    assert cpr not in page.content()
    explained(page)
    page.get_by_text("Efter alle indberetninger, som kendt nu.").wait_for()
    assert violations(page) == []
    page.select_option("#field-fra", "49")
    page.get_by_role("button", name="Sammenlign").click()
    page.wait_for_url("**fra=49**")
    page.get_by_text("mellem kørsel 49 og nu").wait_for()
    with page.expect_download() as started:
        page.get_by_role("link", name="Hent som PDF").click()
    assert started.value.path().read_bytes().startswith(b"%PDF-")
    explained(page)
    page.locator("td.citizen-weeks a").first.click()
    page.get_by_role("heading", name="Hvorfor ugen er, som den er").wait_for()
    assert violations(page) == []
    page.go_back()
    page.get_by_role("heading", name="Borgerens forløb").wait_for()
    assert cpr not in page.evaluate("JSON.stringify(history.state) + location.href")


@pytest.mark.long
def test_the_story_is_whole_without_javascript(opened, lives):
    page = opened(java_script_enabled=False)
    found(page, lives[0])
    page.get_by_role("link", name="Vis forklaringen").click()
    page.locator("#explained li", has_text="Refusionstæller").wait_for()
    page.get_by_label("Forklar en uge").fill("2016-03-01")
    page.get_by_role("button", name="Forklar ugen").click()
    page.get_by_role("heading", name="Hvorfor ugen er, som den er").wait_for()


@pytest.mark.long
def test_all_is_reached_by_keyboard(opened, lives):
    page = opened()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skipnav"
    page.locator("#cpr").focus()
    page.keyboard.type(lives[0][0]["cpr"])
    page.keyboard.press("Tab")
    page.keyboard.type("sag 12/2024")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Borgerens forløb").wait_for()
    explained(page)
    seen = set()
    for _ in range(80):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.id || document.activeElement.className"))
    assert {"field-uge", "field-fra", "field-til", "scrolls"} <= seen


@pytest.mark.long
def test_on_paper_there_are_no_forms_and_all_details(opened, lives):
    page = opened()
    found(page, lives[0])
    explained(page)
    page.emulate_media(media="print")
    assert not page.locator("form.lis-choices").first.is_visible()
    assert page.pdf().startswith(b"%PDF-")


@pytest.mark.long
def test_the_strip_comes_first_where_the_reports_are_slow(opened, lives, monkeypatch):
    read: Any = vars(citizen_desk)["live_evidence"]

    def slow(settings, laws, citizen, **_):
        time.sleep(2)
        return read(settings, laws, citizen)

    monkeypatch.setattr(citizen_desk, "live_evidence", slow)
    page = opened()
    found(page, lives[0])
    assert page.locator("#strip svg").is_visible()
    assert page.get_by_role("link", name="Vis forklaringen").is_visible()
    explained(page)
