"""Says from where on a journal is checked, for those who do not read it from its beginning.

A journal that begins with its keys is checked as a whole, and so is all that follows from it: every
posting and every entry of a citizen's state has a MAC. Of one that an earlier version began, its
own records are checked from the place where an operator stated its keys; its postings and states
may be of versions that made no MACs, and are believed.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

import orjson

from streams.engine.ports import Record
from streams.kafka.reading import Offsets, TopicReader
from streams.kit.foreign import Foreign
from streams.privacy.macs import MacKeys, PlaceMac, Role
from streams.wire.belief import JournalBelief
from streams.wire.readers import journal_reader

Beginning = Literal["keys", "other", "nothing"]
"""A journal begins with its keys, with another record, or has none that can be read."""
CLOCKS: Final = timedelta(days=1)
"""The largest difference between the clocks of those who write to Kafka."""


class CheckedFrom(NamedTuple):
    """From which offset on each partition is checked; those `begun` begin with their keys."""

    offsets: Mapping[int, int] = {}
    begun: frozenset[int] = frozenset()


UNKNOWN: Final = CheckedFrom()
"""It is of a journal that nobody asked."""


class JournalChecks:
    """The checks of a journal and of what follows from it, by keys and partitions."""

    def __init__(self, macs: MacKeys | None, checked_from: CheckedFrom = UNKNOWN) -> None:
        """Without `macs` nothing can be checked."""
        self._macs = macs
        self.checked_from = checked_from

    def journal(self, partition: int) -> JournalBelief:
        """Judge a partition's records of the journal, from anywhere on, in their order."""
        mac = None if self._macs is None else self._macs.at("reports", partition)
        return JournalBelief(mac, self.checked_from.offsets.get(partition))

    def mac(self, role: Role, partition: int) -> PlaceMac | None:
        """Return the MAC that must be on what follows from a partition; None where none must."""
        if self._macs is None or partition not in self.checked_from.begun:
            return None
        return self._macs.at(role, partition)


async def beginning(mac: PlaceMac, records: AsyncIterator[Record]) -> tuple[Beginning, int]:
    """Tell how a partition of the journal begins, and at which offset.

    Forged keys and what nobody can read may stand before it: whoever may write can put it there.
    """
    belief, reader = JournalBelief(mac), journal_reader("", 0)
    async for record in records:
        verdict = belief.of(record)
        if belief.checked_from is not None:
            return "keys", record.offset
        if verdict == "ours" and not isinstance(reader.read(record), Foreign):
            return "other", record.offset
    return "nothing", 0


async def journal_checks(
    topics_read: TopicReader, topic: str, macs: MacKeys | None
) -> JournalChecks:
    """Ask a journal. One that was begun without keys is read on, as `stated_from` says."""
    if macs is None:
        return JournalChecks(None)
    begun: Offsets = {}
    others = False
    for partition, end in (await topics_read.ends(topic)).items():
        mac = macs.at("reports", partition)
        async with aclosing(topics_read.records(topic, partition, 0, end)) as records:
            how, offset = await beginning(mac, records)
        if how == "other":
            others = True
        else:
            begun[partition] = offset
    stated = await stated_from(topics_read, topic, macs) if others else begun
    return JournalChecks(macs, CheckedFrom(stated | begun, frozenset(begun)))


async def stated_from(topics_read: TopicReader, topic: str, macs: MacKeys) -> Offsets:
    """Find where a journal's keys were stated first, by partition; none where they never were.

    One transaction states them everywhere, so that only the smallest partition has to be read from
    its beginning: the record tells when that was.
    """
    ends = await topics_read.ends(topic)
    smallest = min(ends, key=lambda partition: ends[partition])
    found = await _first_keys(topics_read, topic, macs, smallest, 0)
    if found is None:
        return {}
    written_at = datetime.fromisoformat(orjson.loads(found.value or b"")["written_at"])
    starts = await topics_read.since(topic, written_at - CLOCKS)
    places = {smallest: found.offset}
    for partition in ends:
        if partition != smallest and (
            keys := await _first_keys(topics_read, topic, macs, partition, starts[partition])
        ):
            places[partition] = keys.offset
    return places


async def _first_keys(
    topics_read: TopicReader, topic: str, macs: MacKeys, partition: int, start: int
) -> Record | None:
    """Find a partition's first genuine record `keys` from an offset on."""
    belief = JournalBelief(macs.at("reports", partition))
    end = (await topics_read.ends(topic))[partition]
    async with aclosing(topics_read.records(topic, partition, start, end)) as records:
        async for record in records:
            belief.of(record)
            if belief.checked_from is not None:
                return record
    return None
