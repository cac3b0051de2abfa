"""The ports of the batch loop: Kafka, a stage's work with its disk, and its sink.

A simulated world can stand behind the same ports. Time has no port of its own: the loop sleeps,
waits and measures with asyncio alone, so its clock is the event loop's.
"""

from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Generic, Literal, NamedTuple, Protocol, TypeVar

Headers = list[tuple[str, bytes]]

Message = tuple[bytes | None, bytes | None, Headers]
"""Key, value and headers of a record to write."""

Out = TypeVar("Out")
Out_contra = TypeVar("Out_contra", contravariant=True)


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


class UnreadBatch(NamedTuple):
    """A batch of a topic of which nothing is read; it stands in the place of its records.

    It would unpack to more than is allowed, or it is damaged. `last_offset` is that of its last
    record.
    """

    offset: int
    last_offset: int
    timestamp: int
    is_too_large: bool
    key: None = None
    value: None = None
    headers: tuple[()] = ()


def last_offset(record: Record) -> int:
    """Return the offset of a record, or of the last in its place."""
    return record.last_offset if isinstance(record, UnreadBatch) else record.offset


class Batch(NamedTuple):
    """Records of one partition, and the position after them (and after transaction markers)."""

    records: Sequence[Record]
    position: int


class Output(NamedTuple):
    """Messages for one partition of a topic, in their order; None is any partition that it has."""

    topic: str
    partition: int | None
    messages: Iterable[Message]


Outputs = Sequence[Output]
"""The outputs of a stage that writes to Kafka."""

Refused = Literal["internal_error", "too_large"]
"""The reason why the loop passes a record over: the work on it fails, or nobody takes what follows
from it."""

Counts = Mapping[tuple[str, str], int]
"""Figures of one batch for the metrics, by metric and label: `("rejected", "bad_period")` -> 3."""

Events = Counter[str]
"""Events of a stage's partitions in this process, by name: `begun_again` -> 2."""

NO_COUNTS: Final[Counts] = {}


class Processed(NamedTuple, Generic[Out]):
    """The outputs to commit, how many of the records they complete, and the batch's figures."""

    outputs: Out
    done: int
    counts: Counts = NO_COUNTS


Ends = Mapping[str, int]
"""The offset after the last message of each topic that was written to."""


class Rebalance(Protocol):
    """Hears from the group which partitions are ours; the calls of one member never overlap."""

    async def revoked(self) -> None:
        """Give back all partitions; the member's heartbeats go on meanwhile."""

    def assigned(self, partitions: Collection[int]) -> None:
        """Take over partitions. Must be quick: there are no heartbeats meanwhile."""


class Source(Protocol):
    """A member of a stage's consumer group. After any call that raised, the member is useless."""

    async def is_new_member(self) -> bool:
        """True if the group has members and this worker, by its id, is not one of them."""

    async def join(self, rebalance: Rebalance) -> None:
        """Connect and become a member; raises where no broker answers."""

    async def check(self) -> None:
        """Raise what has gone wrong in the background."""

    async def leave(self) -> None:
        """Give the partitions to others at once and disconnect."""

    def pause(self, partition: int) -> None:
        """Fetch nothing from a partition until it is resumed."""

    def resume_at(self, partition: int, offset: int) -> None:
        """Fetch from an offset on."""

    async def fetch(self, partition: int, max_records: int, patience_s: float) -> Batch:
        """Wait for records and return them; none when the time is over."""

    async def committed(self, partition: int) -> int | None:
        """The offset that the group has committed; None where there is none yet."""

    async def note(self, partition: int) -> str:
        """Return what was committed beside the group's offset; "" where nothing was."""

    async def commit(self, partition: int, position: int, note: str = "") -> None:
        """Commit a position as this member of the group; fails when it is no member any more."""

    async def bounds(self, partition: int) -> tuple[int, int]:
        """The first offset that is still there, and the one after the last committed record."""


class Delivery(Protocol):
    """Writes a partition's outputs and position to Kafka. After any failure it is useless."""

    async def start(self) -> None:
        """Connect.

        A transactional delivery fences every other one of its partition and ends its transaction.
        """

    async def begin(self) -> None:
        """Open a transaction, if deliveries are transactional."""

    async def send(self, outputs: Outputs) -> Ends:
        """Write; return when the brokers have acknowledged all of it, raise if any of it failed."""

    async def commit(self, position: int, note: str = "") -> None:
        """Make the outputs count, together with the source's position and a note beside it.

        After an error it is not known whether they do.
        """

    async def stop(self) -> None:
        """Disconnect; may hang while there is no broker."""


class Notes(Protocol):
    """Makes the notes beside a group's offsets, and looks at those that are there."""

    def of(self, position: int) -> str:
        """The note for an offset."""

    def look_at(self, position: int, note: str) -> None:
        """Say so where the note beside an offset is not of ours."""


class Sink(Protocol[Out_contra]):
    """Keeps a partition's outputs and its position together. After any failure it is useless.

    Implemented for Kafka (`streams.engine.sink`) and for Delta (`streams.stages.ledger`).
    """

    async def start(self) -> None:
        """Connect, and see to it that no other sink of the partition can commit any more."""

    async def position(self) -> int | None:
        """The offset to go on at; None where nothing was committed yet. Asked after `restore`."""

    async def tell_group(self, position: int) -> None:
        """Commit the group's offset alone, where another one was found to be right."""

    async def commit(self, outputs: Out_contra, position: int) -> Ends:
        """Commit outputs and position together. After an error the outcome is unknown."""

    async def stop(self) -> None:
        """Disconnect; may hang while there is no broker."""


class Changelog(Protocol):
    """One partition of a changelog, read committed."""

    @property
    def identity(self) -> str:
        """Its cluster and topic; another after the topic was deleted and made anew."""

    @property
    def end(self) -> int:
        """The offset after its last committed record."""

    async def is_whole(self) -> bool:
        """True if nothing is known to lie behind `end`: open transactions, or a later owner's."""

    def read(self, start: int) -> AsyncIterator[Batch]:
        """Its records from an offset to `end`, in order."""

    async def record(self, offset: int) -> Record | None:
        """The committed record at an offset before `end`; None where there is none."""


class Kafka(Protocol):
    """The brokers."""

    def is_outage(self, error: Exception) -> bool:
        """True for an error which says that no broker answers."""

    def refusal(self, error: Exception) -> str | None:
        """A sentence where the brokers do not let this program in, or deny it a right."""

    def is_too_large(self, error: Exception) -> bool:
        """True for an error which says that a message is larger than its topic takes."""

    def source(self, group: str, topic: str) -> Source:
        """A member of the group that reads a topic, not yet joined."""

    def delivery(
        self, group: str, source: Source, partition: int, *, transactional: bool
    ) -> Delivery:
        """A delivery for one partition of the group, not yet started."""

    def changelog(self, topic: str, partition: int) -> AbstractAsyncContextManager[Changelog]:
        """Open a changelog. Its end is final only after its writer was fenced."""


class Work(Protocol[Out]):
    """One partition's state and its processing, from one assignment or failure to the next."""

    async def restore(self) -> None:
        """Open the disk, bring it to the changelog's end. Only after the partition was fenced."""

    async def position(self, committed: int | None) -> int | None:
        """The offset to go on at, after `restore`; `committed` is what the sink says.

        None where nothing was done yet. Work whose state has the position believes that.
        """

    def process(self, records: Sequence[Record], position: int) -> Processed[Out]:
        """Turn records into outputs; `position` comes after them. Nothing is written before `keep`.

        It may leave records for later: it is called again with them after this is kept. A record
        that takes more than a transaction is left until its last part; how far it is done is in
        the state.

        Raises one of `streams.kit.errors.BLAMELESS` or of the stage's `blameless` errors where no
        record is to blame.
        """

    def refuse(self, record: Record, position: int, reason: Refused) -> Processed[Out]:
        """Pass over a record that cannot be processed: only what says so is written.

        `position` is where the source goes on after it.
        """

    async def keep(self, ends: Ends, position: int) -> None:
        """Write to disk what was committed: the outputs, which end at `ends`, and the position."""

    async def close(self) -> None:
        """Close the disk, forget what was not kept. May be called in any state, and take long."""


class Stage(Protocol):
    """A stage that the batch loop runs."""

    @property
    def name(self) -> str:
        """The name in `refusion worker STAGE` and of the consumer group."""

    @property
    def topic(self) -> str:
        """The topic that it reads."""

    @property
    def blameless(self) -> tuple[type[Exception], ...]:
        """The errors of its work for which no record is to blame."""

    @property
    def source_expires(self) -> bool:
        """True if the topic drops old records: a gap is then passed over, and else refused."""

    @property
    def events(self) -> Events:
        """The events of its partitions so far, for the metrics; whoever sees one counts it."""

    def work(self, partition: int) -> Work[Any]:
        """Fresh work on a partition, not yet restored."""

    def sink(self, kafka: Kafka, group: str, source: Source, partition: int) -> Sink[Any]:
        """A sink for the outputs of that work, not yet started."""
