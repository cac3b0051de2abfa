"""A real browser walks the site: logs on and off, reads the public pages without scripts."""

from urllib.parse import urlsplit

import oidc_provider_mock
import pytest

from streams.kit.web_settings import OidcClient
from streams.web.access import AccessBook
from streams.web.app import site
from streams.web.board import Board
from streams.web.folder import Folder
from streams.web.parts import Parts
from streams.web.provider import OidcProvider
from streams.web.sessions import COOKIE
from tests.support.axe import violations
from tests.support.browser import free_port, open_browser, serving
from tests.support.mailbox import mail_settings

CLAIMS = {"municipality": ["730"], "roles": ["economy"], "name": "Anne Økonom"}
PUBLIC_PAGES = (
    "/", "/drift", "/nyheder", "/kontakt", "/tilgaengelighed", "/behandling",
    "/vejledning", "/vejledning/sagsbehandler", "/vejledning/controller", "/vejledning/drift",
    "/nyhedsmail", "/nyhedsmail?sendt=1", "/nyhedsmail/bekraeft?kode=x",
    "/nyhedsmail/afmeld?kode=x", "/dokumenter", "/dokumenter/fortegnelse",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser():
    with open_browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The address of a site that people log on to at a provider of its own."""
    settings = mail_settings(1, STATE_DIR=str(tmp_path_factory.mktemp("site")))
    user = oidc_provider_mock.User(sub="anne", claims=CLAIMS)
    with oidc_provider_mock.run_server_in_thread(user_claims=[user]) as server:
        url = f"http://localhost:{(port := free_port())}"
        issuer = f"http://localhost:{server.server_port}"
        provider = OidcProvider(OidcClient(issuer, "site", "secret"))
        parts = Parts(settings, url, AccessBook(settings), Board(settings), Folder(None), provider)
        with serving(site(settings, parts), port):
            yield url


@pytest.mark.long
def test_one_logs_on_and_off_in_a_browser(browser, address):
    context = browser.new_context()
    page = context.new_page()
    blocked = []
    page.on("console", lambda told: blocked.append(told.text) if "Policy" in told.text else None)
    page.goto(f"{address}/revision")
    assert urlsplit(page.url).path == "/oauth2/authorize"
    page.get_by_role("button", name="anne").click()
    page.wait_for_url(f"{address}/revision")
    assert page.get_by_role("heading", level=1).inner_text() == "Det har du ikke adgang til"
    assert page.get_by_text("Anne Økonom").is_visible()
    (cookie,) = [each for each in context.cookies() if each["name"] == COOKIE]
    assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Lax")
    page.get_by_role("button", name="Log af").click()
    page.wait_for_url("**/oauth2/end_session?**")
    page.goto(f"{address}/")
    assert page.get_by_role("link", name="Log på").is_visible()
    assert blocked == []
    context.close()


@pytest.mark.long
@pytest.mark.parametrize("with_scripts", [True, False])
def test_public_pages_fit_a_narrow_screen_ask_nobody_else_and_set_no_cookie(
    browser, address, with_scripts
):
    context = browser.new_context(
        java_script_enabled=with_scripts, viewport={"width": 320, "height": 640}
    )
    page = context.new_page()
    asked, failed = set(), []
    page.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
    page.on("response", lambda answer: failed.append(answer.url) if answer.status >= 400 else None)
    for path in PUBLIC_PAGES:
        for language in ("", "/en"):
            page.goto(f"{address}{language}{path}")
            assert page.get_by_role("heading", level=1).count() == 1
            if with_scripts:
                assert page.evaluate("document.documentElement.scrollWidth") <= 320, path
    assert asked == {urlsplit(address).netloc}
    assert failed == []
    assert context.cookies() == []
    context.close()


@pytest.mark.long
def test_the_keyboard_comes_first_to_the_link_to_the_content(browser, address):
    page = browser.new_page()
    page.goto(f"{address}/drift")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main-content"
    page.close()


@pytest.mark.long
@pytest.mark.parametrize("colours", ["none", "active"])
def test_axe_finds_nothing_on_public_pages(browser, address, colours):
    context = browser.new_context(forced_colors=colours)
    page = context.new_page()
    for path in PUBLIC_PAGES:
        page.goto(f"{address}{path}")
        assert violations(page) == [], path
    context.close()
