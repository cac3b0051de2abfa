"""Watches runs and stages for the public pages: a task that looks once a minute.

Pages show what was seen last, and since when nothing was seen: so they live when Kafka is down,
also after the site was started anew.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import orjson

from domain.basics.weeks import month_text
from streams.kafka import topics
from streams.kafka.topics import Topic, TopicError
from streams.kit.errors import UserError, kind_and_place
from streams.ledger.receipts import RECEIPTS
from streams.operations.duty import disks, held_run
from streams.operations.run_survey import RunTopics, run_topics
from streams.operations.stage_lags import lag_of_intake, lag_of_stage
from streams.operations.topic_sizes import COUNTED
from streams.settings import Settings
from streams.web.samples import SampleBook
from streams.web.seen import ClosedRun, KeptSeen, Seen

LOOK_S: Final = 60.0
ANSWER_S: Final = 120.0
"""Seconds that one look may take."""
LARGEST_RECEIPTS: Final = 16 << 20
log = logging.getLogger("refusion")


Watch = Callable[[Settings], Awaitable[Seen]]


class Board:
    """Keeps what was seen last."""

    def __init__(
        self,
        settings: Settings,
        watch: Watch | None = None,
        samples: SampleBook | None = None,
        kept: KeptSeen | None = None,
    ) -> None:
        """`samples` keep what was seen over the last month, `kept` what was seen last."""
        self._settings = settings
        self._watch = watch or look
        self._kept = kept
        self.samples = samples
        self.seen = kept.read() if kept else None
        self.unknown_since: datetime | None = self.seen.at if self.seen else datetime.now(UTC)

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
            await asyncio.to_thread(self._keep, self.seen)
        except Exception as error:  # noqa: BLE001 - the public pages live on, whatever it is
            if self.unknown_since is None:
                self.unknown_since = datetime.now(UTC)
                told = str(error) if isinstance(error, UserError) else kind_and_place(error)
                log.warning("runs and stages cannot be seen: %s", told)

    def _keep(self, seen: Seen) -> None:
        """Keep what was seen, and how full the disks are."""
        if self._kept is not None:
            self._kept.write(seen)
        if self.samples is not None:
            full = {f"disk/{disk.name}": round(disk.used_percent) for disk in disks(self._settings)}
            self.samples.keep(seen.at, seen.values() | full)


async def look(settings: Settings) -> Seen:
    """Look at the topics."""
    async with run_topics(settings) as topics_read:
        last = await topics_read.last_run(lambda _done, _total: None)
        now = datetime.now(UTC)
        lags = {
            "intake": await lag_of_intake(topics_read, now),
            "citizens": await lag_of_stage(topics_read, "citizens", topics.REPORTS, now),
            "projections": await lag_of_stage(topics_read, "projections", topics.POSTINGS, now),
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
    held = held_run(settings, last.run if last else 0)
    return Seen(
        datetime.now(UTC),
        closed,
        {stage: lag.records for stage, lag in lags.items()},
        records,
        {stage: lag.waited_s for stage, lag in lags.items()},
        held["at"] if held else "",
    )


async def _records(topics_read: RunTopics, topic: Topic) -> int:
    starts, ends = await topics_read.starts(topic), await topics_read.ends(topic)
    return sum(end - starts[at] for at, end in ends.items())


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
