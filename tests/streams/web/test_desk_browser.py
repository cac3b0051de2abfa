"""The desk in a real browser: two persons close a run, by keyboard, without JavaScript."""

from datetime import UTC, datetime, timedelta

import pytest

from streams.operations.kept_differences import keep_difference
from streams.web.desk.run_routes import CARRY, CLOSE, LOOK
from streams.web.lis_looks import PURPOSE
from streams.web.samples import SampleBook
from streams.web.sessions import COOKIE
from tests.support.browser import open_browser, serving
from tests.support.desk_site import ANNA, ANSWERED, BIRTE, MISSING, REPLAYED, at_rest, desk_site
from tests.support.ports import free_port
from tests.support.site_client import visitor

AUDITOR = visitor("auditor")
PATHS = ("/koersler", "/koersler/51", "/godkendelser", "/regler", "/regler?soeg=trin",
         f"/koersler/genberegninger/{REPLAYED.id}", f"/regler/svar/{ANSWERED.id}")  # fmt: skip
OF_AUDIT = ("/revision", "/adgang", "/adgang/gennemgang?municipality=751", "/adviser")
OF_LETTERS = ("/drift/vagt", "/drift/doede-breve", "/drift/doede-breve/3/17")


@pytest.fixture(scope="module")
def browser():
    with open_browser() as found:
        yield found


@pytest.fixture
def desk(folder, tmp_path):
    """A site with a doubt about its run; its address."""
    app, works = desk_site(folder, tmp_path, [MISSING])
    app.state.works = works
    samples = app.state.parts.board.samples = SampleBook(works.settings.state_dir)
    now = datetime.now(UTC)
    for at in (90, 60, 30):
        samples.keep(now - timedelta(minutes=at), {"waiting/intake": at, "records/reports": 99})
    for kept in (REPLAYED, ANSWERED):
        keep_difference(works.settings.state_dir, kept)
    port = free_port()
    with serving(app, port):
        yield app, f"http://localhost:{port}"


@pytest.fixture
def opened(browser, desk):
    """Open pages as somebody; all are closed at the end."""
    app, address = desk
    contexts = []

    def at(path, who=ANNA, **options):
        context = browser.new_context(locale="da-DK", **options)
        contexts.append(context)
        sessions = app.state.parts.sessions
        cookie = {"name": COOKIE, "value": sessions.begin(who)}
        sessions.get(cookie["value"]).kept[PURPOSE] = "sag 1"
        kept = {"domain": "localhost", "path": "/", "secure": True, "httpOnly": True}
        context.add_cookies([cookie | kept | {"sameSite": "Lax"}])
        page = context.new_page()
        page.goto(address + path)
        return page

    yield at
    for context in contexts:
        context.close()


def test_two_persons_in_two_browsers_close_a_run(desk, opened):
    app, _ = desk
    anna, birte = opened("/koersler"), opened("/godkendelser", BIRTE)
    anna.get_by_role("button", name="Gennemse april 2024 nu").click()
    anna.get_by_text("vil blive holdt tilbage").wait_for()
    anna.get_by_label("Hvorfor skal den lukkes trods tvivlen?").fill("Randers er lukket")
    anna.get_by_role("button", name="Bed om at lukke kørsel 52").click()
    anna.get_by_text("Lukning af april 2024 venter på godkendelse").wait_for()
    anna.goto(anna.url.partition("/koersler")[0] + "/godkendelser")
    assert anna.get_by_role("button", name="Godkend").count() == 0
    anna.get_by_text("Det er din egen anmodning").wait_for()
    birte.reload()
    birte.get_by_role("button", name="Godkend, og udfør").click()
    birte.get_by_text("Kørsel 52 (april 2024) er lukket").wait_for()
    assert at_rest(app, CARRY).state == "done"


def test_a_page_says_one_thing_once_slow_work_has_ended(desk, opened):
    app, _ = desk
    works = app.state.works
    anna = opened("/koersler")
    works.may_go_on.clear()
    anna.get_by_role("button", name="Gennemse april 2024 nu").click()
    anna.get_by_text("5 af 10 poster er læst").wait_for()
    assert anna.get_by_role("button", name="Gennemse april 2024 nu").count() == 0
    works.may_go_on.set()
    anna.get_by_role("button", name="Bed om at lukke kørsel 52").wait_for()
    assert anna.get_by_role("button", name="Gennemse april 2024 nu").count() == 1
    assert anna.get_by_text("Gennemse kørslen først").count() == 0


@pytest.mark.long
def test_the_same_works_without_javascript(desk, opened):
    app, _ = desk
    anna = opened("/koersler", java_script_enabled=False)
    anna.get_by_role("button", name="Gennemse april 2024 nu").click()
    anna.wait_for_url("**/koersler#gennemsyn")
    at_rest(app, LOOK)
    anna.reload()
    anna.get_by_label("Hvorfor skal den lukkes trods tvivlen?").fill("Randers er lukket")
    anna.get_by_role("button", name="Bed om at lukke kørsel 52").click()
    anna.wait_for_url("**/koersler#lukning")
    at_rest(app, CLOSE)
    birte = opened("/godkendelser", BIRTE, java_script_enabled=False)
    birte.get_by_role("button", name="Godkend, og udfør").click()
    birte.wait_for_url("**/godkendelser#godkendt")
    at_rest(app, CARRY)
    birte.reload()
    assert birte.get_by_text("Kørsel 52 (april 2024) er lukket").count()


REACHABLE = """
[...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex="0"]')]
    .filter(it => it.closest('main') && it.type != 'hidden')
    .filter(it => it.checkVisibility() && !it.disabled)
    .forEach((it, at) => it.dataset.stop = at);
document.querySelectorAll('[data-stop]').length
"""


@pytest.mark.long
def test_all_of_the_desk_is_reached_by_keyboard(opened):
    page = opened("/koersler", AUDITOR)
    base = page.url.partition("/koersler")[0]
    for path in (*PATHS, *OF_LETTERS, *OF_AUDIT):
        page.goto(base + path)
        stops = page.evaluate(REACHABLE)
        left = {str(at) for at in range(stops)}
        for _ in range(stops + 60):
            page.keyboard.press("Tab")
            left.discard(page.evaluate("document.activeElement.dataset.stop || ''"))
            if not left:
                break
        assert not left, path


@pytest.mark.long
def test_a_run_is_asked_for_by_keyboard_alone(desk, opened):
    app, _ = desk
    anna = opened("/koersler")
    anna.get_by_role("button", name="Gennemse april 2024 nu").focus()
    anna.keyboard.press("Enter")
    anna.get_by_text("vil blive holdt tilbage").wait_for()
    anna.get_by_label("Hvorfor skal den lukkes trods tvivlen?").focus()
    anna.keyboard.type("Randers er lukket")
    anna.keyboard.press("Tab")
    anna.keyboard.press("Enter")
    anna.get_by_text("Lukning af april 2024 venter på godkendelse").wait_for()
    assert at_rest(app, CLOSE).state == "waits"
