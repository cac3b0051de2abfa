"""Reads what operators write for the public pages: files of the folder `REFUSION_WEB_FOLDER`.

    news/2026-11-20-ny-sats.markdown     "# Title", then text in Markdown
    operation.yaml                 windows: [{from, to, text}], faults: [{since, text, state}]
    calendar.yaml                  [{date, text}]
    contacts.yaml                  {"730": [{name, phone, mail, status_mails, language}], …}
    documents.yaml                 [{title, address, text}]
    accessibility.markdown               the accessibility statement

A file is looked at when it is asked for, so that a change is seen at once, and read once for each
change: strangers may ask as often as they like. One that cannot be read is passed over and told in
the log; the pages live on.
"""

import logging
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from markdown_it import MarkdownIt
from markupsafe import Markup

from domain.ruledata.ruleset import RuleError
from streams.citizens.rule_sets import parsed_yaml
from streams.privacy.cpr import may_hold_cpr

LARGEST_BYTES: Final = 256 * 1024
MOST_NEWS: Final = 200
STATUS_MAILS: Final = frozenset({"closed", "held", "delivered", "disturbance", "window"})
"""The kinds of status mails that a contact person may want."""
NEWS_NAME: Final = re.compile(r"(\d{4}-\d\d-\d\d)-[a-z0-9-]{1,80}")
Read = TypeVar("Read")
log = logging.getLogger("refusion")
_MARKDOWN: Final = MarkdownIt("commonmark", {"html": False})
_ADDRESS: Final = re.compile(r"(https://|/)[^\s\"'<>]*")


class NewsItem(NamedTuple):
    """A piece of news."""

    name: str
    day: date
    title: str
    text: Markup


class ServiceWindow(NamedTuple):
    """A time in which the system may be down."""

    begins: datetime
    ends: datetime
    text: str


class KnownFault(NamedTuple):
    """A fault that is known, with its state in words."""

    since: date
    text: str
    state: str


class CalendarDay(NamedTuple):
    """A day of the calendar of runs."""

    day: date
    text: str


class ContactPerson(NamedTuple):
    """Somebody of a municipality whom one may call, and who may want status mails."""

    name: str
    phone: str
    mail: str
    status_mails: frozenset[str] = frozenset()
    language: str = "da"


class Document(NamedTuple):
    """A document to read."""

    title: str
    address: str
    text: str


class Folder:
    """The folder of the operators; without one, everything is empty."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._read_before: dict[tuple[str, str], tuple[tuple[int, ...], Any]] = {}

    def news(self) -> list[NewsItem]:
        """Return the news, the newest first."""
        if self._path is None:
            return []
        paths = sorted((self._path / "news").glob("*.markdown"), reverse=True)[:MOST_NEWS]
        return [item for path in paths if (item := self._item(path))]

    def _item(self, path: Path) -> NewsItem | None:
        match = NEWS_NAME.fullmatch(path.stem)
        if match is None:
            log.warning("a file of the site's folder cannot be used: %s", f"news/{path.name}")
            return None

        def read(text: str) -> NewsItem:
            title, _, rest = text.partition("\n")
            if not title.startswith("# "):
                raise ValueError("no title")
            day = date.fromisoformat(match[1])
            return NewsItem(path.stem, day, title[2:].strip(), markdown(rest))

        return self._read(f"news/{path.name}", read)

    def windows(self) -> list[ServiceWindow]:
        """Return the service windows that are not over, the next first."""
        now = datetime.now(UTC)
        entries = self._yaml("operation.yaml", _windows)
        return sorted(window for window in entries or () if window.ends > now)

    def faults(self) -> list[KnownFault]:
        """Return the known faults, the newest first."""
        entries = self._yaml("operation.yaml", _faults)
        return sorted(entries or (), reverse=True)

    def calendar(self) -> list[CalendarDay]:
        """Return the days of the calendar from a month ago on."""
        days = self._yaml("calendar.yaml", _days) or []
        today = datetime.now(UTC).date()
        return sorted(day for day in days if (today - day.day).days <= 31)

    def contacts(self) -> dict[str, list[ContactPerson]]:
        """Return the contact persons by the municipality's code."""
        return self._yaml("contacts.yaml", _contacts) or {}

    def documents(self) -> list[Document]:
        """Return the documents, in the order of the file."""
        return self._yaml("documents.yaml", _documents) or []

    def accessibility(self) -> Markup | None:
        """Return the accessibility statement; None where there is none yet."""
        return self._read("accessibility.markdown", markdown)

    def _yaml(self, name: str, read: Callable[[Any], Read]) -> Read | None:
        """Read a part of a file of YAML."""
        part = read.__name__
        return self._read(name, lambda text: read(parsed_yaml(text.encode(), name)), part)

    def _read(self, name: str, read: Callable[[str], Read], part: str = "") -> Read | None:
        """Read a file, or a part of it; None where it is not there or cannot be used."""
        if self._path is None:
            return None
        path, key = self._path / name, (name, part)
        try:
            state = path.stat()
            times = state.st_mtime_ns, state.st_ctime_ns
            stamp: tuple[int, ...] = (state.st_ino, state.st_size, *times)
        except FileNotFoundError:
            return None
        except OSError:
            stamp = ()
        before = self._read_before.get(key)
        if before is None or before[0] != stamp:
            before = self._read_before[key] = stamp, self._read_now(path, name, read)
        found: Read | None = before[1]
        return found

    @staticmethod
    def _read_now(path: Path, name: str, read: Callable[[str], Read]) -> Read | None:
        try:
            return read(_text_of(path))
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RuleError):
            log.warning("a file of the site's folder cannot be used: %s", name)
            return None


def _text_of(path: Path) -> str:
    """Return the text of a file. Raises ValueError where it must not be shown."""
    if path.stat().st_size > LARGEST_BYTES:
        raise ValueError("too large")
    text = path.read_text("utf-8")
    if path.suffix == ".markdown" and may_hold_cpr(text):
        raise ValueError("what looks like a CPR number")
    return text


def markdown(text: str) -> Markup:
    """Make HTML of Markdown; HTML in it, and addresses that are no links, stay text."""
    return Markup(_MARKDOWN.render(text))  # noqa: S704 - markdown-it escapes what is no Markdown


def _moment(value: Any) -> datetime:
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _day(value: Any) -> date:
    return value if isinstance(value, date) else date.fromisoformat(str(value))


def _windows(operation: Any) -> list[ServiceWindow]:
    return [
        ServiceWindow(_moment(each["from"]), _moment(each["to"]), str(each["text"]))
        for each in operation.get("windows", ())
    ]


def _faults(operation: Any) -> list[KnownFault]:
    return [
        KnownFault(_day(each["since"]), str(each["text"]), str(each["state"]))
        for each in operation.get("faults", ())
    ]


def _days(entries: Any) -> list[CalendarDay]:
    return [CalendarDay(_day(each["date"]), str(each["text"])) for each in entries]


def _contacts(entries: Mapping[str, Any]) -> dict[str, list[ContactPerson]]:
    return {
        str(code): [_contact(person) for person in persons]
        for code, persons in sorted(entries.items())
    }


def _contact(person: Mapping[str, Any]) -> ContactPerson:
    """Read a contact person. Raises ValueError for a kind of status mail that there is not."""
    name, phone, mail = (str(person.get(key, "")) for key in ("name", "phone", "mail"))
    wanted = frozenset(map(str, person.get("status_mails", ())))
    if not wanted <= STATUS_MAILS:
        raise ValueError("a kind of status mail that there is not")
    return ContactPerson(name, phone, mail, wanted, str(person.get("language", "da")))


def _documents(entries: Any) -> list[Document]:
    documents = [
        Document(str(each["title"]), str(each["address"]), str(each.get("text", "")))
        for each in entries
    ]
    return [document for document in documents if _ADDRESS.fullmatch(document.address)]
