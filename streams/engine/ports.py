"""What the batch loop sees of the world: Kafka, a stage's work with its disk, and nothing else.

A simulated world can stand behind the same ports. Time has no port of its own: the loop
sleeps, waits and measures with asyncio alone, so its clock is the event loop's.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

Headers = list[tuple[str, bytes]]

Message = tuple[bytes | None, bytes | None, Headers]
"""Key, value and headers of a record that is to be written."""


class Record(Protocol):
    """A record that was read."""

    @property
    def offset(self) -> int:
        """Its place in the partition."""

    @property
    def key(self) -> bytes | None:
        """Its key."""

    @property
    def value(self) -> bytes | None:
        """Its value."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes]]:
        """Its headers."""


class Batch(NamedTuple):
    """Records of one partition, and the position after them: markers of transactions are passed over too."""

    records: Sequence[Record]
    position: int


class Output(NamedTuple):
    """Messages for one partition of a topic, in their order; None is any partition that it has."""

    topic: str
    partition: int | None
    messages: Iterable[Message]


class Processed(NamedTuple):
    """What is to be committed, and how many of the records are done with it."""

    outputs: Sequence[Output]
    done: int


Ends = Mapping[str, int]
"""The offset after the last message of each topic that was written to."""


class Rebalance(Protocol):
    """Told by the group which partitions are ours; the calls of one member never overlap."""

    async def revoked(self) -> None:
        """All partitions must be given back; the member's heartbeats go on meanwhile."""

    def assigned(self, partitions: Collection[int]) -> None:
        """These partitions are ours from now on. Must be quick: there are no heartbeats meanwhile."""


class Source(Protocol):
    """A member of a stage's consumer group. Every call may raise, and the member is then no good any more."""

    async def is_new_member(self) -> bool:
        """Whether the group has members and this process, under whatever former process id, is none of them."""

    async def join(self, rebalance: Rebalance) -> None:
        """Connect and become a member; raises where no broker answers."""

    async def check(self) -> None:
        """Raises what has gone wrong in the background."""

    async def leave(self) -> None:
        """Give the partitions to others at once and disconnect."""

    def pause(self, partition: int) -> None:
        """Fetch nothing from a partition until it is resumed."""

    def resume_at(self, partition: int, offset: int) -> None:
        """Fetch from an offset on."""

    async def fetch(self, partition: int, max_records: int, patience_s: float) -> Batch:
        """The next records: as soon as there are any, none when the time is over."""

    async def committed(self, partition: int) -> int | None:
        """The offset from which the group has to go on; None where it never began."""

    async def bounds(self, partition: int) -> tuple[int, int]:
        """The first offset that is still there, and the one after the last committed record."""


class Delivery(Protocol):
    """How a partition's outputs and its progress get into Kafka. Any failure leaves it useless."""

    async def start(self) -> None:
        """Connect; a transactional delivery fences every other one of its partition and ends its transaction."""

    async def begin(self) -> None:
        """Open a transaction, if deliveries are transactional."""

    async def send(self, outputs: Sequence[Output]) -> Ends:
        """Write, and return when the brokers have acknowledged all of it; raises where any of it failed."""

    async def commit(self, position: int) -> None:
        """Make it count, together with the source's position. An error leaves unknown whether it does."""

    async def stop(self) -> None:
        """Disconnect; may hang while there is no broker."""


class Changelog(Protocol):
    """One partition of a changelog, read committed."""

    @property
    def identity(self) -> str:
        """Of its cluster and topic; another after the topic was deleted and made anew."""

    @property
    def end(self) -> int:
        """The offset after its last committed record."""

    async def is_whole(self) -> bool:
        """Whether nothing stands behind `end`: no record of a transaction that is neither committed nor aborted."""

    def read(self, start: int) -> AsyncIterator[Batch]:
        """Its records from an offset to `end`, in order."""


class Kafka(Protocol):
    """The brokers."""

    def is_outage(self, error: Exception) -> bool:
        """Whether an error says that no broker answers, rather than that one answered with an error."""

    def source(self, group: str, topic: str) -> Source:
        """A member of the group that reads a topic, not yet joined."""

    def delivery(
        self, group: str, source: Source, partition: int, *, transactional: bool
    ) -> Delivery:
        """What one partition of the group writes with, not yet started."""

    def changelog(self, topic: str, partition: int) -> AbstractAsyncContextManager[Changelog]:
        """Open a changelog. Its end is final only after its writer was fenced."""


class Work(Protocol):
    """One partition's state and what it makes of records, from one failure (or assignment) to the next."""

    async def restore(self) -> None:
        """Open the disk and bring it to the end of the changelog. Only after this partition was fenced."""

    def process(self, records: Sequence[Record]) -> "Processed":
        """Turn records into outputs. Nothing is written: it is as if it had not been, until `keep`.

        It may leave records for later: it is called again with them after this is kept. One that
        takes more than a transaction is left until its last part; what is done of it stands in the
        state.
        """

    def keep(self, ends: Ends) -> None:
        """The outputs are committed and end there: write the same to disk."""

    def close(self) -> None:
        """Let go of the disk, and of what was not kept. May be called in any state."""


class Stage(Protocol):
    """What the batch loop runs."""

    @property
    def name(self) -> str:
        """As in `refusion worker STAGE`; names the consumer group too."""

    @property
    def topic(self) -> str:
        """What it reads."""

    @property
    def transactional(self) -> bool:
        """Whether outputs, state and progress are committed together, or delivered at least once."""

    @property
    def source_expires(self) -> bool:
        """Whether the topic drops old records, so that a gap must be lived with; else it is refused."""

    def work(self, partition: int) -> Work:
        """Fresh work on a partition, not yet restored."""
