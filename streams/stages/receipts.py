"""The stages of receipts: they tell reporters what became of their reports, exactly once.

Three of them run beside the ledger in `projections` where REFUSION_RECEIPTS is 1, each in a batch
loop with a group of its own; Kafka commits receipts and position together:

    receipts.reports        the journal: what was accepted; deliveries that were ignored, counted
    receipts.dead-letters   what was rejected, with the reason and the field
    receipts.notices        what was accepted and is doubtful, with the code

What they tell is in `receipt_tellers.py`.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from streams.engine.ports import (
    Ends,
    Events,
    Kafka,
    Message,
    Outputs,
    Processed,
    Record,
    Refused,
    Source,
    Work,
)
from streams.engine.sink import DeliverySink
from streams.privacy.identity import Identity
from streams.stages.position_notes import PositionNotes
from streams.stages.receipt_tellers import AcceptedTeller, NoticedTeller, RejectedTeller
from streams.wire.receipts import outputs_of


class ReceiptTopics(NamedTuple):
    """The topics that the stages read, and the one that they write."""

    journal: str
    dead_letters: str
    notices: str
    receipts: str


class _Teller(Protocol):
    """Says what becomes of the records of a partition."""

    async def restore(self) -> None:
        """Bring what is kept to where it was."""

    async def position(self, committed: int | None) -> int | None:
        """Return where to go on."""

    def messages(self, records: Sequence[Record], position: int) -> list[Message]:
        """Make the receipts of records."""

    async def keep(self) -> None:
        """Keep what was told."""

    async def close(self) -> None:
        """Close what is open."""


class ReceiptStage:
    """A stage of receipts, for all of its partitions in this process."""

    blameless: Final[tuple[type[Exception], ...]] = ()

    def __init__(
        self,
        topics: ReceiptTopics,
        partitions: int,
        identity: Identity,
        kafka: Kafka,
        folder: Path,
        kind: str,
    ) -> None:
        """The topic that it writes has so many `partitions`; `kind` is one of KINDS.

        `folder` belongs to this process alone.
        """
        self.name = f"receipts.{kind}"
        self._kind = kind
        self.topic, self.source_expires = {
            "reports": (topics.journal, False),
            "dead-letters": (topics.dead_letters, True),
            "notices": (topics.notices, True),
        }[kind]
        self._topics = topics
        self._partitions = partitions
        self._identity = identity
        self._kafka = kafka
        self._folder = folder
        self.events: Events = Counter()

    def work(self, partition: int) -> "ReceiptWork":
        """Work on a partition of its topic."""
        return ReceiptWork(self._teller(partition), self._topics.receipts, self._partitions)

    def _teller(self, partition: int) -> _Teller:
        if self._kind == "reports":
            own = self._kafka, self._identity, self.topic, partition, self._folder
            return AcceptedTeller(*own)
        if self._kind == "dead-letters":
            return RejectedTeller(self._identity, self._topics.journal, self.topic, partition)
        return NoticedTeller(self.topic, partition)

    def sink(self, kafka: Kafka, group: str, source: Source, partition: int) -> DeliverySink:
        """A transactional sink, which fences every other one of the partition."""
        delivery = kafka.delivery(group, source, partition, transactional=True)
        macs = self._identity.macs
        notes = PositionNotes(self.name, macs, group, self.topic, partition, self.events)
        return DeliverySink(self.name, source, partition, delivery, notes)


KINDS: Final = ("reports", "dead-letters", "notices")


class ReceiptWork(Work[Outputs]):
    """Turns the records of one partition into receipts."""

    def __init__(self, teller: _Teller, receipts: str, partitions: int) -> None:
        self._teller = teller
        self._receipts, self._partitions = receipts, partitions

    async def restore(self) -> None:
        """Bring what is kept to where it was."""
        await self._teller.restore()

    async def position(self, committed: int | None) -> int | None:
        """Return where to go on."""
        return await self._teller.position(committed)

    def process(self, records: Sequence[Record], position: int) -> Processed[Outputs]:
        """Tell what became of records."""
        made = self._teller.messages(records, position)
        outputs = outputs_of(made, self._receipts, self._partitions)
        return Processed(outputs, len(records))

    def refuse(self, _record: Record, position: int, _reason: Refused) -> Processed[Outputs]:
        """Pass a record over: whoever reads the topic itself has refused it too."""
        self._teller.messages([], position)
        return Processed([], 1)

    async def keep(self, _ends: Ends, _position: int) -> None:
        """Keep what was told."""
        await self._teller.keep()

    async def close(self) -> None:
        """Close what is open."""
        await self._teller.close()
