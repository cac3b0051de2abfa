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
from projections.ledger.citizen import FIELDS, PostedRow, message_sums, posted_sums
from projections.ledger.entries import COUNTERS
from streams.acts.acts import Act, checked_reason, record_act
from streams.citizens.rule_sets import DEFAULT, LawBook
from streams.citizens.settler import Partition
from streams.citizens.store_port import MemoryStore
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
from streams.ledger.sql import sql_text
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


class LedgerCounters(NamedTuple):
    """The counters of a message as its first entry has them; all None in the others."""

    week: str | None
    seniority: int | None
    earned: str | None
    after_transfer: str | None


class LedgerRun(NamedTuple):
    """A run that is closed in a partition of the ledger."""

    run: int
    after_run: int
    data_month: str
    closed_at: str


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


# --- the ledger -----------------------------------------------------------------------------------


class CitizenLedger:
    """Answers questions about one citizen from the ledger."""

    def __init__(self, table: LedgerTable) -> None:
        self._table = table
        self._runs: dict[int, list[LedgerRun]] = {}

    def partition_of(self, citizen: str) -> int:
        """Return the partition of the citizen's records, in the journal too."""
        return partition_of(citizen.encode(), self._table.partitions)

    def rows(self, citizen: str) -> list[PostedRow]:
        """Return all rows that were posted for a citizen, in order."""
        return [row for row, _ in self.entries(citizen)]

    def entries(self, citizen: str) -> list[tuple[PostedRow, LedgerCounters]]:
        """Return the same, each with the counters that stand in its entry."""
        partition = self.partition_of(citizen)
        runs = self.runs(partition)
        known = self._table.columns
        columns = ", ".join(
            f'"{name}"' if name in known else f'NULL AS "{name}"' for name in (*FIELDS, *COUNTERS)
        )
        found = self._table.rows(
            f"SELECT {columns} FROM ledger"  # noqa: S608 - columns of ours and a pseudonym
            f" WHERE partition = {partition} AND citizen = {sql_text(citizen)}"
        )
        number = len(FIELDS)
        entries = [
            (
                PostedRow(*values[:number])._replace(run=runs.get(values[0])),
                LedgerCounters(*values[number:]),
            )
            for values in found
        ]
        return sorted(entries, key=lambda entry: (entry[0].offset, entry[0].position))

    def runs(self, partition: int) -> dict[int, int]:
        """Return the runs closed in a partition, by the run before each."""
        return {each.after_run: each.run for each in self.closed_runs(partition)}

    def closed_runs(self, partition: int) -> list[LedgerRun]:
        """Return the runs closed in a partition, in order."""
        if partition not in self._runs:
            query = (
                "SELECT run, after_run, data_month, closed_at FROM ledger"  # noqa: S608 - a number
                f" WHERE kind = 'run' AND partition = {partition}"
            )
            found = sorted(LedgerRun(*values) for values in self._table.rows(query))
            self._runs[partition] = found
        return self._runs[partition]

    def citizen_of(self, row_id: str, run: int | None) -> str:
        """Return the citizen of a row's id; with a run, only that run's files are searched."""
        where = f"id = {sql_text(row_id)}"
        if run is not None:
            markers = set(
                self._table.rows(
                    # A number of ours.
                    f"SELECT DISTINCT after_run FROM ledger WHERE kind = 'run' AND run = {run}"  # noqa: S608
                )
            )
            if not markers:
                raise LiveError(
                    f"run {run} is not closed in the ledger; `refusion run status` tells the last"
                    " one"
                )
            where += f" AND after_run IN ({', '.join(str(after) for (after,) in markers)})"
        for (citizen,) in self._table.rows(f"SELECT citizen FROM ledger WHERE {where} LIMIT 1"):  # noqa: S608
            return str(citizen)
        raise LiveError(
            f"no row {row_id} in the ledger; ids are those of the column `Resultat-id`, each of"
            " several by itself"
            + (f", and --run {run} must be the run of their file" if run is not None else "")
        )

    def newest(self, partition: int) -> int:
        """Return the last offset of the journal that the ledger has rows of; -1 without any."""
        query = f"SELECT max(journal_offset) FROM ledger WHERE partition = {partition}"  # noqa: S608 - a number
        ((newest,),) = self._table.rows(query)
        return -1 if newest is None else int(newest)


# --- the journal ----------------------------------------------------------------------------------


def read_live(
    settings: Settings,
    laws: LawBook,
    citizen: str,
    *,
    whole: bool,
    shown: Shown,
    patience: Patience = ENDLESS,
) -> Live:
    """Read a citizen's reports and postings.

    Raises LiveError where there are none, or where a broker or the ledger is missing.
    """
    if whole:
        return _read_whole(settings, citizen, shown, patience)
    ledger = CitizenLedger(LedgerTable.open(settings.ledger))
    posted, partition = ledger.rows(citizen), ledger.partition_of(citizen)
    offsets = sorted({row.journal_offset for row in posted})
    newest = ledger.newest(partition)
    if offsets and offsets[0] < 0:  # the ledger was not told where the reports are
        return _read_whole(settings, citizen, shown, patience)
    older, newer = patience.run(_fetch(settings, citizen, partition, offsets, newest + 1))
    if not older and not newer:
        raise LiveError(
            f"no report of citizen {citizen} is in the ledger or newer than it; if reports were"
            " published, wait for the workers, or look for one that changed nothing with"
            " --whole-journal"
        )
    if not _add_up(laws, citizen, older, posted):
        return _read_whole(settings, citizen, shown, patience, [*older, *newer])
    return Live(citizen, partition, standing_of(citizen, older + newer), posted, whole=False)


def _read_whole(
    settings: Settings,
    citizen: str,
    shown: Shown,
    patience: Patience,
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
        posted = CitizenLedger(LedgerTable.open(settings.ledger)).rows(citizen)
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
