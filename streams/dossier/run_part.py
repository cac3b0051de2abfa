"""Reads what a partition posted in a run, and settles it anew from the journal.

    1. `survey_partition` reads the postings up to the run's marker: a digest of the run's messages
       as they were booked, sums by municipality, and citizens who may be drawn for the sample.
    2. `fold_partition` settles the journal from its first record up to the same marker, by the
       program as it is: a digest of the run's messages as they come out anew. It keeps the records
       of the citizens who were drawn.

A digest is over the messages of the run in their order, its marker last, each with its length.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import orjson

from domain.basics.municipalities import municipality_of_row
from projections.ledger.entries import ROW_KINDS
from streams.audit.audited_topics import OpenTopics
from streams.audit.believed import BelievedRecords
from streams.audit.fold import FoldRange, settled_entries
from streams.audit.snapshot import Snapshot
from streams.citizens.refold import Refolding
from streams.citizens.rule_sets import LawBook
from streams.citizens.store_port import DiskError, store_on_disk
from streams.dossier.sample_draw import Drawn, SampleDraw
from streams.engine.ports import Record
from streams.kafka import topics
from streams.kit.errors import UserError
from streams.kit.foreign import Foreign
from streams.kit.scratch import scratch_folder
from streams.settings import Settings
from streams.wire.cloudevents import source_offset
from streams.wire.readers import journal_reader, once_each, posting_reader

LENGTH_BYTES: Final = 8
POSTED: Final = topics.POSTINGS.name
Sums = list[int]
"""Rows, amount, refusion and medfinansiering, in øre."""


class PackageError(UserError):
    """A package cannot be made or checked; the message says why and what to do."""


class RunTask(NamedTuple):
    """A partition to read. `refused` and `defects` as in `PartitionTask`, `drawn` in step 2."""

    open_topics: OpenTopics
    settings: Settings
    snapshot: Snapshot
    partition: int
    run: int
    seed: int
    each: int
    refused: frozenset[int]
    defects: frozenset[int]
    drawn: frozenset[str] = frozenset()
    journal_to: int = 0
    postings_to: int = 0


@dataclass
class RunPart:
    """The postings of a partition in a run; offsets are those after the last record."""

    partition: int
    data_month: str = ""
    closed_at: str = ""
    former_closed_at: str = ""
    journal_from: int = 0
    journal_to: int = 0
    postings_from: int = 0
    postings_to: int = 0
    messages: int = 0
    rows: int = 0
    digest: str = ""
    sums: dict[str, Sums] = field(default_factory=dict)
    drawn: list[Drawn] = field(default_factory=list)
    citizens: Counter[str] = field(default_factory=Counter)


def added(parts: Iterable[RunPart]) -> dict[str, Sums]:
    """Add up the sums of partitions, by municipality."""
    whole: dict[str, Sums] = {}
    for part in parts:
        for place, more in part.sums.items():
            before = whole.get(place, [0, 0, 0, 0])
            whole[place] = [one + other for one, other in zip(before, more, strict=True)]
    return whole


@dataclass
class FoldedPart:
    """The postings that come out anew, records of who was drawn, and control records."""

    partition: int
    messages: int = 0
    digest: str = ""
    journal: list[Record] = field(default_factory=list)
    postings: list[Record] = field(default_factory=list)


class MessageDigest:
    """The digest of messages in their order."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.messages = 0

    def add(self, message: bytes) -> None:
        """Add a message."""
        self._hash.update(len(message).to_bytes(LENGTH_BYTES))
        self._hash.update(message)
        self.messages += 1

    def text(self) -> str:
        """Return it in hexadecimal digits."""
        return self._hash.hexdigest()


def survey_partition(task: RunTask) -> RunPart:
    """Do step 1 for a partition, in whatever process. Raises PackageError where it has no run."""
    return asyncio.run(_surveyed(task))


async def _surveyed(task: RunTask) -> RunPart:
    async with task.open_topics(task.settings) as reader:
        records = BelievedRecords(reader, task.settings, task.snapshot, task.partition)
        await records.look_at_beginning()
        survey = _Survey(task)
        async for record in records.ours(topics.POSTINGS, "postings", Counter()):
            if survey.take(record):
                return survey.part
    raise PackageError(
        f"partition {task.partition} of the postings has no marker of run {task.run}: close it with"
        " `refusion run close`, or wait until the workers have settled so far"
    )


class _Survey:
    """Takes the postings of a partition in their order."""

    def __init__(self, task: RunTask) -> None:
        self.part = RunPart(task.partition)
        self._task = task
        self._reader = once_each(POSTED, task.partition, None)
        self._begin()

    def _begin(self) -> None:
        self._digest = MessageDigest()
        self._draw = SampleDraw(self._task.seed, self._task.each)
        self.part.sums = {}
        self.part.rows = 0

    def take(self, record: Record) -> bool:
        """Take a record; tell whether it is the marker of the run, with which all is read."""
        message = self._reader.read(record)
        if isinstance(message, Foreign):  # or a copy; `refusion verify` names it
            return False
        self._digest.add(record.value or b"")
        if message["type"] != "run":
            self._take_rows(message)
            return False
        after = source_offset(record.headers) + 1
        if message["run"] == self._task.run:
            self._end(record.offset, after, message)
            return True
        part = self.part
        part.journal_from, part.postings_from = after, record.offset + 1
        part.former_closed_at = message["closed_at"]
        self._begin()
        return False

    def _take_rows(self, message: Mapping[str, Any]) -> None:
        places = set()
        for row in message["rows"]:
            if row["kind"] not in ROW_KINDS:
                continue
            place = municipality_of_row(row["mechanism"], row["paying"], row["financing"]) or ""
            places.add(place)
            sums = self.part.sums.setdefault(place, [0, 0, 0, 0])
            money = row["amount_ore"], row["refusion_ore"], row["medfinansiering_ore"]
            for at, number in enumerate((1, *money)):
                sums[at] += number
            self.part.rows += 1
        for place in places:
            self._draw.offer(place, message["citizen"])

    def _end(self, offset: int, journal_to: int, marker: Mapping[str, Any]) -> None:
        part = self.part
        part.data_month, part.closed_at = marker["data_month"], marker["closed_at"]
        part.journal_to, part.postings_to = journal_to, offset + 1
        part.messages, part.digest = self._digest.messages, self._digest.text()
        part.drawn, part.citizens = self._draw.drawn(), self._draw.population()


# --- anew -----------------------------------------------------------------------------------------


def fold_partition(task: RunTask) -> FoldedPart:
    """Do step 2 for a partition, in whatever process."""
    return asyncio.run(_folded(task))


async def _folded(task: RunTask) -> FoldedPart:
    settings = task.settings
    part = FoldedPart(task.partition)
    async with task.open_topics(settings) as reader:
        records = BelievedRecords(reader, settings, task.snapshot, task.partition)
        await records.look_at_beginning()
        journal = _kept(task, records.journal(Counter()), part)
        names = settings.topic(topics.REPORTS), settings.topic(topics.POSTINGS)
        fold_range = FoldRange(*names, task.partition, task.journal_to, task.defects)
        digest = MessageDigest()
        with scratch_folder("dossier") as folder:
            store = store_on_disk(folder)
            try:
                fold = Refolding(LawBook(settings.rules), store)
                async for entries in settled_entries(fold_range, journal):
                    for _, message in fold.fold(entries):
                        digest = _after(digest, message, task.run)
            finally:
                with suppress(DiskError):  # it is thrown away; no error of it hides another
                    store.close()
        posted = posting_reader(POSTED, task.partition)
        async for record in records.ours(topics.POSTINGS, "postings", Counter()):
            if record.offset >= task.postings_to:
                break
            if _is_wanted(task, record) and not isinstance(posted.read(record), Foreign):
                part.postings.append(record)
    part.messages, part.digest = digest.messages, digest.text()
    return part


async def _kept(
    task: RunTask, records: AsyncIterator[Record], part: FoldedPart
) -> AsyncIterator[Record]:
    """Pass the journal on up to the run's marker, and keep the records that a sample needs."""
    reader = journal_reader(topics.REPORTS.name, task.partition)
    async for record in records:
        if record.offset >= task.journal_to:
            return
        is_ours = record.offset not in task.refused and _is_wanted(task, record)
        if is_ours and not isinstance(reader.read(record), Foreign):
            part.journal.append(record)
        yield record


def _is_wanted(task: RunTask, record: Record) -> bool:
    """Tell whether a record is a control record, or of a citizen who was drawn."""
    return not record.key or record.key.decode("latin-1") in task.drawn


def _after(digest: MessageDigest, message: bytes, run: int) -> MessageDigest:
    """Add a message; behind the marker of an earlier run, begin anew."""
    digest.add(message)
    if b'"type":"run"' in message[:40]:
        return digest if orjson.loads(message)["run"] == run else MessageDigest()
    return digest
