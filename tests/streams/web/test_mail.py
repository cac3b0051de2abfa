"""Mail goes by servers that demand TLS and a log-on, and no password is told or sent in clear."""

import ssl

import pytest

from streams.devtools.local_kafka.secured import Credentials
from streams.kit.setting import SettingsError
from streams.kit.web_settings import MailPlace
from streams.settings import Settings
from streams.web.mail import MailError, SiteMail, send_letter
from tests.support.mailbox import LOGON, PASSWORD, USER, mail_settings, open_mailbox

LETTER = SiteMail("anne@example.org", "A run is closed", "It is closed.\n")


@pytest.fixture(scope="module")
def secured(tmp_path_factory):
    made = Credentials(tmp_path_factory.mktemp("mail"), ())
    made.make()
    return made


@pytest.fixture
def context(secured, monkeypatch):
    """Have the system believe a certificate; return the server's side of it."""
    monkeypatch.setenv("SSL_CERT_FILE", str(secured.ca_file))
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(secured.keystore)
    return made


def place_of(mailbox, **more):
    return mail_settings(mailbox.port, **more).web.mail


def test_a_log_on_goes_by_starttls(context, tmp_path):
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    (tmp_path / "password").chmod(0o440)
    with open_mailbox(tls_context=context, require_starttls=True, auth_required=True) as mailbox:
        file = str(tmp_path / "password")
        send_letter(place_of(mailbox, MAIL_USER=USER, MAIL_PASSWORD_FILE=file), LETTER)
        (came,) = mailbox.read()
        assert came["Subject"] == "A run is closed"
        assert mailbox.logons == [LOGON]
        with pytest.raises(MailError):
            send_letter(place_of(mailbox), LETTER)
        assert mailbox.messages == []


def test_a_log_on_goes_by_tls_from_the_first_byte(context):
    with open_mailbox(ssl_context=context, auth_require_tls=False) as mailbox:
        logon = {"MAIL_USER": USER, "MAIL_PASSWORD": PASSWORD}
        send_letter(place_of(mailbox, **logon, MAIL_IMPLICIT_TLS="1"), LETTER)
        (came,) = mailbox.read()
        assert came["To"] == LETTER.to
        assert mailbox.logons == [LOGON]


@pytest.mark.parametrize("is_implicit", [True, False])
def test_a_password_goes_to_no_server_whose_certificate_is_not_believed(
    context, monkeypatch, tmp_path, is_implicit
):
    (tmp_path / "none.pem").write_text("")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    how = {"ssl_context" if is_implicit else "tls_context": context, "auth_require_tls": False}
    with open_mailbox(**how) as mailbox:
        logon = {"MAIL_USER": USER, "MAIL_PASSWORD": PASSWORD}
        place = place_of(mailbox, **logon, MAIL_IMPLICIT_TLS=str(int(is_implicit)))
        with pytest.raises(MailError, match="SSLCertVerificationError"):
            send_letter(place, LETTER)
        assert (mailbox.logons, mailbox.messages) == ([], [])


def test_a_log_on_that_is_refused_is_told_without_the_password(context):
    with open_mailbox(tls_context=context, auth_required=True) as mailbox:
        place = place_of(mailbox, MAIL_USER=USER, MAIL_PASSWORD="another one")
        with pytest.raises(MailError) as refused:
            send_letter(place, LETTER)
        assert str(refused.value) == "SMTPAuthenticationError"
        assert "another one" not in repr(place) + repr(refused.value.__cause__)


def test_the_port_says_whether_tls_comes_first():
    def of(server, **more):
        values = {"MAIL_SERVER": server, "MAIL_FROM": "a@b.dk", "MAIL_TO": "c@d.dk"} | more
        settings = Settings.load({f"REFUSION_{name}": value for name, value in values.items()})
        place = settings.web.mail
        assert isinstance(place, MailPlace)
        return place.port, place.has_implicit_tls

    assert of("mail.example.org") == (25, False)
    assert of("mail.example.org:587") == (587, False)
    assert of("mail.example.org:465") == (465, True)
    assert of("mail.example.org:465", MAIL_IMPLICIT_TLS="0") == (465, False)
    assert of("mail.example.org", MAIL_IMPLICIT_TLS="1") == (465, True)


def test_a_log_on_is_set_whole_and_in_letters_that_it_takes():
    with pytest.raises(SettingsError, match="REFUSION_MAIL_PASSWORD must be set too"):
        _ = mail_settings(25, MAIL_USER=USER).web
    with pytest.raises(SettingsError, match="REFUSION_MAIL_SERVER must be set too"):
        _ = Settings.load({"REFUSION_MAIL_USER": USER, "REFUSION_MAIL_PASSWORD": PASSWORD}).web
    with pytest.raises(SettingsError, match="REFUSION_MAIL_PASSWORD must be printable") as wrong:
        mail_settings(25, MAIL_USER=USER, MAIL_PASSWORD="smørrebrød")
    assert "smør" not in str(wrong.value)
