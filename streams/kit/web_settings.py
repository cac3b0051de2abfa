"""The settings of the site: its address, the log-on, and the folder of what operators write."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from streams.kit.setting import Setting, SettingsError
from streams.kit.setting_forms import SWITCH, Form

IMPLICIT_TLS_PORT: Final = 465
NEAR: Final = frozenset({"localhost", "127.0.0.1", "::1"})
"""Hosts of this machine, to which one may speak without TLS."""


def _is_safe_address(text: str) -> bool:
    try:
        address = urlsplit(text)
        port_is_one = address.port is None or address.port > 0
    except ValueError:
        return False
    return bool(
        port_is_one
        and address.hostname
        and not (address.query or address.fragment or address.username)
        and (address.scheme == "https" or (address.scheme == "http" and address.hostname in NEAR))
    )


_ADDRESS: Final = Form(_is_safe_address, "an address with https:// (http:// to this machine alone)")
_SERVER: Final = Form(
    lambda text: re.fullmatch(r"[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?", text) is not None,
    "a host, or host:port",
)
_LOGON: Final = Form(
    lambda text: text.isascii() and text.isprintable(), "printable ASCII, which SMTP's log-on takes"
)
_MAIL: Final = Form(
    lambda text: re.fullmatch(r"[^@\s<>,;]{1,64}@[^@\s<>,;]{1,253}", text) is not None,
    "one mail address",
)

URL: Final = Setting(
    "REFUSION_WEB_URL",
    None,
    "the site's address as visitors see it; not set: the one that it listens on",
)
ISSUER: Final = Setting(
    "REFUSION_OIDC_ISSUER",
    None,
    "the address of the OpenID provider that people log on with; not set: only the public pages"
    " work",
)
CLIENT_ID: Final = Setting(
    "REFUSION_OIDC_CLIENT_ID", None, "the site's name at the OpenID provider"
)
CLIENT_SECRET: Final = Setting(
    "REFUSION_OIDC_CLIENT_SECRET", None, "the site's secret at the OpenID provider", secret=True
)
ROLES: Final = Setting(
    "REFUSION_WEB_ROLES",
    None,
    "file that says which of the provider's roles are which of ours; not set: they have our names",
)
FOLDER: Final = Setting(
    "REFUSION_WEB_FOLDER",
    None,
    "folder of what operators write for the site: news, contacts, service windows; not set: none",
)
MAIL_SERVER: Final = Setting(
    "REFUSION_MAIL_SERVER",
    None,
    "the mail server, host:port, that enquiries and news go by; not set: there is no form for them",
)
MAIL_FROM: Final = Setting("REFUSION_MAIL_FROM", None, "the address that mail is sent from")
MAIL_TO: Final = Setting("REFUSION_MAIL_TO", None, "the address that enquiries are sent to")
MAIL_USER: Final = Setting(
    "REFUSION_MAIL_USER", None, "the name to log on to the mail server with; not set: no log-on"
)
MAIL_PASSWORD: Final = Setting(
    "REFUSION_MAIL_PASSWORD", None, "the password for the mail server", secret=True
)
MAIL_IMPLICIT_TLS: Final = Setting(
    "REFUSION_MAIL_IMPLICIT_TLS",
    None,
    "1: TLS to the mail server from the first byte, 0: by STARTTLS; not set: the former at port"
    f" {IMPLICIT_TLS_PORT}",
)
SETTINGS: Final = (
    URL, ISSUER, CLIENT_ID, CLIENT_SECRET, ROLES, FOLDER, MAIL_SERVER, MAIL_FROM, MAIL_TO,
    MAIL_USER, MAIL_PASSWORD, MAIL_IMPLICIT_TLS,
)  # fmt: skip
FORMS: Final = {
    URL.name: _ADDRESS,
    ISSUER.name: _ADDRESS,
    MAIL_SERVER.name: _SERVER,
    MAIL_FROM.name: _MAIL,
    MAIL_TO.name: _MAIL,
    MAIL_USER.name: _LOGON,
    MAIL_PASSWORD.name: _LOGON,
    MAIL_IMPLICIT_TLS.name: SWITCH,
}


class OidcClient(NamedTuple):
    """The site as the OpenID provider knows it; it prints without its secret."""

    issuer: str
    client_id: str
    client_secret: str

    def __repr__(self) -> str:
        return f"OidcClient({self.issuer}, {self.client_id})"


class MailPlace(NamedTuple):
    """The mail server, and the addresses that mail goes from and to; no password is printed.

    `logon` is the user and the password, where the server demands them.
    """

    host: str
    port: int
    sender: str
    receiver: str
    has_implicit_tls: bool = False
    logon: tuple[str, str] | None = None

    def __repr__(self) -> str:
        return f"MailPlace({self.host}, {self.port}, {self.sender}, {self.receiver})"


class WebSettings(NamedTuple):
    """The settings of the site, checked."""

    url: str | None
    oidc: OidcClient | None
    roles: Path | None
    folder: Path | None
    mail: MailPlace | None


def web_settings(text_of: Callable[[Setting], str | None]) -> WebSettings:
    """Return the settings of the site. Raises SettingsError where some are missing."""
    oidc = _all_or_none(text_of, ISSUER, CLIENT_ID, CLIENT_SECRET)
    url = text_of(URL)
    return WebSettings(
        url and url.rstrip("/"),
        OidcClient(oidc[0].rstrip("/"), *oidc[1:]) if oidc else None,
        _place(text_of, ROLES, Path.is_file, "file"),
        _place(text_of, FOLDER, Path.is_dir, "folder"),
        _mail_place(text_of),
    )


def _all_or_none(
    text_of: Callable[[Setting], str | None], *settings: Setting
) -> tuple[str, ...] | None:
    texts = {setting.name: text_of(setting) for setting in settings}
    missing = [name for name, text in texts.items() if text is None]
    if len(missing) == len(settings):
        return None
    if missing:
        there = next(name for name, text in texts.items() if text is not None)
        raise SettingsError(f"{' and '.join(missing)} must be set too where {there} is")
    return tuple(text for text in texts.values() if text is not None)


def _place(
    text_of: Callable[[Setting], str | None],
    setting: Setting,
    is_there: Callable[[Path], bool],
    kind: str,
) -> Path | None:
    text = text_of(setting)
    if text is None:
        return None
    if not is_there(path := Path(text)):
        raise SettingsError(f"{setting.name} is {text}, which is no {kind}")
    return path


def _mail_place(text_of: Callable[[Setting], str | None]) -> MailPlace | None:
    mail = _all_or_none(text_of, MAIL_SERVER, MAIL_FROM, MAIL_TO)
    given = _all_or_none(text_of, MAIL_USER, MAIL_PASSWORD)
    logon = (given[0], given[1]) if given else None
    if mail is None:
        if logon:
            raise SettingsError(f"{MAIL_SERVER.name} must be set too where {MAIL_USER.name} is")
        return None
    server, sender, receiver = mail
    host, _, port_text = server.partition(":")
    switch = text_of(MAIL_IMPLICIT_TLS)
    port = int(port_text or (IMPLICIT_TLS_PORT if switch == "1" else 25))
    is_implicit = port == IMPLICIT_TLS_PORT if switch is None else switch == "1"
    return MailPlace(host, port, sender, receiver, is_implicit, logon)
