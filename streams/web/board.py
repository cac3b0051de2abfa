"""Watches runs and stages for the public pages: a task that looks once a minute.

Pages show what was seen last, and since when nothing was seen: so they live when Kafka is down.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

import orjson

from domain.basics.weeks import month_text
from streams.kafka import topics
from streams.kafka.topics import Topic, TopicError
from streams.kit.errors import UserError, kind_and_place
from streams.ledger.receipts import RECEIPTS
from streams.operations.duty import disks
from streams.operations.run_survey import RunTopics, run_topics
from streams.operations.topic_sizes import COUNTED
from streams.settings import Settings
from streams.web.samples import SampleBook

LOOK_S: Final = 60.0
ANSWER_S: Final = 120.0
"""Seconds that one look may take."""
LARGEST_RECEIPTS: Final = 16 << 20
log = logging.getLogger("refusion")


class ClosedRun(NamedTuple):
    """The last run that was closed; `delivered_at` is "" where no file of it is known to be."""

    run: int
    data_month: str
    closed_at: datetime
    delivered_at: str = ""


class Seen(NamedTuple):
    """The last run at a moment, how many records waited before each stage, and are in each topic.

    `records` are offsets in use, markers of transactions among them.
    """

    at: datetime
    last: ClosedRun | None
    waiting: dict[str, int]
    records: Mapping[str, int] = {}

    def values(self) -> dict[str, int]:
        """Return all numbers by the names that samples give them."""
        waiting = {f"waiting/{stage}": number for stage, number in self.waiting.items()}
        return waiting | {f"records/{topic}": number for topic, number in self.records.items()}


Watch = Callable[[Settings], Awaitable[Seen]]


class Board:
    """Keeps what was seen last."""

    def __init__(
        self, settings: Settings, watch: Watch | None = None, samples: SampleBook | None = None
    ) -> None:
        """`samples` keep what was seen over the last month."""
        self._settings = settings
        self._watch = watch or look
        self.samples = samples
        self.seen: Seen | None = None
        self.unknown_since: datetime | None = datetime.now(UTC)

    async def run(self) -> None:
        """Look again and again, until the task is cancelled."""
        while self._settings.has_brokers:
            await self.refresh()
            await asyncio.sleep(LOOK_S)

    async def refresh(self) -> None:
        """Look once; nothing is raised where it fails."""
        try:
            async with asyncio.timeout(ANSWER_S):
                self.seen = await self._watch(self._settings)
            self.unknown_since = None
            if self.samples is not None:
                await asyncio.to_thread(self._keep, self.samples, self.seen)
        except Exception as error:  # noqa: BLE001 - the public pages live on, whatever it is
            if self.unknown_since is None:
                self.unknown_since = datetime.now(UTC)
                told = str(error) if isinstance(error, UserError) else kind_and_place(error)
                log.warning("runs and stages cannot be seen: %s", told)

    def _keep(self, samples: SampleBook, seen: Seen) -> None:
        """Keep what was seen, and how full the disks are."""
        full = {f"disk/{disk.name}": round(disk.used_percent) for disk in disks(self._settings)}
        samples.keep(seen.at, seen.values() | full)


async def look(settings: Settings) -> Seen:
    """Look at the topics."""
    async with run_topics(settings) as topics_read:
        last = await topics_read.last_run(lambda _done, _total: None)
        waiting = {
            "intake": await _waiting_raw(topics_read),
            "citizens": await _waiting(topics_read, "citizens", topics.REPORTS),
            "projections": await _waiting(topics_read, "projections", topics.POSTINGS),
        }
        records = {}
        for topic in COUNTED:
            with suppress(TopicError):  # one that nothing was written to yet
                records[topic.name] = await _records(topics_read, topic)
    closed = last and ClosedRun(
        last.run,
        month_text(last.data_month),
        datetime.fromisoformat(last.closed_at),
        delivered_at(settings.operations_dir, last.run),
    )
    return Seen(datetime.now(UTC), closed, waiting, records)


async def _records(topics_read: RunTopics, topic: Topic) -> int:
    starts, ends = await topics_read.starts(topic), await topics_read.ends(topic)
    return sum(end - starts[at] for at, end in ends.items())


async def _waiting(topics_read: RunTopics, stage: str, topic: Topic) -> int:
    return await topics_read.left(stage, topic, await topics_read.ends(topic))


async def _waiting_raw(topics_read: RunTopics) -> int:
    """Count the raw records that wait by offsets alone: the site may not read them."""
    waiting = 0
    for source, ends in (await topics_read.raw_ends()).items():
        committed = await topics_read.committed(topics.intake_of(source))
        starts = await topics_read.starts(topics.raw_of(source))
        waiting += sum(
            max(0, end - max(committed.get(at, 0), starts[at])) for at, end in ends.items()
        )
    return waiting


def delivered_at(operations_dir: Path, run: int) -> str:
    """Return when the last file of a run was delivered from this machine; "" where none was."""
    moments = [""]
    with suppress(OSError, ValueError, KeyError, TypeError):
        path = operations_dir / RECEIPTS
        if path.stat().st_size <= LARGEST_RECEIPTS:
            for line in path.read_bytes().splitlines():
                receipt = orjson.loads(line)
                if f"-{run:04d}-" in receipt["file"]:
                    moments.append(str(receipt["at"]))
    return max(moments)
