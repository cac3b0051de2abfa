"""Reads one partition of the open run: its journal into books, its postings into totals.

`read_share` reads it over topics that are open. `read_alone` does in a process of its own; whatever
that has to know of the other partitions comes with the share.
"""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from typing import NamedTuple

from domain.citizen.reports import Copy
from domain.law.staircase import Law
from projections.runs.expected_payments import ExpectedPayments
from projections.runs.late_copies import LateCopies
from projections.runs.partition_books import ClosedBooks, PartitionBooks
from projections.runs.totals import RunTotals
from streams.citizens.rule_sets import load_rule_set
from streams.kafka import topics
from streams.kafka.clients import KafkaClients
from streams.kafka.reading import Counted, TopicReader, open_topics
from streams.kit.errors import UserError
from streams.kit.foreign import PASSED_OVER, Foreign
from streams.kit.tasks import count_read
from streams.settings import Settings
from streams.stages.passing_on import source_of
from streams.wire.cloudevents import source_offset
from streams.wire.journal_checks import CLOCKS, CheckedFrom, JournalChecks
from streams.wire.readers import journal_reader, once_each

Span = tuple[int, int]
"""An offset, and the one up to which is read, without it."""


class RunShare(NamedTuple):
    """Says what to read of a partition of the open run.

    `journal` and `postings` are what is read, `settled_to`, `refused` and `first_month` as in
    `PartitionBooks`. `begins` are the offsets at which the books of all partitions begin, None
    where that is the start of the journal; `gone_on` the offsets of this one whose records went on
    to others, each with the citizen. `last_run` is the last run that was closed, 0 for none.
    """

    partition: int
    journal: Span
    postings: Span
    settled_to: int
    refused: frozenset[int]
    first_month: int
    expected: ExpectedPayments
    begins: Mapping[int, int] | None
    last_run: int
    checked_from: CheckedFrom
    gone_on: Mapping[int, str] = {}


class PartitionSurvey(NamedTuple):
    """Holds what a partition has of the open run; `foreign` are places of foreign records."""

    partition: int
    books: ClosedBooks
    totals: RunTotals
    foreign: list[Foreign]


def read_alone(settings: Settings, client: str, share: RunShare) -> PartitionSurvey:
    """Read a partition, in whatever process, as a client of this name. Raises UserError."""
    return asyncio.run(_over_own_topics(settings, client, share))


async def _over_own_topics(settings: Settings, client: str, share: RunShare) -> PartitionSurvey:
    async with open_topics(KafkaClients(settings.bootstrap, client)) as topics_read:
        return await read_share(settings, topics_read, Law(load_rule_set()), share, count_read)


async def read_share(
    settings: Settings, topics_read: TopicReader, law: Law, share: RunShare, counted: Counted
) -> PartitionSurvey:
    """Read a partition. Memory: its reports, some 350 bytes each. Raises UserError."""
    reading = _Reading(settings, topics_read, share, counted)
    books = await reading.books(law)
    totals = await reading.totals(law)
    return PartitionSurvey(share.partition, books, totals, PASSED_OVER.places)


class _Reading:
    """Reads a partition of two topics."""

    def __init__(
        self, settings: Settings, topics_read: TopicReader, share: RunShare, counted: Counted
    ) -> None:
        self._settings = settings
        self._topics = topics_read
        self._share = share
        self._counted = counted
        self._checks = JournalChecks(settings.macs_if_set(), share.checked_from)

    async def books(self, law: Law) -> ClosedBooks:
        """Fold the journal into books."""
        share, journal = self._share, self._settings.topic(topics.REPORTS)
        at = share.partition
        late = None if share.begins is None else LateCopies(share.begins, {at: share.gone_on})
        fold = PartitionBooks(
            law,
            share.settled_to,
            share.refused,
            share.first_month,
            share.expected.of_nobody(),
            late,
            at,
        )
        reader = journal_reader(journal, at, self._checks.journal(at))
        records = self._topics.records(journal, at, *share.journal, self._counted)
        async with aclosing(records):
            async for record, entry in reader.ours(records):
                is_copy = isinstance(entry.report, Copy)
                source = source_of([*record.headers], journal) if is_copy else None
                fold.take(record.offset, entry.citizen, entry.report, source)
        if share.last_run and fold.last_run != share.last_run:
            raise UserError(
                f"run {share.last_run} is being closed at this moment: ask again;"
                " if this stays, the clocks of those who write to Kafka differ by more than"
                f" {CLOCKS.days} day"
            )
        return fold.closed()

    async def totals(self, law: Law) -> RunTotals:
        """Sum up the postings after the last run's marker that follow from committed records."""
        share, topic = self._share, self._settings.topic(topics.POSTINGS)
        at = share.partition
        totals = RunTotals()
        computed = frozenset(
            code for code, benefit in law.rules.benefits.items() if benefit.rate == "computed"
        )
        reader = once_each(topic, at, self._checks.mac("postings", at))
        is_open, cut = not share.last_run, -1
        async with aclosing(
            self._topics.records(topic, at, *share.postings, self._counted)
        ) as records:
            async for record, message in reader.ours(records):
                source = source_offset(record.headers)
                if source >= share.settled_to:
                    continue
                if message["type"] == "run":
                    if not is_open and message["run"] == share.last_run:
                        is_open, cut = True, source
                elif is_open and source >= cut:  # else it was copied from an earlier run
                    totals.post(message, computed)
        return totals
