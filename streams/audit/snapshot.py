"""One moment of the topics: how far the stages had come, and where the topics began and ended.

The stages' offsets are read first, then the ends of the topics: so all that follows from the
records that a stage had committed lies before those ends. A transaction that is open then is waited
for, since nothing behind it can be read.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from projections.audit.violations import Violation
from streams.audit.audited_topics import VerifyError, dead_letter_topics
from streams.citizens.register_file import sources_of
from streams.kafka import topics
from streams.kafka.errors import no_topic
from streams.kafka.reading import Offsets, TopicReader
from streams.settings import Settings
from streams.wire.reporters import NO_SOURCE

OPEN_S: Final = 40.0
"""Seconds to wait for an open transaction: brokers end one that was left open after 30 s."""
LOOK_S: Final = 0.2
"""Seconds between two looks at an open transaction."""


class Snapshot(NamedTuple):
    """Offsets of one moment, by partition; topics go by their full names.

    `taken_in` is where intake goes on in `reports.raw` and in the raw topics of sources, by topic,
    `settled_to` where the citizens stage goes on in the journal. `starts` and `ends` are the first
    offsets that are kept and the offsets after the last committed records.
    """

    taken_in: Mapping[str, Offsets]
    settled_to: Offsets
    starts: Mapping[str, Offsets]
    ends: Mapping[str, Offsets]

    def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """The first offset of a partition, and the one after the last."""
        return self.starts[topic][partition], self.ends[topic][partition]

    def records(self, topic: str) -> int:
        """Offsets that a topic spans: at least as many as the records that it holds."""
        return sum(end - self.starts[topic][at] for at, end in self.ends[topic].items())

    def behind(self, topic: str, committed: Offsets) -> int:
        """Offsets of a topic that a stage has not come to yet."""
        starts = self.starts[topic]
        return sum(
            max(0, end - max(starts[at], committed.get(at, 0)))
            for at, end in self.ends[topic].items()
        )

    def lag(self, settings: Settings) -> dict[str, int]:
        """Offsets before each stage that were not audited."""
        return {
            "intake": sum(self.behind(name, offsets) for name, offsets in self.taken_in.items()),
            "citizens": self.behind(settings.topic(topics.REPORTS), self.settled_to),
        }


async def take_snapshot(reader: TopicReader, settings: Settings) -> Snapshot:
    """Read all offsets. Raises VerifyError where a topic is missing or has other partitions."""
    sources = sources_of(settings)
    names = await _audited(reader, settings, sources)
    taken_in = {
        settings.topic(topics.raw_of(source)): await reader.committed(
            settings.group(topics.intake_of(source))
        )
        for source in (NO_SOURCE, *sources)
    }
    settled_to = await reader.committed(settings.group("citizens"))
    starts = {name: await reader.starts(name) for name in names}
    ends = {name: await _final_ends(reader, name) for name in names}
    return Snapshot(taken_in, settled_to, starts, ends)


async def _audited(reader: TopicReader, settings: Settings, sources: Sequence[str]) -> list[str]:
    """The names of the topics to audit; dead letters from before a rebuild may be gone."""
    names = []
    for topic in topics.all_topics(sources):
        name = settings.topic(topic)
        partitions = len(await reader.partitions(name))
        if not partitions:
            raise VerifyError(no_topic(name, settings.bootstrap))
        if topic.by_citizen and partitions != settings.partitions:
            raise VerifyError(
                f"topic {name} has {partitions} partitions; set REFUSION_PARTITIONS={partitions}"
            )
        names.append(name)
    former = [
        name
        for name in dead_letter_topics(settings)
        if name not in names and await reader.partitions(name)
    ]
    return names + former


async def _final_ends(reader: TopicReader, topic: str) -> Offsets:
    """The ends of a topic, once no transaction that was open at the call is open any more."""
    written = await reader.written_ends(topic)
    deadline = time.monotonic() + OPEN_S
    while True:
        ends = await reader.ends(topic)
        if all(end >= written[at] for at, end in ends.items()):
            return ends
        if time.monotonic() > deadline:
            raise VerifyError(
                f"a transaction in {topic} has been open for {OPEN_S:.0f} s, and nothing behind it"
                " can be read; look at the brokers and at what writes there"
            )
        await asyncio.sleep(LOOK_S)


def lost_beginnings(snapshot: Snapshot, settings: Settings) -> Iterable[Violation]:
    """Violations where a topic that is kept for ever does not begin at offset 0."""
    for topic in (topics.REPORTS, topics.POSTINGS):
        name = settings.topic(topic)
        for partition, first in snapshot.starts[name].items():
            if first > 0:
                text = f"{first} records before this one are gone"
                yield Violation("beginning", name, partition, first, text)
