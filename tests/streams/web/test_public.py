"""The public pages: they live when all else is down, and show what operators write."""

import asyncio
import logging
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest

from streams.web import folder as folder_module
from streams.web.board import Board
from streams.web.contact import CATEGORIES
from streams.web.dates import moment_text
from streams.web.folder import Folder, markdown
from streams.web.seen import ClosedRun, KeptSeen, Seen
from tests.support.mailbox import mail_settings
from tests.support.site_client import SETTINGS, a_site, client_of, visitor

PAGES = ("/", "/drift", "/nyheder", "/kontakt", "/tilgaengelighed", "/was", "/behandling",
         "/vejledning", "/vejledning/drift", "/dokumenter", "/dokumenter/law",
         "/dokumenter/contract")  # fmt: skip
NOON = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
LAST = ClosedRun(82, "2026-10", NOON, "2026-11-27T12:30:00Z")
SEEN = Seen(
    NOON,
    LAST,
    {"intake": 0, "citizens": 1234, "projections": 0},
    waited_s={"intake": 0, "citizens": 180, "projections": 0},
)


async def down(_settings):
    raise OSError("away")


async def up(_settings):
    return SEEN


def a_board(*watches):
    board = Board(SETTINGS)
    for watch in watches:
        board._watch = watch
        asyncio.run(board.refresh())
    return board


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("language", ["", "/en"])
@pytest.mark.parametrize("who", [None, visitor("lis", municipality="730")])
def test_a_public_page_lives_when_all_else_is_down(path, language, who):
    answer = client_of(a_site(), who).get(f"{language}{path}")
    assert answer.status_code == 200
    assert f'lang="{language[1:] or "da"}"' in answer.text
    assert "set-cookie" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"


def test_the_front_page_says_which_month_is_settled_and_delivered():
    text = client_of(a_site(board=a_board(up))).get("/").text
    assert "oktober 2026" in text
    assert f"Kørsel 82 blev lukket {moment_text(NOON)}." in text
    assert "Filerne blev leveret 27. november 2026" in text
    assert "ukendt siden" not in text


def test_the_operation_page_says_how_far_each_stage_is_in_words():
    client = client_of(a_site(board=a_board(up)))
    assert "Bagud med omkring 3 minutter; 1.234 poster venter" in client.get("/drift").text
    assert "Behind by about 3 minutes; 1,234 records wait" in client.get("/en/drift").text
    assert client.get("/drift").text.count("Ajour") == 2


@pytest.mark.parametrize("path", ["/", "/drift"])
def test_it_is_told_which_month_is_open_and_how_far_it_is(path, folder):
    def told(seen, **parts):
        board = Board(SETTINGS)
        board.seen, board.unknown_since = seen, None
        return client_of(a_site(board=board, **parts)).get(path).text

    text = told(SEEN, folder=folder)
    assert "november 2026" in text
    assert "Kørsel 83 er åben" in text
    assert "er ikke beregnet og bogført til ende. Bagud med omkring 3 minutter." in text
    assert "Næste dag i kalenderen er 15. januar 2099:" in text
    assert "holdt tilbage" not in text
    done = SEEN._replace(waiting={"intake": 0}, waited_s={}, held_at="2026-11-27T09:00:00Z")
    text = told(done)
    assert "Alt, der er modtaget, er beregnet og bogført." in text
    assert f"Lukningen blev holdt tilbage {moment_text(done.held_at)}" in text
    assert "kalenderen" not in text
    december = SEEN._replace(last=LAST._replace(data_month="2026-12"))
    assert "januar 2027" in told(december)
    first = told(SEEN._replace(last=None))
    assert "Ingen måned er lukket endnu." in first
    assert "Ingen kørsel er lukket endnu." in first


def test_what_was_seen_last_outlives_the_site(tmp_path, caplog):
    kept = KeptSeen(tmp_path / "state")

    def page(watch):
        board = Board(SETTINGS, watch, kept=KeptSeen(tmp_path / "state"))
        asyncio.run(board.refresh())
        return client_of(a_site(board=board)).get("/drift").text

    assert "Siden har endnu ikke set" in page(down)
    assert "november 2026" in page(up)
    assert kept.read() == SEEN
    text = page(down)
    assert f"Tilstanden har været ukendt siden {moment_text(NOON)}" in text
    assert "november 2026" in text
    assert "1.234 poster venter" in text
    for broken in (b"", b"[]", b"{}", b'{"last": 7}', kept._path.read_bytes()[:-9]):
        kept._path.write_bytes(broken)
        assert kept.read() is None
    none = SEEN._replace(last=None)
    kept.write(none)
    assert kept.read() == none
    assert kept._path.stat().st_mode & 0o777 == 0o600
    kept._path.unlink()
    kept._path.mkdir()
    for _ in range(2):
        kept.write(SEEN)
    assert caplog.text.count("what was seen last cannot be kept") == 1


def test_what_was_seen_last_is_shown_with_since_when_nothing_is_known(caplog):
    board = a_board(up, down, down)
    text = client_of(a_site(board=board)).get("/").text
    assert "Tilstanden har været ukendt siden" in text
    assert "oktober 2026" in text
    assert caplog.text.count("runs and stages cannot be seen") == 1
    asyncio.run(board.refresh())
    assert "Tilstanden" in client_of(a_site(board=a_board(down))).get("/drift").text


# --- what operators write -------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "news").mkdir()
    (tmp_path / "news" / "2026-11-20-ny-sats.markdown").write_text(
        "# Ny sats & mere\n\nFra **januar**. <script>alert(1)</script> [x](javascript:alert(1))\n"
    )
    (tmp_path / "news" / "2026-10-01-foerste.markdown").write_text("# Første\n\nTekst.\n")
    (tmp_path / "news" / "uden-dato.markdown").write_text("# Uden dato\n")
    (tmp_path / "news" / "2026-09-01-person.markdown").write_text("# Om 010190-1234\n")
    (tmp_path / "operation.yaml").write_text(
        "windows:\n- {from: 2099-01-01T20:00:00Z, to: 2099-01-01T22:00:00Z, text: Ny version}\n"
        "- {from: 2001-01-01T20:00:00Z, to: 2001-01-01T22:00:00Z, text: Gammel}\n"
        "faults:\n- {since: 2026-11-01, text: En fejl., state: Rettes}\n"
    )
    (tmp_path / "contacts.yaml").write_text(
        '"730":\n- {name: Åse Ærlig, phone: "12345678", mail: aase@example.org}\n'
    )
    (tmp_path / "calendar.yaml").write_text("- {date: 2099-01-15, text: Kørsel lukkes}\n")
    (tmp_path / "documents.yaml").write_text(
        "- {title: Håndbog, address: /docs/haandbog}\n- {title: Ond, address: 'javascript:x'}\n"
    )
    (tmp_path / "accessibility.markdown").write_text("## Status\n\nDelvis.\n")
    return Folder(tmp_path)


def test_news_are_shown_the_newest_first_and_bring_no_code(folder, caplog):
    client = client_of(a_site(folder=folder))
    text = client.get("/nyheder").text
    assert text.index("Ny sats &amp; mere") < text.index("Første")
    assert "<strong>januar</strong>" in text
    assert "<script>alert" not in text
    assert 'href="javascript' not in text
    assert "010190" not in text
    assert "010190" not in caplog.text
    assert "news/2026-09-01-person.markdown" in caplog.text
    assert client.get("/nyheder/2026-10-01-foerste").status_code == 200
    assert client.get("/nyheder/2026-10-01-findes-ikke").status_code == 404


def test_the_feed_is_atom(folder):
    answer = client_of(a_site(folder=folder)).get("/nyheder.atom")
    assert answer.headers["content-type"].startswith("application/atom+xml")
    feed = ET.fromstring(answer.content)  # noqa: S314 - our own
    space = "{http://www.w3.org/2005/Atom}"
    titles = [entry.findtext(f"{space}title") for entry in feed.iter(f"{space}entry")]
    assert titles == ["Ny sats & mere", "Første"]
    assert feed.findtext(f"{space}updated") == "2026-11-20T00:00:00Z"
    news = feed.findtext(f"{space}entry/{space}content", "")
    assert news.strip()
    assert news in client_of(a_site(folder=folder)).get("/nyheder/2026-11-20-ny-sats").text
    assert "<strong>januar</strong>" in news
    assert "&lt;script&gt;" in news
    assert ET.fromstring(client_of(a_site()).get("/nyheder.atom").content) is not None  # noqa: S314


def test_windows_faults_calendar_contacts_and_documents_are_shown(folder):
    client = client_of(a_site(folder=folder))
    operation, front, contact = (client.get(path).text for path in ("/drift", "/", "/kontakt"))
    assert "Ny version" in operation
    assert "Gammel" not in operation
    assert "Siden 1. november 2026:" in operation
    assert "15. januar 2099" in front
    assert "Håndbog" in front
    assert "Ond" not in front
    assert "Åse Ærlig" in contact
    assert '<th scope="row">Randers</th>' in contact
    assert "<h2>Status</h2>" in client.get("/tilgaengelighed").text


@pytest.mark.parametrize("name", ["operation.yaml", "contacts.yaml", "calendar.yaml"])
@pytest.mark.parametrize("text", ["[", "7", "- 7", "{a: 7}", "windows: 7\nfaults: 7\n", "\x00"])
def test_a_broken_file_is_told_and_the_pages_live(folder, name, text, caplog):
    (folder._path / name).write_text(text)
    client = client_of(a_site(folder=folder))
    for path in PAGES:
        assert client.get(path).status_code == 200, path
    assert name in caplog.text or text == "{a: 7}"


def test_a_file_is_read_once_for_each_change_however_often_strangers_ask(
    folder, monkeypatch, caplog
):
    read = []
    text_of = folder_module._text_of

    def counted(path):
        read.append(path.name)
        return text_of(path)

    monkeypatch.setattr(folder_module, "_text_of", counted)
    client, path = client_of(a_site(folder=folder)), folder._path / "calendar.yaml"
    path.write_text("no: days\n")
    for _ in range(3):
        for page in ("/", "/drift", "/nyheder", "/nyheder.atom", "/kontakt"):
            assert client.get(page).status_code == 200
    assert len(read) == len({*read}) + 1  # service windows and faults are parts of one file
    assert caplog.text.count("calendar.yaml") == 1
    path.write_text("- {date: 2099-02-15, text: Ny dag}\n")
    assert "Ny dag" in client.get("/").text
    path.unlink()
    assert "Ny dag" not in client.get("/").text


def test_markdown_has_no_code():
    assert "&lt;img" in markdown("<img src=x onerror=y>")


# --- enquiries ------------------------------------------------------------------------------------

GOOD = {
    "category": "fault",
    "name": "Åse Ærlig",
    "phone": "+45 12 34 56 78",
    "mail": "aase@example.org",
    "text": "Beløbet er forkert.\nHvorfor?",
}


@pytest.fixture
def mailing(mailbox):
    return client_of(a_site(mail_settings(mailbox.port)))


def test_an_enquiry_goes_by_mail(mailing, mailbox):
    answer = mailing.post("/kontakt", data=GOOD)
    assert (answer.status_code, answer.headers["location"]) == (303, "/kontakt?sendt=1")
    assert "Din henvendelse er sendt" in mailing.get("/kontakt?sendt=1").text
    (envelope,) = mailbox.messages
    assert envelope.rcpt_tos == ["help@example.org"]
    assert b"Reply-To: aase@example.org" in envelope.content


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("category", "x"),
        ("name", ""),
        ("name", "a\r\nBcc: x@example.org"),
        ("name", "a" * 101),
        ("phone", "1234"),
        ("mail", "nobody"),
        ("mail", "a@b.dk\r\nBcc: x@example.org"),
        ("text", " "),
        ("text", "Om 010190-1234"),
        ("name", "0101901234"),
        ("text", "x" * 4001),
    ],
)
def test_an_enquiry_that_is_not_filled_in_is_shown_again(field, value, mailing, mailbox, caplog):
    caplog.set_level(logging.INFO, "refusion")
    answer = mailing.post("/kontakt", data=GOOD | {field: value})
    assert answer.status_code == 422
    assert f'href="#{field}"' in answer.text
    assert "Beløbet" in answer.text or field == "text"
    assert mailbox.messages == []
    assert "1234" not in caplog.text


def test_many_enquiries_of_one_address_wait(mailing, mailbox):
    statuses = [mailing.post("/kontakt", data=GOOD).status_code for _ in range(6)]
    assert statuses == [303] * 5 + [429]
    assert len(mailbox.messages) == 5


def test_an_enquiry_that_cannot_be_sent_is_kept_in_the_form(caplog):
    answer = client_of(a_site(mail_settings(1))).post("/kontakt", data=GOOD)
    assert answer.status_code == 503
    assert "Beløbet er forkert." in answer.text
    assert "an enquiry could not be sent" in caplog.text


def test_without_a_mail_server_there_is_no_form():
    client = client_of(a_site())
    assert "<form" not in client.get("/kontakt").text
    assert client.post("/kontakt", data=GOOD).status_code == 404


def test_each_category_has_its_words():
    text = client_of(a_site(mail_settings(1))).get("/kontakt").text
    for category in CATEGORIES:
        assert f'value="{category}"' in text
