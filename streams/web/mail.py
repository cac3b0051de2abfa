"""Sends enquiries by SMTP to the address of the settings."""

import smtplib
import ssl
from email.message import EmailMessage
from typing import Final, NamedTuple

from streams.kit.web_settings import NEAR, MailPlace

ANSWER_S: Final = 15.0


class MailError(Exception):
    """Mail could not be sent."""


class Enquiry(NamedTuple):
    """An enquiry of the form; `category` is one of ours."""

    category: str
    name: str
    phone: str
    mail: str
    text: str


def send_enquiry(place: MailPlace, enquiry: Enquiry, request_id: str) -> None:
    """Send an enquiry. Raises MailError."""
    try:
        message = EmailMessage()
        message["From"], message["To"] = place.sender, place.receiver
        message["Reply-To"] = enquiry.mail
        message["Subject"] = f"Henvendelse: {enquiry.category} ({request_id})"
        message.set_content(
            f"Kategori: {enquiry.category}\nNavn: {enquiry.name}\nTelefon: {enquiry.phone}\n"
            f"E-mail: {enquiry.mail}\nNummer: {request_id}\n\n{enquiry.text}\n"
        )
        with smtplib.SMTP(place.host, place.port, timeout=ANSWER_S) as server:
            server.ehlo()
            if server.has_extn("starttls"):
                server.starttls(context=ssl.create_default_context())
            elif place.host not in NEAR:
                raise MailError("the server offers no TLS")
            server.send_message(message)
    except (OSError, smtplib.SMTPException, ValueError) as error:
        raise MailError(type(error).__name__) from error
