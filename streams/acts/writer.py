"""Writes records of the topic `access`: chained, with a MAC, and a copy to the system's log."""

import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from streams.acts import chain
from streams.acts.chain import Entry
from streams.acts.chain_file import ChainFile, chain_file, new_id
from streams.acts.topic import ActError, ActTopic
from streams.kit.operating_user import operating_user
from streams.privacy.cpr import digits_in, is_cpr
from streams.settings import Settings

SYSLOG: Final = Path("/dev/log")
"""Socket of syslog, which systemd's journal serves too; containers often have none."""
_PRIORITY: Final = b"<86>refusion: "
"""Facility authpriv (10), severity info (6): 8 x 10 + 6."""
_HEX: Final = re.compile("[0-9a-f]{32,64}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""A pseudonym, a digest, or a UUID, by which providers of log-ons name people."""
SEEN_DAYS: Final = 30
"""Days back in which a new chain looks for the last record of the topic."""


class ActWriter:
    """Writes as the user of this process."""

    def __init__(self, settings: Settings, topic: ActTopic) -> None:
        self._settings = settings
        self._topic = topic
        self._macs = settings.macs()

    async def write(self, kind: str, fields: Mapping[str, Any]) -> str:
        """Write a record, and return its id when the brokers have it. Raises ActError."""
        if any(map(_spells_cpr, _texts_in(fields))):
            raise ActError(
                "what is asked for has what looks like a CPR number in its options or in the name"
                " of a file; it would be recorded for ever: leave it out, or rename the file"
            )
        user = operating_user()
        who = {"user": user.user, "uid": user.uid, "host": user.host}
        who |= {"login_user": user.login_user, "sudo_user": user.sudo_user}
        record_id = new_id()
        common = {"type": kind, "id": record_id, "at": now_text()} | who
        async with chain_file(
            self._settings.state_dir, self._topic.name, user, self._topic.identity
        ) as file:
            await self._resolve(file)
            before = await self._before(file) if file.is_new else {}
            value = chain.encode(file.written, common | dict(fields) | before)
            record_key = file.written.writer.encode()
            headers = chain.headers(self._macs, record_key, value)
            head = file.written.after(value)
            file.keep(file.written, head)
            await self._topic.append(record_key, value, headers)
            file.keep(head)
        copy_to_system_log(value)
        return record_id

    async def _resolve(self, file: ChainFile) -> None:
        """Look what became of a record that was sent and neither acknowledged nor refused."""
        if file.sent is not None:
            heads = [entry.head for entry in await self.entries()]
            file.keep(file.sent if file.sent in heads else file.written)

    async def _before(self, file: ChainFile) -> dict[str, list[str | int] | None]:
        """Return what the first record of a chain says about those before it."""
        entries = await self.entries(datetime.now(UTC) - timedelta(days=SEEN_DAYS))
        former = file.former if file.former and file.former.number else None
        return {
            "seen": list(entries[-1].head) if entries else None,
            "former": list(former) if former else None,
        }

    async def entries(self, since: datetime | None = None) -> list[Entry]:
        """Read what was written by holders of the key, in the order of the topic."""
        records = await self._topic.records(partial(chain.is_genuine, self._macs), since)
        return chain.genuine_entries(self._macs, records)

    async def entries_at(self, offset: int) -> list[Entry]:
        """Read the record at an offset; none where there is none, or none of ours."""
        return chain.genuine_entries(self._macs, await self._topic.record(offset))


def _texts_in(value: Any) -> Iterator[str]:
    """Yield every text in a record, names of fields too."""
    match value:
        case str():
            yield value
        case Mapping():
            for name, entry in value.items():
                yield name
                yield from _texts_in(entry)
        case list() | tuple():
            for entry in value:
                yield from _texts_in(entry)


def _spells_cpr(text: str) -> bool:
    """Tell whether a text has a CPR number; a pseudonym or UUID may look as if it had."""
    numbers = () if _HEX.fullmatch(text) else digits_in(text.encode())
    return any(is_cpr(number, demo=True) for number in numbers)


def now_text() -> str:
    """Return the time as in records: RFC 3339 in UTC, with seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def copy_to_system_log(value: bytes) -> None:
    """Send a copy of a record to syslog, where the machine has one."""
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.setblocking(False)
        log.sendto(_PRIORITY + value, str(SYSLOG))
