"""`refusion replay --apply`: the control records written, and their postings waited for.

Steps 3 and 4 of `streams.operations.replay`, whose docstring has all of them.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final

from domain.citizen.reports import Recalculation, RulesRecord
from projections.postings.reading import PostedMessage
from streams.engine.fault_points import reached
from streams.engine.ports import Headers
from streams.kafka import topics
from streams.kafka.clients import KafkaClients
from streams.kafka.control import (
    COMMIT_S,
    ControlRecord,
    OvertakenError,
    UnconfirmedError,
    control_writer,
)
from streams.kafka.reading import KafkaTopicReader, Offsets, TopicTail, open_tail
from streams.kit.foreign import Foreign, passed_over
from streams.operations.key_gate import check_keys
from streams.operations.replay import DryRun, ReplayRequest, opened
from streams.operations.replay_partition import CLIENT, ReplayError
from streams.settings import Settings
from streams.wire import journal
from streams.wire.cloudevents import event_headers
from streams.wire.journal_checks import JournalChecks, journal_checks
from streams.wire.readers import RecordReader, journal_reader, once_each

LOOK_S: Final = 0.2
"""Seconds between two looks at how far the stage is."""
OVERTAKEN: Final = (
    "another `refusion replay --apply` came in between; nothing was written: ask again"
)
STILL_S: Final = 90.0
"""Seconds after which workers that carry nothing out are taken to be gone: more than a takeover
with a long restore takes."""

Progress = Callable[[str, int, int], None]
"""Told the unit that is counted, how far it is, and how much there is in all."""


@dataclass
class Applied:
    """Sum of what the citizens stage posted for the control records; the State's cost in øre."""

    id: str
    messages: int = 0
    rows: int = 0
    cost_ore: int = 0
    seconds: float = 0.0


def check_workers(plan: DryRun) -> None:
    """Raise ReplayError where nobody is at work who would carry a replay out."""
    if not plan.workers:
        raise ReplayError(
            "no worker of the citizens stage is at work, who would carry it out; nothing was"
            " written: start `refusion worker` and ask again"
        )


async def apply(
    settings: Settings, request: ReplayRequest, plan: DryRun, act_id: str, progress: Progress
) -> Applied:
    """Have the citizens stage post what a dry run has found. Raises UserError.

    The control records bear the id of the act, so that each leads to who did it.
    """
    check_workers(plan)
    began = time.monotonic()
    postings = settings.topic(topics.POSTINGS)
    clients = KafkaClients(settings.bootstrap, f"refusion-{CLIENT}")
    async with opened(settings) as topics_read:
        await check_keys(settings)
        starts = await topics_read.ends(postings)
        journal = settings.topic(topics.REPORTS)
        checks = await journal_checks(topics_read, journal, settings.macs())
        if plan.pending is None:
            recalculation = Recalculation(act_id, request.scope)
            look = partial(_look_again, topics_read, journal, checks)
            looked_to = await look(plan.looked_to)  # most of it, before others are kept waiting
            offsets = await _write(
                clients, settings, _records(plan, recalculation), partial(look, looked_to)
            )
        else:
            recalculation, offsets = plan.pending
        reached(CLIENT, "after_commit")
        done = Applied(recalculation.id)
        async with open_tail(clients, postings, starts) as tail:
            readers = {at: once_each(postings, at, checks.mac("postings", at)) for at in starts}
            follower = _Follower(settings, topics_read, tail, plan, done, readers)
            await follower.follow(offsets, progress)
    done.seconds = time.monotonic() - began
    return done


def _records(plan: DryRun, recalculation: Recalculation) -> list[RulesRecord | Recalculation]:
    if not plan.changes_rules:
        return [recalculation]
    rules = RulesRecord(recalculation.id, plan.rules, plan.digest)
    # Nobody is settled anew for a rule set that moves nothing, such as one that adds a benefit.
    return [rules, recalculation] if plan.difference.messages else [rules]


async def _look_again(
    topics_read: KafkaTopicReader, topic: str, checks: JournalChecks, looked_to: tuple[int, int]
) -> tuple[int, int]:
    """Look at what has come since the dry run; return how far. Raises ReplayError for a replay.

    What it has found, and what was approved, would not be what is posted.
    """
    partition, start = looked_to
    end = (await topics_read.ends(topic))[partition]
    reader = journal_reader(topic, partition, checks.journal(partition))
    controls = (
        record
        async for record in topics_read.records(topic, partition, start, end)
        if not record.key
    )
    found = [entry.report async for _, entry in reader.ours(controls)]
    if any(isinstance(report, RulesRecord | Recalculation) for report in found):
        raise ReplayError(OVERTAKEN)
    return partition, end


async def _write(
    clients: KafkaClients,
    settings: Settings,
    records: Sequence[RulesRecord | Recalculation],
    look: Callable[[], Awaitable[object]],
) -> Offsets:
    """Step 3, after a last look that nobody can come behind.

    Returns the offset of the last record in each partition.
    """
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    controls = [
        ControlRecord(journal.encode_control(record, at), _headers(record, at))
        for record in records
    ]
    try:
        macs, name = settings.macs(), f"{settings.prefix}{CLIENT}"
        async with control_writer(clients, macs, name, CLIENT) as writer:
            await look()
            return await writer.write(settings.topic(topics.REPORTS), settings.partitions, controls)
    except OvertakenError:
        raise ReplayError(OVERTAKEN) from None
    except UnconfirmedError:
        raise ReplayError(
            f"Kafka has not confirmed the control records in {COMMIT_S:.0f} s; ask again: the same"
            " replay is not written twice"
        ) from None


def _headers(record: RulesRecord | Recalculation, at: str) -> Headers:
    kind = b"rules" if isinstance(record, RulesRecord) else b"recalculate"
    event_id = kind + b"/" + record.id.encode()
    return event_headers(event_id, b"refusion." + kind, b"refusion/replay", at)


class _Follower:
    """Step 4: reads what is posted until the stage has got past the records everywhere."""

    def __init__(
        self,
        settings: Settings,
        topics_read: KafkaTopicReader,
        tail: TopicTail,
        plan: DryRun,
        done: Applied,
        readers: Mapping[int, RecordReader[PostedMessage]],
    ) -> None:
        self._readers = readers
        self._group = settings.group("citizens")
        self._postings = settings.topic(topics.POSTINGS)
        self._topics = topics_read
        self._tail = tail
        self._expected = plan.difference.messages
        self._causes = {f"recalculate/{done.id}", f"rules/{plan.rules}"}
        self._done = done

    async def follow(self, offsets: Offsets, progress: Progress) -> None:
        """Wait for the records at these offsets. Raises ReplayError where workers do nothing."""
        done = self._done
        moved, seen = time.monotonic(), -1
        while True:
            committed = await self._topics.committed(self._group)
            ends = await self._topics.ends(self._postings)
            left = sum(committed.get(at, 0) <= offset for at, offset in offsets.items())
            await self._count(ends)
            progress("messages", done.messages, max(done.messages, self._expected))
            if not left:
                return
            reached_now = sum(ends.values()) + sum(committed.values())
            if reached_now != seen:
                moved, seen = time.monotonic(), reached_now
            if time.monotonic() - moved > STILL_S:
                raise ReplayError(
                    f"the workers have done nothing for {STILL_S:.0f} s, and {left} partitions are"
                    " before them; look into their logs. The control records stay in the journal:"
                    " ask again to wait for them"
                )
            await asyncio.sleep(LOOK_S)

    async def _count(self, ends: Offsets) -> None:
        """Add up the messages up to these ends that follow from the records."""
        async for partition, record in self._tail.records(ends):
            message = self._readers[partition].read(record)
            if isinstance(message, Foreign):
                passed_over(message)
            elif message.get("cause") in self._causes:
                self._done.messages += 1
                self._done.rows += len(message["rows"])
                self._done.cost_ore += sum(
                    row["refusion_ore"] - row["medfinansiering_ore"] for row in message["rows"]
                )
