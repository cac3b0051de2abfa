"""Reads from the topics what is known of runs: the last one closed, the open one, the stages' lag.

Everything is read from Kafka, read committed; nothing is remembered elsewhere, so nothing can be
out of date. A marker is in every partition or in none. So the last one is looked for in one
partition alone, the one with the fewest records, from its end backwards: that is a month's records
of one partition in the usual case, and the whole partition when no run was ever closed.
"""

from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, NamedTuple

from domain.basics.weeks import first_day
from domain.citizen.reports import RunMarker
from domain.law.staircase import Law
from projections.runs.books import Books
from projections.runs.completeness import THRESHOLDS
from projections.runs.expected_payments import ExpectedPayments
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
from streams.kit.foreign import PASSED_OVER
from streams.kit.processes import MOST_JOBS, jobs_for
from streams.kit.tasks import run_tasks
from streams.operations.run_partition import PartitionSurvey, RunShare, Span, read_alone, read_share
from streams.settings import Settings
from streams.upstream.expected_file import read_expected
from streams.wire.journal import JournalEntry
from streams.wire.journal_checks import CLOCKS, JournalChecks, journal_checks
from streams.wire.readers import RecordReader, Source, journal_reader, letter_reader
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
        self,
        law: Law,
        last: RunMarker | None,
        month: int | None,
        progress: Progress,
        most_jobs: int | None = None,
    ) -> Survey:
        """Read the open run, and the months before a `month` that is to be closed.

        It is read by as many processes as there are cores, but `most_jobs` at most (MOST_JOBS where
        that is not told); 1 is this one.
        Memory: the reports of so many partitions at a time, some 350 bytes each.
        """
        settled_to = await self.committed("citizens")
        ends = await self.ends(topics.REPORTS)
        cut = _moment(last.closed_at) - CLOCKS if last else None
        expected = read_expected(self._settings.expected, PaymentMonths(law))
        since = _earlier(cut, _first_month(month, expected))
        starts = await self.since(topics.REPORTS, since)
        whole = starts == await self.starts(topics.REPORTS)
        first_month = 0 if whole or month is None else month - THRESHOLDS.median_months
        checked_from = (await self._checked()).checked_from
        refused, rejected = await self._dead_letters(since, cut)
        spans = await self._spans(topics.POSTINGS, cut)
        shares = [
            RunShare(
                at,
                (starts[at], ends[at]),
                spans[at],
                settled_to.get(at, 0),
                frozenset(refused[at]),
                first_month,
                expected.of_nobody(),
                None if whole else starts,
                last.run if last else 0,
                checked_from,
            )
            for at in sorted(ends)
        ]
        jobs = most_jobs or MOST_JOBS
        books, totals, records = await self._added_up(law, shares, expected, progress, jobs)
        books.settle(totals.settled, first_month)
        register = load_register(self._settings)
        names = {} if register is None else register.names()
        return Survey(books, totals, rejected, records, names, settled_to, expected)

    async def _added_up(
        self,
        law: Law,
        shares: Sequence[RunShare],
        expected: ExpectedPayments,
        progress: Progress,
        most_jobs: int,
    ) -> tuple[Books, RunTotals, int]:
        """Read all shares, some of them twice. Returns how many records these had, too."""
        meter = _Meter(progress, sum(map(_records_in, shares)))
        run_books, totals = RunBooks(), RunTotals()
        for part in await self._read(law, shares, meter, most_jobs):
            run_books.put(part.partition, part.books)
            totals.add(part.totals)
        wrong = run_books.wrong()
        again = [
            share._replace(postings=(0, 0), gone_on=run_books.gone_on(share.partition))
            for share in shares
            if share.partition in wrong
        ]
        for part in await self._read(law, again, meter, most_jobs):
            run_books.put(part.partition, part.books)
        return run_books.whole(expected), totals, meter.done

    async def _read(
        self, law: Law, shares: Sequence[RunShare], meter: "_Meter", most_jobs: int
    ) -> list[PartitionSurvey]:
        """Read shares, many records of them in several processes."""
        jobs = min(jobs_for(sum(map(_records_in, shares))), most_jobs, len(shares))
        if jobs <= 1:
            given = self._settings, self._topics, law
            return [await read_share(*given, share, meter.count) for share in shares]
        read, before = partial(read_alone, self._settings, f"refusion-{CLIENT}"), meter.done
        parts = await run_tasks(
            read, shares, jobs, lambda done, _: meter.have(before + done), meter.total
        )
        for part in parts:
            PASSED_OVER.add_all(part.foreign)
        return parts

    async def _spans(self, topic: Topic, moment: datetime | None) -> dict[int, Span]:
        """Return from where to where each partition has what is of a moment or later."""
        starts, ends = await self.since(topic, moment), await self.ends(topic)
        return {at: (starts[at], end) for at, end in ends.items()}

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


class _Meter:
    """Says now and then how far the reading is."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self.total, self.done = progress, total, 0

    def count(self, records: int) -> None:
        """Count further records."""
        self.have(self.done + records)

    def have(self, records: int) -> None:
        """Note how many records were read by now."""
        self.done = records
        self._progress(records, self.total)


def _records_in(share: RunShare) -> int:
    return sum(end - start for start, end in (share.journal, share.postings))


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


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
