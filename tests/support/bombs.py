"""Batches of records made by hand, as anybody can send them: of any bytes, and of any size."""

import struct
import zlib
from functools import partial
from typing import Any

import cramjam
from aiokafka.codec import gzip_encode, lz4_encode, snappy_encode, zstd_encode
from aiokafka.record.util import calc_crc32c, encode_varint

CODECS: dict[str, Any] = {
    "gzip": (1, gzip_encode),
    "snappy": (2, snappy_encode),
    "lz4": (3, lz4_encode),
    "zstd": (4, zstd_encode),
}
HEADER = struct.Struct(">hiqqqhii")
"""Bytes from the attributes on, which the checksum covers."""
CHUNK = 1 << 20


def varint(number):
    written = bytearray()
    encode_varint(number, written.append)
    return bytes(written)


def sized(content):
    return varint(-1) if content is None else varint(len(content)) + content


def record_bytes(delta, key, value, headers=()):
    """A record in a batch; names of headers are bytes, which need not be UTF-8."""
    body = b"\x00" + varint(0) + varint(delta) + sized(key) + sized(value) + varint(len(headers))
    for name, text in headers:
        body += sized(name) + sized(text)
    return varint(len(body)) + body


def batch_of(records, codec=None, base=0):
    """A batch of records as bytes."""
    number, pack = CODECS.get(codec, (0, bytes))
    return sealed(number, pack(b"".join(records)), len(records), base)


def sealed(codec, packed, records, base=0):
    """Packed records under a header with its checksum; `codec` is the codec's number."""
    covered = HEADER.pack(codec, records - 1, 1_700_000_000_000, 1_700_000_000_000, -1, -1, -1,
                          records) + packed  # fmt: skip
    crc = struct.pack(">I", calc_crc32c(covered))
    body = struct.pack(">ib", -1, 2) + crc + covered
    return struct.pack(">qi", base, len(body)) + body


def bomb(codec, size, records=1):
    """A batch of records of zeros that unpacks to so many bytes; it is packed piece by piece."""
    pieces = []
    for at in range(records):
        zeros = size // records
        tail = varint(0)
        body = b"\x00" + varint(0) + varint(at) + varint(-1) + varint(zeros)
        pieces += [varint(len(body) + zeros + len(tail)) + body, zeros, tail]
    return sealed(CODECS[codec][0], PACKERS[codec](flow(pieces)), records)


def flow(pieces):
    """Bytes in pieces of at most CHUNK; a number stands for so many zeros."""
    zeros = bytes(CHUNK)
    for piece in pieces:
        if isinstance(piece, bytes):
            yield piece
            continue
        for _ in range(piece // CHUNK):
            yield zeros
        yield bytes(piece % CHUNK)


def _gzip(chunks):
    packer = zlib.compressobj(wbits=31)
    return b"".join([*map(packer.compress, chunks), packer.flush()])


def _by(new_compressor, chunks):
    compressor = new_compressor()
    for chunk in chunks:
        compressor.compress(chunk)
    return bytes(compressor.finish())


def _snappy(chunks):
    """The blocks of the Java library."""
    out = bytearray(b"\x82SNAPPY\x00" + struct.pack(">ii", 1, 1))
    for chunk in filter(None, chunks):
        block = bytes(cramjam.snappy.compress_raw(chunk))
        out += struct.pack(">i", len(block)) + block
    return bytes(out)


PACKERS: dict[str, Any] = {
    "gzip": _gzip,
    "snappy": _snappy,
    "lz4": partial(_by, partial(cramjam.lz4.Compressor, block_linked=False)),
    "zstd": partial(_by, cramjam.zstd.Compressor),
}
