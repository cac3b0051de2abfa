"""A dry run's reading of one partition: journal and postings by citizen, each citizen settled once, in bounded memory.

    1. The journal is read to its end, the postings as far as they follow from what the citizens stage had committed.
       Each record goes to one of some files by its citizen: as many that each holds about
       `RECORDS_A_FILE`.
    2. File by file, a citizen's records lie together in memory: `projections.whatif.replay` says what would change.

A partition needs temporary disk of the size of its records in Kafka, about, while it is read. The workers' disks are
not looked at.
"""

import asyncio
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from domain.citizen.reports import Recalculation, Report, RulesRecord, Scope
from domain.law.staircase import Law
from projections.whatif.replay import Difference, PostingsError, replay_citizen
from streams.citizens.rule_sets import DEFAULT, LawBook
from streams.engine.ports import Record
from streams.kafka import topics
from streams.kafka.brokers import KafkaBrokers
from streams.kit.errors import UserError
from streams.kit.spool import Scattered
from streams.kit.tuning import tune_garbage_collection
from streams.settings import Settings
from streams.wire import journal

CLIENT: Final = "replay"
RECORDS_A_FILE: Final = 60_000
"""Of the journal; with the postings some 200 MB in memory."""
MOST_FILES: Final = 512


class ReplayError(UserError):
    """A replay is refused or cannot go on; the message says why and what to do."""


class Share(NamedTuple):
    """One partition's part of a dry run. Offsets: where the group goes on, where the topics end."""

    partition: int
    committed: int
    journal_end: int
    postings_start: int
    postings_end: int
    rules: str
    scope: Scope


@dataclass
class Found:
    """What a partition gave. `rules` and `digest` hold at the journal's end; `waiting` are recalculations to come."""

    difference: Difference = field(default_factory=Difference)
    rules: str = DEFAULT
    digest: str = ""
    waiting: list[tuple[int, Recalculation]] = field(default_factory=list)
    reports: int = 0
    unsettled: int = 0
    read_s: float = 0.0
    settle_s: float = 0.0


def read_share(settings: Settings, share: Share) -> Found:
    """Do a share of the work, in a process of its own. Raises UserError."""
    tune_garbage_collection()
    with tempfile.TemporaryDirectory(prefix="refusion-replay-") as folder:
        began = time.monotonic()
        number = min(MOST_FILES, share.committed // RECORDS_A_FILE + 1)
        with ExitStack() as stack:
            reports, postings = (
                Scattered(stack, Path(folder), name, number) for name in ("reports", "postings")
            )
            found = asyncio.run(_read(settings, share, reports, postings))
        found.read_s = time.monotonic() - began
        laws = LawBook(settings.rules)
        known = laws.law(found.rules, found.digest)
        law = laws.law(share.rules) if share.rules else known
        try:
            for at in range(number):
                _settle(
                    law,
                    share.scope,
                    _by_citizen(reports.read(at)),
                    _by_citizen(postings.read(at)),
                    found.difference,
                )
        except PostingsError as error:
            raise ReplayError(str(error)) from error
        found.settle_s = time.monotonic() - began - found.read_s
    return found


def _settle(
    law: Law,
    scope: Scope,
    reports: dict[str, list[bytes]],
    postings: dict[str, list[bytes]],
    into: Difference,
) -> None:
    """Settle the citizens of one file."""
    for citizen, values in reports.items():
        history = [report for value in values if (report := _report(citizen, value))]
        replay_citizen(law, citizen, history, postings.get(citizen, ()), scope, into)


def _report(citizen: str, value: bytes) -> Report | None:
    """A report of the journal; None where it cannot be read: the citizens stage has refused it."""
    try:
        report = journal.decode(citizen.encode(), value).report
    except (ValueError, KeyError, TypeError):
        return None
    return report if isinstance(report, Report) else None


def _by_citizen(records: Iterable[tuple[bytes, bytes]]) -> dict[str, list[bytes]]:
    found: defaultdict[str, list[bytes]] = defaultdict(list)
    for citizen, value in records:
        found[citizen.decode()].append(value)
    return found


async def _read(settings: Settings, share: Share, reports: Scattered, postings: Scattered) -> Found:
    brokers = KafkaBrokers(settings.bootstrap, CLIENT)
    found = Found()
    gaps = _Gaps(settings, share.partition)
    wanted = share.scope.citizen.encode()
    async for record in brokers.records(
        settings.topic(topics.REPORTS), share.partition, 0, share.journal_end
    ):
        if record.offset != gaps.expected:
            await gaps.look(record.offset)
        gaps.expected = record.offset + 1
        if not record.key:
            _take_control(found, share, gaps, record)
            continue
        if record.offset >= share.committed:
            found.unsettled += 1
            continue
        found.reports += 1
        if not wanted or record.key == wanted:
            _scatter(reports, record)
    start, end = share.postings_start, share.postings_end
    async for record in brokers.records(
        settings.topic(topics.POSTINGS), share.partition, start, end
    ):
        if (
            record.key
            and (not wanted or record.key == wanted)
            and journal.source_offset(record.headers) <= share.committed
        ):
            _scatter(postings, record)
    return found


def _scatter(into: Scattered, record: Record) -> None:
    key, value = record.key or b"", record.value or b""
    into.add(key, (key, value), len(value))


def _take_control(found: Found, share: Share, gaps: "_Gaps", record: Any) -> None:
    control = journal.decode(record.key, record.value).report
    gaps.begin(record.value)
    if isinstance(control, RulesRecord):
        found.rules, found.digest = control.rules, control.digest
    elif isinstance(control, Recalculation) and record.offset >= share.committed:
        found.waiting.append((record.offset, control))


class _Gaps:
    """Offsets of the journal without a record: markers of transactions, and what was taken back, are all there may be.

    Control records alone are written in transactions, each of which leaves one marker in each
    partition.
    """

    def __init__(self, settings: Settings, partition: int) -> None:
        self.expected = 0
        self._settings = settings
        self._at = TopicPartition(settings.topic(topics.REPORTS), partition)
        self._open: set[str] = set()

    def begin(self, value: bytes) -> None:
        """A control record stands here: its transaction has still to end."""
        record = orjson.loads(value)
        self._open.add(f"run/{record['run']}" if record["type"] == "run" else str(record["id"]))

    async def look(self, following: int) -> None:
        """Hold a gap against the transactions that have to end. Raises ReplayError for a hole."""
        markers = following - self.expected
        if markers > len(self._open):
            for value in await self._taken_back(following):
                self.begin(value)
                markers -= 1
        if markers > len(self._open):
            raise ReplayError(
                f"the journal has a hole: {self._at.topic}/{self._at.partition} lacks records from offset"
                f" {self.expected} to {following - 1}, and what follows from them cannot be known; restore the topic"
                " from a copy"
            )
        for _ in range(markers):
            self._open.pop()

    async def _taken_back(self, following: int) -> list[bytes]:
        """The control records in the gap of transactions that did not come about."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._settings.bootstrap, isolation_level="read_uncommitted"
        )
        consumer.assign([self._at])
        await consumer.start()
        found: list[bytes] = []
        try:
            consumer.seek(self._at, self.expected)
            while await consumer.position(self._at) < following:
                records = (await consumer.getmany(self._at, timeout_ms=200, max_records=100)).get(
                    self._at, ()
                )
                found += [
                    record.value
                    for record in records
                    if record.offset < following and not record.key
                ]
        finally:
            await consumer.stop()
        return found
