"""The intake stage: what upstream published becomes an accepted report in the journal or a dead letter.

At least once on purpose. A transactional intake that died would hold back the readers of
every partition of the journal, since its transaction touches them all, until its session ends. A
report that stands in the journal twice after a crash changes nothing; its header `raw` tells.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from streams.engine.ports import (
    Ends,
    Kafka,
    Message,
    Output,
    Outputs,
    Processed,
    Record,
    Source,
)
from streams.engine.sink import DeliverySink
from streams.privacy.identity import Identity
from streams.stages.dead_letter import Refused, dead_letter, marks
from streams.wire import journal
from streams.wire.outcomes import Accepted
from streams.wire.rejections import INTERNAL_ERROR, Rejection
from streams.wire.validator import Validator


class IntakeTopics(NamedTuple):
    """What the stage reads and writes; `partitions` is the journal's number of them."""

    raw: str
    journal: str
    dead_letters: str
    partitions: int


CACHED_ADDRESSES: Final = 1 << 14
"""A reporter sends a citizen's lines close together; pseudonyms and seals are kept for longer by the identity."""


class Intake:
    """The stage, for all of its partitions in this process."""

    name: Final = "intake"
    source_expires: Final = True

    def __init__(self, topics: IntakeTopics, validator: Validator, identity: Identity) -> None:
        self.topics = topics
        self.validator = validator
        self.identity = identity
        self.address = lru_cache(maxsize=CACHED_ADDRESSES)(self._address)

    @property
    def topic(self) -> str:
        """What it reads."""
        return self.topics.raw

    def work(self, partition: int) -> "IntakeWork":
        """Work on one partition of the raw reports."""
        return IntakeWork(self, partition)

    def sink(self, kafka: Kafka, group: str, source: Source, partition: int) -> DeliverySink:
        """A sink that delivers at least once."""
        delivery = kafka.delivery(group, source, partition, transactional=False)
        return DeliverySink(self.name, source, partition, delivery)

    def _address(self, cpr: str) -> tuple[bytes, str, int]:
        """A person's key in the journal, CPR sealed, and partition."""
        citizen, sealed = self.identity.of(cpr)
        key = citizen.encode()
        return key, sealed, journal.partition_of(key, self.topics.partitions)


class IntakeWork:
    """One partition's records, one by one: there is no state."""

    def __init__(self, stage: Intake, partition: int) -> None:
        self._stage = stage
        self._partition = partition
        self._place = f"{stage.topic}/{partition}/"

    async def restore(self) -> None:
        """Nothing: there is no state."""

    def process(self, records: Sequence[Record]) -> Processed[Outputs]:
        """Accepted reports by their citizen's partition, and dead letters."""
        accepted: defaultdict[int, list[Message]] = defaultdict(list)
        dead: list[Message] = []
        rejected: list[tuple[str, str]] = []
        for record in records:
            read = self._read(record)
            if isinstance(read, Rejection):
                dead.append(self._dead_letter(record, read))
                rejected.append(("rejected", read.reason))
            else:
                partition, message = read
                accepted[partition].append(message)
        topics = self._stage.topics
        outputs = [
            Output(topics.journal, partition, messages) for partition, messages in accepted.items()
        ]
        if dead:
            outputs.append(Output(topics.dead_letters, None, dead))
        return Processed(outputs, len(records), Counter(rejected))

    def _read(self, record: Record) -> tuple[int, Message] | Rejection:
        """The journal's partition and message for a record, or why it is refused. Never raises."""
        outcome = self._stage.validator.parse(record.value or b"")
        if isinstance(outcome, Rejection):
            return outcome
        try:
            assert isinstance(outcome, Accepted), "control records do not come from upstream"
            return self._accept(record, outcome)
        except Exception:  # noqa: BLE001 - a defect of ours: the record is kept, nothing else stops
            return INTERNAL_ERROR

    def _accept(self, record: Record, accepted: Accepted) -> tuple[int, Message]:
        report, cpr, reported_at = accepted
        key, sealed, partition = self._stage.address(cpr)
        headers = journal.report_headers(
            report, reported_at, f"{self._place}{record.offset}".encode()
        )
        if record.headers:
            headers += marks(record.headers, self._stage.topics.dead_letters)
        return partition, (key, journal.encode(report, sealed, reported_at), headers)

    def _dead_letter(self, record: Record, rejection: Rejection) -> Message:
        stage = self._stage
        again = marks(record.headers, stage.topics.dead_letters)
        refused = Refused(
            stage.name, stage.topic, self._partition, record.offset, record.value or b"", again
        )
        return dead_letter(stage.identity, rejection, refused)

    def keep(self, ends: Ends, _position: int) -> None:
        """Nothing: there is no state."""

    def close(self) -> None:
        """Nothing: there is no state."""
