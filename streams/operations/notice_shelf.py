"""Reads the notices of the last days for people to look at: short lines, and a bound on them.

A notice names a citizen by the pseudonym; what stands in it beside that is shown without what looks
like a CPR number, as an id of a report may hold one.
"""

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from heapq import heappush, heappushpop
from typing import Any, Final, NamedTuple

from projections.runs.files import concerned
from streams.kafka.clients import KafkaClients
from streams.kafka.errors import explained
from streams.kafka.reading import open_topics
from streams.kafka.topics import NOTICES
from streams.kit.errors import UserError
from streams.operations.dead_letters import LAST_MS
from streams.privacy.cpr import without_cpr
from streams.settings import Settings
from streams.wire.readers import notice_reader

MOST: Final = 50_000
"""Notices that are kept, the newest of all partitions; some 25 MB."""
GOOD_FOR: Final = timedelta(minutes=5)
REPEAT: Final = "repeat"


class NoticeShelfError(UserError):
    """The notices cannot be read; the message says why."""


class NoticeLine(NamedTuple):
    """A notice about a citizen's report: whom it concerns, and what to look at."""

    at: str
    code: str
    citizen: str
    municipalities: tuple[str, ...]
    benefit: str
    period: str
    cause: str
    other: str
    is_repeat: bool


@dataclass(frozen=True)
class NoticeShelf:
    """The notices that were read, the newest first; `is_cut`: there were more."""

    read_at: datetime
    lines: list[NoticeLine]
    is_cut: bool

    @property
    def is_old(self) -> bool:
        """True if they are to be read again."""
        return datetime.now(UTC) - self.read_at > GOOD_FOR


async def noticed(
    settings: Settings, days: int, place: str | None = None, code: str = ""
) -> NoticeShelf:
    """Read the notices about citizens of the last days. Raises NoticeShelfError.

    With `place` those that name a municipality, with `code` those of one kind.
    """
    now = datetime.now(UTC)
    shelf = NewestNotices(place, code)
    with explained(settings.bootstrap, NoticeShelfError):
        async with open_topics(KafkaClients(settings.bootstrap, "refusion-notices")) as reader:
            await _read(reader, settings.topic(NOTICES), now - timedelta(days=days), shelf)
    return NoticeShelf(now, shelf.lines(), shelf.is_cut)


async def _read(reader: Any, name: str, since: datetime, shelf: "NewestNotices") -> None:
    starts = await reader.since(name, since)
    for partition, end in sorted((await reader.ends(name)).items()):
        records = reader.records(name, partition, starts[partition], end)
        ours = notice_reader(name, partition)
        async with aclosing(records):
            async for record, notice in ours.ours(records):
                if "citizen" in notice:
                    shelf.take(_line(notice, record))


class NewestNotices:
    """Takes notices in any order, and keeps the newest of those that are wanted, each once."""

    def __init__(self, place: str | None = None, code: str = "", most: int = MOST) -> None:
        self._place = place
        self._code = code
        self._most = most
        self._heap: list[NoticeLine] = []
        self._kept: set[NoticeLine] = set()
        self.is_cut = False

    def take(self, line: NoticeLine) -> None:
        """Keep a notice if it is wanted and new enough."""
        is_wanted = self._place in (None, *line.municipalities) and self._code in ("", line.code)
        if not is_wanted or line in self._kept:
            return
        self._kept.add(line)
        if len(self._heap) < self._most:
            heappush(self._heap, line)
            return
        self._kept.discard(heappushpop(self._heap, line))
        self.is_cut = True

    def lines(self) -> list[NoticeLine]:
        """Return the notices, the newest first."""
        return sorted(self._heap, reverse=True)


def _line(notice: Mapping[str, Any], record: Any) -> NoticeLine:
    detail = notice.get("detail") or {}
    at = datetime.fromtimestamp(min(max(0, record.timestamp), LAST_MS) / 1000, UTC).isoformat(
        timespec="seconds"
    )
    days = [str(detail[name]) for name in ("period_start", "period_end") if name in detail]
    period = "–".join(days) or str(detail.get("month") or detail.get("date") or "")
    return NoticeLine(
        at,
        notice["code"],
        notice["citizen"],
        tuple(concerned(notice)),
        without_cpr(str(detail.get("benefit", ""))),
        without_cpr(period),
        without_cpr(str(notice.get("cause") or "")),
        without_cpr(str(detail.get("other") or "")),
        detail.get("kind") == REPEAT,
    )
