"""Records that nobody of ours wrote: their places, counted and named, never their content.

A command passes such a record over, tells `passed_over`, and goes on; the program says at its end
what was passed over. A stage says it in its log, its metrics and, where the contract says so, in a
dead letter.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

NAMED: Final = 5
"""Places that a note names; the others are counted."""
REMEMBERED: Final = 10_000
"""Places that are told apart: a record that is read twice counts once, up to so many."""


class Foreign(NamedTuple):
    """The place of a record that nobody of ours wrote, or that nobody can read."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        """Name the place as the rest of the program does."""
        return f"{self.topic}/{self.partition}/{self.offset}"


class ForeignRecords:
    """Counts foreign records, each place once."""

    def __init__(self) -> None:
        self._places: dict[Foreign, None] = {}
        self._further = 0

    def add(self, foreign: Foreign) -> None:
        """Count a record."""
        if foreign in self._places:
            return
        if len(self._places) < REMEMBERED:
            self._places[foreign] = None
        else:
            self._further += 1

    def add_all(self, places: Iterable[Foreign]) -> None:
        """Count records that another process has met."""
        for foreign in places:
            self.add(foreign)

    @property
    def places(self) -> list[Foreign]:
        """The places that are remembered, to be told to another process."""
        return list(self._places)

    def note(self) -> str:
        """Return a sentence for people, "" where there is nothing to say."""
        number = len(self._places) + self._further
        if not number:
            return ""
        named = ", ".join(map(str, sorted(self._places)[:NAMED]))
        others = f" and {number - NAMED:,} more" if number > NAMED else ""
        records, were = ("record", "was") if number == 1 else ("records", "were")
        return (
            f"{number:,} {records} that nobody of ours wrote {were} passed over: {named}{others};"
            " see 'Foreign records' in docs/operations.md"
        )

    def forget(self) -> None:
        """Begin anew, with nothing counted."""
        self._places.clear()
        self._further = 0


PASSED_OVER: Final = ForeignRecords()
"""The foreign records that this process has passed over."""


def passed_over(foreign: Foreign) -> None:
    """Count a record that is passed over; the program says so at its end."""
    PASSED_OVER.add(foreign)
