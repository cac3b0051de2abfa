"""Tells from the journal how far intake has got, where its group has no offset any more.

Kafka forgets the offsets of a group that has had no members for a while. Each report in the journal
says in its header `raw` which record it was. Intake has no transactions: of its last batch some
outputs may be there and others not, so the highest of these records is not where to go on. But a
batch begins only when all of the one before is acknowledged. So with more records in the journal
than a batch may have, the lowest of the last so many is of a batch that is whole.

Finding it takes a reading of the whole journal, which happens in that case alone. What is done
again changes nothing: a report may be in the journal twice.
"""

import asyncio
from collections import defaultdict
from typing import Final

from streams.engine.ports import Kafka, Record
from streams.engine.timing import BATCH_RECORDS

LOOKED_BACK: Final = BATCH_RECORDS + 1
"""Records, of which the first is surely of a former batch."""

Whole = dict[int, tuple[int, Record]]
"""Offsets by partition of the raw topic up to which all is done, and the journal's record."""


class TakenIn:
    """The records of a raw topic that are in the journal."""

    def __init__(self, kafka: Kafka, raw: str, journal: str, partitions: int) -> None:
        """The journal has so many partitions."""
        self._kafka = kafka
        self._beginning = f"{raw}/".encode()
        self._journal = journal
        self._partitions = partitions
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
        for partition in range(self._partitions):
            async with self._kafka.changelog(self._journal, partition) as journal:
                async for batch in journal.read(0):
                    for record in batch.records:
                        self._look_at(record, last)
        return {
            number: _lowest(_last_of(records))
            for number, records in last.items()
            if len(records) >= LOOKED_BACK
        }

    def _look_at(self, record: Record, last: defaultdict[int, dict[int, Record]]) -> None:
        for name, value in record.headers:
            if name == "raw" and value.startswith(self._beginning):
                partition, _, offset = value.removeprefix(self._beginning).partition(b"/")
                if not (partition.isdigit() and offset.isdigit()):
                    continue
                records = last[int(partition)]
                records[int(offset)] = record
                if len(records) > 2 * LOOKED_BACK:
                    last[int(partition)] = _last_of(records)


def _last_of(records: dict[int, Record]) -> dict[int, Record]:
    return {offset: records[offset] for offset in sorted(records)[-LOOKED_BACK:]}


def _lowest(records: dict[int, Record]) -> tuple[int, Record]:
    offset = min(records)
    return offset, records[offset]
