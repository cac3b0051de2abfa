"""Random numbers that are the same on every machine.

There is one generator per citizen and purpose, and only whole numbers are drawn.

Only `random.Random.random` is used, whose sequence Python guarantees for a seed. Products with
small whole numbers are exact on any IEEE 754 machine. No logarithm or other library function is
called, because those differ in the last bit.
"""

from bisect import bisect_right
from collections.abc import Sequence
from hashlib import blake2b
from itertools import accumulate
from random import Random
from typing import Generic, TypeVar

T = TypeVar("T")


def generator(seed: int, citizen: int, purpose: str) -> Random:
    """Return the generator of one citizen and purpose.

    Purposes do not disturb each other's sequences.
    """
    digest = blake2b(f"{seed}/{citizen}/{purpose}".encode(), digest_size=8).digest()
    return Random(int.from_bytes(digest, "big"))


def below(rng: Random, limit: int) -> int:
    """Draw a whole number from 0 to limit - 1."""
    return int(rng.random() * limit)


def between(rng: Random, low: int, high: int) -> int:
    """Draw a whole number from low to high, both included."""
    return low + int(rng.random() * (high - low + 1))


def happens(rng: Random, percent: int) -> bool:
    """Return True in `percent` of the cases."""
    return rng.random() * 100 < percent


def pick(rng: Random, choices: Sequence[T]) -> T:
    """Draw one of the choices, each with the same probability."""
    return choices[int(rng.random() * len(choices))]


class Weighted(Generic[T]):
    """Choices with whole-number weights."""

    def __init__(self, choices: Sequence[T], weights: Sequence[int]) -> None:
        self._choices = tuple(choices)
        self._sums = tuple(accumulate(weights))

    def pick(self, rng: Random) -> T:
        """Draw one of the choices, with the probability of its weight."""
        return self._choices[bisect_right(self._sums, int(rng.random() * self._sums[-1]))]
