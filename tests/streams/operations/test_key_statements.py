"""Statements of keys in a journal are found, and each record is read once for them."""

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace

import orjson
import pytest

from domain.citizen.reports import KeysRecord
from streams.operations import key_statements
from streams.operations.stated_keys import keys_record
from streams.settings import Settings
from streams.wire import journal

ONE, TWO, THREE, FOUR = "0a" * 32, "0b" * 32, "0c" * 32, "0d" * 32
FORGED = KeysRecord("forged", "p0", ("k0",), ("m0",), False)


def keys(tmp_path, journal_key=THREE) -> Settings:
    names = {"PSEUDONYM_KEY": ONE, "SEAL_KEY": TWO, "JOURNAL_KEY": journal_key}
    given = {f"REFUSION_{name}": text for name, text in names.items()}
    where = {"REFUSION_STATE_DIR": str(tmp_path), "REFUSION_BOOTSTRAP": "127.0.0.1:1"}
    return Settings.load(given | where | {"REFUSION_KAFKA_SECURITY_PROTOCOL": "PLAINTEXT"})


def stating(record, macs, partition):
    value = journal.encode_control(record, "2024-02-01T08:00:00Z")
    header = macs.at("reports", partition).header(None, b"", value) if macs else None
    return SimpleNamespace(key=None, value=value, headers=[header] if header else [])


OTHER = SimpleNamespace(key=b"c", value=b"{}", headers=[])


class PartitionInMemory:
    """A partition of a journal in memory; `read_offsets` are those that were read."""

    def __init__(self, records, identity):
        self.records = [SimpleNamespace(**vars(each), offset=at) for at, each in enumerate(records)]
        self.identity = identity
        self.read_offsets = []

    @property
    def end(self):
        return len(self.records)

    async def record(self, offset):
        self.read_offsets.append(offset)
        return self.records[offset]

    async def read(self, start):
        self.read_offsets += range(start, self.end)
        yield SimpleNamespace(records=self.records[start:])


@pytest.fixture
def found(monkeypatch):
    """Find statements in a journal of some partitions: their keys, and what was read."""

    def found(settings, journal_of, identity="one"):
        partitions = {at: PartitionInMemory(each, identity) for at, each in journal_of.items()}

        async def ends(_topic):
            return {at: partition.end for at, partition in partitions.items()}

        @asynccontextmanager
        async def open_topics(_clients):
            yield SimpleNamespace(ends=ends)

        @asynccontextmanager
        async def open_partition(_clients, _topic, partition):
            yield partitions[partition]

        monkeypatch.setattr(key_statements, "open_topics", open_topics)
        monkeypatch.setattr(key_statements, "open_partition", open_partition)
        stated = asyncio.run(key_statements.statements(settings))
        read = {at: partition.read_offsets for at, partition in partitions.items()}
        return [each.journal_keys for each in stated], {
            at: each for at, each in read.items() if each
        }

    return found


def test_each_record_is_read_once_for_what_states_keys(found, tmp_path):
    settings = keys(tmp_path)
    macs, ours = settings.macs(), keys_record(settings)
    begun = {at: [stating(FORGED, None, at), stating(ours, macs, at), OTHER] for at in (0, 1)}
    begun[1].append(OTHER)
    stated = [ours.journal_keys]
    assert found(settings, begun) == (stated, {0: [0, 1, 2]})
    assert found(settings, begun) == (stated, {0: [1]}), "what stands there is judged anew"
    flood = [OTHER] * 5 + [stating(ours, macs, 0)]
    grown = {0: begun[0] + flood, 1: begun[1] + [OTHER] * 9}
    assert found(settings, grown) == (stated * 2, {0: [1, *range(3, 9)]})
    assert found(settings, grown) == (stated * 2, {0: [1, 8]})


def test_what_was_read_is_read_again_where_it_would_tell_something_else(found, tmp_path):
    settings, with_more = keys(tmp_path), keys(tmp_path, f"{THREE},{FOUR}")
    macs, ours = settings.macs(), keys_record(settings)
    newer = stating(
        keys_record(with_more), with_more.macs().marking_with(with_more.macs().key_ids[1]), 0
    )
    begun = {0: [stating(ours, macs, 0), newer]}
    assert found(settings, begun)[1] == {0: [0, 1]}
    both = [ours.journal_keys, with_more.macs().key_ids]
    assert found(with_more, begun) == (both, {0: [0, 1]}), "it has a key more"
    assert found(settings, begun) == (both[:1], {0: [0, 1]}), "one of these is not by its keys"
    assert found(with_more, begun, "another")[1] == {0: [0, 1]}, "another topic"
    (noted,) = (tmp_path / "keys").iterdir()
    for text in (b"{", b"[]", orjson.dumps(["another", 1, 2, 3, 4]), b'["a",[],"x",1,[]]'):
        noted.write_bytes(text)
        assert found(with_more, begun, "another") == (both, {0: [0, 1]})
