"""The intake stage: a record from upstream becomes a report in the journal or a dead letter.

Intake delivers at least once, on purpose. A transaction of intake touches every partition of the
journal; if intake died inside one, it would hold back the readers of all of them until its session
ends. A report that is in the journal twice after a crash changes nothing; its header `raw` tells.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from streams.engine.ports import (
    Ends,
    Events,
    Kafka,
    Message,
    Output,
    Outputs,
    Processed,
    Record,
    Refused,
    Source,
    UnreadBatch,
)
from streams.engine.sink import DeliverySink
from streams.kafka.topics import INTAKE
from streams.kit.errors import BLAMELESS
from streams.privacy.identity import Identity
from streams.stages.dead_letter import dead_letter, marks, refused_record
from streams.stages.intake_position import TakenIn
from streams.stages.position_notes import PositionNotes
from streams.wire import journal
from streams.wire.outcomes import Accepted
from streams.wire.partitioner import partition_of
from streams.wire.rejections import INTERNAL_ERROR, REFUSED, TOO_LARGE, Rejection
from streams.wire.validator import Validator

log = logging.getLogger("refusion")

UNKNOWN: Final = "unknown"
"""Stands for whoever sent a refused record, where the register of reporters has nobody of it."""


class IntakeTopics(NamedTuple):
    """The topics that the stage reads and writes; the journal has so many `partitions`."""

    raw: str
    journal: str
    dead_letters: str
    partitions: int


CACHED_ADDRESSES: Final = 1 << 14
"""Addresses that are remembered.

A reporter sends a citizen's lines close together; the identity remembers pseudonyms for longer.
"""


class Intake:
    """The intake stage, for all of its partitions in this process."""

    source_expires: Final = True
    blameless: Final[tuple[type[Exception], ...]] = ()

    def __init__(
        self,
        topics: IntakeTopics,
        validator: Validator,
        identity: Identity,
        kafka: Kafka,
        name: str = INTAKE,
    ) -> None:
        """`name` is that of the stage for one source's raw topic; see `intake_of`."""
        self.name = name
        self.topics = topics
        self.validator = validator
        self.identity = identity
        self.kafka = kafka
        self.events: Events = Counter()
        self.macs = [identity.macs.at("reports", at) for at in range(topics.partitions)]
        self.taken_in = TakenIn(kafka, topics.raw, topics.journal, self.macs)
        self.address = lru_cache(maxsize=CACHED_ADDRESSES)(self._address)

    @property
    def topic(self) -> str:
        """The topic that it reads."""
        return self.topics.raw

    def work(self, partition: int) -> "IntakeWork":
        """Begin work on one partition of the raw reports."""
        return IntakeWork(self, partition)

    def sink(self, kafka: Kafka, group: str, source: Source, partition: int) -> DeliverySink:
        """A sink that delivers at least once."""
        delivery = kafka.delivery(group, source, partition, transactional=False)
        macs = self.identity.macs
        notes = PositionNotes(self.name, macs, group, self.topic, partition, self.events)
        return DeliverySink(self.name, source, partition, delivery, notes)

    def _address(self, cpr: str) -> tuple[bytes, str, int]:
        """Return a person's key in the journal, the CPR sealed, and the partition."""
        citizen, sealed = self.identity.of(cpr)
        key = citizen.encode()
        return key, sealed, partition_of(key, self.topics.partitions)


class IntakeWork:
    """The work on one partition, record by record; it has no state."""

    def __init__(self, stage: Intake, partition: int) -> None:
        self._stage = stage
        self._partition = partition
        self._place = f"{stage.topic}/{partition}/"

    async def restore(self) -> None:
        """Do nothing: there is no state."""

    async def position(self, committed: int | None) -> int | None:
        """Return the group's offset; where it has none, one up to which all is in the journal."""
        if committed is not None:
            return committed
        stage = self._stage
        async with stage.kafka.changelog(stage.topic, self._partition) as raw:
            if raw.end == 0:
                return None
            offset, in_journal = (await stage.taken_in.whole()).get(self._partition, (0, None))
            if in_journal is None or offset >= raw.end:
                return None
            record = await raw.record(offset)
        if record is not None and not self._became(record, in_journal):
            return None  # the journal means a former topic of that name
        stage.events["position_found"] += 1
        log.warning(
            "%s/%d: its group has no offset any more: goes on at %d, by what is in the journal",
            stage.name,
            self._partition,
            offset + 1,
        )
        return offset + 1

    def _became(self, record: Record, in_journal: Record) -> bool:
        """Tell if a raw record is the one that became a record of the journal."""
        taken_in = self._take_in(record)
        if isinstance(taken_in, Rejection):
            return False
        _, (key, value, _) = taken_in
        return (key, journal.decode(key, value).report) == (
            in_journal.key,
            journal.decode(in_journal.key, in_journal.value).report,
        )

    def process(self, records: Sequence[Record], _position: int) -> Processed[Outputs]:
        """Turn records into accepted reports by their citizen's partition, and dead letters.

        Each record is read once, whatever becomes of the others: a defect that all of them meet
        costs no more than a rejection of each.
        """
        accepted: defaultdict[int, list[Message]] = defaultdict(list)
        dead: list[Message] = []
        rejected: list[tuple[str, str]] = []
        for record in records:
            taken_in = self._take_in(record)
            if isinstance(taken_in, Rejection):
                dead.append(self._dead_letter(record, taken_in))
                rejected += ("rejected", taken_in.reason), ("rejected_of", self._reporter(record))
            else:
                partition, message = taken_in
                accepted[partition].append(message)
        topics = self._stage.topics
        outputs = [
            Output(topics.journal, partition, messages) for partition, messages in accepted.items()
        ]
        if dead:
            outputs.append(Output(topics.dead_letters, None, dead))
        return Processed(outputs, len(records), Counter(rejected))

    def _take_in(self, record: Record) -> tuple[int, Message] | Rejection:
        """Return the journal's partition and message, or why a record is refused.

        Raises nothing but BLAMELESS: then no record is to blame.
        """
        try:
            if record.value is None and isinstance(record, UnreadBatch) and record.is_too_large:
                return TOO_LARGE
            outcome = self._stage.validator.parse(record.value or b"")
            if isinstance(outcome, Rejection):
                return outcome
            assert isinstance(outcome, Accepted), "control records do not come from upstream"
            return self._accept(record, outcome)
        except BLAMELESS:
            raise
        except Exception:  # noqa: BLE001 - a defect of ours: the record is kept, nothing else stops
            return INTERNAL_ERROR

    def _accept(self, record: Record, accepted: Accepted) -> tuple[int, Message]:
        report, cpr, reported_at = accepted
        key, sealed, partition = self._stage.address(cpr)
        raw = f"{self._place}{record.offset}".encode()
        headers = journal.report_headers(report, reported_at, raw)
        if record.headers:
            headers += marks(record.headers, self._stage.topics.dead_letters)
        value = journal.encode(report, sealed, reported_at)
        event_type = journal.EVENT_TYPES[type(report)]
        headers.append(self._stage.macs[partition].header(key, event_type, value))
        return partition, (key, value, headers)

    def _reporter(self, record: Record) -> str:
        """Name who sent a refused record, for the metrics, if the register knows the number."""
        try:
            return self._stage.validator.known_reporter(record.value or b"") or UNKNOWN
        except BLAMELESS:
            raise
        except Exception:  # noqa: BLE001 - a figure is not worth a batch
            return UNKNOWN

    def _dead_letter(self, record: Record, rejection: Rejection) -> Message:
        stage = self._stage
        refused = refused_record(
            INTAKE, stage.topic, self._partition, record, stage.topics.dead_letters
        )
        return dead_letter(stage.identity, rejection, refused)

    def refuse(self, record: Record, _position: int, reason: Refused) -> Processed[Outputs]:
        """Turn a record that the stage cannot process into a dead letter."""
        dead = self._dead_letter(record, REFUSED[reason])
        outputs = [Output(self._stage.topics.dead_letters, None, [dead])]
        return Processed(outputs, 1, {("rejected", reason): 1})

    async def keep(self, ends: Ends, _position: int) -> None:
        """Do nothing: there is no state."""

    async def close(self) -> None:
        """Do nothing: there is no state."""
