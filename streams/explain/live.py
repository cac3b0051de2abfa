"""Reads one citizen from the live system: the rows in the ledger and the reports in the journal.

A partition of the journal holds the reports of many citizens for ever, so it is not read from end
to end for one of them.

1. The ledger has the offsets of the reports that led to a message. These reports are fetched, and
   then those that are newer than the ledger. Reports that changed nothing when they came (a
   repetition, a reversal that waits) are not found in this way. A check tells whether anything
   depends on them: the reports found are settled again; each must lead to a message, and all must
   add up to the rows of the ledger, to the øre.
2. Where they do not (a wage that came before its fleksløntilskud), and when it is asked for, the
   offsets of all reports are taken from an index of the partition, which this program keeps on disk
   (`streams.explain.index`).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, aclosing
from itertools import chain
from typing import Final, NamedTuple

import orjson

from domain.basics.sentences import Sentence, sentence
from domain.citizen.reports import Freeing
from projections.ledger.citizen import PostedRow, message_sums, posted_sums
from streams.acts.acts import Act, checked_reason, record_act
from streams.citizens.rule_sets import DEFAULT, LawBook
from streams.citizens.settler import Partition
from streams.citizens.store_port import MemoryStore
from streams.explain.citizen_ledger import CitizenLedger, Entries
from streams.explain.find import settled
from streams.explain.index import JournalIndex
from streams.explain.patience import ENDLESS, Patience
from streams.explain.placed import (
    LiveError,
    Placed,
    PlacedRecord,
    placed_record,
    report_of,
    standing_of,
)
from streams.kafka.clients import KafkaClients
from streams.kafka.errors import explained
from streams.kafka.reading import PartitionReader, open_partition
from streams.kafka.topics import REPORTS
from streams.kit.errors import UserError
from streams.ledger.table import LedgerError, LedgerTable
from streams.settings import Settings
from streams.wire.belief import JournalBelief
from streams.wire.journal import JournalEntry
from streams.wire.journal_checks import beginning
from streams.wire.partitioner import partition_of
from streams.wire.readers import RecordReader, journal_reader

CLIENT: Final = "explain"
FETCH_BYTES: Final = 1 << 16
"""Bytes of a fetch of a single record: a broker sends at least one batch."""
PATIENCE_MS: Final = 10_000
"""Milliseconds that a broker may take to send one record."""

NOTHING_NEWER: Final = 1 << 63
"""An offset after that of every record."""

Shown = Callable[[int, int], None]
"""Told how many records were read, of how many."""


class Live(NamedTuple):
    """A citizen in the live system.

    `whole` is true if the whole partition was read, so that no report is missing.
    """

    citizen: str
    partition: int
    reports: list[Placed]
    posted: list[PostedRow]
    whole: bool

    def sentence(self) -> Sentence:
        """Say to a person where the reports are from."""
        reports = sum(not isinstance(placed.report, Freeing) for placed in self.reports)
        key = "source.whole" if self.whole else "source.ledger"
        return sentence(key, number=reports, partition=self.partition)


def record_look(settings: Settings, act: str, citizen: str, purpose: str, **scope: int) -> None:
    """Record that somebody looks at a citizen. Raises ActError and ReasonError."""
    if purpose:
        checked_reason("--purpose", purpose)
    asyncio.run(record_act(settings, Act(act, {"citizen": citizen, **scope}, purpose)))


# --- the journal ----------------------------------------------------------------------------------


def read_live(
    settings: Settings,
    laws: LawBook,
    citizen: str,
    *,
    whole: bool,
    shown: Shown,
    patience: Patience = ENDLESS,
    entries: Callable[[str], Entries] = LedgerTable.open,
) -> Live:
    """Read a citizen's reports and postings; `entries` opens the ledger at an address.

    Raises LiveError where there are none, or where a broker or the ledger is missing.
    """
    if whole:
        return _read_whole(settings, citizen, shown, patience, entries)
    ledger = CitizenLedger(entries(settings.ledger))
    posted, partition = ledger.rows(citizen), ledger.partition_of(citizen)
    offsets = sorted({row.journal_offset for row in posted})
    newest = ledger.newest(partition)
    if offsets and offsets[0] < 0:  # the ledger was not told where the reports are
        return _read_whole(settings, citizen, shown, patience, entries)
    older, newer = patience.run(_fetch(settings, citizen, partition, offsets, newest + 1))
    if not older and not newer:
        raise LiveError(
            f"no report of citizen {citizen} is in the ledger or newer than it; if reports were"
            " published, wait for the workers, or look for one that changed nothing with"
            " --whole-journal"
        )
    if not _add_up(laws, citizen, older, posted):
        return _read_whole(settings, citizen, shown, patience, entries, [*older, *newer])
    return Live(citizen, partition, standing_of(citizen, older + newer), posted, whole=False)


def _read_whole(
    settings: Settings,
    citizen: str,
    shown: Shown,
    patience: Patience,
    entries: Callable[[str], Entries],
    known: Sequence[PlacedRecord] = (),
) -> Live:
    """Read every report of a citizen; those that are known already are not fetched again."""
    partition = partition_of(citizen.encode(), settings.partitions)
    records = patience.run(_all_reports(settings, citizen, partition, shown, known))
    if not records:
        raise LiveError(
            f"no report of citizen {citizen} is in the journal ({settings.topic(REPORTS)})"
        )
    try:
        posted = CitizenLedger(entries(settings.ledger)).rows(citizen)
    except LedgerError:  # the journal is enough
        posted = []
    return Live(citizen, partition, standing_of(citizen, records), posted, whole=True)


def _add_up(
    laws: LawBook, citizen: str, records: Sequence[PlacedRecord], posted: Sequence[PostedRow]
) -> bool:
    """Return whether the reports, settled again by the ledger's rules, lead to its rows."""
    try:
        law = laws.law(posted[-1].rules if posted else DEFAULT)
    except UserError:  # a rule set that is not known here
        return False
    store = MemoryStore()
    partition = Partition(law, store)
    messages = [settled(partition, store, citizen, record) for _, record in records]
    if not all(messages):
        return False
    return message_sums(map(orjson.loads, chain.from_iterable(messages))) == posted_sums(posted)


def _clients(settings: Settings) -> KafkaClients:
    return KafkaClients(settings.bootstrap, f"refusion-{CLIENT}")


def _explained(settings: Settings) -> AbstractContextManager[None]:
    """Turn Kafka's errors within a block into a LiveError."""
    return explained(
        settings.bootstrap,
        LiveError,
        no_answer=", where the reports are; start it, or explain from a file with --reports",
        advice="look at the brokers, or explain from a file with --reports",
    )


async def _fetch(
    settings: Settings, citizen: str, partition: int, offsets: Sequence[int], newest: int
) -> tuple[list[PlacedRecord], list[PlacedRecord]]:
    """Fetch the reports at these offsets, and the citizen's reports from `newest` on."""
    topic = settings.topic(REPORTS)
    with _explained(settings):
        async with open_partition(
            _clients(settings), topic, partition, max_partition_fetch_bytes=FETCH_BYTES
        ) as reader:
            belief = await _belief(settings, reader, partition)
            journal = journal_reader(topic, partition, belief)
            at_offsets = [
                placed
                for offset in offsets
                if (
                    placed := await _report_at(
                        reader, journal, f"{topic}/{partition}", offset, citizen
                    )
                )
            ]
            newer = [placed async for placed in _reports_from(reader, journal, newest, citizen)]
    return at_offsets, newer


async def _belief(settings: Settings, reader: PartitionReader, partition: int) -> JournalBelief:
    """Judge the records of a partition, which is not read from its beginning.

    Records of a journal that does not begin with its keys are believed.
    """
    macs = settings.macs_if_set()
    mac = None if macs is None else macs.at("reports", partition)
    if mac is None:
        return JournalBelief(None)
    async with aclosing(reader.read(0)) as batches:
        records = (record async for batch in batches for record in batch.records)
        how, offset = await beginning(mac, records)
    return JournalBelief(mac, offset if how == "keys" else None)


async def reports_at(
    settings: Settings, citizen: str, partition: int, offsets: Sequence[int]
) -> list[Placed]:
    """Fetch the citizen's reports, and what frees an id of one, at these offsets of the journal.

    Other control records are left out.
    """
    records = await _records_at(settings, citizen, partition, offsets)
    return [
        Placed(offset, report)
        for offset, record in records
        if (report := report_of(record)) is not None
    ]


async def _records_at(
    settings: Settings, citizen: str, partition: int, offsets: Sequence[int]
) -> list[PlacedRecord]:
    return (await _fetch(settings, citizen, partition, offsets, NOTHING_NEWER))[0]


async def _report_at(
    reader: PartitionReader,
    journal: RecordReader[JournalEntry],
    place: str,
    offset: int,
    citizen: str,
) -> PlacedRecord | None:
    """Fetch the report at an offset; None for a control record, which has none."""
    record = await reader.record_at(offset, PATIENCE_MS)
    if record is None:
        raise LiveError(
            f"the journal has nothing at {place}/{offset}, where the ledger says that a report is:"
            " REFUSION_LEDGER and REFUSION_PREFIX must be of the same topics"
        )
    return placed_record(journal, record, citizen)


async def _reports_from(
    reader: PartitionReader, journal: RecordReader[JournalEntry], start: int, citizen: str
) -> AsyncIterator[PlacedRecord]:
    """Yield a citizen's reports from an offset to the end."""
    if start >= reader.end:
        return
    async for batch in reader.read(start):
        for record in batch.records:
            if placed := placed_record(journal, record, citizen):
                yield placed


async def _all_reports(
    settings: Settings, citizen: str, partition: int, shown: Shown, known: Sequence[PlacedRecord]
) -> list[PlacedRecord]:
    """Fetch every report of a citizen, by the index of the partition, brought up to date."""
    folder = settings.state_dir / "journal-index" / f"{settings.prefix}{partition}"
    topic = settings.topic(REPORTS)
    with _explained(settings):
        async with open_partition(_clients(settings), topic, partition) as log:
            index = JournalIndex(folder, log.identity)
            try:
                await index.catch_up(log, shown)
                offsets = index.offsets(citizen)
            finally:
                index.close()
    left = sorted(set(offsets) - {placed.offset for placed in known})
    return sorted(
        [*known, *await _records_at(settings, citizen, partition, left)],
        key=lambda placed: placed.offset,
    )
