"""Writes the journal anew under new keys, with other partitions, without citizens who are erased.

    1. Begin the new journal: it states the new keys. Of one that is there already, the headers
       `origin` say how far it has come, where a proof says that they are ours.
    2. Read each partition of the old journal up to its next control record, and write its records,
       some thousand in one transaction, into the partitions of their citizens' new names. So the
       order of each citizen's records stays, and a rekey that dies has written whole batches.
    3. When each partition has come to the same control record, write it into all new partitions: a
       citizen's records are before and behind the same runs and rules as they were.
    4. Go on with what comes, until everything is there or, with `follow`, until it is stopped.

Nothing is written into the old journal, and its system goes on meanwhile.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from streams.archive.new_names import RenamedRecord, Renaming, named_in
from streams.archive.origins import Origins
from streams.archive.restore import origin_of
from streams.archive.segments import ArchivedRecord
from streams.engine.ports import Message, Record, UnreadBatch, last_offset
from streams.kafka import topics
from streams.kafka.reading import Offsets, TopicReader, written_ms
from streams.kit.errors import UserError
from streams.kit.foreign import Foreign
from streams.operations.key_statements import stated_keys
from streams.settings import Settings
from streams.wire.belief import KEYS, JournalBelief, control_id, is_marked
from streams.wire.journal import JournalEntry
from streams.wire.journal_checks import journal_checks
from streams.wire.partitioner import partition_of
from streams.wire.readers import journal_reader

BATCH_RECORDS: Final = 4_000
"""Records of one transaction."""
PAUSE_S: Final = 1.0
"""Seconds between two looks at a journal of which everything is there."""
PATIENCE: Final = 60
"""Looks after which a control record that is in some partitions alone will not come any more."""
AGAIN: Final = "start it again: it goes on where it stopped"


class RekeyError(UserError):
    """The journal cannot be written anew; the message says why and what to do."""


class AtomicWriter(Protocol):
    """Writes into several partitions of a topic at once: all of it, or nothing."""

    async def write(self, topic: str, messages: Mapping[int, Sequence[Message]]) -> None:
        """Write messages by partition."""


@dataclass
class Rekeyed:
    """Sums: records that are in the new journal, and those that were left out, by reason."""

    prefix: str
    records: int = 0
    there_before: int = 0
    controls: int = 0
    left_out: dict[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return it for a program."""
        return dict(vars(self))

    def sentence(self) -> str:
        """Say it to people."""
        out = ", ".join(f"{number:,} {reason}" for reason, number in self.left_out.items())
        return (
            f"{self.records:,} records and {self.controls:,} control records were written under"
            f" {self.prefix}, beside {self.there_before:,} that were there; left out: {out or '0'}"
        )


class Rekeying:
    """A rekey at work; `old` and `new` are the settings of both systems."""

    def __init__(
        self,
        old: Settings,
        new: Settings,
        erased: Mapping[str, str],
        reader: TopicReader,
        writer: AtomicWriter,
    ) -> None:
        self.done = Rekeyed(new.prefix)
        self._old = old
        self._new = new
        self._source = old.topic(topics.REPORTS)
        self._reader = reader
        self._writer = writer
        self._erased = erased
        self._renaming = Renaming(old.identity(), new.identity(), new.partitions, erased)
        self._positions: Offsets = {}
        self._beliefs: dict[int, JournalBelief] = {}
        self._waiting: dict[int, tuple[str, ArchivedRecord]] = {}
        """The control record that a partition has come to, and that others have not."""
        self._controls: set[str] = set()

    async def begin(self) -> None:
        """Step 1, for a journal that states its keys. Raises RekeyError."""
        name = self._new.topic(topics.REPORTS)
        self._positions = dict(await self._reader.starts(self._source))
        checks = await journal_checks(self._reader, self._source, self._old.macs())
        self._beliefs = {partition: checks.journal(partition) for partition in self._positions}
        new_ends, macs = await self._reader.ends(name), self._new.macs()
        origins = Origins(macs)
        ends = await self._reader.ends(self._source)
        for at, end in new_ends.items():
            mac = macs.at("reports", at)
            async with aclosing(self._reader.records(name, at, 0, end)) as records:
                async for record in records:
                    if is_marked(mac, record):
                        self._look_at(name, origins.of(at, record), record, ends)
                    else:
                        raise self._strange(name)

    def _strange(self, name: str) -> RekeyError:
        return RekeyError(
            f"{name} has records that are not of {self._source}, or do not prove it: somebody else"
            " writes there, or a former version began it; take a prefix that nobody uses"
        )

    def _look_at(self, name: str, origin: bytes | None, record: Record, ends: Offsets) -> None:
        """Take a record of ours in the new journal into account, by the origin that it proves."""
        if origin is None and stated_keys(record) is not None:
            return
        place = self._place_in_source(origin or b"")
        if place is None:
            raise self._strange(name)
        partition, offset = place
        if offset >= ends.get(partition, 0):
            raise RekeyError(
                f"{name} has records of {self._source}, partition {partition}, from behind its end:"
                " they are of another topic that had this name; take a prefix that nobody uses"
            )
        if not record.key:
            self._controls.add(control_id(record.value) or "")
            return
        self._positions[partition] = max(self._positions[partition], offset + 1)
        self.done.there_before += 1

    def _place_in_source(self, origin: bytes) -> tuple[int, int] | None:
        """Return partition and offset in the old journal; None for any other place."""
        source, _, place = origin.decode("ascii", "replace").partition("/")
        try:
            partition, offset = map(int, place.split("/"))
        except ValueError:
            return None
        return (partition, offset) if source == self._source else None

    async def run(self, stopping: asyncio.Event, progress: Callable[[int], None]) -> Rekeyed:
        """Do steps 2 to 4; with `stopping` set from the beginning, until everything is there."""
        idle = 0
        while True:
            before = dict(self._positions), len(self._controls)
            ends = await self._reader.ends(self._source)
            for partition, end in sorted(ends.items()):
                if partition not in self._waiting:
                    await self._take_partition(partition, end)
                    progress(self.done.records)
            if len(self._waiting) == len(ends):
                await self._write_control()
            is_idle = before == (self._positions, len(self._controls))
            idle = idle + 1 if is_idle else 0
            if is_idle and stopping.is_set() and not self._waiting:
                break
            if idle > PATIENCE and self._waiting:
                raise RekeyError(self._lacking())
            if is_idle:
                await asyncio.sleep(PAUSE_S)
        self.done.left_out = dict(self._renaming.left_out)
        return self.done

    def _lacking(self) -> str:
        """Say which control record some partitions lack."""
        names = ", ".join(sorted({name for name, _ in self._waiting.values()}))
        return (
            f"some partitions of {self._source} lack control records that others have ({names}):"
            " look for transactions that hang (`refusion repair transactions --dry-run`) and at"
            " `refusion verify`"
        )

    async def _take_partition(self, partition: int, end: int) -> None:
        """Step 2 for one partition."""
        batch: list[RenamedRecord] = []
        start = self._positions[partition]
        position = start
        async with aclosing(self._reader.records(self._source, partition, start, end)) as records:
            async for record in records:
                position = last_offset(record) + 1
                if (control := self._control(partition, record)) is not None:
                    self._waiting[partition] = control
                    break
                if (renamed := self._renamed(partition, record)) is not None:
                    batch.append(renamed)
                if len(batch) >= BATCH_RECORDS:
                    await self._write(batch)
                    self._positions[partition], batch = position, []
            else:
                position = max(position, end)  # the marker of a transaction lies before it
        await self._write(batch)
        self._positions[partition] = position

    def _control(self, partition: int, record: Record) -> tuple[str, ArchivedRecord] | None:
        """Return a control record that is to be written, None for any other record."""
        if record.key or isinstance(record, UnreadBatch):
            return None
        if isinstance(self._read(partition, record), Foreign):
            return None
        name, value = control_id(record.value), record.value or b""
        if name is None or name.startswith(KEYS) or name in self._controls:
            return None
        if named_in(value) in self._erased:
            return None
        return name, ArchivedRecord.of(record, written_ms(record))

    def _read(self, partition: int, record: Record) -> JournalEntry | Foreign:
        """Read a record of the old journal. Raises UserErrors for one of ours that cannot be."""
        belief = self._beliefs[partition]
        content = journal_reader(self._source, partition, belief).read(record)
        is_foreign = isinstance(content, Foreign) and belief.of(record) != "repeated"
        if is_foreign and belief.is_proved(record):
            raise RekeyError(
                f"the record {content} has a MAC of ours and cannot be read: it would be left out;"
                " look at it with `refusion verify`, or run the version that wrote it"
            )
        return content

    def _renamed(self, partition: int, record: Record) -> RenamedRecord | None:
        """Return a citizen's record as it is written anew; None for what is left out."""
        if not record.key and not isinstance(record, UnreadBatch):
            return None
        if isinstance(self._read(partition, record), Foreign):
            self._renaming.left_out["written by nobody of ours"] += 1
            return None
        archived = ArchivedRecord.of(record, written_ms(record))
        return self._renaming.of(archived, origin_of(self._source, partition, record.offset))

    async def _write(self, batch: Sequence[RenamedRecord]) -> None:
        if batch:
            await self._write_all(batch)
            self.done.records += len(batch)

    async def _write_all(self, destinations: Sequence[RenamedRecord]) -> None:
        messages: defaultdict[int, list[Message]] = defaultdict(list)
        for each in destinations:
            messages[each.partition].append((each.key, each.value, each.headers))
        await self._writer.write(self._new.topic(topics.REPORTS), messages)

    async def _write_control(self) -> None:
        """Step 3. Raises RekeyError where the partitions do not have the same."""
        names = {name for name, _ in self._waiting.values()}
        if len(names) > 1:
            raise RekeyError(
                f"the partitions of {self._source} have control records in different orders:"
                f" {', '.join(sorted(names))}; look at `refusion verify`"
            )
        (name,) = names
        partition, (_, record) = min(self._waiting.items())
        citizen = named_in(record.value or b"")
        if citizen is not None:
            await self._meet(citizen)
        place = origin_of(self._source, partition, record.offset)
        await self._write_all(self._renaming.of_control(record, place))
        self.done.controls += 1
        self._controls.add(name)
        self._waiting = {}

    async def _meet(self, citizen: str) -> None:
        """Look for the new name of a citizen whom a control record names."""
        partition = partition_of(citizen.encode(), len(self._positions))
        end = self._positions[partition]
        async with aclosing(self._reader.records(self._source, partition, 0, end)) as records:
            async for record in records:
                if record.key == citizen.encode() and self._renaming.meets(citizen, record.value):
                    return
