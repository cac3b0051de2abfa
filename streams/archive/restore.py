"""Makes the journal anew from a backup, under another prefix: the same partitions and order.

    1. Read the chains of all places; what is restored is what is up to the last whole link.
    2. Make the topics, or look how far a restore that died has come: what is in a partition must
       be, to the byte, what this restore would have written there first.
    3. Copy who did what (`access`), then record this act, then copy the journal.
    4. Count: each partition has as many records as the backup.

Offsets and times are new, so that place and time of origin stand in headers, and that of a raw
record, of which the new installation knows nothing, in another one than usual. A MAC is for a topic
by its role and for a partition, whatever the prefix is: it holds where the record is now, and a
record that nobody of ours wrote is nobody's of ours here too.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import blake2b
from itertools import islice
from typing import Any, Final, cast

from projections.audit.records import ORIGIN, ORIGIN_MAC, ORIGIN_RAW, ORIGIN_TIME
from streams.acts.acts import Act, record_act
from streams.archive.manifest import Link, read_chain, segments_of
from streams.archive.object_store import ArchiveError, ArchiveStore
from streams.archive.segments import UNKNOWN_TIME, ArchivedRecord, unpacked
from streams.engine.ports import Headers, Message
from streams.kafka import topics
from streams.kafka.clients import KafkaClients
from streams.kafka.copy_writer import open_copy_writer
from streams.kafka.errors import explained
from streams.kafka.reading import KafkaTopicReader, TopicReader, open_topics
from streams.kafka.topic_layout import ensure_topics_of
from streams.kit.setting_forms import TOPIC_PREFIX
from streams.privacy.archive_keys import ArchiveKeys
from streams.settings import Settings
from streams.settings_table import JOURNAL_PREFIX, PARTITIONS, PREFIX

CLIENT: Final = "refusion-restore"
RAW: Final = "raw"
"""The header of a report that names its raw record."""
RESTORED: Final = (topics.ACCESS, topics.REPORTS)
"""The topics that are made anew from a backup; all others follow from the journal."""
MADE_FROM_THEM: Final = (topics.POSTINGS, topics.CITIZENS)
"""Topics of a worker, which has no place under a prefix before the journal is there."""
AGAIN: Final = "start it again: it goes on where it stopped"
COPIED_RECORDS: Final = 5_000
"""Records that are handed over together."""


class RestoreError(ArchiveError):
    """A journal cannot be restored; the message says why and what to do."""


@dataclass
class Restored:
    """Sums of a restore: records of the backup by topic, and those that were there already."""

    prefix: str
    records: dict[str, int]
    there_before: int = 0
    until: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return it for a program."""
        return dict(vars(self))

    def sentence(self) -> str:
        """Say it to people."""
        named = ", ".join(f"{number:,} records of {name}" for name, number in self.records.items())
        before = f", {self.there_before:,} of them before" if self.there_before else ""
        return f"{named} are under {self.prefix}{before}, as the backup had them at {self.until}"


class BackupParts:
    """Several backups of one system that follow each other, read as one."""

    def __init__(self, places: Sequence[ArchiveStore], keys: ArchiveKeys) -> None:
        """Read their chains. Raises ArchiveError."""
        self._keys = keys
        self._parts: list[tuple[ArchiveStore, list[Link]]] = []
        for store in places:
            chain = read_chain(store, keys)
            links = chain.up_to_whole() if store is places[-1] else chain.links
            if not links:
                raise ArchiveError(f"there is no backup that is whole in {store.uri}")
            self._parts.append((store, links))
        ids = {name: topic.id for name, topic in self._last().topics.items()}
        for store, links in self._parts:
            if {name: topic.id for name, topic in links[0].topics.items()} != ids:
                raise ArchiveError(f"{store.uri} has the backup of other topics than the last one")

    def _last(self) -> Link:
        return self._parts[-1][1][-1]

    @property
    def until(self) -> str:
        """The time of the last link."""
        return self._last().at

    def partitions(self, topic: str) -> int:
        """Return the number of partitions of a topic."""
        return self._last().topics[topic].partitions

    def source(self, topic: str) -> str:
        """Return the full name that a topic had."""
        return self._last().topics[topic].name

    def count(self, topic: str, partition: int) -> int:
        """Count the records of a partition, those that several parts have once at most."""
        return sum(1 for _ in self.records(topic, partition))

    def records(self, topic: str, partition: int) -> Iterator[ArchivedRecord]:
        """Yield the records of a partition in their order. Raises ArchiveError for a gap."""
        position = 0
        for store, links in self._parts:
            start = links[0].topics[topic].starts[partition]
            if start > position:
                raise ArchiveError(
                    f"{store.uri} begins with offset {start} of {topic}, partition {partition}, and"
                    f" what is before it ends with {position}: name the backup before it first"
                )
            for segment in segments_of(links):
                if (segment.topic, segment.partition) != (topic, partition):
                    continue
                if segment.next <= position:
                    continue
                content = store.read(segment.file)
                for record in unpacked(self._keys, segment, links[0].topics[topic].id, content):
                    if record.offset >= position:
                        yield record
                position = segment.next


def under_prefix(settings: Settings, prefix: str, partitions: int) -> Settings:
    """Return settings for topics that have a prefix of their own, the journal too."""
    if not TOPIC_PREFIX.fits(prefix):
        raise RestoreError(f"--prefix must be {TOPIC_PREFIX.words}")
    return replace(
        settings,
        values={
            **settings.values,
            PREFIX.name: (prefix, "environment"),
            JOURNAL_PREFIX.name: (None, "not set"),
            PARTITIONS.name: (str(partitions), "environment"),
        },
    )


async def restore(
    settings: Settings,
    places: Sequence[ArchiveStore],
    prefix: str,
    progress: Callable[[int], None],
) -> Restored:
    """Restore the journal. Raises ArchiveError and other UserErrors."""
    parts = await asyncio.to_thread(BackupParts, places, settings.archive_keys())
    new = under_prefix(settings, prefix, parts.partitions(topics.REPORTS.name))
    with explained(new.bootstrap, RestoreError, advice=AGAIN):
        await ensure_topics_of(new, needed=RESTORED)  # the others too: workers may make none
        restoring = Restoring(new, parts, progress)
        async with open_topics(KafkaClients(new.bootstrap, CLIENT)) as reader:
            await restoring.look(reader)
            await restoring.copy(topics.ACCESS)
            scope = {"from": [store.uri for store in places], "prefix": prefix}
            await record_act(new, Act("restore", scope))
            await restoring.copy(topics.REPORTS)
            await restoring.count(reader)
    return restoring.done


class Restoring:
    """A restore at work."""

    def __init__(
        self, settings: Settings, parts: BackupParts, progress: Callable[[int], None]
    ) -> None:
        self.done = Restored(settings.prefix, {}, until=parts.until)
        self._settings = settings
        self._parts = parts
        self._progress = progress
        self._there: dict[tuple[str, int], tuple[int, bytes]] = {}
        """Records that are there, and a digest of them all, by topic and partition."""

    async def look(self, reader: TopicReader) -> None:
        """Step 2. Raises RestoreError where there is something else."""
        for topic in RESTORED:
            name = self._settings.topic(topic)
            for partition, end in (await reader.ends(name)).items():
                number, digest = 0, blake2b()
                async with aclosing(reader.records(name, partition, 0, end)) as records:
                    async for record in records:
                        is_restored = bool(dict(record.headers).get(ORIGIN))
                        if topic is topics.ACCESS and not is_restored:
                            continue  # this act, and what was done after it
                        number += 1
                        digest.update(_bytes_of((record.key, record.value, record.headers)))
                        if not is_restored:
                            raise RestoreError(
                                f"{name} has records that came from no backup: restore under a"
                                " prefix that nobody uses yet"
                            )
                self._there[topic.name, partition] = number, digest.digest()
        if not any(number for number, _ in self._there.values()):
            await self._check_unused(reader)

    async def _check_unused(self, reader: TopicReader) -> None:
        """Raise RestoreError where a worker was at work under the prefix, on another journal."""
        for topic in MADE_FROM_THEM:
            name = self._settings.topic(topic)
            if await reader.partitions(name) and any((await reader.ends(name)).values()):
                raise RestoreError(
                    f"{name} has records that are not of this journal: restore under a prefix that"
                    " nobody uses yet"
                )

    async def copy(self, topic: topics.Topic) -> None:
        """Step 3 for one topic, and step 4."""
        name, total = self._settings.topic(topic), 0
        clients = KafkaClients(self._settings.bootstrap, CLIENT)
        async with open_copy_writer(clients) as writer:
            for partition in range(self._parts.partitions(topic.name)):
                number = 0
                async for messages in self.missing(topic, partition):
                    await writer.write(name, partition, messages)
                    number += len(messages)
                    self._progress(total + number)
                total += number + self._there[topic.name, partition][0]
        self.done.records[topic.name] = total

    async def count(self, reader: KafkaTopicReader) -> None:
        """Step 4. Raises RestoreError where others have written to the journal meanwhile."""
        ends = await reader.ends(self._settings.topic(topics.REPORTS))
        if sum(ends.values()) != self.done.records[topics.REPORTS.name]:
            raise RestoreError(
                f"others wrote to {self._settings.topic(topics.REPORTS)} meanwhile: stop them, and"
                " restore under a prefix that nobody uses yet"
            )

    async def missing(self, topic: topics.Topic, partition: int) -> AsyncIterator[list[Message]]:
        """Yield the messages of a partition that are not there yet."""
        there, digest = self._there[topic.name, partition]
        source = self._parts.source(topic.name)
        records = self._parts.records(topic.name, partition)
        first = (copied(record, source, partition) for record in islice(records, there))
        if digest != await asyncio.to_thread(_digest_of, first):
            raise RestoreError(
                f"{self._settings.topic(topic)}, partition {partition}, has other records than the"
                " backup: restore under a prefix that nobody uses yet"
            )
        self.done.there_before += there
        while batch := await asyncio.to_thread(_some, records):
            yield [copied(record, source, partition) for record in batch]


def _some(records: Iterator[ArchivedRecord]) -> list[ArchivedRecord]:
    return list(islice(records, COPIED_RECORDS))


def _digest_of(messages: Iterable[Message]) -> bytes:
    digest = blake2b()
    for message in messages:
        digest.update(_bytes_of(message))
    return digest.digest()


def _bytes_of(message: tuple[bytes | None, bytes | None, Iterable[tuple[str, bytes]]]) -> bytes:
    """Return bytes that no other message has."""
    key, value, headers = message
    return repr((key, value, [(name, content) for name, content in headers])).encode()


def origin_of(source: str, partition: int, offset: int) -> str:
    """Return the place of a record in the topic that it comes from."""
    return f"{source}/{partition}/{offset}"


def copied(record: ArchivedRecord, source: str, partition: int) -> Message:
    """Make the message of a record that is written anew into a partition of the same number."""
    return record.key, record.value, anew(record, origin_of(source, partition, record.offset))


def anew(record: ArchivedRecord, origin: str) -> Headers:
    """Return the headers of a record that is written anew, with the place where it was."""
    headers: Headers = [
        (ORIGIN_RAW if name == RAW else name, cast("bytes", content))  # Kafka takes None too
        for name, content in record.headers
        if name not in (ORIGIN, ORIGIN_MAC)
    ]
    headers.append((ORIGIN, origin.encode()))
    if record.written_ms != UNKNOWN_TIME and ORIGIN_TIME not in dict(headers):
        headers.append((ORIGIN_TIME, _time(record.written_ms)))
    return headers


def _time(written_ms: int) -> bytes:
    at = datetime.fromtimestamp(written_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return at.replace("+00:00", "Z").encode()
