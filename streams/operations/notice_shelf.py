"""Reads the notices of the last days for people to look at: short lines, and a bound on them.

A notice names a citizen by the pseudonym; what stands in it beside that is shown without what looks
like a CPR number, as an id of a report may hold one.
"""

from collections import deque
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
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
"""Notices that are kept, the newest of each partition; some 25 MB."""
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


async def noticed(settings: Settings, days: int) -> NoticeShelf:
    """Read the notices about citizens of the last days. Raises NoticeShelfError."""
    now, name = datetime.now(UTC), settings.topic(NOTICES)
    lines: deque[NoticeLine] = deque(maxlen=MOST)
    count = 0
    with explained(settings.bootstrap, NoticeShelfError):
        async with open_topics(KafkaClients(settings.bootstrap, "refusion-notices")) as reader:
            starts = await reader.since(name, now - timedelta(days=days))
            ends = await reader.ends(name)
            for partition, end in sorted(ends.items()):
                records = reader.records(name, partition, starts[partition], end)
                ours = notice_reader(name, partition)
                async with aclosing(records):
                    async for record, notice in ours.ours(records):
                        if "citizen" in notice:
                            count += 1
                            lines.append(_line(notice, record))
    return NoticeShelf(now, sorted(set(lines), reverse=True), count > MOST)


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
