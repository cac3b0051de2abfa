"""A real browser looks at every page there is: axe, narrow, large text, colours, paper.

The pages come from the list of routes (`tests/support/site_visits.py`); each is loaded once. Sites
show 8 rows of a list for the sake of time: the others are of the same template.
"""

import re

import pytest

from streams.web import lis_options
from streams.web.app import routes_of
from streams.web.lis_looks import PURPOSE
from streams.web.sessions import COOKIE
from tests.support.axe import AXE, COLOURS, violations
from tests.support.browser import open_browser, serving
from tests.support.ports import free_port
from tests.support.site_client import client_of
from tests.support.site_visits import (
    AUDITOR,
    CASEWORKER,
    FORMS,
    GROUPS,
    PAGES,
    forms_of,
    group_of,
    is_page,
    pages_of,
    visits,
)
from tests.support.whole_site import citizens_at_work, desk_at_work

SCREEN = {"width": 1280, "height": 800}
NARROW = {"width": 320, "height": 640}
LANDSCAPE = {"width": 1047, "height": 718}
"""Paper of A4 without its margins, in pixels."""
TWICE = "document.documentElement.style.fontSize = '125%'"
"""Text of twice the size: the style has 62.5 %."""
WIDE = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
SHOWN = """
selector => [...document.querySelectorAll(selector)].filter(it => it.checkVisibility()).length
"""
CUT = """
Math.max(0, ...[...document.querySelectorAll('main table')].map(
    it => it.getBoundingClientRect().right)) > document.documentElement.clientWidth
"""
SEND = """
([path, fields]) => {
    const form = document.createElement('form');
    Object.assign(form, {method: 'post', action: path, hidden: true});
    for (const [name, value] of Object.entries(fields)) {
        const input = document.createElement('input');
        input.name = name;
        if (Array.isArray(value)) {
            const files = new DataTransfer();
            files.items.add(new File([value.join('\\n')], 'books.csv', {type: 'text/csv'}));
            form.enctype = 'multipart/form-data';
            input.type = 'file';
            input.files = files.files;
        } else input.value = value;
        form.append(input);
    }
    document.body.append(form);
    form.submit();
}
"""
ON_SCREEN_ALONE = ".site-nav, .site-tools, .skipnav, .site-foot ul, main form.lis-choices"
OF_A_VIEW = re.compile(r"(/en)?/lis/[a-z-]+(\?.*)?")


@pytest.fixture(scope="module")
def browser():
    with open_browser() as found:
        yield found


@pytest.fixture(scope="module", params=GROUPS)
def group(request):
    return request.param


@pytest.fixture
def world(group, folder, tmp_path, monkeypatch):
    """A site, its address, and the names of a citizen for who looks."""
    monkeypatch.setattr(lis_options, "ROWS_OF_PAGE", 8)
    port = free_port()
    address = f"http://localhost:{port}"
    if group == "citizens":
        with citizens_at_work(tmp_path) as (app, lives), serving(app, port):
            cpr = lives[0][0]["cpr"]
            yield app, address, lambda client: {"token": token_of(client, cpr)}
        return
    app, works = desk_at_work(folder, tmp_path)
    with serving(app, port):
        yield app, address, lambda client: {"citizen": listed_by(client)}
        works.may_go_on.set()


def token_of(client, cpr):
    """Search a citizen, and return its token in the session."""
    found = client.post("/borger", data={"cpr": cpr, "purpose": "sag 12"})
    return found.headers["location"].rpartition("/")[2]


def listed_by(client):
    """Return the token of a citizen in the session."""
    return client.get("/lis/personer.json?persons=1").json()["rows"][0]["citizen"]


class Looks:
    """Pages of a site, each with what is wrong on it."""

    def __init__(self, browser, world):
        self.browser = browser
        self.app, self.address, self.names_of = world
        self.opened = {}
        self.missing = []

    def note(self, answer):
        """Note a part of a page that the site does not have, such as a font."""
        if answer.status >= 400 and not answer.request.is_navigation_request():
            self.missing.append(answer.url)

    def page_of(self, who):
        """Return a page of a browser in which somebody is logged on, and a citizen's names."""
        if who not in self.opened:
            context = self.browser.new_context(locale="da-DK", viewport=SCREEN)
            context.add_init_script(path=AXE)
            names = {}
            if who is not None:
                client = client_of(self.app, who)
                session = client.cookies[COOKIE]
                if who is not CASEWORKER:
                    self.app.state.parts.sessions.get(session).kept[PURPOSE] = "sag 1"
                if who is AUDITOR:
                    names = self.names_of(client)
                kept = {"domain": "localhost", "path": "/", "secure": True, "httpOnly": True}
                cookie = {"name": COOKIE, "value": session, "sameSite": "Lax"}
                context.add_cookies([cookie | kept])
            page = context.new_page()
            page.on("response", self.note)
            page.goto(self.address + "/")
            self.opened[who] = page, names
        return self.opened[who]

    def at(self, visit):
        """Go to a page, and yield what is wrong there."""
        page, names = self.page_of(visit.who)
        path = visit.path.format(**names)
        if visit.form is None:
            answer = page.goto(self.address + path)
        else:
            with page.expect_navigation() as sent:
                page.evaluate(SEND, [path, visit.form])
            answer = sent.value
        if answer.status != visit.status and (visit.status or answer.status < 400):
            yield f"status {answer.status}"
        page.locator(visit.wait).first.wait_for()
        yield from wrong_on_screen(page)
        if not path.startswith("/en/"):
            yield from wrong_elsewhere(page, OF_A_VIEW.fullmatch(path) and answer.ok)

    def close(self):
        for page, _ in self.opened.values():
            page.context.close()


def wrong_on_screen(page):
    """Yield what keeps people out of a page as it is, and on a narrow screen."""
    if page.locator("h1").count() != 1:
        yield "not one heading of the first level"
    yield from violations(page)
    page.set_viewport_size(NARROW)
    if page.evaluate(WIDE):
        yield "320 pixels scroll sideways"
    page.set_viewport_size(SCREEN)


def wrong_elsewhere(page, is_view):
    """Yield what keeps people out of a page with their colours, with large text, on paper."""
    page.emulate_media(forced_colors="active")
    yield from (("forced colours", *found) for found in violations(page, COLOURS))
    page.emulate_media(forced_colors="none")
    page.evaluate(TWICE)
    if page.evaluate(WIDE):
        yield "text of 200 % scrolls sideways"
    page.evaluate("document.documentElement.style.fontSize = ''")
    page.set_viewport_size(LANDSCAPE)
    page.emulate_media(media="print")
    if page.evaluate(SHOWN, ON_SCREEN_ALONE):
        yield "paper has what is of use on a screen alone"
    if is_view and page.locator("main table").count() and not page.evaluate(SHOWN, ".lis-as-of"):
        yield "paper does not say as of when"
    if page.evaluate(CUT):
        yield "a table is cut on paper"
    page.emulate_media(media="screen")
    page.set_viewport_size(SCREEN)


@pytest.fixture
def looks(browser, world):
    made = Looks(browser, world)
    yield made
    made.close()


@pytest.mark.long
def test_no_page_keeps_anybody_out(looks, group):
    wrong = [
        (visit.path, visit.form, found) for visit in visits(group) for found in looks.at(visit)
    ]
    assert not wrong, "\n".join(map(str, wrong))
    assert looks.missing == []


def test_every_route_of_a_page_is_looked_at():
    """A page that is added has an address to look at, or this says so; no entry is out of date."""
    routes = [route for route in routes_of() if is_page(route.path)]
    for route in routes:
        found = pages_of(route) if "GET" in (route.methods or ()) else forms_of(route)
        assert found, route.path
    paths = {route.path for route in routes}
    assert {*PAGES, *FORMS} <= paths
    assert {group_of(route) for route in routes} == {*GROUPS}
