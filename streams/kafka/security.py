"""Log-ons of clients at the brokers: their protocol, certificates, and the principal's secret.

Source: contract section 11. The settings are rows of the table of settings; `logon_of` checks them
together and makes a `Logon`, which every client is made with.
"""

import logging
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

from streams.kafka.oauth_client import OauthClient
from streams.kit.secrets import too_open
from streams.kit.setting import Setting, SettingsError
from streams.kit.setting_forms import Form

log = logging.getLogger("refusion")

PLAINTEXT: Final = "PLAINTEXT"
PROTOCOLS: Final = (PLAINTEXT, "SSL", "SASL_PLAINTEXT", "SASL_SSL")
OAUTHBEARER: Final = "OAUTHBEARER"
MECHANISMS: Final = ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN", OAUTHBEARER)

PROTOCOL: Final = Setting(
    "REFUSION_KAFKA_SECURITY_PROTOCOL",
    None,
    f"how clients talk to the brokers: {', '.join(PROTOCOLS)}; not set: PLAINTEXT to this machine"
    " or in demo mode, an error otherwise",
)
CA_FILE: Final = Setting(
    "REFUSION_KAFKA_CA_FILE",
    None,
    "PEM file with the certificates by which the brokers' are checked; not set: the system's",
)
CERT_FILE: Final = Setting(
    "REFUSION_KAFKA_CERT_FILE",
    None,
    "PEM file with this client's certificate, where the brokers ask for one",
)
KEY_FILE: Final = Setting(
    "REFUSION_KAFKA_KEY_FILE", None, "PEM file with the private key of that certificate"
)
MECHANISM: Final = Setting(
    "REFUSION_KAFKA_SASL_MECHANISM", None, f"how this client logs on: {', '.join(MECHANISMS)}"
)
USERNAME: Final = Setting(
    "REFUSION_KAFKA_SASL_USERNAME", None, "the name with which this client logs on"
)
PASSWORD: Final = Setting(
    "REFUSION_KAFKA_SASL_PASSWORD",
    None,
    "the password with which this client logs on",
    secret=True,
)
TOKEN_URL: Final = Setting(
    "REFUSION_KAFKA_OAUTH_TOKEN_URL",
    None,
    "where this client gets its token (client credentials), for OAUTHBEARER",
)
CLIENT_ID: Final = Setting(
    "REFUSION_KAFKA_OAUTH_CLIENT_ID", None, "the name with which this client asks for a token"
)
CLIENT_SECRET: Final = Setting(
    "REFUSION_KAFKA_OAUTH_CLIENT_SECRET",
    None,
    "the secret with which this client asks for a token",
    secret=True,
)
SETTINGS: Final = (
    PROTOCOL, CA_FILE, CERT_FILE, KEY_FILE, MECHANISM, USERNAME, PASSWORD, TOKEN_URL, CLIENT_ID,
    CLIENT_SECRET,
)  # fmt: skip

FORMS: Final = {
    PROTOCOL.name: Form(PROTOCOLS.__contains__, f"one of {', '.join(PROTOCOLS)}"),
    MECHANISM.name: Form(MECHANISMS.__contains__, f"one of {', '.join(MECHANISMS)}"),
}
"""The forms of settings that have one of a few values, by name."""

OF_TLS: Final = (CA_FILE, CERT_FILE, KEY_FILE)
OF_SASL: Final = (MECHANISM, USERNAME, PASSWORD, TOKEN_URL, CLIENT_ID, CLIENT_SECRET)

Text = Callable[[Setting], str | None]
"""Gives the text of a setting; None where it is not set."""


@dataclass(frozen=True, slots=True)
class Logon:
    """A way to log on: what a client shows when it connects to a broker, nothing by default."""

    protocol: str = PLAINTEXT
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    mechanism: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    oauth: OauthClient | None = None

    @property
    def principal(self) -> str:
        """The principal as whom the brokers know this client, as far as the client can tell."""
        if self.oauth is not None:
            return f"OAuth client {self.oauth.client_id}"
        if self.username is not None:
            return f"User:{self.username}"
        if self.cert_file is not None:
            return f"the client certificate {self.cert_file}"
        return "User:ANONYMOUS"

    def client_settings(self) -> dict[str, Any]:
        """Return the settings of an aiokafka client, within an event loop.

        Raises SettingsError where a certificate cannot be used.
        """
        settings: dict[str, Any] = {"security_protocol": self.protocol}
        if self.protocol in ("SSL", "SASL_SSL"):
            settings["ssl_context"] = _ssl_context(self.ca_file, self.cert_file, self.key_file)
        if self.mechanism is not None:
            settings["sasl_mechanism"] = self.mechanism
            if self.oauth is None:
                settings["sasl_plain_username"] = self.username
                settings["sasl_plain_password"] = self.password
            else:
                from streams.kafka.oauth import TokenProvider  # noqa: PLC0415 - imports aiokafka

                settings["sasl_oauth_token_provider"] = TokenProvider(self.oauth)
        return settings


class BrokerAddress(str):
    """The addresses of the brokers, as in REFUSION_BOOTSTRAP, with the way to log on there.

    It is a text, so that sentences and clients take it as it is. A plain text in its place is an
    address where clients show nothing: brokers of tests and of `make kafka`.
    """

    __slots__ = ("logon",)
    logon: Logon

    def __new__(cls, bootstrap: str, logon: Logon) -> "BrokerAddress":
        """Put an address and a log-on together."""
        address = super().__new__(cls, bootstrap)
        address.logon = logon
        return address

    def __reduce__(self) -> tuple[type["BrokerAddress"], tuple[str, Logon]]:
        return BrokerAddress, (str(self), self.logon)


def logon_at(bootstrap: str) -> Logon:
    """Return how clients log on at an address."""
    return bootstrap.logon if isinstance(bootstrap, BrokerAddress) else Logon()


def logon_of(text: Text, bootstrap: str, *, demo: bool) -> Logon:
    """Make the log-on of the settings. Raises SettingsError with all that does not fit together."""
    local = _is_loopback(bootstrap)
    protocol = text(PROTOCOL)
    if protocol is None and not (demo or local):
        raise SettingsError(
            f"{PROTOCOL.name} is not set, and {bootstrap} is not on this machine: CPR numbers and"
            f" amounts would cross the network in the clear; set it to SASL_SSL or SSL, with"
            f" {CA_FILE.name} and what the brokers ask for (or to PLAINTEXT, if you mean it)"
        )
    if problems := list(_problems(text, protocol or PLAINTEXT)):
        raise SettingsError("; ".join(problems))
    if protocol is not None:
        _warn(protocol, text(MECHANISM), bootstrap, local)
    has_token = text(MECHANISM) == OAUTHBEARER
    return Logon(
        protocol=protocol or PLAINTEXT,
        ca_file=text(CA_FILE),
        cert_file=text(CERT_FILE),
        key_file=text(KEY_FILE),
        mechanism=text(MECHANISM),
        username=text(USERNAME),
        password=text(PASSWORD),
        oauth=OauthClient(*(text(setting) or "" for setting in _OF_OAUTH)) if has_token else None,
    )


_OF_OAUTH: Final = (TOKEN_URL, CLIENT_ID, CLIENT_SECRET)


def _problems(text: Text, protocol: str) -> Iterator[str]:
    """Say of settings that do not fit together what to do."""
    tls, sasl = protocol.endswith("SSL"), protocol.startswith("SASL")
    for setting in (*(() if tls else OF_TLS), *(() if sasl else OF_SASL)):
        if text(setting) is not None:
            yield (
                f"{setting.name} is set, but {PROTOCOL.name} is {protocol}, which makes no use of"
                " it: set one of the two otherwise"
            )
    for setting in OF_TLS:
        if (path := text(setting)) is not None and not Path(path).is_file():
            yield f"{setting.name} is {path}, and there is no such file"
        elif path is not None and setting == KEY_FILE:
            yield from filter(None, [too_open(Path(path), setting.name)])
    if text(KEY_FILE) is not None and text(CERT_FILE) is None:
        yield f"{KEY_FILE.name} is set without {CERT_FILE.name}"
    if sasl:
        yield from _problems_of_sasl(text, protocol)


def _problems_of_sasl(text: Text, protocol: str) -> Iterator[str]:
    mechanism = text(MECHANISM)
    if mechanism is None:
        yield f"{PROTOCOL.name} is {protocol}: set {MECHANISM.name} to {', '.join(MECHANISMS)}"
        return
    needed = _OF_OAUTH if mechanism == OAUTHBEARER else (USERNAME, PASSWORD)
    for setting in needed:
        if text(setting) is None:
            also = f" or {setting.name}_FILE" if setting.secret else ""
            yield f"{MECHANISM.name} is {mechanism}: set {setting.name}{also}"
    for setting in (*_OF_OAUTH, USERNAME, PASSWORD):
        if setting not in needed and text(setting) is not None:
            yield f"{setting.name} is set, of which {mechanism} makes no use: take it away"
    if mechanism == OAUTHBEARER and (url := text(TOKEN_URL)) and not _is_safe(url):
        yield (
            f"{TOKEN_URL.name} must begin with https://: the client's secret would cross the"
            " network in the clear"
        )


def _is_safe(url: str) -> bool:
    host = url.removeprefix("http://").partition("/")[0]
    return url.startswith("https://") or (url.startswith("http://") and _is_loopback(host))


def _is_loopback(bootstrap: str) -> bool:
    """Return whether all addresses are on this machine."""
    return all(_is_own(server.strip().rpartition(":")[0]) for server in bootstrap.split(","))


def _is_own(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _warn(protocol: str, mechanism: str | None, bootstrap: str, local: bool) -> None:
    """Say once in a process what others on the network may read."""
    if protocol == PLAINTEXT:
        _say(
            f"{PROTOCOL.name} is PLAINTEXT: what goes to and comes from {bootstrap} can be read"
            " and changed on the way, and nobody logs on"
        )
    elif protocol == "SASL_PLAINTEXT" and not local:
        _say(
            f"{PROTOCOL.name} is SASL_PLAINTEXT with {mechanism}: what goes to and comes from"
            f" {bootstrap} can be read on the way, and the password may be found out; use SASL_SSL"
        )


@cache
def _say(sentence: str) -> None:
    log.warning("%s", sentence)


@cache
def _ssl_context(
    ca_file: str | None, cert_file: str | None, key_file: str | None
) -> ssl.SSLContext:
    """Make the context of TLS connections; certificates are read once in a process."""
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"{CA_FILE.name} is {ca_file}, which holds no certificates in PEM"
        ) from error
    if cert_file is not None:
        try:
            context.load_cert_chain(cert_file, key_file, password=_no_password)
        except (OSError, ssl.SSLError, ValueError) as error:
            raise SettingsError(
                f"{CERT_FILE.name} ({cert_file}) and {KEY_FILE.name} ({key_file or cert_file}) are"
                " not a certificate and its key in PEM, without a password"
            ) from error
    return context


def _no_password() -> str:
    """Nobody is asked on a terminal for the password of a key."""
    raise ValueError
