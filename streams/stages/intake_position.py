"""Tells from the journal how far intake has got, where its group has no offset any more.

Kafka forgets the offsets of a group that has had no members for a while. Each report in the journal
says in its header `raw` which record it was. Intake has no transactions: of its last batch some
outputs may be there and others not, so the highest of these records is not where to go on. But a
batch begins only when all of the one before is acknowledged. So with more records in the journal
than a batch may have, the lowest of the last so many is of a batch that is whole.

Finding it takes a reading of the whole journal, which happens in that case alone. What is done
again changes nothing: a report may be in the journal twice.

The header `raw` is not covered by a record's MAC, so that a copy of a genuine record may name any
raw record. The copy has the MAC of its original, which stands before it: of the records with one
MAC the first says what its raw record was. That takes a second reading, up to the last record.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Final

from streams.engine.ports import Kafka, Record
from streams.engine.timing import BATCH_RECORDS
from streams.privacy.macs import MAC, PlaceMac
from streams.wire.belief import JournalBelief

LOOKED_BACK: Final = BATCH_RECORDS + 1
"""Records, of which the first is surely of a former batch."""
RAW: Final = "raw"
"""The header that names the raw record."""
LONGEST_PLACE: Final = 300
"""Bytes of the longest place of a record: a header may hold any number of digits."""

Whole = dict[int, tuple[int, Record]]
"""Offsets by partition of the raw topic up to which all is done, and the journal's record."""


class TakenIn:
    """The records of a raw topic that are in the journal."""

    def __init__(self, kafka: Kafka, raw: str, journal: str, macs: Sequence[PlaceMac]) -> None:
        """`macs` are those of the journal's partitions."""
        self._kafka = kafka
        self._beginning = f"{raw}/".encode()
        self._journal = journal
        self._macs = macs
        self._reading: asyncio.Task[Whole] | None = None

    async def whole(self) -> Whole:
        """Read the journal to its end; partitions that ask at the same time share one reading."""
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
            self._reading.add_done_callback(self._forget)
        return await asyncio.shield(self._reading)

    def _forget(self, reading: "asyncio.Task[Whole]") -> None:
        self._reading = None
        if not reading.cancelled():
            reading.exception()  # else asyncio complains where nobody waits any more

    async def _read(self) -> Whole:
        last: defaultdict[int, dict[int, Record]] = defaultdict(dict)
        for partition in range(len(self._macs)):
            async for record in self._ours(partition):
                self._look_at(record, last)
        found = {number: records for number, records in last.items() if _are_enough(records)}
        if not found:
            return {}
        first = await self._first_raw(
            {_mac_of(each) for of in found.values() for each in of.values()}
        )
        for records in found.values():
            for offset, record in list(records.items()):
                if (mac := _mac_of(record)) and first.get(mac) != _raw_of(record):
                    del records[offset]
        return {
            number: _lowest(_last_of(records))
            for number, records in found.items()
            if _are_enough(records)
        }

    async def _ours(self, partition: int) -> AsyncIterator[Record]:
        """Yield the records of a partition of the journal that are believed."""
        belief = JournalBelief(self._macs[partition])
        async with self._kafka.changelog(self._journal, partition) as journal:
            async for batch in journal.read(0):
                for record in batch.records:
                    if belief.of(record) == "ours":
                        yield record

    async def _first_raw(self, macs: Collection[bytes]) -> dict[bytes, bytes]:
        """Find the raw record that the first of the records with a MAC names, for some MACs."""
        first: dict[bytes, bytes] = {}
        for partition in range(len(self._macs)):
            async for record in self._ours(partition):
                if (mac := _mac_of(record)) in macs:
                    first.setdefault(mac, _raw_of(record))
        return first

    def _look_at(self, record: Record, last: defaultdict[int, dict[int, Record]]) -> None:
        raw = _raw_of(record)
        if not raw.startswith(self._beginning):
            return
        partition, _, offset = raw.removeprefix(self._beginning).partition(b"/")
        if not (partition.isdigit() and offset.isdigit() and len(raw) <= LONGEST_PLACE):
            return
        records = last[int(partition)]
        records[int(offset)] = record
        if len(records) > 2 * LOOKED_BACK:
            last[int(partition)] = _last_of(records)


def _are_enough(records: dict[int, Record]) -> bool:
    return len(records) >= LOOKED_BACK


def _raw_of(record: Record) -> bytes:
    """Return the place of a record's raw record; a header that somebody wrote may have nothing."""
    return dict(record.headers).get(RAW) or b""


def _mac_of(record: Record) -> bytes:
    return dict(record.headers).get(MAC) or b""


def _last_of(records: dict[int, Record]) -> dict[int, Record]:
    return {offset: records[offset] for offset in sorted(records)[-LOOKED_BACK:]}


def _lowest(records: dict[int, Record]) -> tuple[int, Record]:
    offset = min(records)
    return offset, records[offset]
