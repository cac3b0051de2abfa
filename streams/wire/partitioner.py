"""Computes the partition of a key as any other Kafka producer does (murmur2).

So others may write to the journal too: with the citizen as key, their records come to the same
partition.
"""

from struct import unpack
from typing import Final

_SEED: Final = 0x9747B28C
_FACTOR: Final = 0x5BD1E995
_BITS_32: Final = 0xFFFFFFFF
_POSITIVE: Final = 0x7FFFFFFF


_WORDS: Final = {32: "<8I", 8: "<2I"}


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition that Kafka's default partitioner gives to a key.

    It is a citizen (32 hex digits) or a reporter (8 digits).

    >>> partition_of(b"0" * 32, 12), partition_of(b"29189668", 12)
    (1, 2)
    """
    mixed = _SEED ^ len(key)
    for word in unpack(_WORDS.get(len(key), _WORDS[32]), key):
        k = word * _FACTOR & _BITS_32
        mixed = (mixed * _FACTOR & _BITS_32) ^ ((k ^ k >> 24) * _FACTOR & _BITS_32)
    mixed = (mixed ^ mixed >> 13) * _FACTOR & _BITS_32
    return ((mixed ^ mixed >> 15) & _POSITIVE) % partitions
