"""Reads from the topics what is known of runs: the last one closed, the open one, the stages' lag.

Everything is read from Kafka, read committed; nothing is remembered elsewhere, so nothing can be
out of date. A marker is in every partition or in none. So the last one is looked for in one
partition alone, the one with the fewest records, from its end backwards: that is a month's records
of one partition in the usual case, and the whole partition when no run was ever closed.
"""

from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, NamedTuple

from domain.basics.weeks import first_day
from domain.citizen.reports import Copy, RunMarker
from domain.law.staircase import Law
from projections.postings.reading import PostedMessage
from projections.runs.books import Books
from projections.runs.completeness import THRESHOLDS
from projections.runs.expected_payments import ExpectedPayments
from projections.runs.partition_books import PartitionBooks
from projections.runs.payment_months import PaymentMonths
from projections.runs.run_books import RunBooks
from projections.runs.totals import RunTotals
from streams.citizens.register_file import load_register, sources_of
from streams.engine.ports import Record
from streams.kafka import topics
from streams.kafka.clients import KafkaClients
from streams.kafka.reading import KafkaTopicReader, Offsets, open_topics
from streams.kafka.rights import STAGES
from streams.kafka.topics import Topic
from streams.kit.errors import UserError
from streams.settings import Settings
from streams.stages.passing_on import source_of
from streams.upstream.expected_file import read_expected
from streams.wire.cloudevents import source_offset
from streams.wire.journal import JournalEntry
from streams.wire.journal_checks import CLOCKS, JournalChecks, journal_checks
from streams.wire.partitioner import partition_of
from streams.wire.readers import RecordReader, Source, journal_reader, letter_reader, once_each
from streams.wire.rejections import REASONS
from streams.wire.reporters import NO_SOURCE

CLIENT: Final = "run"
FIRST_LOOK: Final = 5_000
"""Records from the end in which a marker is looked for first; then twice as many, and so on."""
EARLY: Final = timedelta(days=62)
"""The longest time by which a report may come before its month.

The notice `future_period` begins there."""
FEW: Final = 100
"""Offsets before a group that may all be markers of transactions, which nobody ever commits."""
OTHERS: Final = "others: for reasons that this version does not know"
"""The one name of all dead letters that a newer version wrote, or somebody else, with any words."""
DAY_ONE: Final = datetime(1, 1, 1, tzinfo=UTC)

Progress = Callable[[int, int], None]
"""Told how many records were read, of how many."""


class Survey(NamedTuple):
    """Sums of the open run, from the journal and the postings."""

    books: Books
    totals: RunTotals
    rejected: dict[str, int]
    """Dead letters since the last cut, by `stage: reason`."""
    records: int
    """Number of records that were read for this."""
    names: Mapping[str, str] = {}
    """Names of reporters, from the register."""
    settled_to: Mapping[int, int] = {}
    """The offset of each partition of the journal up to which the sums go."""
    expected: ExpectedPayments = ExpectedPayments()
    """Payments that were expected, and what was received of them."""


class RunTopics:
    """Answers questions about runs from the topics of a prefix."""

    def __init__(self, settings: Settings, topics_read: KafkaTopicReader) -> None:
        self._settings = settings
        self._topics = topics_read
        self._looked_to = (0, 0)
        """The partition in which the last run was looked for, and up to which offset."""
        self._last_run = 0
        self._checks: JournalChecks | None = None

    async def _checked(self) -> JournalChecks:
        """Ask the journal once from where on it is checked."""
        if self._checks is None:
            journal, macs = self._settings.topic(topics.REPORTS), self._settings.macs_if_set()
            self._checks = await journal_checks(self._topics, journal, macs)
        return self._checks

    # --- offsets ----------------------------------------------------------------------------------

    async def ends(self, topic: Topic) -> Offsets:
        """The offset after the last committed record of each partition."""
        return await self._topics.ends(self._settings.topic(topic))

    async def starts(self, topic: Topic) -> Offsets:
        """The first offset of each partition that is still there."""
        return await self._topics.starts(self._settings.topic(topic))

    async def committed(self, stage: str) -> Offsets:
        """Return where a stage's group goes on; nothing for a partition that it never began."""
        return await self._topics.committed(self._settings.group(stage))

    async def since(self, topic: Topic, moment: datetime | None) -> Offsets:
        """Return from where to read all of a moment or later; None is the start."""
        first = await self.starts(topic)
        if moment is None:
            return first
        since = await self._topics.since(self._settings.topic(topic), moment)
        return {partition: max(first[partition], offset) for partition, offset in since.items()}

    async def left(self, stage: str, topic: Topic, ends: Mapping[int, int]) -> int:
        """Count the records before these ends that a stage has not committed."""
        behind = await self.behind(stage, topic, ends)
        return sum(ends[partition] - position for partition, position in behind.items())

    async def behind(self, stage: str, topic: Topic, ends: Mapping[int, int]) -> Offsets:
        """Return where a stage goes on, of each partition with a record before these ends."""
        committed, first = await self.committed(stage), await self.starts(topic)
        behind = {}
        for partition, end in ends.items():
            position = max(committed.get(partition, 0), first[partition])
            gap = end - position
            if gap > FEW or (
                gap > 0
                and await self._topics.has_record(
                    self._settings.topic(topic), partition, position, end
                )
            ):
                behind[partition] = position
        return behind

    async def raw_ends(self) -> dict[str, Offsets]:
        """The ends of `reports.raw` and of the raw topic of each source, by source."""
        sources = (NO_SOURCE, *sources_of(self._settings))
        return {source: await self.ends(topics.raw_of(source)) for source in sources}

    async def left_in_raw(self, ends: Mapping[str, Offsets]) -> int:
        """Count the raw records before these ends that intake has not taken in."""
        return sum(
            [
                await self.left(topics.intake_of(source), topics.raw_of(source), of_source)
                for source, of_source in ends.items()
            ]
        )

    # --- markers ----------------------------------------------------------------------------------

    async def last_run(self, progress: Progress) -> RunMarker | None:
        """The latest run that was closed."""
        starts, ends = await self.starts(topics.REPORTS), await self.ends(topics.REPORTS)
        partition = min(ends, key=lambda number: ends[number] - starts[number])
        first, end, step = starts[partition], ends[partition], FIRST_LOOK
        total = end - first
        self._looked_to = partition, end
        while end > first:
            start = max(first, end - step)
            if markers := await self._markers(partition, start, end):
                last = await self._latest(markers, partition, start)
                self._last_run = last.run
                return last
            end, step = start, 2 * step
            progress(total - (end - first), total)
        return None

    async def newer_run(self) -> RunMarker | None:
        """The latest run that was closed since `last_run` was asked for."""
        partition, start = self._looked_to
        end = (await self.ends(topics.REPORTS))[partition]
        markers = await self._markers(partition, start, end)
        return max((each for each in markers if each.run > self._last_run), default=None)

    async def _latest(self, markers: list[RunMarker], partition: int, start: int) -> RunMarker:
        """Return the latest run, given the markers from an offset on.

        One that somebody copied is as genuine as its original, but stands behind later ones. So it
        is looked whether later ones follow from where the original was written.
        """
        found = max(markers)
        since = await self.since(topics.REPORTS, _moment(found.closed_at) - CLOCKS)
        if since[partition] < start:
            _, end = self._looked_to
            return max(await self._markers(partition, since[partition], end))
        return found

    async def _markers(self, partition: int, start: int, end: int) -> list[RunMarker]:
        reader = await self._journal_reader(partition)
        records = self._records(topics.REPORTS, partition, start, end)
        return [
            entry.report
            async for _, entry in reader.ours(record async for record in records if not record.key)
            if isinstance(entry.report, RunMarker)
        ]

    async def _journal_reader(self, partition: int) -> RecordReader[JournalEntry]:
        """A reader of records of the journal in their order, from wherever it begins."""
        belief = (await self._checked()).journal(partition)
        return journal_reader(self._settings.topic(topics.REPORTS), partition, belief)

    def _records(
        self, topic: Topic, partition: int, start: int, end: int
    ) -> AsyncGenerator[Record]:
        """The records of a partition from an offset up to another."""
        return self._topics.records(self._settings.topic(topic), partition, start, end)

    # --- the open run -----------------------------------------------------------------------------

    async def survey(
        self, law: Law, last: RunMarker | None, month: int | None, progress: Progress
    ) -> Survey:
        """Read the open run, and the months before a `month` that is to be closed.

        Memory: the reports of one partition at a time, some 350 bytes each.
        """
        settled_to = await self.committed("citizens")
        ends = await self.ends(topics.REPORTS)
        cut = _moment(last.closed_at) - CLOCKS if last else None
        expected = read_expected(self._settings.expected, PaymentMonths(law))
        since = _earlier(cut, _first_month(month, expected))
        starts = await self.since(topics.REPORTS, since)
        whole = starts == await self.starts(topics.REPORTS)
        first_month = 0 if whole or month is None else month - THRESHOLDS.median_months
        refused, rejected = await self._dead_letters(since, cut)
        posted = await self._posted(last, settled_to, cut)
        meter = _Meter(progress, sum(ends[at] - starts[at] for at in ends) + posted.total)
        begins = None if whole else starts
        run_books = RunBooks(law, settled_to, refused, first_month, expected, begins)

        async def read(partition: int) -> None:
            fold = run_books.begin(partition)
            await self._read_into(fold, partition, starts[partition], ends[partition], meter)
            if last is not None and fold.last_run != last.run:
                raise UserError(
                    f"run {last.run} is being closed at this moment: ask again; if this stays, the"
                    f" clocks of those who write to Kafka differ by more than {CLOCKS.days} day"
                )
            run_books.close(partition, fold)

        for partition in sorted(ends):
            await read(partition)
        for partition in run_books.wrong(partial(_partition_of, len(ends))):
            await read(partition)
        books = run_books.whole()
        totals = await self._totals(law, posted, meter)
        books.settle(totals.settled, first_month)
        register = load_register(self._settings)
        names = {} if register is None else register.names()
        return Survey(books, totals, rejected, meter.done, names, settled_to, expected)

    async def _read_into(
        self, fold: PartitionBooks, partition: int, start: int, end: int, meter: "_Meter"
    ) -> None:
        """Fold the records of a partition of the journal."""
        journal = self._settings.topic(topics.REPORTS)
        reader = await self._journal_reader(partition)
        records = self._records(topics.REPORTS, partition, start, end)
        async for record, entry in reader.ours(meter.counted(records)):
            is_copy = isinstance(entry.report, Copy)
            source = source_of([*record.headers], journal) if is_copy else None
            fold.take(record.offset, entry.citizen, entry.report, source)

    async def _dead_letters(
        self, since: datetime | None, cut: datetime | None
    ) -> tuple[defaultdict[int, set[int]], dict[str, int]]:
        """Return refused offsets of the journal by partition, and counts by stage and reason."""
        refused: defaultdict[int, set[int]] = defaultdict(set)
        rejected: defaultdict[str, int] = defaultdict(int)
        starts = await self.since(topics.DEAD_LETTERS, since)
        recent = await self.since(topics.DEAD_LETTERS, cut)
        seen: set[Source] = set()
        name = self._settings.topic(topics.DEAD_LETTERS)
        for partition, end in (await self.ends(topics.DEAD_LETTERS)).items():
            records = self._records(topics.DEAD_LETTERS, partition, starts[partition], end)
            reader = letter_reader(name, partition, self._settings.macs_if_set(), seen)
            async for record, letter in reader.ours(records):
                if letter.stage == "citizens":
                    refused[letter.partition].add(letter.offset)
                if record.offset >= recent[partition]:
                    is_known = letter.stage in STAGES and letter.reason in REASONS
                    rejected[f"{letter.stage}: {letter.reason}" if is_known else OTHERS] += 1
        return refused, dict(rejected)

    async def _posted(
        self, last: RunMarker | None, settled_to: Mapping[int, int], cut: datetime | None
    ) -> "_Posted":
        starts, ends = await self.since(topics.POSTINGS, cut), await self.ends(topics.POSTINGS)
        return _Posted(last.run if last else 0, starts, ends, settled_to)

    async def _totals(self, law: Law, posted: "_Posted", meter: "_Meter") -> RunTotals:
        """Sum up the postings after the last run's marker that follow from committed records."""
        totals = RunTotals()
        computed = frozenset(
            code for code, benefit in law.rules.benefits.items() if benefit.rate == "computed"
        )
        for partition, end in posted.ends.items():
            is_open = not posted.run
            settled_to, start = posted.settled_to.get(partition, 0), posted.starts[partition]
            reader = await self._posting_reader(partition)
            cut = -1
            async with aclosing(self._records(topics.POSTINGS, partition, start, end)) as records:
                async for record, message in reader.ours(meter.counted(records)):
                    source = source_offset(record.headers)
                    if source >= settled_to:
                        continue
                    if message["type"] == "run":
                        if not is_open and message["run"] == posted.run:
                            is_open, cut = True, source
                    elif is_open and source >= cut:  # else it was copied from an earlier run
                        totals.post(message, computed)
        return totals

    async def _posting_reader(self, partition: int) -> RecordReader[PostedMessage]:
        """A reader of postings in their order, without copies of one that was read."""
        mac = (await self._checked()).mac("postings", partition)
        return once_each(self._settings.topic(topics.POSTINGS), partition, mac)

    async def noticed(self, wanted: Collection[bytes], last: RunMarker | None) -> set[bytes]:
        """The notices of a run that is to be closed that are there already, since the last run."""
        notices = set()
        starts = await self.since(
            topics.NOTICES, _moment(last.closed_at) - CLOCKS if last else None
        )
        for partition, end in (await self.ends(topics.NOTICES)).items():
            async for record in self._records(topics.NOTICES, partition, starts[partition], end):
                if (notice := record.value or b"") in wanted:
                    notices.add(notice)
        return notices


class _Posted(NamedTuple):
    """The offsets between which the postings of the open run are."""

    run: int
    """The last one that was closed; 0 for none."""
    starts: Offsets
    ends: Offsets
    settled_to: Mapping[int, int]

    @property
    def total(self) -> int:
        return sum(end - self.starts[at] for at, end in self.ends.items())


class _Meter:
    """Says now and then how far the reading is."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total, self.done = progress, total, 0

    async def counted(self, records: AsyncIterator[Record]) -> AsyncGenerator[Record]:
        """Pass records on, counted."""
        async for record in records:
            self.done += 1
            if self.done % FIRST_LOOK == 0:
                self._progress(self.done, self._total)
            yield record


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _partition_of(partitions: int, citizen: str) -> int:
    return partition_of(citizen.encode(), partitions)


def _first_month(month: int | None, expected: ExpectedPayments) -> int | None:
    """Give the earliest month that is compared with others; None where none is.

    The months before the `month` that is to be closed are compared with it, and every month of
    which payments are expected.
    """
    compared = () if month is None else (month - THRESHOLDS.median_months,)
    of_expected = () if expected.first_month is None else (expected.first_month,)
    return min((*compared, *of_expected), default=None)


def _earlier(cut: datetime | None, first_month: int | None) -> datetime | None:
    """Return the moment from which to read the journal; None for all of it."""
    if cut is None or first_month is None:
        return cut
    return min(cut, DAY_ONE + timedelta(days=first_day(first_month) - 1) - EARLY)


@asynccontextmanager
async def run_topics(settings: Settings) -> AsyncIterator[RunTopics]:
    """Open the topics for the length of a block."""
    async with open_topics(KafkaClients(settings.bootstrap, f"refusion-{CLIENT}")) as topics_read:
        yield RunTopics(settings, topics_read)
