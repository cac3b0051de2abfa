"""Batches and records: the same bytes and contents as aiokafka would have by itself."""

import time
from collections.abc import Iterator
from itertools import count

import cramjam
import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import READ_COMMITTED, PartitionRecords
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBase
from aiokafka.record.memory_records import MemoryRecords
from hypothesis import given
from hypothesis import strategies as st

from streams.engine.ports import Message
from streams.kafka import batches as output_batches
from streams.kafka import patches
from streams.kafka.batches import OutputBatch, batches
from streams.kafka.patches import COMPRESSION_LEVEL, as_read

NOW_S = 1_700_000_000.25
BATCH_BYTES = 300
"""The size makes some batches full, and some messages are larger."""
PRODUCER = (2**40, 7)
AT = TopicPartition("t", 3)

some = st.none() | st.binary(max_size=200)
messages = st.lists(
    st.tuples(
        some, some, st.lists(st.tuples(st.text(max_size=9), st.binary(max_size=40)), max_size=7)
    )
)


@pytest.fixture(autouse=True)
def _small_and_now(monkeypatch):
    patches.apply()
    monkeypatch.setattr(output_batches, "OUTPUT_BATCH_BYTES", BATCH_BYTES)
    monkeypatch.setattr(time, "time", lambda: NOW_S)


def sent(batch: BatchBuilder, number: int) -> bytes:
    """The bytes of a batch for which the client knows what it says of the producer."""
    batch._set_producer_state(*PRODUCER, number)
    return bytes(batch._build())


def clients_own(taken: list[Message], *, is_transactional: bool) -> Iterator[BatchBuilder]:
    """The batches that the client builds of messages."""
    left = list(taken)
    while left:
        batch = BatchBuilder(
            BATCH_BYTES, DefaultRecordBase.CODEC_ZSTD, is_transactional=is_transactional
        )
        while left and batch.append(
            timestamp=int(NOW_S * 1000), key=left[0][0], value=left[0][1], headers=left[0][2]
        ):
            del left[0]
        yield batch


def built(taken: list[Message], *, is_transactional: bool) -> Iterator[OutputBatch]:
    """Our batches, compressed before anything is known of the producer."""
    for batch in batches(taken, is_transactional=is_transactional):
        batch.build()
        yield batch


@given(messages, st.booleans())
def test_a_batch_has_the_bytes_that_the_client_would_send(taken, is_transactional):
    ours = list(built(taken, is_transactional=is_transactional))
    theirs = list(clients_own(taken, is_transactional=is_transactional))
    assert [batch.record_count() for batch in ours] == [batch.record_count() for batch in theirs]
    assert list(map(sent, ours, count())) == list(map(sent, theirs, count()))


def read(content: bytes, deserializer=None) -> list:
    return list(
        PartitionRecords(
            AT, MemoryRecords(content), [], 0, deserializer, None, True, READ_COMMITTED
        )
    )


@given(messages)
def test_a_record_as_read_has_what_the_clients_copy_has(taken):
    for content in map(sent, built(taken, is_transactional=True), count()):
        copies, records = read(content), read(content, as_read)
        assert [(each.offset, each.key, each.value, tuple(each.headers)) for each in records] == [
            (each.offset, each.key, each.value, each.headers) for each in copies
        ]
        assert {copy.topic for copy in copies} == {AT.topic}
        assert not any(hasattr(record, "topic") for record in records)


def test_outputs_are_compressed_at_our_level_which_the_client_has_no_setting_for(monkeypatch):
    monkeypatch.setattr(output_batches, "OUTPUT_BATCH_BYTES", 1 << 20)
    (batch,) = built(
        [(b"", b"%d" % number**3, []) for number in range(5_000)], is_transactional=False
    )
    compressed = bytes(batch._build())[DefaultRecordBase.HEADER_STRUCT.size :]
    plain = cramjam.zstd.decompress(compressed)
    assert compressed == bytes(cramjam.zstd.compress(plain, level=COMPRESSION_LEVEL))
    assert compressed != bytes(cramjam.zstd.compress(plain, level=3))
