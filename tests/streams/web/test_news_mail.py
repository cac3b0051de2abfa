"""News by mail: signed up and off by who has the mail, sent once to each, whatever stops it."""

import logging
import re
import sqlite3
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest

from streams.web.folder import Folder
from streams.web.news_mail import AGAIN_S, CONFIRM_S, NewsMail, SignUp
from streams.web.subscribers import NAME, Subscribers, SubscribersError
from tests.support.mailbox import mail_settings
from tests.support.site_client import HERE, a_site, client_of

ANNE, BO = "anne@example.org", "bo@example.org"
TODAY = datetime.now(UTC).date()


@pytest.fixture
def settings(mailbox, tmp_path):
    return mail_settings(mailbox.port, STATE_DIR=str(tmp_path / "state"))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "public" / "news").mkdir(parents=True)
    write(tmp_path, "gammel")
    return Folder(tmp_path / "public")


def write(tmp_path, name, title="Ny sats", day=TODAY):
    path = tmp_path / "public" / "news" / f"{day}-{name}.markdown"
    path.write_text(f"# {title}\n\nTekst.\n")


@pytest.fixture
def client(settings, folder):
    return client_of(a_site(settings, folder=folder))


def link_in(message, path):
    """The address of ours in a mail, without our name."""
    (address,) = re.findall(rf"{HERE}(\S*{path}\?\S+)", message.get_content())
    return address


def signed_up(client, mailbox, mail=ANNE, language=""):
    assert client.post(f"{language}/nyhedsmail", data={"mail": mail}).status_code == 303
    (message,) = mailbox.read()
    assert client.post(link_in(message, "/nyhedsmail/bekraeft")).status_code == 200
    return message


def kept(settings):
    with sqlite3.connect(settings.state_dir / NAME) as file:
        return file.execute("SELECT mail FROM subscribers ORDER BY mail").fetchall()


def looked(client, times=2):
    for _ in range(times):
        client.app.state.parts.news_mail.look()


# --- on the list and off it -----------------------------------------------------------------------


def test_one_is_on_the_list_when_the_link_of_the_mail_was_used_and_the_button_pressed(
    client, mailbox, settings
):
    answer = client.post("/nyhedsmail", data={"mail": f" {ANNE} "})
    assert (answer.status_code, answer.headers["location"]) == (303, "/nyhedsmail?sendt=1")
    assert "Vi har sendt en mail" in client.get("/nyhedsmail?sendt=1").text
    (message,) = mailbox.read()
    assert (message["To"], message["Auto-Submitted"]) == (ANNE, "auto-generated")
    address = link_in(message, "/nyhedsmail/bekraeft")
    shown = client.get(address)
    assert "Bekræft tilmeldingen" in shown.text
    assert not (settings.state_dir / NAME).exists(), "a program that follows links confirms nothing"
    assert "Du er tilmeldt" in client.post(address).text
    assert kept(settings) == [(ANNE,)]
    assert "mere end et døgn" in client.post(address).text
    assert (settings.state_dir / NAME).stat().st_mode & 0o077 == 0


def test_who_signs_off_is_wiped_out(client, mailbox, settings, tmp_path):
    looked(client, 1)
    signed_up(client, mailbox)
    signed_up(client, mailbox, BO, "/en")
    write(tmp_path, "ny")
    looked(client)
    to_anne, to_bo = mailbox.read()
    address = link_in(to_anne, "/nyhedsmail/afmeld")
    assert "Afmeld" in client.get(address).text
    assert kept(settings) == [(ANNE,), (BO,)]
    assert to_bo["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    one_click = urlsplit(to_bo["List-Unsubscribe"].strip("<>"))
    assert one_click.path == "/en/nyhedsmail/afmeld"
    for path in (address, f"{one_click.path}?{one_click.query}", address):
        answer = client.post(path, data={"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 200
    assert kept(settings) == []
    content = (settings.state_dir / NAME).read_bytes()
    assert ANNE.encode() not in content
    assert BO.encode() not in content


def test_an_answer_tells_nobody_who_is_on_the_list(client, mailbox, settings):
    signed_up(client, mailbox)
    again, new = (client.post("/nyhedsmail", data={"mail": each}) for each in (ANNE, BO))
    assert (again.status_code, again.headers["location"], again.text) == (
        new.status_code,
        new.headers["location"],
        new.text,
    )
    to_anne, to_bo = mailbox.read()
    assert client.post(link_in(to_anne, "/nyhedsmail/bekraeft")).status_code == 200
    assert kept(settings) == [(ANNE,)]
    assert to_bo["Subject"] == to_anne["Subject"]


@pytest.mark.parametrize(
    "mail", ["", "nobody", "a@b.dk\r\nBcc: x@example.org", "a@b.dk,c@d.dk", "0101901234@b.dk", "@"]
)
def test_what_is_no_address_is_shown_again_and_nothing_is_sent(mail, client, mailbox, caplog):
    caplog.set_level(logging.INFO, "refusion")
    answer = client.post("/nyhedsmail", data={"mail": mail})
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text
    assert mailbox.messages == []
    assert "0101901234" not in caplog.text + answer.text


def test_nobody_can_fill_a_strangers_mailbox(client, mailbox):
    statuses = [client.post("/nyhedsmail", data={"mail": ANNE}).status_code for _ in range(6)]
    assert statuses == [303] * 5 + [429]
    assert len(mailbox.messages) == 2


@pytest.mark.parametrize("path", ["/nyhedsmail/bekraeft", "/nyhedsmail/afmeld"])
def test_a_code_that_nobody_has_does_nothing(client, settings, path):
    assert client.get(f"{path}?kode=<script>").status_code == 200
    assert "<script>" not in client.get(f"{path}?kode=<script>").text.partition("<main")[2]
    assert client.post(f"{path}?kode=x").status_code == 200
    assert client.post(path).status_code == 200
    assert not (settings.state_dir / NAME).exists()


def test_another_sites_page_signs_nobody_up(client, mailbox):
    elsewhere = {"Sec-Fetch-Site": "cross-site"}
    answer = client.post("/nyhedsmail", data={"mail": ANNE}, headers=elsewhere)
    assert answer.status_code == 403
    assert mailbox.messages == []


def test_a_sign_up_that_cannot_be_sent_is_said(folder, tmp_path, caplog):
    client = client_of(a_site(mail_settings(1, STATE_DIR=str(tmp_path)), folder=folder))
    answer = client.post("/nyhedsmail", data={"mail": ANNE})
    assert answer.status_code == 503
    assert "Mailen kunne ikke sendes" in answer.text
    assert ANNE not in caplog.text
    assert "a sign-up for news could not be sent" in caplog.text


def test_without_a_mail_server_there_is_no_list():
    client = client_of(a_site())
    assert "/nyhedsmail" not in client.get("/nyheder").text
    for path in ("/nyhedsmail", "/nyhedsmail/bekraeft"):
        assert client.get(path).status_code == 404


def test_a_file_that_cannot_be_used_is_said(client, mailbox, settings, caplog):
    (settings.state_dir / NAME).mkdir(parents=True)
    client.post("/nyhedsmail", data={"mail": ANNE})
    (message,) = mailbox.read()
    assert client.post(link_in(message, "/nyhedsmail/bekraeft")).status_code == 503
    looked(client)
    assert "the list of who gets news by mail cannot be used" in caplog.text


# --- what is sent ---------------------------------------------------------------------------------


def test_news_go_once_to_each_when_they_are_whole(client, mailbox, tmp_path):
    looked(client, 1)
    signed_up(client, mailbox)
    signed_up(client, mailbox, BO, "/en")
    write(tmp_path, "ny", "Ny s")
    looked(client, 1)
    write(tmp_path, "ny", "Ny sats fra januar")
    looked(client, 1)
    assert mailbox.messages == [], "it has just been changed"
    looked(client, 3)
    to_anne, to_bo = mailbox.read()
    assert (to_anne["To"], to_bo["To"]) == (ANNE, BO)
    assert to_anne["Subject"] == "Ydelsesrefusion: Ny sats fra januar"
    assert f"{HERE}/nyheder/{TODAY}-ny" in to_anne.get_content()
    assert f"{HERE}/en/nyheder/{TODAY}-ny" in to_bo.get_content()
    assert link_in(to_anne, "/nyhedsmail/afmeld") != link_in(to_bo, "/nyhedsmail/afmeld")


def test_news_from_before_the_list_are_sent_to_nobody(client, mailbox):
    signed_up(client, mailbox)
    looked(client, 4)
    assert mailbox.messages == []


def test_news_that_came_while_nobody_was_on_the_list_are_sent_to_nobody(client, mailbox, tmp_path):
    looked(client)
    write(tmp_path, "ny")
    looked(client)
    signed_up(client, mailbox)
    looked(client, 4)
    assert mailbox.messages == []


def test_the_same_address_in_other_letters_is_one_subscriber(settings):
    subscribers = Subscribers(settings.state_dir)
    for mail in ("Anne@x.dk", "anne@x.dk"):
        subscribers.add(mail, "da")
    assert len(subscribers.waiting("ny")) == 1


def test_after_a_stop_in_the_middle_the_others_get_it_and_nobody_twice(
    settings, folder, mailbox, tmp_path, monkeypatch
):
    news = NewsMail(settings, folder, HERE)
    news.look()
    subscribers = Subscribers(settings.state_dir)
    for name in "abcd":
        subscribers.add(f"{name}@example.org", "da")
    write(tmp_path, "ny")
    news.look()
    note, noted = Subscribers.note, []

    def dying(self, item, subscriber):
        noted.append(subscriber)
        if len(noted) == 3:
            raise KeyboardInterrupt
        note(self, item, subscriber)

    monkeypatch.setattr(Subscribers, "note", dying)
    with pytest.raises(KeyboardInterrupt):
        news.look()
    monkeypatch.undo()
    again = NewsMail(settings, folder, HERE)
    again.look()
    again.look()
    sent = [message["To"][0] for message in mailbox.read()]
    assert sorted(sent) == ["a", "b", "c", "c", "d"], "the one that was under way comes twice"


def test_what_a_server_refuses_is_tried_again_each_hour_for_a_week(
    settings, folder, mailbox, tmp_path, caplog
):
    now = [0.0]
    news = NewsMail(settings, folder, HERE, lambda: now[0])
    news.look()
    subscribers = Subscribers(settings.state_dir)
    for mail in (ANNE, BO):
        subscribers.add(mail, "da")
    mailbox.refused = {ANNE}
    write(tmp_path, "ny")
    write(tmp_path, "glemt", day=TODAY - timedelta(days=8))
    for _ in range(3):
        news.look()
    assert [message["To"] for message in mailbox.read()] == [BO, BO]
    assert "news could not be sent to 1 of 2 addresses" in caplog.text
    assert ANNE not in caplog.text
    mailbox.refused = set()
    news.look()
    assert mailbox.messages == []
    now[0] += AGAIN_S
    for _ in range(2):
        news.look()
    (message,) = mailbox.read()
    assert (message["To"], message["Subject"]) == (ANNE, "Ydelsesrefusion: Ny sats")
    assert subscribers.waiting(f"{TODAY}-ny") == []


def test_a_site_that_ends_sends_nothing_more(settings, folder, mailbox, tmp_path):
    news = NewsMail(settings, folder, HERE)
    news.look()
    Subscribers(settings.state_dir).add(ANNE, "da")
    write(tmp_path, "ny")
    news.look()
    news.close()
    news.look()
    assert mailbox.messages == []


def test_a_sign_up_is_forgotten_after_a_day(settings, folder, mailbox):
    now = [0.0]
    news = NewsMail(settings, folder, HERE, lambda: now[0])
    assert news.place is not None
    news.ask(news.place, SignUp(ANNE, "da"))
    (message,) = mailbox.read()
    now[0] = CONFIRM_S
    assert not news.confirm(link_in(message, "/nyhedsmail/bekraeft").partition("=")[2])


def test_a_full_list_takes_nobody_more(tmp_path, monkeypatch):
    monkeypatch.setattr("streams.web.subscribers.MOST", 1)
    subscribers = Subscribers(tmp_path)
    subscribers.add(ANNE, "da")
    with pytest.raises(SubscribersError, match="full"):
        subscribers.add(BO, "da")
