"""Slow work of one kind leaves the others alone, and has a bound on who waits for it."""

import asyncio
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from urllib.parse import urlencode

import pytest
from fastapi import HTTPException

from streams.settings import Settings
from streams.web import contact
from streams.web.lanes import Lane, Lanes, Turns
from streams.web.limits import Limiter, SiteLimits
from streams.web.lis_typesetter import AT_ONCE
from tests.support.browser import serving
from tests.support.lis_site import OWN, lis_folder, lis_site
from tests.support.places import DOCS
from tests.support.ports import free_port
from tests.support.site_client import a_site, client_of, visitor

ENQUIRY = {
    "category": "amounts",
    "name": "Åse Ærlig",
    "phone": "12345678",
    "mail": "aase@example.org",
    "text": "Beløbet er forkert.",
}
MAILING = {
    "REFUSION_DEMO": "1",
    "REFUSION_MAIL_SERVER": "127.0.0.1:1",
    "REFUSION_MAIL_FROM": "site@example.org",
    "REFUSION_MAIL_TO": "help@example.org",
}


def asked(port, method, path, body=None):
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    form = {"Host": "localhost", "Content-Type": "application/x-www-form-urlencoded"}
    connection.request(method, path, body, form)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, answer.headers.get("Retry-After")


def test_a_mail_server_that_hangs_stops_no_other_page(monkeypatch):
    """Fifty enquiries are more than all public pages have threads for."""
    may_go_on, hanging = threading.Event(), threading.Semaphore(0)

    def hangs(*_):
        hanging.release()
        may_go_on.wait(60)

    monkeypatch.setattr(contact, "send_enquiry", hangs)
    limits = SiteLimits.usual()._replace(enquiries=Limiter(1_000, 600))
    port, lanes = free_port(), Lanes(mail=Lane(4, 20))
    app = a_site(Settings.load(MAILING), limits=limits, lanes=lanes)
    with serving(app, port), ThreadPoolExecutor(50) as visitors:
        body = urlencode(ENQUIRY)
        answers = [visitors.submit(asked, port, "POST", "/kontakt", body) for _ in range(50)]
        for _ in range(4):
            assert hanging.acquire(timeout=60)
        for path in ("/healthz", "/", "/drift"):
            assert asked(port, "GET", path)[0] == 200
        may_go_on.set()
        told = [answer.result(60) for answer in answers]
    assert told.count((503, "10")) == 26
    assert told.count((303, None)) == 24


def test_paper_that_waits_too_long_leaves_the_other_forms(tmp_path):
    app = lis_site(lis_folder(tmp_path), lanes=Lanes(paper=Lane(1, -1)))
    who = client_of(app, visitor("economy", municipality=OWN))
    busy = who.get("/lis/beloeb.pdf")
    assert (busy.status_code, busy.headers["retry-after"]) == (503, "10")
    assert who.get("/lis/beloeb.csv").status_code == 200
    app.state.parts.lanes = Lanes(ledger=Lane(1, -1))
    assert who.get("/lis/kontrol").status_code == 503
    assert who.get("/lis/beloeb").status_code == 200
    app.state.parts.lanes = Lanes(answers=Lane(1, -1))
    assert who.get("/lis/beloeb").status_code == 503
    assert who.get("/lis").status_code == 503
    assert who.get("/healthz").status_code == 200


def test_a_lane_takes_new_work_when_some_is_done_or_has_failed():
    async def work():
        lane, may_end = Lane(1, 1), threading.Event()
        first = [asyncio.create_task(lane.run(may_end.wait, 60)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(HTTPException):
            await lane.run(list)
        may_end.set()
        assert await asyncio.gather(*first) == [True, True]
        with pytest.raises(ZeroDivisionError):
            await lane.run(lambda: 1 // 0)
        return await lane.run(int, "7")

    assert asyncio.run(work()) == 7


@pytest.mark.parametrize(
    ("name", "at_once", "told"),
    [
        ("answers", 4, r"Where (\d+) answers"),
        ("ledger", 1, r"(\d+) of the ledger, \d+ PDF files"),
        ("paper", AT_ONCE, r"(\d+) PDF files or"),
        ("mail", 4, r"(\d+) mails wait"),
        ("citizens", 2, r"Two lists are made at a time, and (\d+) may wait"),
    ],
)
def test_as_many_may_wait_as_the_page_about_the_site_says(name, at_once, told):
    (waiting,) = re.findall(told, " ".join((DOCS / "web.md").read_text().split()))
    lane = getattr(Lanes(), name)

    async def one():
        async with lane.taken():
            await asyncio.sleep(60)

    async def fill():
        """Return how many are at work or wait when one more is refused."""
        inside: list[asyncio.Task[None]] = []
        while True:
            task = asyncio.create_task(one())
            await asyncio.sleep(0)
            if task.done():
                assert isinstance(task.exception(), HTTPException)
                return len(inside)
            inside.append(task)

    assert asyncio.run(fill()) == at_once + int(waiting)


def test_a_list_of_citizens_has_its_turn_until_its_page_is_made(tmp_path):
    app = lis_site(lis_folder(tmp_path), lanes=Lanes(citizens=Turns(1, -1)))
    who = client_of(app, visitor("caseworker", municipality=OWN))
    for form in ("", ".csv", ".pdf"):
        busy = who.get(f"/lis/personer{form}?persons=1&purpose=sag")
        assert (busy.status_code, busy.headers["retry-after"]) == (503, "10")
    assert who.get("/lis/personer").status_code == 200
    app.state.parts.lanes = Lanes(citizens=Turns(1, 0))
    assert who.get("/lis/personer?persons=1&purpose=sag").status_code == 200
    assert who.get("/lis/personer.csv?persons=1&purpose=sag").status_code == 200


def test_turns_are_taken_by_so_many_at_a_time_and_given_back():
    async def work():
        turns, inside, most = Turns(2, 2), 0, 0

        async def one():
            nonlocal inside, most
            async with turns.taken():
                inside += 1
                most = max(most, inside)
                for _ in range(5):
                    await asyncio.sleep(0)
                inside -= 1
                raise ZeroDivisionError

        first = [asyncio.create_task(one()) for _ in range(4)]
        await asyncio.sleep(0)
        with pytest.raises(HTTPException):
            async with turns.taken():
                pass
        told = await asyncio.gather(*first, return_exceptions=True)
        assert all(isinstance(each, ZeroDivisionError) for each in told)
        async with turns.taken():
            return most

    assert asyncio.run(work()) == 2
