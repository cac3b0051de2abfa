"""A dry run reads one partition, by citizen, and settles each citizen once, in bounded memory.

    1. Read the journal to its end, and the postings as far as they follow from what the citizens
       stage had committed. Each record goes to a temporary file by its citizen; there are as many
       files as make each hold about `RECORDS_A_FILE`.
    2. File by file, take all records of a citizen into memory: `projections.whatif.replay` says
       what would change.

While it is read, a partition needs about as much temporary disk as its records take in Kafka. The
workers' disks are not looked at.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import ExitStack, aclosing
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import orjson

from domain.citizen.merges import standing_reports
from domain.citizen.reports import (
    CitizenRecord,
    Copy,
    Freeing,
    Join,
    Move,
    Opening,
    Recalculation,
    RulesRecord,
    RunMarker,
    Scope,
)
from domain.law.staircase import Law
from projections.whatif.replay import Difference, PostingsError, replay_citizen
from streams.citizens.admission import JournalAdmission
from streams.citizens.rule_sets import DEFAULT, LawBook, digest_of
from streams.engine.ports import Record, last_offset
from streams.kafka import topics
from streams.kafka.clients import KafkaClients
from streams.kafka.reading import read_records
from streams.kafka.unpacker import TransactionEnd, with_ends
from streams.kit.errors import UserError
from streams.kit.foreign import PASSED_OVER, Foreign, passed_over
from streams.kit.scratch import scratch_folder
from streams.kit.spool import Scattered
from streams.kit.tuning import tune_garbage_collection
from streams.settings import Settings
from streams.wire import journal
from streams.wire.cloudevents import source_offset
from streams.wire.journal_checks import JournalChecks
from streams.wire.readers import journal_reader, once_each

CLIENT: Final = "replay"
RECORDS_A_FILE: Final = 60_000
"""Records of the journal in one file; with the postings some 200 MB in memory."""
MOST_FILES: Final = 512
MOST_OPEN: Final = 10_000
"""Records whose transaction's marker may be still to come, at most."""


class ReplayError(UserError):
    """A replay is refused or cannot go on; the message says why and what to do."""


class PartitionShare(NamedTuple):
    """One partition's part of a dry run: offsets where the group goes on and where topics end."""

    partition: int
    committed: int
    journal_end: int
    postings_start: int
    postings_end: int
    rules: str
    scope: Scope
    begins_with_keys: bool = False
    """The journal begins with its keys, so that each posting has a MAC."""
    answer: str = ""
    """Another answer to one open question, as `UFB=BENEFIT`, or "" for none."""


@dataclass
class PartitionDifference:
    """The difference that a dry run found in one partition.

    `rules` and `digest` are valid at the journal's end; `settled_by` is the digest of the rule set
    that it was settled by. `waiting` are recalculations to come, with their offsets. Times are in
    seconds.
    """

    difference: Difference = field(default_factory=Difference)
    rules: str = DEFAULT
    digest: str = ""
    settled_by: str = ""
    waiting: list[tuple[int, Recalculation]] = field(default_factory=list)
    last_run: RunMarker | None = None
    reports: int = 0
    unsettled: int = 0
    foreign: list[Foreign] = field(default_factory=list)
    read_s: float = 0.0
    settle_s: float = 0.0


def read_share(settings: Settings, share: PartitionShare) -> PartitionDifference:
    """Do a share of the work, in a process of its own. Raises UserError."""
    tune_garbage_collection()
    with scratch_folder("replay") as folder:
        began = time.monotonic()
        number = min(MOST_FILES, share.committed // RECORDS_A_FILE + 1)
        with ExitStack() as stack:
            reports, postings = (
                Scattered(stack, folder, name, number) for name in ("reports", "postings")
            )
            part = asyncio.run(_read(settings, share, reports, postings))
        part.read_s = time.monotonic() - began
        laws = LawBook(settings.rules)
        known = laws.law(part.rules, part.digest)
        law = laws.law(share.rules) if share.rules else known
        if share.answer:
            law = laws.answering(law.rules.name, share.answer)
        part.settled_by = digest_of(law.rules)
        try:
            for at in range(number):
                _settle(
                    law,
                    share.scope,
                    _by_citizen(reports.read(at)),
                    _by_citizen(postings.read(at)),
                    part.difference,
                )
        except PostingsError as error:
            raise ReplayError(str(error)) from error
        part.foreign = PASSED_OVER.places
        part.settle_s = time.monotonic() - began - part.read_s
    return part


def _settle(
    law: Law,
    scope: Scope,
    reports: dict[str, list[bytes]],
    postings: dict[str, list[bytes]],
    into: Difference,
) -> None:
    """Settle the citizens of one file."""
    for citizen, values in reports.items():
        past = [record for value in values if (record := _record(citizen, value))]
        if all(isinstance(record, Freeing) for record in past):
            continue  # a citizen of another partition
        standing = (record for _, record in standing_reports(past))
        history = [record for record in standing if not isinstance(record, Opening)]
        replay_citizen(law, citizen, history, postings.get(citizen, ()), scope, into)


def _record(citizen: str, value: bytes) -> CitizenRecord | Freeing | None:
    """A record of a citizen; None where it cannot be read: the citizens stage has refused it."""
    try:
        record = journal.decode(citizen.encode(), value).report
    except (ValueError, KeyError, TypeError):
        return None
    return record if isinstance(record, CitizenRecord | Freeing) else None


def _by_citizen(records: Iterable[tuple[bytes, bytes]]) -> dict[str, list[bytes]]:
    by_citizen: defaultdict[str, list[bytes]] = defaultdict(list)
    for citizen, value in records:
        by_citizen[citizen.decode()].append(value)
    return by_citizen


async def _read(
    settings: Settings, share: PartitionShare, reports: Scattered, postings: Scattered
) -> PartitionDifference:
    clients = KafkaClients(settings.bootstrap, f"refusion-{CLIENT}")
    part = PartitionDifference()
    topic = settings.topic(topics.REPORTS)
    gaps = JournalGaps(
        f"{topic}/{share.partition}", _taken_back_in(clients, topic, share.partition)
    )
    wanted = share.scope.citizen.encode()
    admission = JournalAdmission(LawBook(settings.rules))
    macs = settings.macs_if_set()
    belief = JournalChecks(macs).journal(share.partition)
    reader = journal_reader(topic, share.partition, belief)
    settled_to = SettledTo(share.committed)
    whole = read_records(clients, topic, share.partition, 0, share.journal_end)
    async with aclosing(whole) as records:
        async for record in records:
            if record.offset != gaps.expected:
                await gaps.look(record.offset)
            gaps.expected = last_offset(record) + 1
            entry = reader.read(record)
            if isinstance(entry, Foreign):
                passed_over(entry)
                gaps.begin_foreign(record.offset)
                continue
            if not record.key:
                settled_to.take_control(record.offset)
                _take_control(part, share, gaps, record, entry.report)
                _scatter_freeing(share, record, reports)
                admission.take_up(part.rules)
                continue
            if isinstance(entry.report, Move | Join | Copy):
                gaps.begin_foreign(record.offset)  # of a transaction too
            if record.offset >= share.committed:
                part.unsettled += 1
                continue
            part.reports += 1
            is_wanted = not wanted or record.key == wanted
            if is_wanted and not admission.refuses(record.key, record.value):
                _scatter(reports, record)
    start, end = share.postings_start, share.postings_end
    posted = settings.topic(topics.POSTINGS)
    messages = read_records(clients, posted, share.partition, start, end)
    mac = macs.at("postings", share.partition) if macs and share.begins_with_keys else None
    async for record, _ in once_each(posted, share.partition, mac).ours(messages):
        if (
            record.key
            and (not wanted or record.key == wanted)
            and settled_to.has(source_offset(record.headers))
        ):
            _scatter(postings, record)
    return part


class SettledTo:
    """Tells the postings of what is settled from those of what was settled while we were reading.

    The stage has committed the offset of the record that comes next. Where that one is a control
    record, which all citizens of the partition are settled for, its postings stand already.
    """

    def __init__(self, committed: int) -> None:
        self._committed = committed
        self._is_under_way = False

    def take_control(self, offset: int) -> None:
        """Note the offset of a control record."""
        self._is_under_way |= offset == self._committed

    def has(self, source: int) -> bool:
        """Tell whether what follows from the record at an offset is counted."""
        return source < self._committed or (self._is_under_way and source == self._committed)


def _scatter_freeing(share: PartitionShare, record: Record, reports: Scattered) -> None:
    """Put a record that frees an id among its citizen's reports."""
    freeing = journal.decode(record.key, record.value).report
    if not isinstance(freeing, Freeing) or record.offset >= share.committed:
        return
    if not share.scope.citizen or freeing.citizen == share.scope.citizen:
        value = record.value or b""
        reports.add(freeing.citizen.encode(), (freeing.citizen.encode(), value), len(value))


def _scatter(into: Scattered, record: Record) -> None:
    key, value = record.key or b"", record.value or b""
    into.add(key, (key, value), len(value))


def _take_control(
    part: PartitionDifference,
    share: PartitionShare,
    gaps: "JournalGaps",
    record: Record,
    control: object,
) -> None:
    gaps.begin(record.offset, record.value)
    if isinstance(control, RulesRecord):
        part.rules, part.digest = control.rules, control.digest
    elif isinstance(control, Recalculation) and record.offset >= share.committed:
        part.waiting.append((record.offset, control))
    elif isinstance(control, RunMarker) and record.offset < share.committed:
        part.last_run = control


class Uncommitted(NamedTuple):
    """The content between two offsets, none of it committed.

    `records` are those of aborted transactions, by offset and value. `ends` counts the markers of
    transactions; an aborted one may have left nothing else here.
    """

    records: Sequence[tuple[int, bytes | None]]
    ends: int


TakenBack = Callable[[int, int], Awaitable[Uncommitted]]
"""Returns what lies between two offsets."""


class JournalGaps:
    """Tells gaps of the journal that transactions leave from holes, where records are lost.

    Of ours, control records and those of merges alone are written in transactions, each of which
    leaves one marker in each of its partitions: an offset without a record. An aborted transaction
    leaves its records too, or its marker alone where it ended before its first record. A foreign
    record may come from a transaction of its own.
    """

    def __init__(self, place: str, taken_back: TakenBack) -> None:
        """`place` names the partition in an error, as in `refusion.reports/3`."""
        self.expected = 0
        """The offset of the next record, if there is no gap before it."""
        self._place = place
        self._taken_back = taken_back
        self._open: set[str] = set()

    def begin(self, offset: int, value: bytes | None) -> None:
        """Note a control record: the marker of its transaction is still to come."""
        try:
            record = orjson.loads(value or b"")
            name = f"run/{record['run']}" if record["type"] == "run" else str(record["id"])
        except (ValueError, KeyError, TypeError):
            self.begin_foreign(offset)
        else:
            self._open.add(name)

    def begin_foreign(self, offset: int) -> None:
        """Note a record of no known transaction: the marker of one may be still to come."""
        if len(self._open) < MOST_OPEN:
            self._open.add(f"foreign/{offset}")

    async def look(self, following: int) -> None:
        """Hold a gap against the transactions that have to end. Raises ReplayError for a hole."""
        markers = following - self.expected
        if markers > len(self._open):
            taken_back = await self._taken_back(self.expected, following)
            for offset, value in taken_back.records:
                self.begin(offset, value)
            markers -= len(taken_back.records)
            if markers <= taken_back.ends:  # some are of transactions without a record here
                markers = min(markers, len(self._open))
        if markers > len(self._open):
            raise ReplayError(
                f"the journal has a hole: {self._place} lacks records from offset {self.expected}"
                f" to {following - 1}, and what follows from them cannot be known; restore the"
                " topic from a copy"
            )
        for _ in range(markers):
            self._open.pop()


def _taken_back_in(clients: KafkaClients, topic: str, partition: int) -> TakenBack:
    all_there_is: dict[str, Any] = {
        "isolation_level": "read_uncommitted",
        "key_deserializer": with_ends,
    }

    async def taken_back(start: int, end: int) -> Uncommitted:
        records = read_records(clients, topic, partition, start, end, **all_there_is)
        found = [record async for record in records]
        ends = [each for each in found if isinstance(each, TransactionEnd)]
        there = [each for each in found if not isinstance(each, TransactionEnd)]
        return Uncommitted([(each.offset, each.value) for each in there], len(ends))

    return taken_back
