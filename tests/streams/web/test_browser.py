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
from streams.web.visitors import Role
from tests.support.browser import open_browser, serving
from tests.support.lis_site import OWN, lis_environment
from tests.support.mailbox import mail_settings
from tests.support.ports import free_port

CLAIMS = {"municipality": ["730"], "roles": ["economy"], "name": "Anne Økonom"}
REFUSED = "Det har du ikke adgang til"
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
def address(tmp_path_factory, folder):
    """The address of a site that people log on to at a provider of its own."""
    places = {name.removeprefix("REFUSION_"): at for name, at in lis_environment(folder).items()}
    state = {"STATE_DIR": str(tmp_path_factory.mktemp("site"))}
    settings = mail_settings(1, **places | state)
    claims = {"anne": CLAIMS} | {
        role.value: {"municipality": [OWN], "roles": [role.value], "name": role.value}
        for role in Role
    }
    users = [oidc_provider_mock.User(sub=sub, claims=told) for sub, told in claims.items()]
    with oidc_provider_mock.run_server_in_thread(user_claims=users) as server:
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
    assert page.get_by_role("heading", level=1).inner_text() == REFUSED
    assert page.get_by_text("Anne Økonom").is_visible()
    (cookie,) = [each for each in context.cookies() if each["name"] == COOKIE]
    assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Lax")
    page.get_by_role("button", name="Log af").click()
    page.wait_for_url("**/oauth2/end_session?**")
    page.goto(f"{address}/")
    assert page.get_by_role("link", name="Log på").is_visible()
    assert blocked == []
    context.close()


FORBIDDEN = {
    Role.LIS: "/lis/korrektioner",
    Role.ECONOMY: "/borger",
    Role.CASEWORKER: "/lis/afstemning",
    Role.STATE: "/adviser",
    Role.OPERATOR: "/lis/beloeb",
}
"""A page that a role of contract section 10 may not see; auditors see every page."""
STATUS = "path => fetch(path, {redirect: 'manual'}).then(answer => answer.status)"


@pytest.mark.long
def test_each_role_logs_on_to_its_start_page_and_a_menu_of_what_it_may_see(browser, address):
    pages, menus = {}, {}
    for role in Role:
        page = pages[role] = browser.new_context().new_page()
        page.goto(f"{address}/log-paa")
        page.get_by_role("button", name=role.value, exact=True).click()
        page.locator("form[action='/log-af']").wait_for()
        start = "/drift/vagt" if role is Role.OPERATOR else "/lis"
        assert urlsplit(page.url).path == start
        assert page.get_by_role("heading", level=1).inner_text() != REFUSED
        links = page.locator(".site-nav a").evaluate_all("all => all.map(it => it.pathname)")
        menus[role] = {*links}
    for role, page in pages.items():
        for path in sorted(set().union(*menus.values())):
            is_refused = page.evaluate(STATUS, path) == 403
            assert is_refused == (path not in menus[role]), (role, path)
        if role in FORBIDDEN:
            page.goto(address + FORBIDDEN[role])
            assert page.get_by_role("heading", level=1).inner_text() == REFUSED
        page.context.close()
    assert {*pages} - {*FORBIDDEN} == {Role.AUDITOR}


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
