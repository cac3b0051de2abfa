"""Finds what states the keys of a journal, and reads each of its records once for it.

    <state folder>/keys/<topic>.json    how far one partition was read, and where the records stand

A record `keys` may stand anywhere in the journal, and whoever may write to it can make every start
ask for them. So what was read is noted. The file is a hint, and may be deleted: what stands at a
noted offset is judged anew each time.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Final, NamedTuple

import orjson

from domain.citizen.reports import KeysRecord
from streams.engine.ports import Record
from streams.kafka import topics
from streams.kafka.clients import KafkaClients
from streams.kafka.reading import PartitionReader, open_partition, open_topics
from streams.kit.foreign import Foreign
from streams.privacy.macs import MacKeys
from streams.settings import Settings
from streams.wire.belief import is_marked
from streams.wire.readers import journal_reader

CLIENT: Final = "keys"
FOLDER: Final = "keys"


class ReadSoFar(NamedTuple):
    """The part of a journal that was read with some keys, and the offsets of what states them."""

    identity: str
    key_ids: list[str]
    partition: int
    end: int
    found: list[int]


async def statements(settings: Settings) -> list[KeysRecord]:
    """Return what states the keys of a journal, by the word of a key of ours.

    One transaction writes it everywhere, so that one partition has all of it: that of which the
    least is left to be read.
    """
    clients = KafkaClients(settings.bootstrap, f"refusion-{CLIENT}")
    topic, macs = settings.topic(topics.REPORTS), settings.macs()
    path = settings.state_dir / FOLDER / f"{topic}.json"
    async with open_topics(clients) as topics_read:
        ends = await topics_read.ends(topic)
    noted = _noted(path, macs)
    partition = _least_left(ends, noted)
    async with open_partition(clients, topic, partition) as reader:
        found: dict[int, KeysRecord] = {}
        start = 0
        if noted and noted.identity == reader.identity and noted.end <= reader.end:
            start = noted.end if noted.partition == partition else 0
            for offset in noted.found if start else ():
                record = await reader.record(offset)
                found |= {} if record is None else _stated_in(macs, partition, record)
        async with aclosing(_records(reader, start)) as records:
            async for record in records:
                found |= _stated_in(macs, partition, record)
        read = ReadSoFar(reader.identity, [*macs.key_ids], partition, reader.end, [*found])
    if read != noted:
        _note(path, read)
    return list(found.values())


def stated_keys(record: Record) -> KeysRecord | None:
    """Return the keys that a record of the journal states; None for any other record."""
    if record.key or b'"keys"' not in (record.value or b""):
        return None
    entry = journal_reader("", 0).read(record)
    if isinstance(entry, Foreign) or not isinstance(entry.report, KeysRecord):
        return None
    return entry.report


def _stated_in(macs: MacKeys, partition: int, record: Record) -> dict[int, KeysRecord]:
    keys = stated_keys(record)
    is_ours = keys is not None and is_marked(macs.at("reports", partition), record)
    return {record.offset: keys} if keys is not None and is_ours else {}


async def _records(reader: PartitionReader, start: int) -> AsyncGenerator[Record]:
    async with aclosing(reader.read(start)) as batches:
        async for batch in batches:
            for record in batch.records:
                yield record


def _least_left(ends: Mapping[int, int], noted: ReadSoFar | None) -> int:
    read = {noted.partition: noted.end} if noted else {}
    return min(ends, key=lambda partition: ends[partition] - read.get(partition, 0))


def _noted(path: Path, macs: MacKeys) -> ReadSoFar | None:
    """Return what was read with our keys, or with more; with fewer, records were passed over."""
    try:
        noted = ReadSoFar(*orjson.loads(path.read_bytes()))
        has_all = set(macs.key_ids) <= set(noted.key_ids)
        numbers = (noted.partition, noted.end, *noted.found)
    except (OSError, ValueError, TypeError):
        return None
    return noted if has_all and all(type(number) is int for number in numbers) else None


def _note(path: Path, read: ReadSoFar) -> None:
    """Note what was read. Whoever may not write to the folder reads it again next time."""
    draft = path.with_suffix(".new")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(orjson.dumps(list(read)))
        draft.replace(path)
