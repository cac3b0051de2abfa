"""The citizens stage: it folds and settles the journal, posts the results and keeps the state.

Partition p reads partition p of the journal and writes to partition p of `postings`, `notices` and
of the changelog `citizens`, so that one transactional id for each partition fences all of them.
What comes for a citizen who was merged with another goes on in the journal (`passing_on.py`).

The state is on disk in RocksDB, with the position in the changelog that it has reached:

    <citizen>/<part>     as in `domain.citizen.state`; key and value are the same in the changelog
    _partition/<p>       the partition's own entry (`own_entry.py`): its position in the journal and
                         what settled it; in the changelog too, as the last of each transaction
    _checkpoint          cluster, topic and offset of the changelog, and the last record of it that
                         is contained, as a witness; on disk alone

In the changelog an empty value deletes a key: a tombstone could be compacted away before an old
disk sees it.
"""

import asyncio
import logging
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from domain.citizen.records import NewerStateError, StateError
from domain.citizen.reports import Freeing, Recalculation, RunMarker
from streams.citizens.outcomes import Outcome
from streams.citizens.rule_sets import LawBook
from streams.citizens.settler import OF_CITIZENS, Partition, Settleable
from streams.engine.fault_points import reached
from streams.engine.pace import Pace
from streams.engine.ports import (
    Changelog,
    Counts,
    Ends,
    Events,
    Headers,
    Kafka,
    Message,
    Output,
    Outputs,
    Processed,
    Record,
    Refused,
    Source,
)
from streams.engine.sink import DeliverySink
from streams.kit.errors import UserError
from streams.privacy.identity import Identity
from streams.stages.dead_letter import dead_letter, raw_of, refused_record
from streams.stages.disk import Disk, DiskFolder
from streams.stages.journal_entries import JournalEntries, settleable
from streams.stages.own_entry import OwnEntry
from streams.stages.passing_on import JournalCopies
from streams.stages.state_entries import StateEntries
from streams.wire.belief import JournalBelief
from streams.wire.cloudevents import event_headers
from streams.wire.journal import JournalEntry
from streams.wire.readers import CITIZEN, journal_reader
from streams.wire.rejections import REFUSED, Rejection

POSTINGS: Final = b"refusion.postings"
RUN: Final = b"refusion.run"
NOTICE: Final = b"refusion.notice"
SOURCE: Final = b"refusion/citizens"
LOOKED_AT: Final = 200
"""Citizens of a recalculation in one transaction: tenths of a second in which nothing else runs."""
RESTORE_SAID_S: Final = 10.0
"""Seconds between two log lines of a long restore."""
log = logging.getLogger("refusion")


class OpenTransactionError(UserError):
    """The changelog ends in a transaction that the fence should have ended.

    So it is not known what is committed.
    """


class CitizenTopics(NamedTuple):
    """The topics that the stage reads and writes; the journal has so many `partitions`."""

    journal: str
    postings: str
    notices: str
    citizens: str
    dead_letters: str
    partitions: int


class CitizenStage:
    """The stage, for all of its partitions in this process."""

    name: Final = "citizens"
    source_expires: Final = False
    blameless: Final[tuple[type[Exception], ...]] = (StateError,)

    def __init__(
        self, topics: CitizenTopics, laws: LawBook, identity: Identity, kafka: Kafka, folder: Path
    ) -> None:
        """`folder` belongs to this process alone."""
        self.topics = topics
        self.laws = laws
        self.identity = identity
        self.kafka = kafka
        self.events: Events = Counter()
        self._folder = folder
        self._folders: dict[int, DiskFolder] = {}
        self.paces: defaultdict[int, Pace] = defaultdict(Pace)

    @property
    def topic(self) -> str:
        """The topic that it reads."""
        return self.topics.journal

    def disk(self, partition: int) -> Disk:
        """The disk of a partition, not yet open."""
        if partition not in self._folders:
            path = self._folder / f"citizens-{partition}"
            self._folders[partition] = DiskFolder(path, self.events)
        return Disk(self._folders[partition])

    def work(self, partition: int) -> "CitizenWork":
        """Work on one partition of the journal."""
        return CitizenWork(self, partition)

    def sink(self, kafka: Kafka, group: str, source: Source, partition: int) -> DeliverySink:
        """A transactional sink, which fences every other one of the partition."""
        delivery = kafka.delivery(group, source, partition, transactional=True)
        return DeliverySink(self.name, source, partition, delivery)


class CitizenWork:
    """Work on one partition: its state on disk, its citizens, and the batch at hand."""

    def __init__(self, stage: CitizenStage, partition: int) -> None:
        self._stage = stage
        self._number = partition
        self._name = f"{stage.name}/{partition}"
        self._disk = stage.disk(partition)
        self._key = f"_partition/{partition}".encode()
        macs = stage.identity.macs
        self._posted = macs.at("postings", partition)
        topic, events = stage.topics.citizens, stage.events
        self._kept = StateEntries(self._name, topic, partition, macs, events)
        self._again: list[tuple[bytes, bytes]] = []
        self._copies = JournalCopies(stage.topic, stage.topics.partitions, macs)
        self._place = f"{stage.topic}/{partition}/"
        self._changes: list[tuple[bytes, bytes]] = []
        self._position = 0

    async def restore(self) -> None:
        """Bring the disk to the end of the changelog; throw away state of another changelog.

        Raises OpenTransactionError. Nobody but us writes there, and the fence has ended what our
        former owner left open; brokers that were killed all at once have been seen to forget a
        transaction. To go on from the end before it would post its rows twice, as soon as it is
        committed after all.
        """
        stage = self._stage
        async with stage.kafka.changelog(stage.topics.citizens, self._number) as changelog:
            if not await changelog.is_whole():
                raise OpenTransactionError(
                    f"partition {self._number} of {stage.topics.citizens} ends in a transaction"
                    " that is neither committed nor aborted: see 'Lost broker' in"
                    " docs/operations.md"
                )
            await self._disk.open(changelog)
            self._kept.reached(self._own_entry().reached)
            await self._catch_up(changelog)
            self._own = self._own_entry()
            await self._kept.check_own(changelog, is_there=self._own.is_there)
        law = stage.laws.law(*self._own.rules)
        self._partition = Partition(law, self._disk.store, self._own.closed_month, laws=stage.laws)
        macs, own = stage.identity.macs, self._own
        reader = journal_reader(stage.topic, self._number)
        belief = JournalBelief(macs.at("reports", self._number), own.checked_from, own.controls)
        self._entries = JournalEntries(self._name, reader, belief, macs.key_ids, stage.events)

    def _own_entry(self) -> OwnEntry:
        """Read the partition's own entry; the disk is not believed where it is none of ours."""
        try:
            return OwnEntry(self._name, self._disk.store.get(self._key))
        except StateError:
            self._disk.distrust()
            raise

    async def _catch_up(self, changelog: Changelog) -> None:
        loop = asyncio.get_running_loop()
        restored, began, said = 0, loop.time(), loop.time()
        async for batch in changelog.read(self._disk.position):
            if not batch.records:  # markers of transactions
                continue
            await self._kept.look_at_journal(self._stage.kafka, self._stage.topic)
            restored += len(batch.records)
            await self._disk.catch_up(self._kept.ours(batch.records), batch.position)
            reached(self._stage.name, "in_restore")
            if loop.time() - said > RESTORE_SAID_S:
                said = loop.time()
                log.info("%s: restored up to %d of %d", self._name, batch.position, changelog.end)
        self._again = self._kept.again(self._disk.store)
        self._kept.following = changelog.end
        if restored:
            log.info("%s: restored %d records in %.1f s", self._name, restored, loop.time() - began)

    async def position(self, committed: int | None) -> int | None:
        """Return the position that the state reflects."""
        has_citizens = next(self._disk.store.citizens(""), None) is not None
        return self._own.position(committed, self._stage.events, has_citizens=has_citizens)

    def process(self, records: Sequence[Record], position: int) -> Processed[Outputs]:
        """Settle records in their order into postings, notices, dead letters and changed state.

        A recalculation begins a batch of its own, and goes on chunk by chunk until it is done.
        A disk whose state does not fit is thrown away when the partition begins again.
        """
        pace, began = self._stage.paces[self._number], time.monotonic()
        first = pace.first_of(records)
        try:
            processed = self._process_first(first, _position_behind(records, len(first), position))
        except NewerStateError:
            raise
        except StateError:
            self._disk.distrust()
            raise
        pace.took(processed.done, time.monotonic() - began)
        return processed

    def _process_first(self, records: Sequence[Record], position: int) -> Processed[Outputs]:
        entries = self._entries.read(records)
        for at, entry in enumerate(entries):
            if records[at].key:  # a citizen's
                continue
            if isinstance(entry, JournalEntry) and isinstance(entry.report, OF_CITIZENS):
                if at == 0:
                    behind = _position_behind(records, 1, position)
                    return self._recalculate(records[0], entry, entry.report, behind)
                return self._process(records[:at], entries[:at], records[at].offset)
        return self._process(records, entries, position)

    def _process(
        self, records: Sequence[Record], entries: list[JournalEntry | Outcome], position: int
    ) -> Processed[Outputs]:
        outcomes = self._settle(
            [settleable(entry) for entry in entries if isinstance(entry, JournalEntry)], entries
        )
        postings: list[Message] = []
        notices: list[Message] = []
        dead: list[Message] = []
        for record, entry, outcome in zip(records, entries, outcomes, strict=True):
            if outcome.refused:
                dead.append(self._dead_letter(record, REFUSED[outcome.refused]))
            if isinstance(entry, Outcome):
                continue
            if posted := outcome.postings:
                kind = RUN if isinstance(entry.report, RunMarker) else POSTINGS
                headers = self._headers(record.offset, entry.at, kind)
                mac = self._posted.header
                postings += [
                    (record.key, message, [*headers, mac(record.key, kind, message)])
                    for message in posted
                ]
            if outcome.notices:
                headers = [*self._headers(record.offset, entry.at, NOTICE), *raw_of(record)]
                notices += [(record.key, notice, headers) for notice in outcome.notices]
        counts = self._counts(Counter(outcome.refused for outcome in outcomes if outcome.refused))
        to = self._partition.merging.passed_on
        copies = self._copies.outputs(self._place, records, outcomes, to)
        self._take_changes(position)
        outputs = self._outputs(postings, notices, dead) + copies
        return Processed(outputs, len(records), counts)

    def _counts(self, refused: Counter[str]) -> Counts:
        """The figures of the batch at hand."""
        counts = Counter({("rejected", reason): number for reason, number in refused.items()})
        if foreign := refused["foreign_record"]:
            counts["foreign", ""] = foreign
        for (reason, corrections), messages in Counter(self._partition.posted).items():
            counts["postings", reason] += messages
            if corrections:
                counts["correction_rows", reason] += corrections * messages
        return counts

    def _recalculate(
        self,
        record: Record,
        entry: JournalEntry,
        recalculation: Recalculation | Freeing,
        behind: int,
    ) -> Processed[Outputs]:
        """Do the next chunk of a recalculation; the partition's entry says where it goes on.

        `behind` is the position after the recalculation's record.
        """
        after = self._own.looked_at(record.offset)
        chunk = self._partition.recalculate(recalculation, after, LOOKED_AT)
        reached(self._stage.name, "in_recalculation")
        headers = self._headers(record.offset, entry.at, POSTINGS)
        mac = self._posted.header
        postings: list[Message] = [
            (key, posting, [*headers, mac(key, POSTINGS, posting)])
            for key, posting in ((citizen.encode(), posting) for citizen, posting in chunk.postings)
        ]
        counts = self._counts(Counter())
        if chunk.after:
            self._take_changes(record.offset, {"offset": record.offset, "after": chunk.after})
        else:
            self._take_changes(behind)
        for number, why in (
            (chunk.unsealed, "state of an earlier version"),
            (chunk.failed, "a defect of ours"),
        ):
            if number:
                log.error(
                    "%s: recalculation %s passed over %d citizens: %s",
                    self._name,
                    recalculation.id,
                    number,
                    why,
                )
        return Processed(self._outputs(postings, [], []), 0 if chunk.after else 1, counts)

    def _settle(
        self, records: list[Settleable], entries: list[JournalEntry | Outcome]
    ) -> list[Outcome]:
        """Settle entries, in whose order others have their outcomes already."""
        settled = iter(self._partition.settle_batch(records))
        return [entry if isinstance(entry, Outcome) else next(settled) for entry in entries]

    def refuse(self, record: Record, position: int, reason: Refused) -> Processed[Outputs]:
        """Turn a record that the stage cannot process into a dead letter."""
        self._take_changes(position)
        dead = [self._dead_letter(record, REFUSED[reason])]
        return Processed(self._outputs([], [], dead), 1, {("rejected", reason): 1})

    def _take_changes(self, position: int, recalculation: dict[str, Any] | None = None) -> None:
        """Take the changes of the transaction at hand, and the partition's own entry behind them.

        `position` is where the journal goes on after it.
        """
        changes = [*self._again, *self._partition.changes()]
        rules = self._partition.law.rules.name
        own = self._own.next_with(
            changes,
            position=position,
            closed_month=self._partition.closed_month,
            rules=(rules, self._stage.laws.digest(rules)),
            believed=self._entries.noted(),
            recalculation=recalculation,
        )
        self._changes = [*changes, (self._key, own)]
        self._position = position

    def _outputs(
        self, postings: list[Message], notices: list[Message], dead: list[Message]
    ) -> list[Output]:
        topics = self._stage.topics
        state = self._kept.messages(self._changes, self._position)
        outputs = [
            Output(topics.postings, self._number, postings),
            Output(topics.citizens, self._number, state),
            Output(topics.notices, self._number, notices),
            Output(topics.dead_letters, None, dead),
        ]
        return [output for output in outputs if output.messages]

    def _headers(self, offset: int, at: str, event_type: bytes) -> Headers:
        """Make the headers of a message that follows from a record of the journal."""
        return event_headers(f"{self._place}{offset}".encode(), event_type, SOURCE, at)

    def _dead_letter(self, record: Record, rejection: Rejection) -> Message:
        stage = self._stage
        own = stage.name, stage.topic, self._number, record, stage.topics.dead_letters
        refused = refused_record(*own)
        refused = refused._replace(marks=[*refused.marks, *raw_of(record)])
        key = record.key or b""
        citizen = key.decode() if CITIZEN.fullmatch(key) else ""
        return dead_letter(stage.identity, rejection, refused, citizen)

    async def keep(self, ends: Ends, _position: int) -> None:
        """Write the batch's changes and the changelog's new end to disk."""
        end = ends[self._stage.topics.citizens]
        await self._disk.write(self._changes, end, end - 1)
        self._disk.kept()
        stage = self._stage
        await self._kept.ended(stage.kafka, stage.topic, end - len(self._changes), end)
        self._again = self._kept.again(self._disk.store)
        self._changes = []

    async def close(self) -> None:
        """Close the disk."""
        await self._disk.close()


def _position_behind(records: Sequence[Record], done: int, position: int) -> int:
    """Return the position behind so many of the records; `position` is that behind them all."""
    return records[done].offset if done < len(records) else position
