"""Invariant 2 in full: a partition's journal folded from its first record gives the postings that stand, byte for byte.

Journal and postings are read side by side, in batches; the state of the fold lies on a temporary
disk. What follows from a record of the journal is held against the postings that name this record,
in their order: so one that is lost, or one too many, is one difference and not all that come after
it.
"""

import tempfile
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import Final, NamedTuple

import orjson

from projections.audit.differences import difference, whose
from projections.audit.records import Found, Violation
from streams.citizens.refold import Refolding
from streams.citizens.rule_sets import LawBook
from streams.citizens.store import RocksStore
from streams.engine.ports import Record
from streams.wire import journal

BATCH_RECORDS: Final = 2_000
BY_ENGINES: Final = (
    "partitions that more than one version of the calculation has settled: no fold, one version does not give"
    " what another has posted"
)


class Folding(NamedTuple):
    """A partition to be folded up to where the citizens stage goes on; `defects` are offsets that it had to refuse."""

    journal_topic: str
    postings_topic: str
    partition: int
    settled_to: int
    defects: Collection[int]


class Records(NamedTuple):
    """Both topics of the partition."""

    journal: AsyncIterator[Record]
    postings: AsyncIterator[Record]


async def audit_fold(folding: Folding, records: Records, laws: LawBook, found: Found) -> int:
    """Say what differs. Returns how many messages were compared. Raises UserError for a rule set not known here."""
    with tempfile.TemporaryDirectory(prefix="refusion-fold-") as folder:
        store = RocksStore(Path(folder))
        try:
            return await _compare(folding, records, Refolding(laws, store), found)
        finally:
            store.close()


async def _compare(folding: Folding, records: Records, fold: Refolding, found: Found) -> int:
    beside = _Beside(folding, records.postings)
    try:
        async for batch in _batches(folding, records.journal):
            for offset, message in fold.fold(batch):
                await beside.due(offset, message)
        await beside.end()
    except _OtherEngineError:
        found.notes[BY_ENGINES] += 1
    else:
        found.merge(beside.found)
    return beside.compared


async def _batches(
    folding: Folding, records: AsyncIterator[Record]
) -> AsyncIterator[list[tuple[int, "journal.Entry"]]]:
    """The settled records of the journal; those that the stage refused led to nothing."""
    batch: list[tuple[int, journal.Entry]] = []
    async for record in records:
        if record.offset >= folding.settled_to:
            break
        if record.offset in folding.defects:
            continue
        try:
            batch.append((record.offset, journal.decode(record.key, record.value)))
        except (ValueError, KeyError, TypeError):  # refused too, however long ago
            continue
        if len(batch) == BATCH_RECORDS:
            yield batch
            batch = []
    yield batch


class _OtherEngineError(Exception):
    """Another version of the calculation has been at work here."""


class _Beside:
    """The postings, gone through beside what is due."""

    def __init__(self, folding: Folding, postings: AsyncIterator[Record]) -> None:
        self.found = Found()
        self.compared = 0
        self._folding = folding
        self._postings = postings
        self._record: Record | None = None
        self._source = -1
        self._begun = False

    async def due(self, source: int, message: bytes) -> None:
        """A message that follows from a record of the journal is the next that stands."""
        await self._pass_over(source)
        self.compared += 1
        record = self._record
        if record is None or self._source > source:
            text = f"{whose(message)} follows from this record, and does not stand in the postings"
            self._say(self._folding.journal_topic, source, text)
            return
        if record.value != message:
            self._check_engine(record)
            where = difference(message, record.value or b"")
            self._say(
                self._folding.postings_topic,
                record.offset,
                f"{whose(message)} differs from the fold: {where}",
            )
        await self._advance()

    async def end(self) -> None:
        """Nothing more is due."""
        await self._pass_over(self._folding.settled_to)

    async def _pass_over(self, source: int) -> None:
        """What stands and names earlier records is due to none of them."""
        if not self._begun:
            await self._advance()
        while self._record is not None and self._source < source:
            self._check_engine(self._record)
            text = "no such message follows from the record of the journal that it names"
            self._say(self._folding.postings_topic, self._record.offset, text)
            await self._advance()

    async def _advance(self) -> None:
        """To the next posting that follows from what is settled."""
        self._begun = True
        self._record = await anext(self._postings, None)
        self._source = -1 if self._record is None else journal.source_offset(self._record.headers)
        if self._source >= self._folding.settled_to:
            self._record = None

    def _check_engine(self, record: Record) -> None:
        """Raises _OtherEngineError for a message with which one version took over from another."""
        try:
            cause = orjson.loads(record.value or b"")["cause"]
        except (ValueError, TypeError, KeyError):
            return
        if isinstance(cause, str) and cause.startswith("engine/"):
            raise _OtherEngineError

    def _say(self, topic: str, offset: int, text: str) -> None:
        self.found.add(Violation("fold", topic, self._folding.partition, offset, text))
