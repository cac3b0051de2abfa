"""Computes the partition of a citizen as any other Kafka producer does (murmur2).

So others may write to the journal too: with the citizen as key, their records come to the same
partition.
"""

from struct import unpack
from typing import Final

_SEED: Final = 0x9747B28C
_FACTOR: Final = 0x5BD1E995
_BITS_32: Final = 0xFFFFFFFF
_POSITIVE: Final = 0x7FFFFFFF


def partition_of(citizen: bytes, partitions: int) -> int:
    """Return the partition that Kafka's default partitioner gives to a citizen (32 hex digits).

    >>> partition_of(b"0" * 32, 12)
    1
    """
    mixed = _SEED ^ len(citizen)
    for word in unpack("<8I", citizen):
        k = word * _FACTOR & _BITS_32
        mixed = (mixed * _FACTOR & _BITS_32) ^ ((k ^ k >> 24) * _FACTOR & _BITS_32)
    mixed = (mixed ^ mixed >> 13) * _FACTOR & _BITS_32
    return ((mixed ^ mixed >> 15) & _POSITIVE) % partitions
