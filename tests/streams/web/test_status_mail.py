"""Status mails: each event once to each contact person who asked for it, whatever stops it."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from streams.kit.last_outcomes import RUN_CLOSE, keep_outcome
from streams.privacy.cpr import may_hold_cpr
from streams.web.board import Board
from streams.web.folder import Folder
from streams.web.seen import ClosedRun, Seen
from streams.web.status_mail import StatusMail
from streams.web.told_events import NAME
from streams.web.words import catalogue
from tests.support.mailbox import mail_settings

ANNE, BO = "anne@example.org", "bo@example.org"
NOW = datetime.now(UTC)
CONTACTS = f"""\
"730":
- {{name: Anne, phone: "12345678", mail: {ANNE}, status_mails: [closed, held, delivered, window]}}
"751":
- name: Bo
  mail: {BO}
  language: en
  status_mails: [closed, disturbance]
- {{name: Nobody, mail: nobody@example.org}}
"""


class World:
    """A site's folder and board, and what its mails are sent of."""

    def __init__(self, mailbox, path):
        self.path = path
        self.settings = mail_settings(
            mailbox.port, STATE_DIR=str(path / "state"), OPERATIONS_DIR=str(path / "operations")
        )
        self.board = Board(self.settings)
        (path / "public").mkdir()
        self.write("contacts.yaml", CONTACTS)
        self.open()

    def open(self):
        """Start the site anew."""
        folder = Folder(self.path / "public")
        self.mail = StatusMail(self.settings, folder, self.board, "https://localhost")

    def write(self, name, text):
        (self.path / "public" / name).write_text(text)

    def closed(self, run, delivered_at=""):
        self.board.seen = Seen(NOW, ClosedRun(run, "2026-10", NOW, delivered_at), {})

    def look(self, times=2, now=NOW):
        for _ in range(times):
            self.mail.look(now)


@pytest.fixture
def world(mailbox, tmp_path):
    made = World(mailbox, tmp_path)
    made.closed(9)
    made.look(1)
    return made


def text_of(message):
    return message.get_content().replace("\r\n", "\n")


def to(messages):
    return sorted(message["To"] for message in messages)


def test_a_site_that_starts_before_it_has_seen_the_journal_tells_no_old_run(mailbox, tmp_path):
    world = World(mailbox, tmp_path)
    world.look(3)
    world.closed(9, "2026-11-02")
    world.look(3)
    assert mailbox.read() == []
    world.closed(10)
    world.look()
    assert to(mailbox.read()) == [ANNE, BO]


def test_a_run_that_is_closed_is_told_once_to_those_who_asked_for_it(world, mailbox):
    world.closed(10)
    world.look(1)
    assert mailbox.read() == []
    world.look()
    to_anne, to_bo = sorted(mailbox.read(), key=lambda message: message["To"])
    assert (to_anne["To"], to_bo["To"]) == (ANNE, BO)
    assert to_anne["Subject"] == "Ydelsesrefusion: kørslen for oktober 2026 er lukket"
    assert to_bo["Subject"] == "Ydelsesrefusion: the run of October 2026 is closed"
    assert to_anne["Auto-Submitted"] == "auto-generated"
    assert "https://localhost/drift" in to_anne.get_content()
    assert "https://localhost/en/drift" in to_bo.get_content()
    world.open()
    world.look()
    assert mailbox.read() == []


def test_files_that_are_delivered_and_a_run_that_is_held_are_told(world, mailbox):
    world.closed(10)
    world.look()
    mailbox.clear()
    world.closed(10, "2026-11-05T08:00:00Z")
    keep_outcome(world.settings.operations_dir, RUN_CLOSE, {"fine": False, "month": "2026-11"})
    world.look()
    subjects = [message["Subject"] for message in mailbox.read()]
    assert sorted(subjects) == [
        "Ydelsesrefusion: filerne for oktober 2026 er leveret",
        "Ydelsesrefusion: kørslen for november 2026 er holdt tilbage",
    ]
    keep_outcome(world.settings.operations_dir, RUN_CLOSE, {"fine": True, "month": "2026-11"})
    world.look()
    assert mailbox.read() == []


def test_disturbances_and_windows_are_told_as_operators_wrote_them_and_again_when_they_change(
    world, mailbox
):
    window = (
        "windows:\n- {from: 2099-01-01T20:00:00Z, to: 2099-01-01T22:00:00Z, text: Ny version}\n"
    )
    fault = "faults:\n- {since: 2026-11-01, text: En fejl., state: %s}\n"
    world.write("operation.yaml", window + fault % "Undersøges")
    world.look()
    messages = mailbox.read()
    assert to(messages) == [ANNE, BO]
    texts = {message["To"]: text_of(message) for message in messages}
    assert "Ny version" in texts[ANNE]
    assert "1. januar 2099" in texts[ANNE]
    assert "En fejl.\nUndersøges" in texts[BO]
    world.write("operation.yaml", window + fault % "Rettet nu")
    world.look()
    (again,) = mailbox.read()
    assert (again["To"], "Rettet nu" in text_of(again)) == (BO, True)


def test_what_was_there_before_the_first_look_is_told_to_nobody(world, mailbox):
    assert mailbox.read() == []
    world.look()
    assert mailbox.read() == []


def test_who_is_refused_is_tried_again_each_hour_and_nobody_else_gets_it_twice(
    world, mailbox, caplog
):
    mailbox.refused.add(BO)
    world.closed(10)
    world.look(3)
    assert to(mailbox.read()) == [ANNE]
    assert "status mails could not be sent to 1 of 2 addresses" in caplog.text
    assert BO not in caplog.text
    mailbox.refused.clear()
    world.look(now=NOW + timedelta(minutes=30))
    assert mailbox.read() == []
    world.look(now=NOW + timedelta(minutes=61))
    assert to(mailbox.read()) == [BO]
    world.look(now=NOW + timedelta(minutes=200))
    assert mailbox.read() == []


def test_trying_ends_after_a_week(world, mailbox):
    mailbox.refused.add(BO)
    world.closed(10)
    world.look()
    world.look(now=NOW + timedelta(days=8))
    mailbox.clear()
    world.look(now=NOW + timedelta(days=8, hours=2))
    assert mailbox.read() == []


def test_a_text_with_what_looks_like_a_cpr_number_is_sent_to_nobody(world, mailbox, caplog):
    world.write(
        "operation.yaml", "faults:\n- {since: 2026-11-01, text: Om 010190-1234, state: A}\n"
    )
    world.look()
    assert mailbox.read() == []
    assert "operation.yaml" in caplog.text
    assert "010190" not in caplog.text


def test_the_file_of_what_was_sent_has_no_address(world):
    world.closed(10)
    world.look()
    path = world.settings.state_dir / NAME
    content = path.read_bytes()
    assert ANNE.encode() not in content
    assert path.stat().st_mode & 0o077 == 0


def test_the_templates_have_no_place_for_a_person():
    mails = {key: texts for key, texts in catalogue().items() if key.startswith("status_mail.")}
    assert len(mails) == 11
    for texts in mails.values():
        assert texts.keys() == {"da", "en"}
        named = [set(re.findall(r"\{(\w+)\}", text)) for text in texts.values()]
        assert named[0] == named[1] <= {"month", "run", "times", "text", "address"}
        assert not any(may_hold_cpr(text) for text in texts.values())


def test_a_kind_of_mail_that_there_is_not_is_told_and_takes_no_contact_by_mistake(world, caplog):
    world.write("contacts.yaml", CONTACTS.replace("held, ", "hold, "))
    assert Folder(world.path / "public").contacts() == {}
    assert "contacts.yaml" in caplog.text


def test_without_a_mail_server_nothing_is_looked_for(tmp_path, mailbox):
    world = World(mailbox, tmp_path)
    world.mail._place = None
    world.closed(10)
    world.look()
    assert not (world.settings.state_dir / NAME).exists()
