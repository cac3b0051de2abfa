"""The site as a process of its own sends its mail: an enquiry, a sign-up, and a run that closes."""

import asyncio
import os
import re
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest

from streams.kafka.topic_layout import ensure_topics_of
from streams.web.told_events import NAME
from tests.kafka.test_backup import environment
from tests.support.mailbox import mail_settings, open_mailbox
from tests.support.pipeline import DONE_S, POLL_S
from tests.support.ports import free_port

SITE = """
import sys
from streams.cli.main import main
from streams.web import board, status_mail

board.LOOK_S = status_mail.LOOK_S = 0.2  # a minute and five of them are what visitors wait for
main(["web", "--port", sys.argv[1]])
"""
ANNE = "anne@example.org"
CONTACTS = f"""\
"730":
- {{name: Anne, phone: "12345678", mail: {ANNE}, status_mails: [closed]}}
"""
ENQUIRY = {
    "category": "other",
    "name": "Åse Ærlig",
    "phone": "12345678",
    "mail": "aase@example.org",
    "text": "Beløbet er forkert.",
}


def until(what):
    """Wait for something, and return it."""
    deadline = time.monotonic() + DONE_S
    while not (found := what()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(POLL_S)
    return found


class Site:
    """A process of the site, and the mail that it sends."""

    def __init__(self, mailbox, url, state_dir):
        self.mailbox = mailbox
        self.url = url
        self._state_dir = state_dir

    def is_up(self):
        try:
            return self.ask("/")
        except OSError:
            return None

    def ask(self, path, **form):
        """Ask for a page, with a form by POST; return the page to which that leads."""
        sent = urlencode(form).encode() if form else None
        with urlopen(Request(self.url + path, sent)) as answer:  # noqa: S310 - our own address
            return answer.read().decode()

    def has_begun(self):
        """Tell whether it has seen which runs were closed before it was there."""
        if not (self._state_dir / NAME).exists():
            return False
        with closing(sqlite3.connect(self._state_dir / NAME)) as file:
            return file.execute("SELECT 1 FROM events WHERE key = 'begun/closed'").fetchone()

    def mail(self):
        """Wait for the next mail."""
        (message,) = until(self.mailbox.read)
        return message


@contextmanager
def started(settings, mailbox, folder):
    port = free_port()
    given = environment(mail_settings(mailbox.port, WEB_FOLDER=str(folder)))
    process = subprocess.Popen(
        [sys.executable, "-c", SITE, str(port)],
        env=os.environ | environment(settings) | given,
    )
    site = Site(mailbox, f"http://127.0.0.1:{port}", settings.state_dir)
    try:
        until(site.is_up)
        yield site
    finally:
        process.terminate()
        assert process.wait(DONE_S) == 0


@pytest.fixture
def site(pipeline, tmp_path):
    folder = tmp_path / "public"
    folder.mkdir()
    (folder / "contacts.yaml").write_text(CONTACTS)
    asyncio.run(ensure_topics_of(pipeline.settings))
    pipeline.close_run("2023-06")
    with open_mailbox() as mailbox, started(pipeline.settings, mailbox, folder) as site:
        yield site


def test_a_site_that_runs_sends_what_its_visitors_and_contact_persons_wait_for(site, pipeline):
    assert "Din henvendelse er sendt" in site.ask("/kontakt", **ENQUIRY)
    enquiry = site.mail()
    assert (enquiry["To"], enquiry["Reply-To"]) == ("help@example.org", "aase@example.org")
    assert "Beløbet er forkert." in enquiry.get_content()

    assert "Vi har sendt en mail" in site.ask("/nyhedsmail", mail=ANNE)
    confirmation = site.mail()
    assert confirmation["To"] == ANNE
    (link,) = re.findall(rf"{site.url}(/nyhedsmail/bekraeft\?\S+)", confirmation.get_content())
    assert "Bekræft tilmeldingen" in site.ask(link)
    assert "Du er tilmeldt" in site.ask(link, ja="1")

    until(site.has_begun)
    pipeline.close_run("2023-07")
    told = site.mail()
    assert (told["To"], told["From"]) == (ANNE, "site@example.org")
    assert told["Subject"] == "Ydelsesrefusion: kørslen for juli 2023 er lukket"
