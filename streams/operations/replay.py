"""`refusion replay`: the journal folded again beside what stands posted, and the differences posted.

    1. Who works is asked: the members of the citizens stage's group tell their version. Of several, or of another than
       this program's, none can say what the workers will do.
    2. **The dry run, always**: how far the stage is, then where the topics end; then each partition in a process of its
       own (`streams.operations.replay_partition`). Reports that are not settled yet are left out,
       and counted.
    3. `--apply`: one transaction with the control records to every partition of the journal. Its transactional id,
       which all replays of a prefix share, fences any other.
    4. Wait until the stage has got past them in every partition, and add up what it posts for them meanwhile.

A replay that dies before 3 has done nothing, one that dies after it has done its part: the workers
carry the records out. Who asks for the same again is told of the ones that wait, and waits with
them.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing import get_context
from typing import Final, NamedTuple
from uuid import uuid4

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError, KafkaError, ProducerFenced

from domain.citizen.reports import Recalculation, RulesRecord, Scope
from projections.whatif.replay import Difference
from streams.citizens.rule_sets import DEFAULT, LawBook
from streams.engine.fault_points import reached
from streams.engine.ports import Headers
from streams.kafka import topics
from streams.kafka.brokers import version
from streams.kafka.groups import AT_VERSION
from streams.kafka.topics import ensure_topics
from streams.operations.replay_partition import CLIENT, Found, ReplayError, Share, read_share
from streams.operations.run_survey import Offsets, Reading, reading
from streams.settings import Settings
from streams.wire import journal

APPLY_SHARE: Final = 1.5
"""Times what the dry run took to settle, which reads postings where the workers read state; 1.1 was measured."""
TRANSACTION_MS: Final = 10_000
COMMIT_S: Final = 30.0
LOOK_S: Final = 0.2
STILL_S: Final = 90.0
"""Workers that carry nothing out for so long are not at work: longer than a takeover with a long restore is said."""

Progress = Callable[[str, int, int], None]
"""Told what is counted, how far it is, and how much there is in all."""


class Asked(NamedTuple):
    """What to replay: `rules` "" are those that hold."""

    rules: str = ""
    scope: Scope = Scope()
    jobs: int = 1


@dataclass
class DryRun:
    """What a replay would change. `pending` is the same replay, written before and not carried out yet, by offset."""

    rules: str
    holding: str
    difference: Difference = field(default_factory=Difference)
    reports: int = 0
    unsettled: int = 0
    seconds: float = 0.0
    apply_s: float = 0.0
    workers: int = 0
    pending: tuple[Recalculation, Offsets] | None = None

    @property
    def changes_rules(self) -> bool:
        """Whether another rule set would become valid."""
        return self.rules != self.holding

    @property
    def is_nothing(self) -> bool:
        """Whether there is nothing to write or to wait for."""
        return not (self.difference.messages or self.changes_rules or self.pending)


@dataclass
class Applied:
    """What the citizens stage posted for the control records: messages, rows, and the State's cost in øre."""

    id: str
    messages: int = 0
    rows: int = 0
    cost_ore: int = 0
    seconds: float = 0.0


# --- the dry run
# ------------------------------------------------------------------------------------


async def dry_run(settings: Settings, asked: Asked, progress: Progress) -> DryRun:
    """Say what a replay would change; nothing is written. Raises UserError where it must not be."""
    laws = LawBook(settings.rules)
    if asked.rules:
        laws.law(asked.rules)
    if (
        asked.scope.municipality
        and asked.scope.municipality not in laws.law(asked.rules or DEFAULT).rules.municipalities
    ):
        raise ReplayError(
            f"--municipality {asked.scope.municipality} is not one of the 98 codes; nobody is in scope"
        )
    began = time.monotonic()
    workers = await _workers(settings)
    shares = await _shares(settings, asked)
    found = await asyncio.to_thread(_read_all, settings, asked.jobs, shares, progress)
    holding = {(each.rules, each.digest) for each in found.values()}
    if len(holding) > 1:
        raise ReplayError("a rule set is becoming valid at this moment: ask again")
    name = holding.pop()[0]
    done = DryRun(asked.rules or name, name, workers=workers)
    for each in found.values():
        done.difference.add(each.difference)
        done.reports += each.reports
        done.unsettled += each.unsettled
        done.apply_s += each.settle_s * APPLY_SHARE / max(workers, 1)
    if not done.difference.in_scope:
        raise ReplayError(
            f"nobody is in scope: of {done.difference.citizens:,} citizens with settled reports none has one of it"
        )
    done.pending = _pending(asked, found, done)
    done.seconds = time.monotonic() - began
    return done


async def _workers(settings: Settings) -> int:
    """How many members the citizens stage has, all of this version. Raises ReplayError."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap)
    try:
        await admin.start()
        (response,) = await admin.describe_consumer_groups([settings.group("citizens")])
    except KafkaConnectionError as error:
        raise _no_kafka(settings) from error
    except KafkaError:  # a cluster's very first group: its coordinator is being made
        return 0
    finally:
        await admin.close()
    ((_code, _group, _state, _type, _protocol, members, *_),) = response.groups
    versions = {
        client_id.partition(AT_VERSION)[2] or "an older version"
        for _member, client_id, *_ in members
    }
    if len(versions) > 1:
        raise ReplayError(
            f"workers of mixed versions are at work ({', '.join(sorted(versions))}): each would settle in its own way;"
            " bring all of them to one version first"
        )
    if versions - {version()}:
        raise ReplayError(
            f"the workers are of version {versions.pop()}, this program is of {version()}: what it finds is not what"
            " they would post; run the replay with their version"
        )
    return len(members)


async def _shares(settings: Settings, asked: Asked) -> list[Share]:
    """How far the stage is first, then where the topics end: so all postings up to there lie before those ends."""
    try:
        await ensure_topics(
            settings.bootstrap, settings.prefix, settings.partitions, settings.journal_prefix
        )
        async with reading(settings) as log:
            await _check_begin(settings, log)
            committed = await log.committed("citizens")
            starts = await log.starts(topics.POSTINGS)
            journal_ends, postings_ends = (
                await log.ends(topics.REPORTS),
                await log.ends(topics.POSTINGS),
            )
    except KafkaConnectionError as error:
        raise _no_kafka(settings) from error
    shares = [
        Share(
            at,
            committed.get(at, 0),
            journal_ends[at],
            starts[at],
            postings_ends[at],
            asked.rules,
            asked.scope,
        )
        for at in sorted(journal_ends)
    ]
    citizen = asked.scope.citizen
    if not citizen:
        return shares
    return [shares[journal.partition_of(citizen.encode(), settings.partitions)]]


async def _check_begin(settings: Settings, log: Reading) -> None:
    for at, first in (await log.starts(topics.REPORTS)).items():
        if first:
            raise ReplayError(
                f"the journal has a hole: {settings.topic(topics.REPORTS)}/{at} begins at offset {first}, its"
                " first records are gone, and what follows from them cannot be known; restore the topic from a copy"
            )


def _no_kafka(settings: Settings) -> ReplayError:
    return ReplayError(f"no Kafka answers at {settings.bootstrap} (REFUSION_BOOTSTRAP)")


def _read_all(
    settings: Settings, jobs: int, shares: Sequence[Share], progress: Progress
) -> dict[int, Found]:
    """Every share, `jobs` at a time."""
    found: dict[int, Found] = {}
    total = sum(share.committed for share in shares)
    with ProcessPoolExecutor(min(jobs, len(shares)), get_context("spawn")) as pool:
        waiting = {pool.submit(read_share, settings, share): share for share in shares}
        try:
            for future in as_completed(waiting):
                found[waiting[future].partition] = future.result()
                progress(
                    "records",
                    sum(share.committed for share in shares if share.partition in found),
                    total,
                )
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return found


def _pending(
    asked: Asked, found: dict[int, Found], done: DryRun
) -> tuple[Recalculation, Offsets] | None:
    """The same recalculation, where some partition has it still before it and the rules are as asked for."""
    offsets: Offsets = {}
    same: Recalculation | None = None
    for partition, each in found.items():
        for offset, waiting in each.waiting:
            if waiting.scope == asked.scope and not done.changes_rules and same in (None, waiting):
                same = waiting
                offsets[partition] = offset
    return (same, offsets) if same else None


# --- apply
# ------------------------------------------------------------------------------------------


async def apply(settings: Settings, asked: Asked, found: DryRun, progress: Progress) -> Applied:
    """Have the citizens stage post what a dry run has found. Raises UserError."""
    if not found.workers:
        raise ReplayError(
            "no worker of the citizens stage is at work, who would carry it out; nothing was written: start"
            " `refusion worker` and ask again"
        )
    began = time.monotonic()
    try:
        async with reading(settings) as log:
            starts = await log.ends(topics.POSTINGS)
            if found.pending is None:
                recalculation = Recalculation(_new_id(), asked.scope)
                offsets = await _write(settings, _records(settings, found, recalculation))
            else:
                recalculation, offsets = found.pending
            reached(CLIENT, "after_commit")
            done = Applied(recalculation.id)
            await _follow(
                settings, log, _Awaited(recalculation.id, offsets, starts, found), done, progress
            )
    except KafkaConnectionError as error:
        raise _no_kafka(settings) from error
    done.seconds = time.monotonic() - began
    return done


def _new_id() -> str:
    """Of letters mostly, so that nobody takes a part of it for a CPR."""
    return uuid4().hex[:12].translate(str.maketrans("0123456789", "ghijkmnpqr"))


def _records(
    settings: Settings, found: DryRun, recalculation: Recalculation
) -> list[RulesRecord | Recalculation]:
    if not found.changes_rules:
        return [recalculation]
    digest = LawBook(settings.rules).digest(found.rules)
    return [RulesRecord(recalculation.id, found.rules, digest), recalculation]


async def _write(settings: Settings, records: Sequence[RulesRecord | Recalculation]) -> Offsets:
    """Step 3. Returns the offset of the last record in each partition."""
    producer = AIOKafkaProducer(
        bootstrap_servers=settings.bootstrap,
        client_id=f"refusion-{CLIENT}",
        transactional_id=f"{settings.prefix}{CLIENT}",
        transaction_timeout_ms=TRANSACTION_MS,
    )
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    try:
        async with asyncio.timeout(COMMIT_S):
            await producer.start()
            await producer.begin_transaction()
            sent = []
            for partition in range(settings.partitions):
                for record in records:
                    value = journal.control_value(record, at)
                    topic, headers = settings.topic(topics.REPORTS), _headers(record, at)
                    sent.append(
                        await producer.send(topic, value, partition=partition, headers=headers)
                    )
            await producer.flush()
            offsets = {future.result().partition: future.result().offset for future in sent}
            assert len(offsets) == settings.partitions, "a control record is missing in a partition"
            reached(CLIENT, "before_commit")
            await producer.commit_transaction()
    except ProducerFenced:
        raise ReplayError(
            "another `refusion replay --apply` came in between; nothing was written: ask again"
        ) from None
    except TimeoutError:
        raise ReplayError(
            f"Kafka has not confirmed the control records in {COMMIT_S:.0f} s; ask again: the same replay is not"
            " written twice"
        ) from None
    finally:
        with suppress(TimeoutError, KafkaError):
            await asyncio.wait_for(producer.stop(), COMMIT_S)
        await producer.client.close()
    return offsets


def _headers(record: RulesRecord | Recalculation, at: str) -> Headers:
    kind = b"rules" if isinstance(record, RulesRecord) else b"recalculate"
    return [
        journal.CE_VERSION,
        ("ce_id", kind + b"/" + record.id.encode()),
        ("ce_type", b"refusion." + kind),
        ("ce_source", b"refusion/replay"),
        ("ce_time", at.encode()),
        journal.JSON,
    ]


class _Awaited(NamedTuple):
    """What is waited for: the offset of its record in each partition, and from where its postings are read."""

    id: str
    offsets: Offsets
    starts: Offsets
    found: DryRun


async def _follow(
    settings: Settings, log: Reading, awaited: _Awaited, done: Applied, progress: Progress
) -> None:
    """Step 4: read what is posted until the stage has got past the records everywhere."""
    topic = settings.topic(topics.POSTINGS)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.bootstrap, isolation_level="read_committed"
    )
    consumer.assign([TopicPartition(topic, partition) for partition in awaited.starts])
    await consumer.start()
    try:
        for partition, offset in awaited.starts.items():
            consumer.seek(TopicPartition(topic, partition), offset)
        moved, seen = time.monotonic(), -1
        while True:
            committed = await log.committed("citizens")
            ends = await log.ends(topics.POSTINGS)
            left = sum(committed.get(at, 0) <= offset for at, offset in awaited.offsets.items())
            await _count(consumer, awaited, ends, done)
            progress(
                "messages", done.messages, max(done.messages, awaited.found.difference.messages)
            )
            if not left:
                return
            standing = sum(ends.values()) + sum(committed.values())
            moved, seen = (moved, seen) if standing == seen else (time.monotonic(), standing)
            if time.monotonic() - moved > STILL_S:
                raise ReplayError(
                    f"the workers have done nothing for {STILL_S:.0f} s, and {left} partitions are before them; look"
                    " into their logs. The control records stay in the journal: ask again to wait for them"
                )
            await asyncio.sleep(LOOK_S)
    finally:
        await consumer.stop()


async def _count(
    consumer: AIOKafkaConsumer, awaited: _Awaited, ends: Offsets, done: Applied
) -> None:
    """Add up the messages up to these ends that follow from the records."""
    causes = {f"recalculate/{awaited.id}", f"rules/{awaited.found.rules}"}
    for at in consumer.assignment():
        while await consumer.position(at) < ends[at.partition]:
            for record in (await consumer.getmany(at, timeout_ms=100, max_records=2_000)).get(
                at, ()
            ):
                message = orjson.loads(record.value)
                if message.get("cause") in causes:
                    done.messages += 1
                    done.rows += len(message["rows"])
                    done.cost_ore += sum(
                        row["refusion_ore"] - row["medfinansiering_ore"] for row in message["rows"]
                    )
