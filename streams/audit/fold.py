"""Folds a partition's journal again and compares the postings with the result, byte for byte.

This is invariant 2 in full. Journal and postings are read side by side, in batches; the state of
the fold is on a temporary disk. Messages that follow from a record of the journal are compared, in
their order, with the postings that name this record: so a posting that is lost, or one too many, is
one difference and does not shift all that come after it.
"""

from collections.abc import AsyncIterator, Collection
from contextlib import suppress
from typing import Final, NamedTuple

import orjson

from projections.audit.differences import difference, whose
from projections.audit.violations import Violation, Violations
from streams.citizens.refold import Refolding
from streams.citizens.rule_sets import LawBook
from streams.citizens.store_port import DiskError, store_on_disk
from streams.engine.ports import Record
from streams.kit.scratch import scratch_folder
from streams.wire import journal
from streams.wire.cloudevents import source_offset
from streams.wire.journal import JournalEntry

BATCH_RECORDS: Final = 2_000
BY_ENGINES: Final = (
    "partitions that more than one version of the calculation has settled: no fold, one version"
    " does not give what another has posted"
)
"""Note about partitions that cannot be folded."""


class FoldRange(NamedTuple):
    """A partition and the offset to which it is folded, where the citizens stage goes on.

    `defects` are offsets that the stage had to refuse because of a defect of the program.
    """

    journal_topic: str
    postings_topic: str
    partition: int
    settled_to: int
    defects: Collection[int]


class Records(NamedTuple):
    """Both topics of the partition."""

    journal: AsyncIterator[Record]
    postings: AsyncIterator[Record]


async def audit_fold(
    fold_range: FoldRange, records: Records, laws: LawBook, violations: Violations
) -> int:
    """Compare, and return the number of messages compared. UserError for an unknown rule set."""
    with scratch_folder("fold") as folder:
        store = store_on_disk(folder)
        try:
            return await _compare(fold_range, records, Refolding(laws, store), violations)
        finally:
            with suppress(DiskError):  # it is thrown away; no error of it hides another
                store.close()


async def _compare(
    fold_range: FoldRange, records: Records, fold: Refolding, violations: Violations
) -> int:
    postings = _PostingsCursor(fold_range, records.postings)
    try:
        async for batch in settled_entries(fold_range, records.journal):
            for offset, message in fold.fold(batch):
                await postings.expect(offset, message)
        await postings.end()
    except _OtherEngineError:
        violations.notes[BY_ENGINES] += 1
    else:
        violations.merge(postings.violations)
    return postings.compared


async def settled_entries(
    fold_range: FoldRange, records: AsyncIterator[Record]
) -> AsyncIterator[list[tuple[int, JournalEntry]]]:
    """The settled records of the journal; those that the stage refused led to nothing."""
    batch: list[tuple[int, JournalEntry]] = []
    async for record in records:
        if record.offset >= fold_range.settled_to or record.offset in fold_range.defects:
            continue
        try:
            batch.append((record.offset, journal.decode(record.key, record.value)))
        except (ValueError, KeyError, TypeError):  # the stage refused it too, however long ago
            continue
        if len(batch) == BATCH_RECORDS:
            yield batch
            batch = []
    yield batch


class _OtherEngineError(Exception):
    """Another version of the calculation has settled this partition."""


class _PostingsCursor:
    """Goes through the postings beside the messages that the fold expects."""

    def __init__(self, fold_range: FoldRange, postings: AsyncIterator[Record]) -> None:
        self.violations = Violations()
        self.compared = 0
        self._range = fold_range
        self._postings = postings
        self._record: Record | None = None
        self._source = -1
        """Offset in the journal that the posting at hand names."""
        self._begun = False

    async def expect(self, source: int, message: bytes) -> None:
        """Compare a message that follows from a record of the journal with the next posting."""
        await self._pass_over(source)
        self.compared += 1
        record = self._record
        if record is None or self._source > source:
            text = f"{whose(message)} follows from this record, and is not in the postings"
            self._report(self._range.journal_topic, source, text)
            return
        if record.value != message:
            self._check_engine(record)
            where = difference(message, record.value or b"")
            text = f"{whose(message)} differs from the fold: {where}"
            self._report(self._range.postings_topic, record.offset, text)
        await self._advance()

    async def end(self) -> None:
        """Report the postings that are left: nothing more is expected."""
        await self._pass_over(self._range.settled_to)

    async def _pass_over(self, source: int) -> None:
        """Report postings that name records before a source: none of these led to them."""
        if not self._begun:
            await self._advance()
        while self._record is not None and self._source < source:
            self._check_engine(self._record)
            text = "no such message follows from the record of the journal that it names"
            self._report(self._range.postings_topic, self._record.offset, text)
            await self._advance()

    async def _advance(self) -> None:
        """Go to the next posting that follows from a settled record."""
        self._begun = True
        async for record in self._postings:
            self._source = source_offset(record.headers)
            if self._source < self._range.settled_to:
                self._record = record
                return
        self._record, self._source = None, -1

    def _check_engine(self, record: Record) -> None:
        """Raise _OtherEngineError for a message with which one version took over from another."""
        try:
            cause = orjson.loads(record.value or b"")["cause"]
        except (ValueError, TypeError, KeyError):
            return
        if isinstance(cause, str) and cause.startswith("engine/"):
            raise _OtherEngineError

    def _report(self, topic: str, offset: int, text: str) -> None:
        self.violations.add(Violation("fold", topic, self._range.partition, offset, text))
