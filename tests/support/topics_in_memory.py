"""Topics as lists of records, which a test damages, and a reader of them."""

from contextlib import asynccontextmanager
from typing import NamedTuple

import orjson

from streams.kafka.topic_settings import Existing
from streams.kafka.topics import TOPICS


class StoredRecord(NamedTuple):
    """A record, free to be changed."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]

    def with_value(self, **changes):
        return self._replace(value=orjson.dumps(orjson.loads(self.value or b"") | changes))

    def with_header(self, name, value):
        others = [(other, text) for other, text in self.headers if other != name]
        return self._replace(headers=[*others, (name, value)])


class TopicsInMemory:
    """The records of all topics by topic, without its prefix, and partition.

    `starts` are first offsets that are kept, by topic and partition; 0 where nothing is said.
    `taken_in` is how far intake came, by partition; to the end where nothing is said.
    """

    def __init__(self, settings, records=None):
        self.settings = settings
        partitions = range(settings.partitions)
        given = records or {}
        self.of = {
            topic.name: {at: list(given.get(topic.name, {}).get(at, ())) for at in partitions}
            for topic in TOPICS
        }
        self.starts = {}
        self.step = 1
        """Offsets from one record to the next; between them a test puts others."""
        self.topic_settings = {}
        self.taken_in = None

    def copy(self):
        copied = TopicsInMemory(self.settings, self.of)
        copied.step = self.step
        return copied

    def name(self, topic):
        return self.settings.prefix + topic

    def append(self, topic, at, key, value, headers):
        """Append a record as a producer does, and return the offset after it."""
        records = self.of[topic][at]
        offset = records[-1].offset + self.step if records else 0
        records.append(StoredRecord(offset, key, value, list(headers)))
        return offset + 1

    # --- looking for records ----------------------------------------------------------------------

    def messages(self, which=lambda _: True):
        """Partition, index, record and message of the posting messages that fit."""
        for at, records in self.of["postings"].items():
            for index, record in enumerate(records):
                message = orjson.loads(record.value)
                if message["type"] == "postings" and which(message):
                    yield at, index, record, message

    def message(self, which=lambda _: True):
        return next(self.messages(which))

    def find(self, topic, which):
        """Partition, index and record of the first record of a topic that fits."""
        return next(
            (at, index, record)
            for at, records in self.of[topic].items()
            for index, record in enumerate(records)
            if which(record)
        )

    # --- damage -----------------------------------------------------------------------------------

    def replace(self, topic, at, index, record):
        """Put another record in a place, and return the place."""
        self.of[topic][at][index] = record
        return self.name(topic), at, record.offset

    def drop(self, topic, at, index):
        return self.of[topic][at].pop(index)

    # --- the port ---------------------------------------------------------------------------------

    def ends(self):
        return {
            topic: {at: records[-1].offset + 1 if records else 0 for at, records in found.items()}
            for topic, found in self.of.items()
        }

    def open(self, ends=None):
        """A function that opens these topics; they end as given, by default with what they hold."""
        reader = ReaderOfLists(self, ends or self.ends())

        @asynccontextmanager
        async def open_topics(_settings):
            yield reader

        return open_topics


class ReaderOfLists:
    """The port `TopicReader` over topics in memory; both stages have committed everything."""

    def __init__(self, topics, ends):
        self._topics = topics
        self._ends = ends
        self._prefix = topics.settings.prefix

    async def partitions(self, topic):
        return list(self._ends.get(topic.removeprefix(self._prefix), ()))

    async def starts(self, topic):
        short = topic.removeprefix(self._prefix)
        return {at: self._topics.starts.get((short, at), 0) for at in self._ends[short]}

    async def ends(self, topic):
        return dict(self._ends[topic.removeprefix(self._prefix)])

    async def written_ends(self, topic):
        return await self.ends(topic)

    async def identity(self, topic):
        return f"id of {topic}"

    async def described(self, topics):
        """Every topic is as it must be, with three replicas."""
        rows = {self._prefix + topic.name: topic for topic in TOPICS}
        partitions = self._topics.settings.partitions
        return {
            name: Existing(
                partitions, self._topics.topic_settings.get(name, rows[name].settings), 3
            )
            for name in topics
        }

    async def since(self, topic, _moment):
        """All was written at the same time."""
        return await self.starts(topic)

    async def committed(self, group):
        if group.endswith("intake") and self._topics.taken_in is not None:
            return self._topics.taken_in
        return dict(self._ends["reports.raw" if group.endswith("intake") else "reports"])

    async def records(self, topic, partition, _start, end, counted=None):
        """Read what the list holds, also before a start that only pretends to be one."""
        records = self._topics.of[topic.removeprefix(self._prefix)][partition]
        for record in records:
            if record.offset < end:
                yield record
        if counted is not None:
            counted(len(records))
