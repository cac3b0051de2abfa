"""Sends mail by SMTP: enquiries to the address of the settings, news to who wants them.

With the standard library, in threads beside the pages: who sends reads and writes lists on the disk
between two mails, so a client for an event loop (aiosmtplib) would bring a package and spare no
thread. To another machine nothing goes without TLS of a certificate that is believed, the password
for it least of all. Errors tell the kind of what failed alone: a server may repeat what it was
told.
"""

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Final, NamedTuple

from streams.kit.web_settings import NEAR, MailPlace

ANSWER_S: Final = 15.0
ONE_ADDRESS: Final = r"[^@\s<>,;:()\[\]\\\"]{1,64}@[\w.-]{1,135}"
"""The form of a mail address that somebody types."""


class MailError(Exception):
    """Mail could not be sent."""


class Enquiry(NamedTuple):
    """An enquiry of the form; `category` is one of ours."""

    category: str
    name: str
    phone: str
    mail: str
    text: str


class SiteMail(NamedTuple):
    """A mail of the site to somebody; `sign_off` is the address at which one signs off by POST."""

    to: str
    subject: str
    text: str
    sign_off: str = ""


def send_enquiry(place: MailPlace, enquiry: Enquiry, request_id: str) -> None:
    """Send an enquiry. Raises MailError."""
    text = (
        f"Kategori: {enquiry.category}\nNavn: {enquiry.name}\nTelefon: {enquiry.phone}\n"
        f"E-mail: {enquiry.mail}\nNummer: {request_id}\n\n{enquiry.text}\n"
    )
    subject = f"Henvendelse: {enquiry.category} ({request_id})"
    _send(place, SiteMail(place.receiver, subject, text), {"Reply-To": enquiry.mail})


def send_letter(place: MailPlace, letter: SiteMail) -> None:
    """Send a mail that a program wrote. Raises MailError."""
    headers = {"Auto-Submitted": "auto-generated"}
    if letter.sign_off:
        headers |= {
            "List-Unsubscribe": f"<{letter.sign_off}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }
    _send(place, letter, headers)


def _send(place: MailPlace, letter: SiteMail, headers: dict[str, str]) -> None:
    try:
        message = EmailMessage()
        message["From"], message["To"] = place.sender, letter.to
        message["Subject"] = letter.subject
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid(domain=place.sender.rpartition("@")[2])
        for name, value in headers.items():
            message[name] = value
        message.set_content(letter.text)
        with _connected(place) as server:
            if place.logon:
                server.login(*place.logon)
            server.send_message(message)
    except (OSError, smtplib.SMTPException, ValueError) as error:
        raise MailError(type(error).__name__) from error


@contextmanager
def _connected(place: MailPlace) -> Iterator[smtplib.SMTP]:
    """Connect to the mail server for the length of a block, with TLS wherever it has it."""
    context = ssl.create_default_context()
    if place.has_implicit_tls:
        with smtplib.SMTP_SSL(place.host, place.port, timeout=ANSWER_S, context=context) as server:
            yield server
        return
    with smtplib.SMTP(place.host, place.port, timeout=ANSWER_S) as server:
        server.ehlo()
        if server.has_extn("starttls"):
            server.starttls(context=context)
        elif place.host not in NEAR:
            raise MailError("the server offers no TLS")
        yield server
