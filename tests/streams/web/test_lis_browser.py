"""The pages of LIS in a real browser: seeded faults, keyboard, paper, no JavaScript."""

import csv
import io

import pytest

from streams.web.sessions import COOKIE
from tests.support.axe import violations
from tests.support.browser import open_browser, serving
from tests.support.lis_site import OWN
from tests.support.ports import free_port
from tests.support.site_client import visitor

AUDITOR = visitor("auditor")
ECONOMY = visitor("economy", municipality=OWN)
CASEWORKER = visitor("caseworker", municipality=OWN)
FEW = ("/lis", f"/lis/beloeb?municipality={OWN}")


@pytest.fixture(scope="module")
def address(app):
    port = free_port()
    with serving(app, port):
        yield f"http://localhost:{port}"


@pytest.fixture(scope="module")
def browser():
    with open_browser() as found:
        yield found


def logged_on(browser, app, who, **options):
    """Return a context of a browser in which somebody is logged on."""
    context = browser.new_context(locale="da-DK", **options)
    cookie = {"name": COOKIE, "value": app.state.parts.sessions.begin(who), "domain": "localhost"}
    kept = {"path": "/", "secure": True, "httpOnly": True, "sameSite": "Lax"}
    context.add_cookies([cookie | kept])
    return context


@pytest.fixture
def opened(browser, app, address):
    """Open pages as somebody; all are closed at the end."""
    contexts = []

    def at(path, who=AUDITOR, **options):
        context = logged_on(browser, app, who, **options)
        contexts.append(context)
        page = context.new_page()
        page.goto(address + path)
        return page

    yield at
    for context in contexts:
        context.close()


def test_axe_finds_nothing_on_the_start_page_and_a_view(opened):
    page = opened(FEW[0])
    for path in FEW:
        page.goto(page.url.partition("/lis")[0] + path)
        assert violations(page) == [], path


def test_axe_finds_seeded_faults(opened):
    page = opened(FEW[1])
    page.evaluate(
        "document.documentElement.removeAttribute('lang');"
        "document.querySelector('#field-month').removeAttribute('id');"
        "document.querySelector('h1').style.color = '#dddddd';"
        "document.querySelector('svg[role=img]').removeAttribute('aria-label');"
        "document.querySelector('svg[role=img] title').remove();"
    )
    found = {rule for rule, _ in violations(page)}
    assert {"html-has-lang", "select-name", "color-contrast", "svg-img-alt"} <= found


def test_a_download_sums_to_the_page(opened):
    page = opened("/lis/afregning", ECONOMY)
    with page.expect_download() as started:
        page.get_by_role("link", name="CSV til regneark").click()
    text = started.value.path().read_text("utf-8-sig")
    rows = [*csv.DictReader(io.StringIO(text), delimiter=";")]
    total = sum(round(float(row["finansieringsbeloeb"].replace(",", ".")) * 100) for row in rows)
    shown = page.locator("tr.lis-sum td").nth(5).inner_text()
    assert int(shown.replace(".", "").replace(",", "")) == total


def test_a_choice_changes_the_address_and_back_goes_back(opened):
    page = opened("/lis/beloeb", ECONOMY)
    page.select_option("#field-as", "of")
    page.select_option("#field-run", "50")
    page.get_by_role("button", name="Vis").click()
    page.wait_for_url("**as=of**run=50**")
    page.locator(".lis-foot", has_text="Som kendt, da kørsel 50 blev lukket.").wait_for()
    page.go_back()
    page.locator(".lis-foot", has_text="Som kendt nu.").wait_for()


@pytest.mark.long
def test_pages_are_whole_without_javascript(opened):
    page = opened("/lis/beloeb?as=of&run=50", ECONOMY, java_script_enabled=False)
    assert page.locator("table tbody tr").count() > 10
    page.locator("#field-benefit").select_option("ADP")
    page.get_by_role("button", name="Vis").click()
    assert "benefit=ADP" in page.url
    page.locator("table a").first.click()
    assert "/lis/linjer" in page.url


@pytest.mark.long
def test_all_is_reached_by_keyboard(opened):
    page = opened("/lis/beloeb", ECONOMY)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skipnav"
    seen = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.id || document.activeElement.className"))
    assert {"field-month", "field-as", "field-run", "lis-what"} <= seen
    page.locator(".lis-what").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("#what-municipality").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#what-municipality").is_visible()


@pytest.mark.long
def test_on_paper_there_are_no_buttons_and_all_meanings(opened):
    page = opened("/lis/beloeb", ECONOMY)
    page.emulate_media(media="print")
    assert not page.locator(".lis-choices").is_visible()
    assert not page.locator(".lis-what").first.is_visible()
    assert page.locator(".lis-meanings").is_visible()
    assert page.pdf().startswith(b"%PDF-")


@pytest.mark.long
def test_a_caseworker_says_why_and_sees_a_citizen(opened):
    page = opened("/lis/genoptjening?persons=1", CASEWORKER)
    page.get_by_label("Formål").fill("sag 12/2024")
    page.get_by_role("button", name="Vis borgerne").click()
    page.get_by_text("Dit opslag er noteret med formålet: sag 12/2024").wait_for()
    page.locator("table a").first.click()
    page.get_by_role("heading", name="En borgers måneder").wait_for()


@pytest.mark.long
def test_nothing_comes_from_elsewhere(opened, address):
    asked = []
    page = opened("/", ECONOMY)
    page.on("request", lambda request: asked.append(request.url))
    for path in FEW:
        page.goto(address + path)
    assert len(asked) > 4
    assert all(url.startswith(address) for url in asked)
