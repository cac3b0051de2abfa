"""A batch is unpacked in bounded memory by every codec, and one that is too large stops nothing."""

import gzip
import subprocess
import sys
from typing import Any

import cramjam
import pytest
from aiokafka import TopicPartition
from aiokafka.codec import gzip_encode, lz4_encode, snappy_encode, zstd_encode
from aiokafka.consumer.fetcher import READ_COMMITTED, FetchResult, PartitionRecords
from aiokafka.record.memory_records import MemoryRecords

from streams.engine.ports import UnreadBatch
from streams.kafka import patches, unpacker
from streams.kafka.patches import as_read
from streams.kafka.unpacker import TooLargeBatchError
from tests.support.bombs import CODECS, batch_of, bomb, record_bytes, sealed
from tests.support.places import ROOT

patches.apply()

UNPACK: dict[str, Any] = {
    "gzip": unpacker.unpack_gzip,
    "snappy": unpacker.unpack_snappy,
    "lz4": unpacker.unpack_lz4,
    "zstd": unpacker.unpack_zstd,
}
PACK: dict[str, Any] = {
    "gzip": gzip_encode,
    "snappy": snappy_encode,
    "lz4": lz4_encode,
    "zstd": zstd_encode,
}
SIZES = (0, 1, 100, unpacker.SCRATCH_BYTES, unpacker.SCRATCH_BYTES + 1, 5_000_000)


def fetched(content, start=0):
    """The client's records of a fetch."""
    return PartitionRecords(
        TopicPartition("t", 0), MemoryRecords(content), [], start, as_read, None, True,
        READ_COMMITTED,
    )  # fmt: skip


def read(content, start=0):
    """Records that a consumer hands out of a fetch."""
    return list(fetched(content, start))


class Position:
    """A consumer's place in the partition, as the client keeps it; it is not paused."""

    active, paused, position = True, False, 0

    def state_value(self, _at):
        return self

    def consumed_to(self, position):
        self.position = position


def taken(content, max_records=None):
    """The lengths of the records that are handed out together, until there are no more."""
    position = Position()
    fetch = FetchResult(
        TopicPartition("t", 0), assignment=position, partition_records=fetched(content), backoff=0
    )
    while fetch.has_more():
        records = fetch.getall(max_records)
        assert position.position == (records[-1].offset + 1 if records else position.position)
        yield [len(record.value) for record in records]


@pytest.mark.parametrize("codec", PACK)
def test_what_the_codec_packed_is_unpacked(codec):
    for size in SIZES:
        content = (b"%06d" % size) * (size // 6) + b"x" * (size % 6)
        assert UNPACK[codec](PACK[codec](content)) == content


def test_the_other_forms_of_a_codec_are_unpacked():
    content = b"abc" * 1000
    assert UNPACK["snappy"](bytes(cramjam.snappy.compress_raw(content))) == content
    assert UNPACK["gzip"](gzip.compress(content) + gzip.compress(content)) == 2 * content


@pytest.mark.parametrize("codec", PACK)
def test_damaged_bytes_are_no_reason_to_stop_for_ever(codec):
    packed = PACK[codec](b"abc" * 1000)
    for bad in (packed[:-3], b"\x00" * 40, b"\x82SNAPPY\x00" + b"\xff" * 40):
        with pytest.raises(Exception, match=r".") as caught:  # whatever it is: it is caught
            UNPACK[codec](bad)
        assert isinstance(caught.value, Exception)
    claimed = b"\xff\xff\xff\xff\x0f" + b"\x00" * 20  # of 4 GiB
    with pytest.raises(TooLargeBatchError):
        UNPACK["snappy"](claimed)


LIMITED = """
import resource
from tests.support.bombs import CODECS, bomb
from tests.streams.kafka.test_unpacker import read
bombs = [bomb(codec, 2_000_000_000 if codec == "zstd" else 100_000_000) for codec in CODECS]
resource.setrlimit(resource.RLIMIT_AS, (900 << 20, 900 << 20))
for content in bombs:
    (unread,) = read(content)
    print(unread.offset, unread.last_offset, unread.is_too_large)
"""


def test_a_bomb_of_every_codec_is_not_unpacked_beyond_the_bound():
    """2 GB by zstd, in 900 MB of addresses; the others pack zeros less, and are met at 100 MB."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.stdout.split("\n") == ["0 0 True"] * len(CODECS) + [""], done.stderr[-400:]


@pytest.mark.parametrize("codec", PACK)
def test_records_of_many_small_batches_that_unpack_to_much_are_handed_out_one_by_one(codec):
    size = unpacker.TAKEN_BYTES + 1000
    packed = PACK[codec](record_bytes(0, None, bytes(size)))
    content = b"".join(sealed(CODECS[codec][0], packed, 1, base=at) for at in range(12))
    assert len(content) < 1 << 20 or codec == "snappy"
    assert [each for each in taken(content, 200) if each] == [[size]] * 12


def test_usual_batches_are_handed_out_together():
    records = [record_bytes(at, None, b"x" * 600) for at in range(1000)]
    content = b"".join(batch_of(records, "zstd", base=1000 * at) for at in range(20))
    assert [len(each) for each in taken(content, 16_000)] == [16_000, 4_000]
    assert [len(each) for each in taken(content)] == [20_000]


def test_the_rest_of_a_large_batch_is_handed_out_together():
    records = [record_bytes(at, None, b"x" * 60_000) for at in range(400)]
    content = batch_of(records, "zstd")
    assert [len(each) for each in taken(content, 200)] == [1, 200, 199]


def test_batches_beside_one_that_cannot_be_read_are_read():
    """Each stands in its place: the position behind it is the next batch's."""
    good = batch_of([record_bytes(0, b"k", b"v"), record_bytes(1, b"k", b"w")], codec="zstd")
    odd = batch_of(
        [record_bytes(0, b"k", b"v"), record_bytes(1, b"k", b"v", [(b"\xff\xfe", b"x")])], base=2
    )
    torn = batch_of([record_bytes(0, b"k", b"v")[:-1] + b"\x7f"], base=4)
    last = batch_of([record_bytes(0, None, None, [(b"h", None)])], base=5)
    records = read(good + odd + torn + last)
    assert [record.offset for record in records] == [0, 1, 2, 3, 4, 5]
    unread = [record for record in records if isinstance(record, UnreadBatch)]
    assert [(each.offset, each.last_offset, each.is_too_large) for each in unread] == [
        (3, 3, False),
        (4, 4, False),
    ]
    assert records[-1].value is None
    assert list(records[-1].headers) == [("h", None)]


def test_a_batch_of_many_records_is_one_record_in_the_place_of_its_first():
    (unread,) = read(bomb("zstd", 70_000_000, records=7))
    assert (unread.offset, unread.last_offset) == (0, 6)
    (unread,) = read(bomb("zstd", 70_000_000, records=7), start=3)
    assert (unread.offset, unread.last_offset, unread.headers) == (3, 6, ())
