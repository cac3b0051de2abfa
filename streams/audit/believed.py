"""Reads a partition's records of topics, without those that our stages pass over."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Final

from streams.audit.snapshot import Snapshot
from streams.engine.ports import Record
from streams.kafka import topics
from streams.kafka.reading import TopicReader
from streams.kit.tasks import count_read
from streams.privacy.macs import Role
from streams.settings import Settings
from streams.wire.belief import is_marked
from streams.wire.journal_checks import CheckedFrom, JournalChecks, beginning

UNMARKED: Final = "records of {topic} that nobody of ours wrote: passed over"
"""Note about records that lack our MAC where each must have one."""
PASSED_OVER: Final = {
    "foreign": "records of the journal that nobody of ours wrote: passed over",
    "repeated": "copies of control records in the journal: passed over",
}
"""Notes about records that lead to nothing, by what is said of them (`streams.wire.belief`)."""


class BelievedRecords:
    """One partition of the topics, up to where they ended at a snapshot.

    Call `look_at_beginning` first: it finds out what must have a MAC.
    """

    def __init__(
        self, reader: TopicReader, settings: Settings, snapshot: Snapshot, partition: int
    ) -> None:
        self._reader, self._settings, self._snapshot = reader, settings, snapshot
        self._partition = partition
        self._checks = JournalChecks(settings.macs_if_set())

    async def look_at_beginning(self) -> None:
        """Find out whether the journal begins with its keys: all that follows has a MAC then."""
        partition, macs = self._partition, self._settings.macs_if_set()
        if macs is None:
            return
        name = self._settings.topic(topics.REPORTS)
        bounds = self._snapshot.bounds(name, partition)
        async with aclosing(self._reader.records(name, partition, *bounds)) as records:
            how, _ = await beginning(macs.at("reports", partition), records)
        begun = frozenset({partition} if how == "keys" else ())
        self._checks = JournalChecks(macs, CheckedFrom(begun=begun))

    def of(self, topic: topics.Topic) -> AsyncIterator[Record]:
        """The partition's records of a topic, counted for whoever waits."""
        name = self._settings.topic(topic)
        bounds = self._snapshot.bounds(name, self._partition)
        return self._reader.records(name, self._partition, *bounds, count_read)

    async def ours(
        self, topic: topics.Topic, role: Role, notes: Counter[str]
    ) -> AsyncIterator[Record]:
        """The partition's records of a topic, without those that lack a MAC that they must have."""
        mac = self._checks.mac(role, self._partition)
        async for record in self.of(topic):
            if mac is None or is_marked(mac, record):
                yield record
            else:
                notes[UNMARKED.format(topic=topic.name)] += 1

    async def journal(self, notes: Counter[str]) -> AsyncIterator[Record]:
        """The partition's records of the journal, without those that the stage passes over."""
        belief = self._checks.journal(self._partition)
        async for record in self.of(topics.REPORTS):
            if (verdict := belief.of(record)) == "ours":
                yield record
            else:
                notes[PASSED_OVER[verdict]] += 1
