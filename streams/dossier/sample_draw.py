"""Draws citizens of each municipality by a seed: the same seed and run, the same citizens.

A citizen's rank is a digest of the seed, the municipality and the pseudonym, so nobody chooses who
is drawn, and partitions can be read one by one.
"""

from collections import Counter
from collections.abc import Iterable
from hashlib import blake2b
from typing import NamedTuple


class Drawn(NamedTuple):
    """A citizen who may be drawn for a municipality; the lowest ranks are."""

    municipality: str
    rank: str
    citizen: str


class SampleDraw:
    """Keeps the citizens of the lowest ranks, so many of each municipality."""

    def __init__(self, seed: int, each: int) -> None:
        self._seed, self._each = seed, each
        self._offered: dict[str, set[str]] = {}

    def offer(self, municipality: str, citizen: str) -> None:
        """Offer a citizen who has a row of the municipality."""
        self._offered.setdefault(municipality, set()).add(citizen)

    def population(self) -> Counter[str]:
        """Count the citizens of each municipality."""
        return Counter({place: len(citizens) for place, citizens in self._offered.items()})

    def drawn(self) -> list[Drawn]:
        """Return those who may be drawn, in order."""
        return [
            one
            for place, citizens in sorted(self._offered.items())
            for one in sorted(
                Drawn(place, rank_of(self._seed, place, citizen), citizen) for citizen in citizens
            )[: self._each]
        ]


def places_drawn(seed: int, places: Iterable[str], number: int) -> list[str]:
    """Draw so many municipalities, in the order of their codes.

    >>> places_drawn(1, ["730", "751"], 4)
    ['730', '751']
    """
    return sorted(sorted(places, key=lambda place: rank_of(seed, place, ""))[:number])


def rank_of(seed: int, place: str, citizen: str) -> str:
    """Return the rank of a citizen, or of a municipality where the citizen is ""."""
    return blake2b(f"{seed}/{place}/{citizen}".encode(), digest_size=16).hexdigest()
