"""Holds the raw records against journal and dead letters: each is in one of them.

Each record of `reports.raw` that is still kept and that intake has taken in was accepted, so it is
in the journal, or was refused, so it is a dead letter. It is there twice only after a crash of
intake.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from projections.audit.records import DeadLetter, dead_letter
from projections.audit.violations import BadRecordError, Violation, Violations, as_bad
from streams.audit.audited_topics import dead_letter_topics
from streams.audit.partition import CPRS, PartitionOutcome
from streams.audit.snapshot import Snapshot
from streams.engine.ports import Record
from streams.kafka import topics
from streams.kafka.reading import Offsets, TopicReader
from streams.kafka.topics import INTAKE
from streams.settings import Settings
from streams.wire.rejections import REASONS

UNREGISTERED: Final = "its source is not in the register here (REFUSION_REPORTERS), not followed"
DEFECT: Final = "internal_error"
"""Reason of a dead letter that met a defect of the program, which may be repaired by now."""


@dataclass
class RefusedOffsets:
    """Offsets that became dead letters, by partition of the journal, by topic and partition if raw.

    `defects` are those of the journal whose reason is a defect. `read` is the number of dead
    letters.
    """

    journal: defaultdict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    raw: defaultdict[tuple[str, int], list[int]] = field(default_factory=lambda: defaultdict(list))
    defects: defaultdict[int, set[int]] = field(default_factory=lambda: defaultdict(set))
    read: int = 0

    def take(self, letter: DeadLetter, settings: Settings) -> None:
        """Add a dead letter. Raises BadRecordError where it came from no topic of ours."""
        if topics.is_raw(letter.topic, settings.topic(topics.RAW)):
            self.raw[letter.topic, letter.partition].append(letter.offset)
        elif letter.topic == settings.topic(topics.REPORTS):
            self.journal[letter.partition].add(letter.offset)
            if letter.reason == DEFECT:
                self.defects[letter.partition].add(letter.offset)
        else:
            raise BadRecordError("dead_letter", "it came from a topic that is none of ours")


async def read_dead_letters(
    reader: TopicReader, settings: Settings, snapshot: Snapshot, violations: Violations
) -> RefusedOffsets:
    """Read all dead letters that are kept.

    Of those from before a rebuild only intake's count: it goes on where it was, and the citizens
    stage begins anew.
    """
    refused = RefusedOffsets()
    for name in filter(snapshot.ends.get, dead_letter_topics(settings)):
        is_ours = name == settings.topic(topics.DEAD_LETTERS)
        for partition in snapshot.ends[name]:
            bounds = snapshot.bounds(name, partition)
            async for record in reader.records(name, partition, *bounds):
                refused.read += 1
                try:
                    letter = dead_letter(record.key, record.value, record.headers, REASONS, CPRS)
                    if is_ours or letter.stage == INTAKE:
                        refused.take(letter, settings)
                except Exception as error:  # noqa: BLE001 - as_bad raises defects of ours again
                    place, bad = (name, partition, record.offset), as_bad(error)
                    whole = record.key, record.value, record.headers
                    violations.add_record(place, bad, whole, CPRS)
    return refused


@dataclass
class RawCounts:
    """Raw records that were looked at, those that had been taken in, and those that are twice."""

    read: int = 0
    kept: int = 0
    twice: int = 0


async def account_for_raw(
    reader: TopicReader,
    settings: Settings,
    snapshot: Snapshot,
    outcomes: Sequence[PartitionOutcome],
    refused: RefusedOffsets,
    violations: Violations,
) -> RawCounts:
    """Look for each raw record among those that were accepted or refused.

    Memory: those of one partition of `reports.raw` at a time, some 100 bytes each.
    """
    # The end by now, since what is in the journal by now came from before it.
    ends = {name: await reader.written_ends(name) for name in snapshot.taken_in}
    for outcome in outcomes:
        for text in _impossible_sources(outcome, settings.topic(topics.RAW), ends, violations):
            place = settings.topic(topics.REPORTS), outcome.partition, -1
            violations.add(Violation("raw", *place, text))
    counts = RawCounts()
    for name, taken_in in snapshot.taken_in.items():
        _find_unread(name, snapshot, outcomes, refused, violations)
        for partition in snapshot.ends[name]:
            known = _destinations((name, partition), outcomes, refused)
            async for record in reader.records(name, partition, *snapshot.bounds(name, partition)):
                counts.read += 1
                if record.offset < taken_in.get(partition, 0):
                    times = known[record.offset]
                    counts.kept += 1
                    counts.twice += times > 1
                    _judge((name, partition), record, times, violations)
    return counts


def _destinations(
    at: tuple[str, int], outcomes: Sequence[PartitionOutcome], refused: RefusedOffsets
) -> Counter[int]:
    """Count how often each raw record of a partition was accepted or refused, by offset."""
    known = Counter(refused.raw.get(at, ()))
    for outcome in outcomes:
        known.update(outcome.raw.get(at, ()))
    return known


def _judge(at: tuple[str, int], record: Record, times: int, violations: Violations) -> None:
    """Add what is wrong with a raw record that was taken in, so many times."""
    place = *at, record.offset
    if not times:
        text = "it was taken in, and is neither in the journal nor a dead letter"
        violations.add(Violation("raw", *place, text))
    if record.key and CPRS.finds(record.key):
        text = "its key looks like a CPR number; `refusion publish` makes keys that name nobody"
        violations.add(Violation("cpr", *place, text))


def _find_unread(
    name: str,
    snapshot: Snapshot,
    outcomes: Sequence[PartitionOutcome],
    refused: RefusedOffsets,
    violations: Violations,
) -> None:
    """Add violations where raw records were gone before intake came to them."""
    taken_in = snapshot.taken_in[name]
    for partition, start in snapshot.starts[name].items():
        came_to = [outcome.raw_last.get((name, partition), -1) + 1 for outcome in outcomes]
        came_to += [offset + 1 for offset in refused.raw.get((name, partition), ())]
        unread = start - max(taken_in.get(partition, 0), *came_to)
        if unread > 0:
            text = f"{unread} records before this one are gone, and intake never read them"
            violations.add(Violation("raw", name, partition, start, text))


def _impossible_sources(
    outcome: PartitionOutcome,
    raw_topic: str,
    ends: Mapping[str, Offsets],
    violations: Violations,
) -> Iterator[str]:
    """Yield sentences about reports that name a raw record which was never written.

    The raw topic of a source that is not in the register here is only noted.
    """
    for (topic, partition), last in outcome.raw_last.items():
        if topic not in ends and topics.is_raw(topic, raw_topic):
            violations.notes[f"partitions with reports from {topic}: {UNREGISTERED}"] += 1
        elif last >= ends.get(topic, {}).get(partition, 0):
            yield f"reports say that they came from {topic}/{partition}/{last}, which never was"
