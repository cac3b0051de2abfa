"""`refusion verify`: the live topics audited, partition by partition, while workers go on.

    1. How far the stages are is read first, then where the topics end: so all that follows from the records that
       a stage had committed lies before those ends. A transaction that is open then is waited for.
    2. The dead letters, all of them: which records of the journal and of `reports.raw` were refused.
    3. Each partition of the journal, its postings, notices and state (`projections.audit.partition`), in several processes.
       One with more than `SLICE_RECORDS` goes through temporary files, each of a slice of its
       citizens, so that memory is bounded and all is read once.
    4. The control records of all partitions, and each record of `reports.raw` that is still kept and was taken in:
       it stands in the journal or among the dead letters.

A deep audit computes the truth of each citizen from scratch (`projections.audit.deep`), or of a sample. A fold settles
the whole journal again and holds the postings against it, byte for byte (`streams.audit.fold`).
Nothing is written, and no group is joined.
"""

import asyncio
import tempfile
import time
from array import array
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from multiprocessing import get_context
from multiprocessing.context import SpawnContext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from zlib import crc32

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError, KafkaError

from projections.audit import records as auditrecords
from projections.audit.deep import differences
from projections.audit.partition import CATALOGUE, PartitionAudit, Scope
from projections.audit.records import Found, Violation, as_bad
from projections.runs.files import Names
from streams.audit.fold import Folding, Records, audit_fold
from streams.audit.run_files import FilesAudit, Listed, RunFiles, compare_accounts, read_files
from streams.citizens.rule_sets import DEFAULT, LawBook
from streams.engine.ports import Record
from streams.kafka import topics
from streams.kafka.brokers import KafkaBrokers
from streams.kafka.groups import committed_offsets
from streams.kit.errors import UserError
from streams.kit.spool import Scattered
from streams.kit.tuning import tune_garbage_collection
from streams.settings import Settings, SettingsError
from streams.wire.journal import partition_of
from streams.wire.rejections import REASONS

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import Synchronized

    from domain.ruledata.ruleset import RuleSet

CLIENT: Final = "verify"
INTAKE: Final = "intake"
DEFECT: Final = "internal_error"
SLICE_RECORDS: Final = 250_000
"""Of a partition's journal or postings at a time: about 500 MB at most, with the rows that stand."""
OPEN_S: Final = 40.0
"""For transactions that are open when the audit begins: brokers end one that was left after 30 s."""
LOOK_S: Final = 0.2
TOLD_RECORDS: Final = 2_000
"""Read by a process, until it says so."""
AUDITED: Final = topics.TOPICS

Ends = dict[int, int]
"""Offsets by partition."""

Progress = Callable[[int, int], None]
"""Told how many records were read, of how many."""


class VerifyError(UserError):
    """The topics cannot be looked at; the message says why and what to do."""


class Asked(NamedTuple):
    """What to audit. `sample_percent` of the citizens deeply, none or all; `draw` chooses which.

    `fold`: fold the journal too. `files`: a folder of run files, to be held against the postings.
    """

    sample_percent: float = 0.0
    draw: int = 0
    jobs: int = 1
    fold: bool = False
    files: Path | None = None


class Snapshot(NamedTuple):
    """How far the stages were, and where the topics began and ended: by partition, topics by their full names."""

    taken_in: Ends
    settled_to: Ends
    starts: Mapping[str, Ends]
    ends: Mapping[str, Ends]


@dataclass
class Part:
    """What one task has found. `control` are offsets and values.

    `raw` are the offsets of raw records that are still kept, by topic and partition, `raw_last` the
    last of all.
    """

    partition: int
    found: Found
    records: int = 0
    citizens: int = 0
    deep_citizens: int = 0
    deep_s: float = 0.0
    folded: int = 0
    fold_s: float = 0.0
    files: FilesAudit | None = None
    totals: Counter[str] = field(default_factory=Counter)
    control: list[tuple[int, bytes]] | None = None
    raw: dict[tuple[str, int], "array[int]"] = field(default_factory=dict)
    raw_last: dict[tuple[str, int], int] = field(default_factory=dict)


@dataclass
class Verified:
    """The outcome."""

    found: Found
    partitions: dict[int, Counter[str]]
    lag: dict[str, int]
    records: int = 0
    citizens: int = 0
    deep_citizens: int = 0
    raw_kept: int = 0
    raw_twice: int = 0
    seconds: float = 0.0
    deep_s: float = 0.0
    folded: int = 0
    fold_s: float = 0.0
    files: int = 0
    file_lines: int = 0

    @property
    def violations(self) -> int:
        """How many there are."""
        return self.found.counts.total()

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "fine": not self.violations,
            "violations": self.violations,
            "by_code": dict(self.found.counts),
            "first": [violation._asdict() for violation in self.found.named],
            "notes": dict(self.found.notes),
            "records": self.records,
            "citizens": self.citizens,
            "deep_citizens": self.deep_citizens,
            "raw_kept": self.raw_kept,
            "raw_twice": self.raw_twice,
            "lag": self.lag,
            "partitions": [
                {"partition": number, **totals}
                for number, totals in sorted(self.partitions.items())
            ],
            "seconds": round(self.seconds, 3),
            "records_per_second": round(self.records / self.seconds) if self.seconds else 0,
            "deep_cpu_seconds": round(self.deep_s, 3),
            "folded": self.folded,
            "fold_cpu_seconds": round(self.fold_s, 3),
            "files": self.files,
            "file_lines": self.file_lines,
        }


def verify(settings: Settings, asked: Asked, progress: Progress) -> Verified:
    """Audit the topics. Raises VerifyError where they cannot be looked at."""
    began = time.monotonic()
    try:
        return asyncio.run(_verify(settings, asked, progress, began))
    except KafkaConnectionError as error:
        raise VerifyError(
            f"no Kafka answers at {settings.bootstrap} (REFUSION_BOOTSTRAP)"
        ) from error
    except KafkaError as error:
        raise VerifyError(
            f"Kafka refused a request ({type(error).__name__}); look at the brokers"
        ) from error


async def _verify(settings: Settings, asked: Asked, progress: Progress, began: float) -> Verified:
    async with _looking(settings) as look:
        snapshot = await look.snapshot()
        found = Found()
        _check_beginnings(settings, snapshot, found)
        refused = await _dead_letters(settings, snapshot, found)
        verified = Verified(found, {}, look.lag(snapshot))
        with tempfile.TemporaryDirectory(prefix="refusion-files-") as folder:
            read = await asyncio.to_thread(_read_files, settings, asked, Path(folder), found)
            tasks = list(_tasks(settings, asked, snapshot, refused, read.runs))
            parts = await _done(tasks, asked.jobs, progress, _total(settings, asked, snapshot))
        for part in parts:
            _add(verified, part)
        compare_accounts(read, [part.files for part in parts if part.files], found)
        verified.files, verified.file_lines = read.files, read.lines
        _compare_control(settings, parts, found)
        await _account_for_raw(settings, snapshot, parts, refused, verified, await look.raw_ends())
    verified.records += refused.read
    verified.seconds = time.monotonic() - began
    found.named.sort(key=lambda each: (each.topic, each.partition, each.offset))
    return verified


def _add(verified: Verified, part: Part) -> None:
    verified.found.merge(part.found)
    verified.records += part.records
    verified.citizens += part.citizens
    verified.deep_citizens += part.deep_citizens
    verified.deep_s += part.deep_s
    verified.folded += part.folded
    verified.fold_s += part.fold_s
    verified.partitions.setdefault(part.partition, Counter()).update(part.totals)


def _total(settings: Settings, asked: Asked, snapshot: Snapshot) -> int:
    """How many records there are to read, at most: of the state fewer offsets than its end says are still there."""
    number = {
        name: sum(end - snapshot.starts[name][at] for at, end in ends.items())
        for name, ends in snapshot.ends.items()
    }
    reports, postings = (
        number[settings.topic(topics.REPORTS)],
        number[settings.topic(topics.POSTINGS)],
    )
    again = asked.fold * (reports + postings) + (asked.files is not None) * postings
    return sum(number.values()) + again


# --- 1: how far everything is
# -----------------------------------------------------------------------


class _Look:
    """Offsets, asked of the brokers."""

    def __init__(
        self, settings: Settings, admin: AIOKafkaAdminClient, consumers: Sequence[AIOKafkaConsumer]
    ) -> None:
        self._settings = settings
        self._admin = admin
        self._committed, self._written = consumers
        self._partitions: dict[str, list[TopicPartition]] = {}

    async def snapshot(self) -> Snapshot:
        """See step 1."""
        await self._describe()
        taken_in, settled_to = await self._group(INTAKE), await self._group("citizens")
        starts = {name: await self._starts(name) for name in self._partitions}
        ends = {name: await self._ends(name) for name in self._partitions}
        return Snapshot(taken_in, settled_to, starts, ends)

    async def _describe(self) -> None:
        """The partitions of all topics. VerifyError where one is missing or has another number."""
        settings, names = self._settings, [self._settings.topic(topic) for topic in AUDITED]
        described = {
            each["topic"]: each["partitions"] for each in await self._admin.describe_topics()
        }
        if missing := [name for name in names if name not in described]:
            raise VerifyError(
                f"there is no topic {missing[0]}; see REFUSION_PREFIX with `refusion settings`"
            )
        for topic, name in zip(AUDITED, names, strict=True):
            number = len(described[name])
            if topic.by_citizen and number != settings.partitions:
                raise VerifyError(
                    f"topic {name} has {number} partitions; set REFUSION_PARTITIONS={number}"
                )
            self._partitions[name] = _places(name, described[name])
        for name in _letter_topics(settings):
            if name in described:  # those from before a rebuild may be gone
                self._partitions[name] = _places(name, described[name])

    async def _group(self, stage: str) -> Ends:
        return await committed_offsets(self._admin, self._settings.group(stage))

    async def _starts(self, name: str) -> Ends:
        found = await self._committed.beginning_offsets(self._partitions[name])
        return {at.partition: first for at, first in found.items()}

    async def _ends(self, name: str) -> Ends:
        """The ends of a topic, when no transaction that was open before is open any more."""
        written = await self._written.end_offsets(self._partitions[name])
        deadline = time.monotonic() + OPEN_S
        while True:
            ends: dict[TopicPartition, int] = await self._committed.end_offsets(
                self._partitions[name]
            )
            if all(end >= written[at] for at, end in ends.items()):
                return {at.partition: end for at, end in ends.items()}
            if time.monotonic() > deadline:
                raise VerifyError(
                    f"a transaction in {name} has been open for {OPEN_S:.0f} s, and nothing behind it can be read; look"
                    " at the brokers and at what writes there"
                )
            await asyncio.sleep(LOOK_S)

    async def raw_ends(self) -> Ends:
        """Where `reports.raw` ends by now: what is in the journal by now came before."""
        found = await self._written.end_offsets(self._partitions[self._settings.topic(topics.RAW)])
        return {at.partition: end for at, end in found.items()}

    def lag(self, snapshot: Snapshot) -> dict[str, int]:
        """How many offsets each stage had before it."""
        lag = {}
        for stage, topic, committed in (
            ("intake", topics.RAW, snapshot.taken_in),
            ("citizens", topics.REPORTS, snapshot.settled_to),
        ):
            name = self._settings.topic(topic)
            starts, ends = snapshot.starts[name], snapshot.ends[name]
            lag[stage] = sum(
                max(0, end - max(starts[at], committed.get(at, 0))) for at, end in ends.items()
            )
        return lag


def _places(name: str, partitions: Sequence[Mapping[str, int]]) -> list[TopicPartition]:
    return [TopicPartition(name, each["partition"]) for each in partitions]


@asynccontextmanager
async def _looking(settings: Settings) -> AsyncIterator[_Look]:
    common: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap,
        "client_id": f"refusion-{CLIENT}",
    }
    admin = AIOKafkaAdminClient(**common)
    consumers = [
        AIOKafkaConsumer(**common, isolation_level=f"read_{what}")
        for what in ("committed", "uncommitted")
    ]
    try:
        await admin.start()
        for consumer in consumers:
            await consumer.start()
        yield _Look(settings, admin, consumers)
    finally:
        for consumer in consumers:
            await consumer.stop()
        await admin.close()


def _check_beginnings(settings: Settings, snapshot: Snapshot, found: Found) -> None:
    """What is kept for ever begins at 0."""
    for topic in (topics.REPORTS, topics.POSTINGS):
        name = settings.topic(topic)
        for partition, first in snapshot.starts[name].items():
            if first > 0:
                found.add(
                    Violation(
                        "beginning",
                        name,
                        partition,
                        first,
                        f"{first} records before this one are gone",
                    )
                )


def _records(
    settings: Settings, topic: str, partition: int, snapshot: Snapshot
) -> AsyncIterator[Record]:
    """The records of a partition between the snapshot's bounds."""
    start, end = snapshot.starts[topic][partition], snapshot.ends[topic][partition]
    return KafkaBrokers(settings.bootstrap, CLIENT).records(topic, partition, start, end)


# --- 2: the dead letters
# ----------------------------------------------------------------------------


@dataclass
class Refused:
    """What became dead letters: offsets of the journal and of the raw topic by partition; how many were read.

    `defects` are those of the journal that met a defect of ours, which may be repaired by now.
    """

    journal: defaultdict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    raw: defaultdict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    defects: defaultdict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    read: int = 0


async def _dead_letters(settings: Settings, snapshot: Snapshot, found: Found) -> Refused:
    """All dead letters that are kept; of those from before a rebuild only intake's, which goes on where it was."""
    refused = Refused()
    for name in filter(snapshot.ends.get, _letter_topics(settings)):
        for partition in snapshot.ends[name]:
            async for record in _records(settings, name, partition, snapshot):
                refused.read += 1
                try:
                    letter = auditrecords.dead_letter(
                        record.key, record.value, record.headers, REASONS
                    )
                    if name == settings.topic(topics.DEAD_LETTERS) or letter.stage == INTAKE:
                        _take_letter(settings, refused, letter)
                except Exception as error:  # noqa: BLE001 - all but defects of ours are violations
                    place, bad = (name, partition, record.offset), as_bad(error)
                    found.add_record(place, bad, record.key, record.value, record.headers)
    return refused


def _letter_topics(settings: Settings) -> list[str]:
    """Our dead letters and, after a rebuild under another prefix, those of the journal's own."""
    return sorted(
        {settings.topic(topics.DEAD_LETTERS), settings.journal_prefix + topics.DEAD_LETTERS.name}
    )


def _take_letter(settings: Settings, refused: Refused, letter: auditrecords.DeadLetter) -> None:
    if letter.topic == settings.topic(topics.RAW):
        refused.raw[letter.partition].append(letter.offset)
    elif letter.topic == settings.topic(topics.REPORTS):
        refused.journal[letter.partition].add(letter.offset)
        if letter.reason == DEFECT:
            refused.defects[letter.partition].add(letter.offset)
    else:
        raise auditrecords.BadRecordError(
            "dead_letter", "it came from a topic that is none of ours"
        )


# --- 3: journal, postings, notices and state
# ---------------------------------------------------------------


class Task(NamedTuple):
    """One partition, in so many slices of its citizens."""

    settings: Settings
    asked: Asked
    snapshot: Snapshot
    refused: frozenset[int]
    defects: frozenset[int]
    partition: int
    slices: int
    runs: dict[int, Listed]

    async def records(self, topic: topics.Topic) -> AsyncIterator[Record]:
        """The partition's records of a topic, counted for whoever waits."""
        number = 0
        async for record in _records(
            self.settings, self.settings.topic(topic), self.partition, self.snapshot
        ):
            yield record
            number += 1
            if number == TOLD_RECORDS:
                _read_by_all.add(number)
                number = 0
        _read_by_all.add(number)


def _tasks(
    settings: Settings, asked: Asked, snapshot: Snapshot, refused: Refused, runs: dict[int, Listed]
) -> Iterator[Task]:
    both = [settings.topic(topic) for topic in (topics.REPORTS, topics.POSTINGS)]
    for partition in range(settings.partitions):
        records = max(
            snapshot.ends[name][partition] - snapshot.starts[name][partition] for name in both
        )
        slices = records // SLICE_RECORDS + 1
        letters, defects = (
            frozenset(refused.journal[partition]),
            frozenset(refused.defects[partition]),
        )
        yield Task(settings, asked, snapshot, letters, defects, partition, slices, runs)


class _ReadByAll:
    """How many records all processes have read."""

    def __init__(self) -> None:
        self._number: Synchronized[int] | None = None

    def begin(self, number: "Synchronized[int]") -> None:
        """What is shared between the processes."""
        self._number = number

    def add(self, records: int) -> None:
        """So many more."""
        assert self._number is not None, "a process begins with it"
        with self._number.get_lock():
            self._number.value += records


_read_by_all = _ReadByAll()


def _begin(number: "Synchronized[int]") -> None:
    """In each process."""
    tune_garbage_collection()
    _read_by_all.begin(number)


async def _done(tasks: Sequence[Task], jobs: int, progress: Progress, total: int) -> list[Part]:
    """The tasks, done in so many processes, and now and then how far they are."""
    context = get_context("spawn")
    number = context.Value("q", 0)
    working = asyncio.create_task(asyncio.to_thread(_work, tasks, jobs, context, number))
    while not working.done():
        await asyncio.wait([working], timeout=LOOK_S)
        progress(number.value, total)
    return working.result()


def _work(
    tasks: Sequence[Task], jobs: int, context: SpawnContext, number: "Synchronized[int]"
) -> list[Part]:
    if jobs == 1:
        _read_by_all.begin(number)
        return [audit_partition(task) for task in tasks]
    with ProcessPoolExecutor(min(jobs, len(tasks)), context, _begin, (number,)) as pool:
        return list(pool.map(audit_partition, tasks))


@cache
def _laws(folder: Path | None) -> LawBook:
    return LawBook(folder)


def _rules_named(settings: Settings, name: str) -> "RuleSet | None":
    """The rule set of a name, None where there is none here."""
    try:
        return _laws(settings.rules).law(name).rules
    except UserError:
        return None


def audit_partition(task: Task) -> Part:
    """Step 3 for one partition, in whatever process."""
    return asyncio.run(_audit_partition(task))


async def _audit_partition(task: Task) -> Part:
    part = Part(task.partition, Found())
    if task.slices == 1:
        await _audit_whole(task, part)
    else:
        with tempfile.TemporaryDirectory(prefix="refusion-verify-") as folder:
            await _audit_in_slices(task, part, Path(folder))
    if task.asked.fold:
        await _fold(task, part)
    if task.runs:
        await _compare_files(task, part)
    await _check_each(task, part, topics.NOTICES, partial(_check_notice, task))
    await _check_each(task, part, topics.CITIZENS, partial(_check_state, _pseudonym(task.settings)))
    return part


async def _audit_whole(task: Task, part: Part) -> None:
    """All citizens of a partition as they are read."""
    audit = _audit_of(task, is_first=True)
    async for record in task.records(topics.REPORTS):
        audit.journal(record.offset, record.key, record.value, record.headers)
        part.records += 1
    async for record in task.records(topics.POSTINGS):
        audit.posting(record.offset, record.key, record.value, record.headers)
        part.records += 1
    _take(task, audit, part)


async def _audit_in_slices(task: Task, part: Part, folder: Path) -> None:
    """The same, one slice of the citizens after the other: each topic is read once, to files in a folder."""
    with ExitStack() as stack:
        reports = await _scattered(
            task, part, topics.REPORTS, Scattered(stack, folder, "reports", task.slices)
        )
        postings = await _scattered(
            task, part, topics.POSTINGS, Scattered(stack, folder, "postings", task.slices)
        )
    for number in range(task.slices):
        audit = _audit_of(task, is_first=number == 0)
        for record in reports.read(number):
            audit.journal(*record)
        for record in postings.read(number):
            audit.posting(*record)
        _take(task, audit, part)


async def _scattered(task: Task, part: Part, topic: topics.Topic, into: Scattered) -> Scattered:
    async for record in task.records(topic):
        part.records += 1
        value = record.value or b""
        kept = (record.offset, record.key, value, list(record.headers))
        if record.key:
            into.add(record.key, kept, len(value))
        else:
            into.add_to_all(kept, len(value))
    return into


def _audit_of(task: Task, *, is_first: bool) -> PartitionAudit:
    return PartitionAudit(
        _scope(task, is_first), task.partition, partial(_rules_named, task.settings)
    )


def _take(task: Task, audit: PartitionAudit, part: Part) -> None:
    """End an audit, and keep of it what is needed further on."""
    audit.end()
    part.found.merge(audit.found)
    part.citizens += len(audit.accounts)
    part.totals.update(audit.totals)
    if audit.scope.first:
        part.control = audit.control
    _take_raw(task, audit, part)
    _check_deeply(task, audit, part)


def _take_raw(task: Task, audit: PartitionAudit, part: Part) -> None:
    """Where the reports came from: of what has expired only the last, so that memory does not grow with the journal."""
    starts = task.snapshot.starts[task.settings.topic(topics.RAW)]
    for (topic, partition), offsets in audit.raw.items():
        at, last, kept_from = (topic, partition), max(offsets), starts.get(partition, 0)
        part.raw_last[at] = max(last, part.raw_last.get(at, last))
        part.raw.setdefault(at, array("q")).extend(
            offset for offset in offsets if offset >= kept_from
        )


def _scope(task: Task, is_first: bool) -> Scope:
    settings = task.settings
    below = task.asked.sample_percent / 100 * (1 << 32)
    draw = task.asked.draw
    return Scope(
        settings.topic(topics.REPORTS),
        settings.topic(topics.POSTINGS),
        settings.partitions,
        task.snapshot.settled_to.get(task.partition, 0),
        task.refused,
        is_first,
        _everybody
        if task.asked.sample_percent >= 100
        else (lambda key: crc32(key, draw + 1) < below),
        partition_of,
        _pseudonym(settings),
    )


def _everybody(_key: bytes) -> bool:
    return True


def _pseudonym(settings: Settings) -> Callable[[str], str] | None:
    """A CPR number's citizen; None where the keys are not set, as on a monitor's machine."""
    try:
        identity = settings.identity()
    except SettingsError:
        return None
    return lambda cpr: identity.of(cpr)[0]


def _read_files(settings: Settings, asked: Asked, into: Path, found: Found) -> RunFiles:
    """The run files that were asked for. VerifyError without the key that makes pseudonyms of their CPR numbers."""
    if asked.files is None:
        return RunFiles()
    pseudonym = _pseudonym(settings)
    if pseudonym is None:
        raise VerifyError(
            "the files name persons by CPR number: set the keys of the system (`refusion settings`)"
        )
    return read_files(asked.files, into, settings.partitions, pseudonym, found)


async def _compare_files(task: Task, part: Part) -> None:
    """The run files beside the partition's postings."""
    rules = _rules_named(task.settings, CATALOGUE)
    assert rules is not None, "the program's own rule set is known"
    names = Names(
        {code: benefit.name for code, benefit in rules.benefits.items()}, rules.municipalities
    )
    settled_to = task.snapshot.settled_to.get(task.partition, 0)
    audit = FilesAudit(task.settings.topic(topics.POSTINGS), task.partition, settled_to, names)
    await audit.look(task.records(topics.POSTINGS), task.runs)
    part.found.merge(audit.found)
    part.files = audit


async def _fold(task: Task, part: Part) -> None:
    """The partition's journal folded again beside its postings."""
    began, settings = time.process_time(), task.settings
    folding = Folding(
        settings.topic(topics.REPORTS),
        settings.topic(topics.POSTINGS),
        task.partition,
        task.snapshot.settled_to.get(task.partition, 0),
        task.defects,
    )
    records = Records(task.records(topics.REPORTS), task.records(topics.POSTINGS))
    part.folded = await audit_fold(folding, records, _laws(settings.rules), part.found)
    part.fold_s = time.process_time() - began


async def _check_each(
    task: Task, part: Part, topic: topics.Topic, check: Callable[[Record], None]
) -> None:
    """Each record of a topic by itself."""
    name = task.settings.topic(topic)
    async for record in task.records(topic):
        part.records += 1
        try:
            check(record)
        except Exception as error:  # noqa: BLE001 - all but defects of ours are violations
            place, bad = (name, task.partition, record.offset), as_bad(error)
            part.found.add_record(place, bad, record.key, record.value, record.headers)


def _check_notice(task: Task, record: Record) -> None:
    """A notice, in the partition of its citizen."""
    citizen = auditrecords.check_notice(record.key, record.value)
    auditrecords.check_headers(record.headers, auditrecords.POSTING_HEADERS)
    if citizen and partition_of(citizen.encode(), task.settings.partitions) != task.partition:
        raise auditrecords.BadRecordError(
            "partition", f"citizen {citizen} does not belong to this partition"
        )


def _check_state(pseudonym: Callable[[str], str] | None, record: Record) -> None:
    """An entry of the state; its headers are none of ours."""
    auditrecords.check_state(record.key, record.value, pseudonym)
    auditrecords.check_headers(record.headers, frozenset())


def _check_deeply(task: Task, audit: PartitionAudit, part: Part) -> None:
    """The truth of each citizen that was drawn, beside what stands."""
    if not task.asked.sample_percent:
        return
    began = time.process_time()
    topic, deep = audit.scope.postings_topic, audit.scope.deep
    for citizen, account in audit.accounts.items():
        if not deep(citizen.encode()):
            continue
        part.deep_citizens += 1
        rules = _rules_named(task.settings, account.rules or DEFAULT)
        if rules is None:
            part.found.notes[
                f"citizens under the rule set {account.rules}, which is not known: no deep audit"
            ] += 1
            continue
        for code, text in differences(account, rules):
            text_of = f"citizen {citizen}: {text}"
            part.found.add(Violation(code, topic, audit.partition, account.offset, text_of))
    part.deep_s = time.process_time() - began


# --- 4: what goes across partitions
# -----------------------------------------------------------------


def _compare_control(settings: Settings, parts: Sequence[Part], found: Found) -> None:
    """Control records are the same in every partition, and the runs in them follow each other."""
    name = settings.topic(topics.REPORTS)
    by_partition = {part.partition: part.control for part in parts if part.control is not None}
    everywhere = Counter(value for control in by_partition.values() for _, value in control)
    for partition, control in by_partition.items():
        here = {value for _, value in control}
        for value in everywhere:
            if value not in here:
                end = control[-1][0] if control else 0
                text = f"{_named(value)} is not in this partition, and it is in others"
                found.add(Violation("control", name, partition, end, text))
    _check_runs(name, next(iter(by_partition.values())), found)


def _check_runs(name: str, control: Sequence[tuple[int, bytes]], found: Found) -> None:
    last = 0
    for offset, value in control:
        record = orjson.loads(value)
        if record["type"] == "run":
            if last and record["run"] != last + 1:
                found.add(
                    Violation("control", name, 0, offset, f"run {record['run']} follows run {last}")
                )
            last = record["run"]


def _named(value: bytes) -> str:
    record = orjson.loads(value)
    return (
        f"the marker of run {record['run']}"
        if record["type"] == "run"
        else f"a control record `{record['type']}`"
    )


async def _account_for_raw(
    settings: Settings,
    snapshot: Snapshot,
    parts: Sequence[Part],
    refused: Refused,
    verified: Verified,
    ends: Ends,
) -> None:
    """Each raw record that is kept and was taken in was accepted or refused; twice only after a crash of intake."""
    name = settings.topic(topics.RAW)
    accounted = {partition: Counter(offsets) for partition, offsets in refused.raw.items()}
    journal = settings.topic(topics.REPORTS)
    for part in parts:
        for (topic, partition), last in part.raw_last.items():
            if topic != name or partition not in ends or last >= ends[partition]:
                text = (
                    f"reports say that they came from {topic}/{partition}/{last}, which never was"
                )
                verified.found.add(Violation("raw", journal, part.partition, -1, text))
            accounted.setdefault(partition, Counter()).update(part.raw[topic, partition])
    for partition in snapshot.ends[name]:
        known, taken_in = accounted.get(partition, Counter()), snapshot.taken_in.get(partition, 0)
        async for record in _records(settings, name, partition, snapshot):
            verified.records += 1
            if record.offset >= taken_in:
                continue
            verified.raw_kept += 1
            verified.raw_twice += known[record.offset] > 1
            if not known[record.offset]:
                text = "it was taken in, and is neither in the journal nor a dead letter"
                verified.found.add(Violation("raw", name, partition, record.offset, text))
            if record.key and any(auditrecords.cpr_candidates(record.key)):
                text = "its key looks like a CPR number; `refusion publish` makes keys that name nobody"
                verified.found.add(Violation("cpr", name, partition, record.offset, text))
