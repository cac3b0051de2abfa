"""The stage `projections`: postings into the ledger, a Delta Lake table, exactly once.

It runs in the batch loop like the other stages, because it needs the loop's takeovers, pauses and
restarts too. Its sink is the table instead of Kafka:

    step of the loop    here
    1  fence            nothing to do: the table refuses a commit if the partition's offset in it
                        is not the one at which the page begins
    1  restore          the partition's offset, last run and revisions, from one version of the
                        table
    1  position         that offset; Kafka's own is a copy for those who watch the lag, and is
                        never read
    3  process          records into entries, revisions checked
    4  commit           entries and offset in one commit of the table, together with those of
                        other partitions
    5  keep             the progress in memory

A commit that failed, or whose outcome is unknown, is never repeated: the partition begins again at
step 1 and learns from the table what was committed. A killed process may leave files of an append
without a commit: no reader sees them, and they are deleted after two days.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from projections.ledger.entries import (
    COLUMNS,
    Entry,
    LedgerProgress,
    Page,
    Posted,
    RevisionGapError,
    advance,
    read_page,
)
from streams.engine.fault_points import reached
from streams.engine.ports import Counts, Ends, Events, Kafka, Processed, Record, Refused, Source
from streams.kit.foreign import Foreign
from streams.ledger.table import Append, LedgerError, entries_batch
from streams.ledger.writer import LedgerWriter
from streams.lis.keeper import FIRST_PARTITION
from streams.stages.posting_checks import ExpectedMac, PostingChecks
from streams.wire.cloudevents import source_offset
from streams.wire.readers import posting_reader

log = logging.getLogger("refusion")

if TYPE_CHECKING:
    from streams.lis.first_partition import FirstPartitionWork

_AFTER_RUN, _KIND, _MECHANISM, _REFUSION, _MEDFIN = map(
    tuple(COLUMNS).index,
    ("after_run", "kind", "mechanism", "refusion_ore", "medfinansiering_ore"),
)


class LedgerStage:
    """The stage, for all of its partitions in this process."""

    name: Final = "projections"
    source_expires: Final = False
    blameless: Final[tuple[type[Exception], ...]] = ()

    def __init__(
        self,
        topic: str,
        writer: LedgerWriter,
        kafka: Kafka,
        checks: PostingChecks | None = None,
        keepers: "Sequence[FirstPartitionWork]" = (),
    ) -> None:
        """Without `checks` every posting is believed.

        `keepers` make other tables where the first partition is worked on.
        """
        self.checks = checks
        self.keepers = keepers
        self.topic = topic
        self.writer = writer
        self.kafka = kafka
        self.events: Events = Counter()

    def work(self, partition: int) -> "LedgerWork":
        """Work on a partition of the postings."""
        return LedgerWork(self, partition)

    def sink(self, _kafka: Kafka, _group: str, source: Source, partition: int) -> "LedgerSink":
        """A sink that writes a partition into the ledger."""
        return LedgerSink(self.name, self.writer, source, partition)


class LedgerWork:
    """Turns one partition's postings into entries."""

    def __init__(self, stage: LedgerStage, partition: int) -> None:
        self._stage = stage
        self._partition = partition
        self._progress = LedgerProgress(partition)
        self._page = Page(0, [], 0, {})
        self._mac: ExpectedMac | None = None
        self._keepers = stage.keepers if partition == FIRST_PARTITION else ()
        self._read = posting_reader(stage.topic, partition).read

    async def restore(self) -> None:
        """Read from the table how far this partition is."""
        stage = self._stage
        async with stage.kafka.changelog(stage.topic, self._partition) as topic:
            identity, end = topic.identity, topic.end
        self._progress = await stage.writer.progress(self._partition, identity)
        if stage.checks is not None:
            self._mac = await stage.checks.mac_of(stage.kafka, self._partition, end)
        for keeper in self._keepers:
            keeper.passed(self._progress.last_run)
            keeper.start(self)

    async def position(self, committed: int | None) -> int | None:
        """Return the ledger's offset, which the sink has read from the table."""
        return committed

    def process(self, records: Sequence[Record], _position: int) -> Processed[Page]:
        """Read records into a page of entries. Raises LedgerError where a posting is missing."""
        number, checks = len(records), self._stage.checks
        if checks is not None:
            name = f"{self._stage.name}/{self._partition}"
            records = checks.ours(name, self._partition, self._mac, records)
        posted: list[Posted] = []
        foreign: list[Foreign] = []
        for record in records:
            message = self._read(record)
            if isinstance(message, Foreign):
                foreign.append(message)
            else:
                posted.append(Posted(record.offset, message, source_offset(record.headers)))
        try:
            self._page = read_page(self._progress, posted)
        except RevisionGapError as error:
            raise LedgerError(
                f"{error}: the ledger, or the topic, has lost a posting; delete the ledger and it"
                " is made again from the topic; if this comes again, the topic has lost it, and"
                " the journal has to be folded again"
            ) from error
        self._tell_copies(posted)
        counts = _counts(self._page.entries)
        if foreign:
            log.error(
                "%s: foreign records passed over: %d, the first is %s",
                f"{self._stage.name}/{self._partition}",
                len(foreign),
                foreign[0],
            )
            counts = {**counts, ("foreign", ""): len(foreign)}
        if others := number - len(records):
            counts = {**counts, ("foreign", ""): others + len(foreign)}
        return Processed(self._page, number, counts)

    def _tell_copies(self, posted: Sequence[Posted]) -> None:
        """Count, aloud, what was passed over because it came before: revisions and markers."""
        page, before = self._page, self._progress.revisions
        new = sum(last - before.get(citizen, 0) for citizen, last in page.revisions.items())
        new += sum(entry[_KIND] == "run" for entry in page.entries)
        if copies := len(posted) - new:
            self._stage.events["copied_postings"] += copies
            name, first = f"{self._stage.name}/{self._partition}", posted[0].offset
            log.error("%s: passed over %d copies of postings, from %d on", name, copies, first)

    def refuse(self, _record: Record, _position: int, _reason: Refused) -> Processed[Page]:
        """Pass a record over; a message of ours would be missed, aloud, at the citizen's next."""
        self._page = read_page(self._progress, [])
        return Processed(self._page, 1)

    async def keep(self, _ends: Ends, position: int) -> None:
        """Note that the page is in the ledger."""
        advance(self._progress, self._page, position)
        for keeper in self._keepers if self._page.entries else ():
            keeper.passed(self._progress.last_run)

    async def close(self) -> None:
        """Stop what makes other tables; nothing else is open."""
        for keeper in self._keepers:
            await keeper.stop(self)


class LedgerSink:
    """Writes one partition's pages into the ledger."""

    def __init__(self, stage: str, writer: LedgerWriter, source: Source, partition: int) -> None:
        self._stage = stage
        self._writer = writer
        self._source = source
        self._partition = partition

    async def start(self) -> None:
        """Nothing to connect to."""

    async def position(self) -> int:
        """The offset in the ledger, told to Kafka: a former owner may have died before it did.

        It is 0 in a new ledger, so that a topic that has lost its beginning is refused.
        """
        position = await self._writer.position(self._partition)
        if position:
            await self._source.commit(self._partition, position)
        return position

    async def commit(self, page: Page, position: int) -> Ends:
        """Commit the page and the position to the ledger, then tell Kafka the position."""
        reached(self._stage, "before_commit")
        entries = entries_batch(page.entries)
        closed = [entry[_AFTER_RUN] for entry in page.entries if entry[_KIND] == "run"]
        await self._writer.write(Append(self._partition, page.start, position, entries, closed))
        await self._source.commit(self._partition, position)
        return {}

    async def tell_group(self, position: int) -> None:
        """Tell Kafka a position."""
        await self._source.commit(self._partition, position)

    async def stop(self) -> None:
        """Nothing is connected."""


def _counts(entries: Iterable[Entry]) -> Counts:
    """Rows and results in øre by mechanism; an entry without a mechanism is no row."""
    rows, ore = Counter[str](), Counter[str]()
    for entry in entries:
        if (mechanism := entry[_MECHANISM]) is not None:
            rows[mechanism] += 1
            ore[mechanism] += (entry[_REFUSION] or 0) + (entry[_MEDFIN] or 0)
    return {
        **{("booked_rows", mechanism): number for mechanism, number in rows.items()},
        **{("booked_ore", mechanism): number for mechanism, number in ore.items()},
    }
