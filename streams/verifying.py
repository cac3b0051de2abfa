"""`refusion verify`: the live topics audited, partition by partition, while workers go on.

    1. How far the stages are is read first, then where the topics end: so all that follows from the records that
       a stage had committed lies before those ends. A transaction that is open then is waited for.
    2. The dead letters, all of them: which records of the journal and of `reports.raw` were refused.
    3. Each partition of the journal, its postings and notices (`projections.auditing`), in several processes. A
       partition with more than `SLICE_RECORDS` is read once for each slice of its citizens, so that memory is bounded.
    4. The control records of all partitions, and each record of `reports.raw` that is still kept and was taken in:
       it stands in the journal or among the dead letters.

A deep audit computes the truth of each citizen from scratch (`projections.auditdeep`), or of a sample.
Nothing is written, and no group is joined.
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from zlib import crc32

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaConnectionError, KafkaError

from projections import auditrecords
from projections.auditdeep import differences
from projections.auditing import PartitionAudit, Scope
from projections.auditrecords import Found, Violation, as_bad
from streams import topics
from streams.errors import UserError
from streams.journal import partition_of
from streams.kafkaport import KafkaBrokers
from streams.ports import Record
from streams.rulefiles import DEFAULT, LawBook
from streams.settings import Settings, SettingsError
from streams.tuning import tune_garbage_collection
from streams.validation import REASONS

if TYPE_CHECKING:
    from array import array
    from pathlib import Path

    from domain.ruleset import RuleSet

CLIENT: Final = "verify"
SLICE_RECORDS: Final = 250_000
"""Of a partition's journal or postings at a time: about 500 MB at most, with the rows that stand."""
OPEN_S: Final = 40.0
"""For transactions that are open when the audit begins: brokers end one that was left after 30 s."""
LOOK_S: Final = 0.2
AUDITED: Final = (topics.RAW, topics.REPORTS, topics.POSTINGS, topics.NOTICES, topics.DEAD_LETTERS)

Ends = dict[int, int]
"""Offsets by partition."""

Progress = Callable[[int, int], None]
"""Told how many records were read, of how many."""


class VerifyError(UserError):
    """The topics cannot be looked at; the message says why and what to do."""


class Asked(NamedTuple):
    """What to audit. `sample_percent` of the citizens deeply, none or all; `draw` chooses which."""

    sample_percent: float = 0.0
    draw: int = 0
    jobs: int = 1


class Snapshot(NamedTuple):
    """How far the stages were, and where the topics began and ended: by partition, topics by their full names."""

    taken_in: Ends
    settled_to: Ends
    starts: Mapping[str, Ends]
    ends: Mapping[str, Ends]


@dataclass
class Part:
    """What one task has found. `raw` are offsets by topic and partition; `control` values with offset and age."""

    partition: int
    found: Found
    records: int = 0
    citizens: int = 0
    deep_citizens: int = 0
    deep_s: float = 0.0
    totals: Counter[str] = field(default_factory=Counter)
    control: list[tuple[int, bytes]] | None = None
    raw: dict[tuple[str, int], "array[int]"] = field(default_factory=dict)


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
            "partitions": [{"partition": number, **totals} for number, totals in sorted(self.partitions.items())],
            "seconds": round(self.seconds, 3),
            "records_per_second": round(self.records / self.seconds) if self.seconds else 0,
            "deep_cpu_seconds": round(self.deep_s, 3),
        }


def verify(settings: Settings, asked: Asked, progress: Progress) -> Verified:
    """Audit the topics. Raises VerifyError where they cannot be looked at."""
    began = time.monotonic()
    try:
        return asyncio.run(_verify(settings, asked, progress, began))
    except KafkaConnectionError as error:
        raise VerifyError(f"no Kafka answers at {settings.bootstrap} (REFUSION_BOOTSTRAP)") from error
    except KafkaError as error:
        raise VerifyError(f"Kafka refused a request ({type(error).__name__}); look at the brokers") from error


async def _verify(settings: Settings, asked: Asked, progress: Progress, began: float) -> Verified:
    async with _looking(settings) as look:
        snapshot = await look.snapshot()
        found = Found()
        _check_beginnings(settings, snapshot, found)
        refused = await _dead_letters(settings, snapshot, found)
        tasks = list(_tasks(settings, asked, snapshot, refused))
        parts = await asyncio.to_thread(_done, tasks, asked.jobs, progress, _total(snapshot))
        verified = Verified(found, {}, look.lag(snapshot))
        for part in parts:
            _add(verified, part)
        _compare_control(settings, parts, found)
        await _account_for_raw(settings, snapshot, parts, refused, verified, await look.raw_ends())
    verified.records += sum(refused.counts.values())
    verified.seconds = time.monotonic() - began
    found.named.sort(key=lambda each: (each.topic, each.partition, each.offset))
    return verified


def _add(verified: Verified, part: Part) -> None:
    verified.found.merge(part.found)
    verified.records += part.records
    verified.citizens += part.citizens
    verified.deep_citizens += part.deep_citizens
    verified.deep_s += part.deep_s
    verified.partitions.setdefault(part.partition, Counter()).update(part.totals)


def _total(snapshot: Snapshot) -> int:
    return sum(end - snapshot.starts[name][at] for name, ends in snapshot.ends.items() for at, end in ends.items())


# --- 1: how far everything is -----------------------------------------------------------------------


class _Look:
    """Offsets, asked of the brokers."""

    def __init__(self, settings: Settings, admin: AIOKafkaAdminClient, consumers: Sequence[AIOKafkaConsumer]) -> None:
        self._settings = settings
        self._admin = admin
        self._committed, self._written = consumers
        self._partitions: dict[str, list[TopicPartition]] = {}

    async def snapshot(self) -> Snapshot:
        """See step 1."""
        await self._describe()
        taken_in, settled_to = await self._group("intake"), await self._group("citizens")
        starts = {name: await self._starts(name) for name in self._partitions}
        ends = {name: await self._ends(name) for name in self._partitions}
        return Snapshot(taken_in, settled_to, starts, ends)

    async def _describe(self) -> None:
        """The partitions of all topics. VerifyError where one is missing or has another number."""
        settings, names = self._settings, [self._settings.topic(topic) for topic in AUDITED]
        described = {each["topic"]: each["partitions"] for each in await self._admin.describe_topics()}
        if missing := [name for name in names if name not in described]:
            raise VerifyError(f"there is no topic {missing[0]}; see REFUSION_PREFIX with `refusion settings`")
        for topic, name in zip(AUDITED, names, strict=True):
            number = len(described[name])
            if topic.by_citizen and number != settings.partitions:
                raise VerifyError(f"topic {name} has {number} partitions; set REFUSION_PARTITIONS={number}")
            self._partitions[name] = [TopicPartition(name, each["partition"]) for each in described[name]]

    async def _group(self, stage: str) -> Ends:
        try:
            found = await self._admin.list_consumer_group_offsets(self._settings.group(stage))
        except GroupCoordinatorNotAvailableError:  # a cluster's very first group
            return {}
        return {at.partition: each.offset for at, each in found.items() if each.offset >= 0}

    async def _starts(self, name: str) -> Ends:
        found = await self._committed.beginning_offsets(self._partitions[name])
        return {at.partition: first for at, first in found.items()}

    async def _ends(self, name: str) -> Ends:
        """The ends of a topic, when no transaction that was open before is open any more."""
        written = await self._written.end_offsets(self._partitions[name])
        deadline = time.monotonic() + OPEN_S
        while True:
            ends: dict[TopicPartition, int] = await self._committed.end_offsets(self._partitions[name])
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
            lag[stage] = sum(max(0, end - max(starts[at], committed.get(at, 0))) for at, end in ends.items())
        return lag


@asynccontextmanager
async def _looking(settings: Settings) -> AsyncIterator[_Look]:
    common: dict[str, Any] = {"bootstrap_servers": settings.bootstrap, "client_id": f"refusion-{CLIENT}"}
    admin = AIOKafkaAdminClient(**common)
    consumers = [AIOKafkaConsumer(**common, isolation_level=f"read_{what}") for what in ("committed", "uncommitted")]
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
                found.add(Violation("beginning", name, partition, first, f"{first} records before this one are gone"))


def _records(settings: Settings, topic: str, partition: int, snapshot: Snapshot) -> AsyncIterator[Record]:
    """The records of a partition between the snapshot's bounds."""
    start, end = snapshot.starts[topic][partition], snapshot.ends[topic][partition]
    return KafkaBrokers(settings.bootstrap, CLIENT).records(topic, partition, start, end)


# --- 2: the dead letters ----------------------------------------------------------------------------


@dataclass
class Refused:
    """What became dead letters: offsets of the journal and of the raw topic by partition; and how many by reason."""

    journal: defaultdict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    raw: defaultdict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    counts: Counter[str] = field(default_factory=Counter)


async def _dead_letters(settings: Settings, snapshot: Snapshot, found: Found) -> Refused:
    """All dead letters that are kept."""
    refused, name = Refused(), settings.topic(topics.DEAD_LETTERS)
    for partition in snapshot.ends[name]:
        async for record in _records(settings, name, partition, snapshot):
            try:
                letter = auditrecords.dead_letter(record.key, record.value, record.headers, REASONS)
                _take_letter(settings, refused, letter)
            except Exception as error:  # noqa: BLE001 - all but defects of ours are violations
                place, bad = (name, partition, record.offset), as_bad(error)
                found.add_record(place, bad, record.key, record.value, record.headers)
    return refused


def _take_letter(settings: Settings, refused: Refused, letter: auditrecords.DeadLetter) -> None:
    refused.counts[f"{letter.stage}: {letter.reason}"] += 1
    if letter.topic == settings.topic(topics.RAW):
        refused.raw[letter.partition].append(letter.offset)
    elif letter.topic == settings.topic(topics.REPORTS):
        refused.journal[letter.partition].add(letter.offset)
    else:
        raise auditrecords.BadRecordError("dead_letter", "it came from a topic that is none of ours")


# --- 3: journal, postings and notices ---------------------------------------------------------------


class Task(NamedTuple):
    """One slice of the citizens of one partition."""

    settings: Settings
    asked: Asked
    snapshot: Snapshot
    refused: frozenset[int]
    partition: int
    number: int
    slices: int


def _tasks(settings: Settings, asked: Asked, snapshot: Snapshot, refused: Refused) -> Iterator[Task]:
    both = [settings.topic(topic) for topic in (topics.REPORTS, topics.POSTINGS)]
    for partition in range(settings.partitions):
        records = max(snapshot.ends[name][partition] - snapshot.starts[name][partition] for name in both)
        slices = records // SLICE_RECORDS + 1
        for number in range(slices):
            yield Task(settings, asked, snapshot, frozenset(refused.journal[partition]), partition, number, slices)


def _done(tasks: Sequence[Task], jobs: int, progress: Progress, total: int) -> list[Part]:
    """The tasks, done in so many processes."""
    parts: list[Part] = []
    if jobs == 1:
        for task in tasks:
            parts.append(audit_slice(task))
            progress(sum(part.records for part in parts), total)
        return parts
    with ProcessPoolExecutor(min(jobs, len(tasks)), get_context("spawn"), tune_garbage_collection) as pool:
        left = {pool.submit(audit_slice, task) for task in tasks}
        try:
            while left:
                done, left = wait(left, return_when=FIRST_COMPLETED)
                parts += [future.result() for future in done]
                progress(sum(part.records for part in parts), total)
        finally:
            for future in left:
                future.cancel()
    return parts


@cache
def _laws(folder: "Path | None") -> LawBook:
    return LawBook(folder)


def _rules_named(settings: Settings, name: str) -> "RuleSet | None":
    """The rule set of a name, None where there is none here."""
    try:
        return _laws(settings.rules).law(name).rules
    except UserError:
        return None


def audit_slice(task: Task) -> Part:
    """Step 3 for one slice, in whatever process."""
    return asyncio.run(_audit_slice(task))


async def _audit_slice(task: Task) -> Part:
    settings, snapshot, partition = task.settings, task.snapshot, task.partition
    reports, postings, notices = (settings.topic(topic) for topic in (topics.REPORTS, topics.POSTINGS, topics.NOTICES))
    audit = PartitionAudit(_scope(task, reports, postings), partition, partial(_rules_named, settings))
    records = 0
    async for record in _records(settings, reports, partition, snapshot):
        audit.journal(record.offset, record.key, record.value, record.headers)
        records += 1
    async for record in _records(settings, postings, partition, snapshot):
        audit.posting(record.offset, record.key, record.value, record.headers)
        records += 1
    audit.end()
    if task.number == 0:
        async for record in _records(settings, notices, partition, snapshot):
            _check_notice(settings, audit, notices, record)
            records += 1
    part = Part(partition, audit.found, records if task.number == 0 else 0, len(audit.accounts))
    _check_deeply(task, audit, part)
    part.totals, part.raw = audit.totals, dict(audit.raw)
    part.control = audit.control if task.number == 0 else None
    return part


def _scope(task: Task, reports: str, postings: str) -> Scope:
    settings, number, slices = task.settings, task.number, task.slices
    below = task.asked.sample_percent / 100 * (1 << 32)
    draw = task.asked.draw
    return Scope(
        reports,
        postings,
        settings.partitions,
        task.snapshot.settled_to.get(task.partition, 0),
        task.refused,
        (lambda key: crc32(key) % slices == number) if slices > 1 else _everybody,
        _everybody if task.asked.sample_percent >= 100 else (lambda key: crc32(key, draw + 1) < below),
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


def _check_notice(settings: Settings, audit: PartitionAudit, name: str, record: Record) -> None:
    """A notice, in the partition of its citizen."""
    try:
        citizen = auditrecords.check_notice(record.key, record.value)
        auditrecords.check_headers(record.headers, auditrecords.POSTING_HEADERS)
    except Exception as error:  # noqa: BLE001 - all but defects of ours are violations
        place, bad = (name, audit.partition, record.offset), as_bad(error)
        audit.found.add_record(place, bad, record.key, record.value, record.headers)
        return
    if citizen and partition_of(citizen.encode(), settings.partitions) != audit.partition:
        text = f"citizen {citizen} does not belong to this partition"
        audit.found.add(Violation("partition", name, audit.partition, record.offset, text))


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
            part.found.notes[f"citizens under the rule set {account.rules}, which is not known: no deep audit"] += 1
            continue
        for code, text in differences(account, rules):
            text_of = f"citizen {citizen}: {text}"
            part.found.add(Violation(code, topic, audit.partition, account.offset, text_of))
    part.deep_s = time.process_time() - began


# --- 4: what goes across partitions -----------------------------------------------------------------


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
                found.add(Violation("control", name, 0, offset, f"run {record['run']} follows run {last}"))
            last = record["run"]


def _named(value: bytes) -> str:
    record = orjson.loads(value)
    return f"the marker of run {record['run']}" if record["type"] == "run" else f"a control record `{record['type']}`"


async def _account_for_raw(
    settings: Settings, snapshot: Snapshot, parts: Sequence[Part], refused: Refused, verified: Verified, ends: Ends
) -> None:
    """Each raw record that is kept and was taken in was accepted or refused; twice only after a crash of intake."""
    name = settings.topic(topics.RAW)
    accounted = {partition: Counter(offsets) for partition, offsets in refused.raw.items()}
    journal = settings.topic(topics.REPORTS)
    for part in parts:
        for (topic, partition), offsets in part.raw.items():
            if topic != name or partition not in ends or max(offsets) >= ends[partition]:
                text = f"reports say that they came from {topic}/{partition}/{max(offsets)}, which never was"
                verified.found.add(Violation("raw", journal, part.partition, -1, text))
            accounted.setdefault(partition, Counter()).update(offsets)
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
