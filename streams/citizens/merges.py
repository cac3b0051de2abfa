"""Merges of a partition's citizens: who is emptied, and whose reports go on to another."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from domain.citizen.merges import Without, emptied, reversals
from domain.citizen.posting import post
from domain.citizen.reports import Copy, Join, Move, Opening
from domain.citizen.state import Citizen, Ties
from domain.law.staircase import Law
from projections.postings.messages import moved_to, posting_message
from streams.citizens.outcomes import PASSED_ON, Outcome
from streams.citizens.store_port import HeldBack, Store

MOVED: Final = "moved"
NO_REPORTS: Final = (Opening, Move, Join, Copy)
"""Records of one citizen that are no reports, or come as copies of them."""


class PassedOn(NamedTuple):
    """The citizen to whom a report goes on, with the sealed CPR number, and the merge's id."""

    to: str
    to_sealed: str
    move: str


class EmptiedCitizen(NamedTuple):
    """A citizen whom a merge has emptied, the message, and the number of its rows."""

    left: Citizen
    message: bytes
    corrections: int


class Merging:
    """The consequences of merges in the batch at hand.

    `passed_on` has for each outcome PASSED_ON to whom the report goes, `gone` the keys of the state
    that are deleted.
    """

    def __init__(self) -> None:
        self.passed_on: list[PassedOn] = []
        self.gone: set[bytes] = set()

    def pass_on(self, ties: Ties) -> Outcome:
        """Let a report go on to the citizen with whom its own was merged."""
        self.passed_on.append(PassedOn(ties.to, ties.to_sealed, ties.move))
        return PASSED_ON

    def move(
        self, law: Law, citizen: Citizen, store: Store | HeldBack, record: Move
    ) -> EmptiedCitizen:
        """Take every row of a citizen back, and forget the reports."""
        keys = frozenset(store.keys_of(citizen.id))
        revision = citizen.head.revision + 1
        rows, _, _, corrections = post(reversals(citizen), revision)
        left = emptied(law, citizen, Without(store, keys), record)
        left.head.revision = revision
        self.gone |= keys
        message = posting_message(
            citizen.id, revision, f"{MOVED}/{record.id}", MOVED, law.rules.name,
            left.head.cpr_sealed, law.counters(left.head.weeks), rows,
        )  # fmt: skip
        return EmptiedCitizen(
            left, moved_to(message, record.to) if record.to else message, corrections
        )

    def deletions(self) -> Iterator[tuple[bytes, bytes]]:
        """Give the deletions of the keys that are gone, once."""
        gone, self.gone = self.gone, set()
        return ((key, b"") for key in sorted(gone))

    def undo(self, passed_on: int = 0) -> None:
        """Forget what is not written yet, but for the first of what is passed on."""
        self.gone.clear()
        del self.passed_on[passed_on:]
