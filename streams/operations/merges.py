"""`refusion merge` makes two numbers one person, or parts them again.

    1. Permission: the act needs two persons.
    2. Read what the journal has of both citizens, by the index of their partitions.
    3. One transaction: first the records `moved` and `joined`. Whatever came for one of the two
       before them is read now, since it cannot become more; behind them come the reports of the
       former citizen as copies (or, where a merge is undone, those of both once more). So a merge
       is in the journal as a whole or not at all, and nothing slips through between.

The transactional id is that of run markers. So a merge lies before or behind a marker in all
partitions, and a run has both sides of it or none.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, NamedTuple

from streams.acts.acts import Act, checked_reason
from streams.acts.four_eyes import GuardedAct, permission
from streams.explain.index import JournalIndex
from streams.explain.live import FETCH_BYTES, PATIENCE_MS
from streams.kafka import topics
from streams.kafka.clients import KafkaClients
from streams.kafka.control import (
    COMMIT_S,
    ControlWriter,
    OvertakenError,
    UnconfirmedError,
    control_writer,
)
from streams.kafka.errors import explained
from streams.kafka.reading import open_partition, open_topics
from streams.kafka.topic_layout import ensure_topics_of
from streams.kit.foreign import Foreign, passed_over
from streams.operations.freed_ids import new_record_id
from streams.operations.key_gate import check_keys
from streams.operations.merge_plan import (
    CitizenPast,
    MergeError,
    MergeWriting,
    PastRecord,
    records_of,
)
from streams.operations.stated_keys import begin_journal
from streams.settings import Settings
from streams.wire.journal_checks import JournalChecks, journal_checks
from streams.wire.partitioner import partition_of
from streams.wire.readers import journal_reader

CLIENT: Final = "merge"
WRITER: Final = "run"
"""The ending of the transactional id, which run markers have too."""
OTHERS_S: Final = 5.0
"""Seconds for transactions of others that are open before ours."""
PAUSE_S: Final = 0.1

Shown = Callable[[int, int], None]


class Merged(NamedTuple):
    """A merge, or the end of one, and the number of records that count again."""

    id: str
    former: str
    to: str
    undone: bool
    records: int


async def merge(
    settings: Settings, former: str, to: str, reason: str, *, undo: bool, shown: Shown
) -> Merged:
    """Merge two citizens, or part them, with permission. Raises UserError, AwaitingApproval."""
    checked_reason("--reason", reason)
    if former == to:
        raise MergeError("the former number and the new one are the same: give two numbers")
    advice = "ask for it again: nothing was written, or all of it"
    with explained(settings.bootstrap, MergeError, advice=advice):
        await ensure_topics_of(settings)
        await check_keys(settings)
        await permission(settings, _guarded(former, to, reason, undo=undo))
        await begin_journal(settings)
        merging = _Merging(settings, shown)
        return await merging.run(former, to, reason, undo=undo)


def _guarded(former: str, to: str, reason: str, *, undo: bool) -> GuardedAct:
    scope = {"former": former, "to": to, "undo": undo}
    command = [CLIENT, former, to, f"--reason={reason}", *["--undo"] * undo]
    return GuardedAct(Act(CLIENT, scope, reason), command)


class _Merging:
    """A merge at work."""

    def __init__(self, settings: Settings, shown: Shown) -> None:
        self._settings = settings
        self._shown = shown
        self._clients = KafkaClients(settings.bootstrap, f"refusion-{CLIENT}")
        self._topic = settings.topic(topics.REPORTS)

    async def run(self, former: str, to: str, reason: str, *, undo: bool) -> Merged:
        """Do steps 2 and 3."""
        settings, macs = self._settings, self._settings.macs()
        async with open_topics(self._clients) as opened:
            self._checks = await journal_checks(opened, self._topic, macs)
        pasts = [self._new_past(citizen) for citizen in (former, to)]
        for past in pasts:
            await past.read_on(0)
        try:
            name = f"{settings.prefix}{WRITER}"
            async with control_writer(self._clients, macs, name, CLIENT) as writer:
                return await self._write(writer, pasts, reason, undo=undo)
        except OvertakenError:
            raise MergeError(
                "a run was closed, or others were merged, in between: nothing was written; ask for"
                " it again"
            ) from None
        except UnconfirmedError:
            raise MergeError(
                f"Kafka has not confirmed the records in {COMMIT_S:.0f} s: they were written all or"
                " none; ask for it again, which says so where they were"
            ) from None

    def _new_past(self, citizen: str) -> "_Past":
        at = partition_of(citizen.encode(), self._settings.partitions)
        return _Past(self._settings, self._clients, citizen, at, self._checks, self._shown)

    async def _write(
        self, writer: ControlWriter, pasts: "list[_Past]", reason: str, *, undo: bool
    ) -> Merged:
        """Do step 3."""
        former, to = (past.past for past in pasts)
        number, at = new_record_id(), datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        records = records_of(former, to, number, undo=undo)
        writing = MergeWriting(
            self._topic, self._settings.partitions, self._settings.macs(), reason, at
        )
        first = [
            writing.first(past.past, record) for past, record in zip(pasts, records, strict=True)
        ]
        async with writer.transaction():
            offsets = await writer.append(self._topic, first)
            for past in pasts:  # both may be in one partition
                await past.read_on(
                    min(
                        offset
                        for offset, (at, _) in zip(offsets, first, strict=True)
                        if at == past.past.partition
                    )
                )
            records_of(former, to, number, undo=undo)  # what came in between may forbid it
            behind = writing.behind(former, to, number)
            await writer.append(self._topic, behind)
        return Merged(number, former.citizen, to.citizen, undo, len(behind))


class _Past:
    """Reads what the journal has of one citizen, further and further."""

    def __init__(
        self,
        settings: Settings,
        clients: KafkaClients,
        citizen: str,
        partition: int,
        checks: JournalChecks,
        shown: Shown,
    ) -> None:
        self.past = CitizenPast(citizen, partition)
        self._clients = clients
        self._topic = settings.topic(topics.REPORTS)
        self._folder = settings.state_dir / "journal-index" / f"{settings.prefix}{partition}"
        self._reader = journal_reader(self._topic, partition, checks.journal(partition))
        self._shown = shown
        self._read_to = 0

    async def read_on(self, before: int) -> None:
        """Take what is new; all that lies before an offset must be there. Raises MergeError."""
        offsets = await self._offsets(before)
        citizen, at = self.past.citizen, self.past.partition
        async with open_partition(
            self._clients, self._topic, at, max_partition_fetch_bytes=FETCH_BYTES
        ) as log:
            for offset in offsets:
                record = await log.record_at(offset, PATIENCE_MS)
                if record is None:
                    raise MergeError(
                        f"the journal has nothing at {self._topic}/{at}/{offset}, where a record of"
                        f" citizen {citizen} was: look at it with `refusion verify`"
                    )
                entry = self._reader.read(record)
                if isinstance(entry, Foreign):
                    passed_over(entry)
                    continue
                self.past.take(PastRecord(record, entry))

    async def _offsets(self, before: int) -> list[int]:
        """Return the offsets of the citizen's records that were not taken yet."""
        until = time.monotonic() + OTHERS_S
        while True:
            at = self.past.partition
            async with open_partition(self._clients, self._topic, at) as log:
                if log.end >= before:
                    index = JournalIndex(self._folder, log.identity)
                    try:
                        await index.catch_up(log, self._shown)
                        offsets = index.offsets(self.past.citizen)
                    finally:
                        index.close()
                    start, self._read_to = self._read_to, log.end
                    return [offset for offset in offsets if start <= offset < log.end]
            if time.monotonic() > until:
                raise MergeError(
                    f"another transaction is open in {self._topic}, partition {at}: nothing was"
                    " written; ask for it again when it has ended (`refusion repair transactions"
                    " --dry-run` shows those that hang)"
                )
            await asyncio.sleep(PAUSE_S)
