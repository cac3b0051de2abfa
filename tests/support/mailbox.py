"""A mail server in this process, and settings of a site that sends by it."""

import email
import email.policy
from contextlib import contextmanager

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from streams.settings import Settings
from tests.support.ports import free_port

USER, PASSWORD = "site", "not 4 everybody"
LOGON = LoginPassword(USER.encode(), PASSWORD.encode())


class Mailbox:
    """Mail that came, and addresses that are refused."""

    def __init__(self):
        self.messages = []
        self.refused = set()
        self.logons = []
        self.port = free_port()

    async def handle_RCPT(self, _server, _session, envelope, address, _options):  # noqa: N802 - aiosmtpd calls it so
        if address in self.refused:
            return "450 later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802 - aiosmtpd calls it so
        self.messages.append(envelope)
        return "250 OK"

    def logged_on(self, _server, _session, _envelope, _mechanism, given):
        """Take one name with one password, and tell nobody else why not."""
        self.logons.append(given)
        return AuthResult(success=given == LOGON, handled=False)

    def clear(self):
        self.messages.clear()
        self.logons.clear()
        self.refused.clear()

    def read(self):
        """Return the mail that came, parsed, and forget it."""
        came = [
            email.message_from_bytes(each.content, policy=email.policy.default)
            for each in self.messages
        ]
        self.messages.clear()
        return came


@contextmanager
def open_mailbox(**how):
    """Take mail for the length of a block; `how` says of TLS and of log-on what aiosmtpd knows."""
    mailbox = Mailbox()
    place = {"hostname": "127.0.0.1", "port": mailbox.port}
    controller = Controller(mailbox, authenticator=mailbox.logged_on, **place, **how)
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()


def mail_settings(port, **more):
    """Return settings of a site that sends by the server at a port."""
    return Settings.load(
        {
            "REFUSION_DEMO": "1",
            "REFUSION_MAIL_SERVER": f"127.0.0.1:{port}",
            "REFUSION_MAIL_FROM": "site@example.org",
            "REFUSION_MAIL_TO": "help@example.org",
            **{f"REFUSION_{name}": value for name, value in more.items()},
        }
    )
