"""Chance that is the same on every machine: one generator per citizen and purpose, whole numbers only.

Only `random.Random.random` is used, whose sequence Python guarantees for a seed.
Products with small whole numbers are exact enough for any IEEE 754 machine; no
logarithm or other library function is called, because those differ in the last bit.
"""

from bisect import bisect_right
from collections.abc import Sequence
from hashlib import blake2b
from itertools import accumulate
from random import Random
from typing import Generic, TypeVar

T = TypeVar("T")


def generator(seed: int, citizen: int, purpose: str) -> Random:
    """The generator of one citizen and purpose; purposes do not disturb each other's sequences."""
    digest = blake2b(f"{seed}/{citizen}/{purpose}".encode(), digest_size=8).digest()
    return Random(int.from_bytes(digest, "big"))


def below(rng: Random, limit: int) -> int:
    """A whole number from 0 to limit - 1."""
    return int(rng.random() * limit)


def between(rng: Random, low: int, high: int) -> int:
    """A whole number from low to high, both included."""
    return low + int(rng.random() * (high - low + 1))


def happens(rng: Random, percent: int) -> bool:
    """True in `percent` of the cases."""
    return rng.random() * 100 < percent


def pick(rng: Random, choices: Sequence[T]) -> T:
    """One of the choices, each as likely as the others."""
    return choices[int(rng.random() * len(choices))]


class Weighted(Generic[T]):
    """Choices with whole-number weights."""

    def __init__(self, choices: Sequence[T], weights: Sequence[int]) -> None:
        self._choices = tuple(choices)
        self._sums = tuple(accumulate(weights))

    def pick(self, rng: Random) -> T:
        """One of the choices, as likely as its weight."""
        return self._choices[bisect_right(self._sums, int(rng.random() * self._sums[-1]))]
