"""The stage `projections`: postings into the ledger, a Delta Lake table, exactly once.

It runs in the batch loop like the other stages, for the loop's takeovers, pauses and restarts are
what it needs too; but what the loop writes to and where it goes on is the table instead of Kafka:

    step of the loop            here
    1  fence                    nothing to do: the table refuses a commit where another has moved the partition's offset
    1  restore                  the partition's offset, last run and revisions, all of one version of the table
    1  committed offset         that offset; Kafka's own is a copy for those who watch the lag, and is never read
    3  process                  records into entries, revisions checked
    4  commit                   entries and offset in one commit of the table, together with those of other partitions
    5  keep                     the standing in memory

A commit that failed, or whose outcome is unknown, is never repeated: the partition begins again at
step 1, which learns from the table what was committed. What a killed process has written of an
append without a commit is seen by no reader, and deleted after two days.

All that touches the table runs in one thread of its own, so that the other stages' event loop goes
on meanwhile.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, suppress
from typing import Final, TypeVar

from projections.ledger.entries import (
    COLUMNS,
    Page,
    Posted,
    RevisionGapError,
    Standing,
    read_page,
    turn,
)
from streams.engine.ports import Changelog, Delivery, Ends, Output, Processed, Record, Source
from streams.kafka.brokers import KafkaBrokers
from streams.kafka.source import KafkaSource
from streams.ledger.table import Append, LedgerError, LedgerTable, entries_batch
from streams.wire.journal import source_offset

COMMIT_EVERY_S: Final = 2.0
"""Each commit is a file for each partition, so they come seldom; who reads a ledger does not count seconds."""
FULL_ROWS: Final = 10_000
"""So many do not wait: a ledger that is built from the start commits as fast as it can."""

Result = TypeVar("Result")
_Waiting = tuple[Append, "asyncio.Future[None]"]


class Scribe:
    """Writes for all partitions of this process: what waits is committed together."""

    def __init__(self, uri: str, topic: str, partitions: int) -> None:
        self._make: Callable[[str], LedgerTable] = lambda identity: LedgerTable.make(
            uri, topic, identity, partitions
        )
        self._table: LedgerTable | None = None
        self._thread = ThreadPoolExecutor(1, "ledger")
        self._waiting: list[_Waiting] = []
        self._enough = asyncio.Event()
        self._committed_at = -COMMIT_EVERY_S
        self._committing: asyncio.Task[None] | None = None

    async def standing(self, partition: int, identity: str) -> Standing:
        """How far a partition is in the ledger of a topic, which is made where there is none."""
        return await self._in_thread(lambda: self._opened(identity).standing(partition))

    def _opened(self, identity: str) -> LedgerTable:
        if self._table is None:
            self._table = self._make(identity)
        self._table.check(identity)
        return self._table

    async def write(self, append: Append) -> None:
        """Have it committed, with what else comes within `COMMIT_EVERY_S` of the last commit."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((append, future))
        if sum(each.entries.num_rows for each, _ in self._waiting) >= FULL_ROWS:
            self._enough.set()
        if self._committing is None or self._committing.done():
            self._committing = asyncio.create_task(self._commit())
        await future

    async def _commit(self) -> None:
        """Commit until nobody waits."""
        loop = asyncio.get_running_loop()
        while self._waiting:
            with suppress(TimeoutError):
                await asyncio.wait_for(
                    self._enough.wait(), max(0.0, self._committed_at + COMMIT_EVERY_S - loop.time())
                )
            self._enough.clear()
            self._committed_at = loop.time()
            taken, self._waiting = self._waiting, []
            await self._commit_together(
                [each for each in taken if not each[1].done()]
            )  # who was cancelled has gone

    async def _commit_together(self, taken: Sequence[_Waiting]) -> None:
        """One commit. Any failure is that of all: they look into the table, opened anew, and begin again."""
        appends = [append for append, _ in taken]
        try:
            await self._in_thread(lambda: self._append(appends))
        except Exception as error:  # noqa: BLE001 - handed on to those who wait
            self._table = None
            _settle(taken, error)
        else:
            _settle(taken, None)
            with suppress(Exception):  # of use to nobody in a hurry, and done the next time
                await self._in_thread(
                    lambda: self._keep_house([append.partition for append in appends])
                )

    def _append(self, appends: Sequence[Append]) -> None:
        if self._table is None:
            raise LedgerError("the ledger was closed after a failure")
        self._table.append(appends)

    def _keep_house(self, partitions: Sequence[int]) -> None:
        if self._table is not None:
            self._table.keep_house(partitions)

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _settle(waiting: Sequence[_Waiting], error: Exception | None) -> None:
    for _, future in waiting:
        if future.done():
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)


class LedgerStage:
    """The stage, for all of its partitions in this process, and the brokers that its loop sees."""

    name: Final = "projections"
    transactional: Final = False
    source_expires: Final = False

    def __init__(self, topic: str, scribe: Scribe, brokers: KafkaBrokers) -> None:
        self.topic = topic
        self.scribe = scribe
        self.brokers = brokers
        self.tenures: dict[int, LedgerTenure] = {}

    def work(self, partition: int) -> "LedgerTenure":
        """Work on a partition; its loop has made the delivery already, which is the same."""
        return self.tenures[partition]

    # --- the port of the batch loop -------------------------------------------------------------

    def is_outage(self, error: Exception) -> bool:
        """Whether an error says that no broker answers."""
        return self.brokers.is_outage(error)

    def source(self, group: str, topic: str) -> Source:
        """A member of the group that goes on where the ledger is."""
        return LedgerSource(self, group, topic)

    def delivery(
        self, _group: str, source: Source, partition: int, *, transactional: bool
    ) -> Delivery:
        """What writes a partition into the ledger."""
        assert isinstance(source, LedgerSource)
        assert not transactional
        self.tenures[partition] = LedgerTenure(self, source, partition)
        return self.tenures[partition]

    def changelog(self, topic: str, partition: int) -> AbstractAsyncContextManager[Changelog]:
        """A partition of a topic, to learn which topic it is."""
        return self.brokers.changelog(topic, partition)


class LedgerSource(KafkaSource):
    """A member of the group whose offsets are those of the ledger."""

    def __init__(self, stage: LedgerStage, group: str, topic: str) -> None:
        super().__init__(stage.brokers.clients, stage.brokers.consumer(group), group, topic)
        self._stage = stage

    async def committed(self, partition: int) -> int | None:
        """The offset in the ledger: 0 in a new one, so that a topic that has lost its beginning is refused."""
        return self._stage.tenures[partition].standing.position


_MECHANISM, _REFUSION, _MEDFIN = map(
    tuple(COLUMNS).index, ("mechanism", "refusion_ore", "medfinansiering_ore")
)


class LedgerTenure:
    """One partition from assignment or failure to the next: work and delivery of the batch loop in one."""

    def __init__(self, stage: LedgerStage, source: LedgerSource, partition: int) -> None:
        self.standing = Standing(partition)
        self._stage = stage
        self._source = source
        self._partition = partition
        self._page = Page([], 0, {})
        self._position = 0

    async def start(self) -> None:
        """Nothing to connect to."""

    async def restore(self) -> None:
        """Read from the table how far this partition is, and tell Kafka: a former owner may have died before it did."""
        stage = self._stage
        async with stage.changelog(stage.topic, self._partition) as topic:
            identity = topic.identity
        self.standing = await stage.scribe.standing(self._partition, identity)
        if self.standing.position:
            await self._source.commit(self._partition, self.standing.position)

    def process(self, records: Sequence[Record]) -> Processed:
        """Records into entries, for `commit`; nothing goes to Kafka."""
        posted = [
            Posted(record.offset, record.value or b"", source_offset(record.headers))
            for record in records
        ]
        try:
            self._page = read_page(self.standing, posted)
        except RevisionGapError as error:
            raise LedgerError(
                f"{error}: the ledger, or the topic, has lost a posting; delete the ledger and it is made again from"
                " the topic; if this comes again, the topic has lost it, and the journal has to be folded again"
            ) from error
        return Processed((), len(records))

    @property
    def entries(self) -> list[tuple[str | None, int]]:
        """Mechanism and result of what was read last, for who counts it; neither stands in what is no row."""
        return [
            (entry[_MECHANISM], (entry[_REFUSION] or 0) + (entry[_MEDFIN] or 0))
            for entry in self._page.entries
        ]

    async def begin(self) -> None:
        """A commit of the table needs no beginning."""

    async def send(self, _outputs: Sequence[Output]) -> Ends:
        """All is written by `commit`."""
        return {}

    async def commit(self, position: int) -> None:
        """Entries and position into the ledger; then the position to Kafka, for those who watch the lag."""
        batch = entries_batch(self._page.entries)
        await self._stage.scribe.write(
            Append(self._partition, self.standing.position, position, batch)
        )
        self._position = position
        await self._source.commit(self._partition, position)

    def keep(self, _ends: Ends) -> None:
        """The page is in the ledger."""
        turn(self.standing, self._page, self._position)

    def close(self) -> None:
        """Nothing is held."""

    async def stop(self) -> None:
        """Nothing is connected."""
