"""Takes a backup: what the topics have that the place does not have yet, while workers go on.

1. Read the chain of the place: the backup goes on where its last link ended.
2. Read the ends of `access` and `postings` first, then those of the journal: what the postings
   follow from is in the backup then.
3. Read each partition, read committed, and write its records as segments. Every now and then
   write a link, so that a backup that dies has not worked in vain.
4. A control record is in all partitions by one transaction, of which the ends that were read
   may have a part: read on until each partition has the same. The last link is whole then.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from streams.archive.manifest import (
    FORMAT,
    ArchivedTopic,
    Chain,
    Controls,
    Link,
    add_controls,
    encode,
    file_of,
    read_chain,
    uneven,
)
from streams.archive.object_store import ArchiveError, ArchiveStore, TakenError
from streams.archive.segments import (
    SEGMENT_BYTES,
    SEGMENT_RECORDS,
    ArchivedRecord,
    Segment,
    packed,
)
from streams.audit.audited_topics import OpenTopics, open_live_topics
from streams.engine.ports import Record, UnreadBatch
from streams.kafka import topics
from streams.kafka.errors import explained
from streams.kafka.reading import Offsets, TopicReader, written_ms
from streams.privacy.archive_keys import ArchiveKeys
from streams.settings import Settings
from streams.wire.belief import control_id, is_marked
from streams.wire.merge_records import may_be_merge, merge_in
from streams.wire.partitioner import partition_of

ARCHIVED: Final = (topics.ACCESS, topics.POSTINGS, topics.REPORTS)
"""The topics of a backup, in the order in which their ends are read."""
LINK_SEGMENTS: Final = 64
"""Segments after which a link is written: a gigabyte before it is packed."""
ROUNDS: Final = 10
"""Times to read on for control records that some partitions lack."""
PAUSE_S: Final = 0.5
AGAIN: Final = "start it again: it goes on after the last link that was written"


@dataclass
class BackedUp:
    """Sums of what this backup added. `links` are those of the place by now."""

    links: int = 0
    segments: int = 0
    records: int = 0
    bytes: int = 0
    whole: bool = False
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return it for a program."""
        return vars(self) | {"notes": list(self.notes)}

    def sentence(self) -> str:
        """Say it to people."""
        return (
            f"{self.records:,} records in {self.segments:,} segments, {self.bytes / 1e6:,.1f} MB;"
            f" the chain has {self.links:,} links"
        )


async def back_up(
    settings: Settings,
    store: ArchiveStore,
    since: datetime | None,
    progress: Callable[[int], None],
    open_reader: OpenTopics = open_live_topics,
) -> BackedUp:
    """Add to a place what it lacks. Raises ArchiveError and other UserErrors."""
    keys = settings.archive_keys()
    chain = await asyncio.to_thread(read_chain, store, keys)
    if since is not None and chain.links:
        raise ArchiveError(
            f"{store.uri} has a backup, which goes on where it ended: leave --since out, or name a"
            " place that is empty"
        )
    with explained(settings.bootstrap, ArchiveError, advice=AGAIN):
        async with open_reader(settings) as reader:
            backup = _Backup(settings, store, keys, chain, reader, progress)
            await backup.begin(since)
            await backup.take()
            return backup.done


class _Backup:
    """A backup at work."""

    def __init__(
        self,
        settings: Settings,
        store: ArchiveStore,
        keys: ArchiveKeys,
        chain: Chain,
        reader: TopicReader,
        progress: Callable[[int], None],
    ) -> None:
        self.done = BackedUp(links=len(chain.links))
        self._settings = settings
        self._store = store
        self._keys = keys
        self._chain = chain
        self._reader = reader
        self._progress = progress
        self._since: str | None = None
        self._topics: dict[str, ArchivedTopic] = {}
        self._positions = dict(chain.positions)
        self._segments: list[Segment] = []
        self._writing: asyncio.Task[None] | None = None
        self._macs = settings.macs()
        self._controls = {name: set(having) for name, having in chain.controls.items()}
        self._new_controls: Controls = {}
        self._unread = 0

    async def begin(self, since: datetime | None) -> None:
        """Step 1: hold the topics against those of the chain. Raises ArchiveError."""
        if since is not None:
            self._since = since.astimezone(UTC).isoformat().replace("+00:00", "Z")
        for topic in ARCHIVED:
            name = self._settings.topic(topic)
            starts = await self._reader.starts(name)
            first = starts if since is None else await self._reader.since(name, since)
            identity = await self._reader.identity(name)
            self._topics[topic.name] = ArchivedTopic(name, identity, first)
            self._check_starts(topic.name, starts)
        if not self._chain.links:
            return
        kept = self._chain.links[0]
        ids = {name: topic.id for name, topic in kept.topics.items()}
        if ids != {name: topic.id for name, topic in self._topics.items()}:
            raise ArchiveError(
                f"{self._store.uri} has the backup of other topics, of another prefix or from"
                " before they were made anew; name a place of its own for these"
            )
        self._topics, self._since = kept.topics, kept.since

    def _check_starts(self, topic: str, starts: Offsets) -> None:
        for partition, start in starts.items():
            if start > self._positions.get((topic, partition), start):
                raise ArchiveError(
                    f"records of {topic}, partition {partition}, are gone from the topic before"
                    f" they were in the backup in {self._store.uri}; begin another one in another"
                    " place, and keep this one"
                )

    async def take(self) -> None:
        """Do steps 2 to 4."""
        partitions = self._topics[topics.REPORTS.name].partitions
        for number in range(ROUNDS):
            if number:
                await asyncio.sleep(PAUSE_S)
            ends = {
                topic.name: await self._reader.ends(self._settings.topic(topic))
                for topic in ARCHIVED
            }
            for topic in ARCHIVED:
                for partition, end in sorted(ends[topic.name].items()):
                    await self._take_partition(topic, partition, end)
            if not (lacking := uneven(self._controls, partitions)):
                break
        notes = [f"control records that some partitions lack: {', '.join(lacking)}"]
        await self._write_link(whole=not lacking, notes=notes if lacking else [])

    async def _take_partition(self, topic: topics.Topic, partition: int, end: int) -> None:
        """Step 3, for one partition up to an end."""
        at = topic.name, partition
        first = self._positions.get(at, self._topics[topic.name].starts[partition])
        records: list[ArchivedRecord] = []
        size = 0
        name = self._settings.topic(topic)
        async with aclosing(self._reader.records(name, partition, first, end)) as found:
            async for record in found:
                if isinstance(record, UnreadBatch):
                    self._unread += 1
                    continue
                records.append(ArchivedRecord.of(record, written_ms(record)))
                size += records[-1].size()
                self._note_control(topic, partition, record)
                if size >= SEGMENT_BYTES or len(records) >= SEGMENT_RECORDS:
                    bounds = first, records[-1].offset + 1
                    first = await self._write(topic.name, partition, bounds, records)
                    records, size = [], 0
        if first < end:  # the marker of a transaction may lie before the end, and is no record
            await self._write(topic.name, partition, (first, end), records)

    def _note_control(self, topic: topics.Topic, partition: int, record: Record) -> None:
        """Remember a control record of ours; one of somebody else's says nothing."""
        if topic is not topics.REPORTS or (record.key and not may_be_merge(record.value)):
            return
        if is_marked(self._macs.at("reports", partition), record) and (
            named := self._named(partition, record)
        ):
            for controls in (self._controls, self._new_controls):
                add_controls(controls, named)

    def _named(self, partition: int, record: Record) -> Mapping[str, Iterable[int]]:
        """Return the id of a control record, or of a merge, and the partitions that have it.

        A merge is in the partitions of two citizens: each lacks the other's, and no other does.
        """
        if record.key:
            merge, other = merge_in(record.value)
            if not merge:
                return {}
            partitions = self._topics[topics.REPORTS.name].partitions
            left = partition_of(other.encode(), partitions)
            has = {partition, *range(partitions)} - ({left} - {partition})
            return {merge: has}
        name = control_id(record.value)
        return {name: [partition]} if name else {}

    async def _write(
        self, topic: str, partition: int, bounds: tuple[int, int], records: list[ArchivedRecord]
    ) -> int:
        """Write a segment while the next one is read, and return the offset after it."""
        await self._written()
        _, following = bounds
        self._positions[topic, partition] = following
        self._writing = asyncio.create_task(
            asyncio.to_thread(self._pack, topic, partition, bounds, records)
        )
        return following

    def _pack(
        self, topic: str, partition: int, bounds: tuple[int, int], records: list[ArchivedRecord]
    ) -> None:
        """Make and write a segment, in a thread of its own."""
        named = topic, self._topics[topic].id
        segment, content = packed(self._keys, named, partition, bounds, records)
        self._store.write(segment.file, content)
        self._segments.append(segment)

    async def _written(self) -> None:
        """Wait for the segment that is being written, and write a link where one is due."""
        if self._writing is None:
            return
        await self._writing
        self._writing = None
        segment = self._segments[-1]
        self.done.segments += 1
        self.done.records += segment.records
        self.done.bytes += segment.size
        self._progress(self.done.records)
        if len(self._segments) >= LINK_SEGMENTS:
            await self._write_link(whole=False, notes=[])

    async def _write_link(self, *, whole: bool, notes: list[str]) -> None:
        await self._written()
        number = len(self._chain.links) + 1
        if self._unread:
            notes = [*notes, f"{self._unread} batches that nobody can read were left out"]
        self.done.notes = tuple(notes)
        link = Link(
            FORMAT,
            number,
            self._chain.digest,
            datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            whole,
            self._since,
            self._topics,
            self._segments,
            {name: sorted(having) for name, having in self._new_controls.items()},
            notes,
        )
        file = encode(link, self._keys)
        try:
            await asyncio.to_thread(self._store.create, file_of(number), file)
        except TakenError:
            raise ArchiveError(
                f"another backup has written to {self._store.uri} meanwhile; {AGAIN}"
            ) from None
        self._chain.append(link, file)
        self._segments, self._new_controls = [], {}
        self.done.links, self.done.whole = number, whole
