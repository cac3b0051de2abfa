"""The settings of the site: its address, the log-on, and the folder of what operators write."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from streams.kit.setting import Setting, SettingsError
from streams.kit.setting_forms import Form

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
SETTINGS: Final = (
    URL, ISSUER, CLIENT_ID, CLIENT_SECRET, ROLES, FOLDER, MAIL_SERVER, MAIL_FROM, MAIL_TO,
)  # fmt: skip
FORMS: Final = {
    URL.name: _ADDRESS,
    ISSUER.name: _ADDRESS,
    MAIL_SERVER.name: _SERVER,
    MAIL_FROM.name: _MAIL,
    MAIL_TO.name: _MAIL,
}


class OidcClient(NamedTuple):
    """The site as the OpenID provider knows it; it prints without its secret."""

    issuer: str
    client_id: str
    client_secret: str

    def __repr__(self) -> str:
        return f"OidcClient({self.issuer}, {self.client_id})"


class MailPlace(NamedTuple):
    """The mail server, and the addresses that mail goes from and to."""

    host: str
    port: int
    sender: str
    receiver: str


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
    mail = _all_or_none(text_of, MAIL_SERVER, MAIL_FROM, MAIL_TO)
    url = text_of(URL)
    return WebSettings(
        url and url.rstrip("/"),
        OidcClient(oidc[0].rstrip("/"), *oidc[1:]) if oidc else None,
        _place(text_of, ROLES, Path.is_file, "file"),
        _place(text_of, FOLDER, Path.is_dir, "folder"),
        _mail_place(*mail) if mail else None,
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


def _mail_place(server: str, sender: str, receiver: str) -> MailPlace:
    host, _, port = server.partition(":")
    return MailPlace(host, int(port or 25), sender, receiver)
