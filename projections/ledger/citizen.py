"""One citizen's entries in the ledger: which rows stand, what each message changed, what they come to."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from domain.citizen.fleksbidrag import FLEKSBIDRAG
from domain.explain.reasons import WeekReason

Cell = tuple[str, str, str, str | None, str | None]
"""Month, week, benefit, paying and financing municipality."""


class PostedRow(NamedTuple):
    """What the ledger has of a citizen's row or message, under its names; those of a row are None without one.

    `run` is the run that was closed next in the partition, None where none was yet.
    """

    after_run: int
    partition: int
    offset: int
    position: int
    journal_offset: int
    kind: str
    revision: int
    cause: str
    reason: str
    rules: str
    id: str | None
    reverses: str | None
    month: str | None
    week: str | None
    benefit: str | None
    paying: str | None
    financing: str | None
    amount_ore: int | None
    ordinal: int | None
    mechanism: str | None
    rate: int | None
    refusion_ore: int | None
    medfinansiering_ore: int | None
    account: str | None
    run: int | None = None

    @property
    def cell(self) -> Cell:
        """What the row is about."""
        return self.month or "", self.week or "", self.benefit or "", self.paying, self.financing

    @property
    def result_ore(self) -> int:
        """What the row moves between municipality and State."""
        return (self.refusion_ore or 0) + (self.medfinansiering_ore or 0)


FIELDS: Final = PostedRow._fields[:-1]
"""The columns of the ledger that are read."""

Sums = Mapping[Cell, tuple[int, int, int]]
"""Amount, refusion and medfinansiering of the cells in which they are not all nothing."""


def standing(rows: Iterable[PostedRow]) -> list[PostedRow]:
    """The rows that no other one reverses."""
    with_id = [row for row in rows if row.id]
    gone = {row.reverses for row in with_id if row.reverses}
    return [row for row in with_id if not row.reverses and row.id not in gone]


def posted_sums(rows: Iterable[PostedRow]) -> Sums:
    """What the ledger's rows come to, by cell."""
    return _sums(
        (row.cell, row.amount_ore or 0, row.refusion_ore or 0, row.medfinansiering_ore or 0)
        for row in rows
        if row.id
    )


def message_sums(messages: Iterable[Mapping[str, Any]]) -> Sums:
    """The same of posting messages."""
    return _sums(
        (
            (row["month"], row["week"], row["benefit"], row["paying"], row["financing"]),
            *(row["amount_ore"], row["refusion_ore"], row["medfinansiering_ore"]),
        )
        for message in messages
        for row in message["rows"]
    )


def _sums(rows: Iterable[tuple[Cell, int, int, int]]) -> Sums:
    found: dict[Cell, list[int]] = defaultdict(lambda: [0, 0, 0])
    for cell, *money in rows:
        for at, ore in enumerate(money):
            found[cell][at] += ore
    return {cell: (ore[0], ore[1], ore[2]) for cell, ore in found.items() if any(ore)}


def agree(reason: WeekReason, posted: Iterable[PostedRow]) -> bool:
    """Whether what stands posted for a week is what an explanation finds due for it."""
    due = {
        (row.month, row.benefit, row.paying, row.financing): row.result_ore
        for row in reason.rows
        if row.result_ore is not None
    }
    for bidrag in reason.fleksbidrag:
        if bidrag.week == reason.week and bidrag.amount_ore:
            due[bidrag.month, FLEKSBIDRAG, bidrag.paying or None, bidrag.financing or None] = (
                bidrag.amount_ore
            )
    rows = standing(posted)
    return due == {
        (row.month, row.benefit, row.paying, row.financing): row.result_ore for row in rows
    }


# --- what changed
# -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Side:
    """A row as it stood before a change, or stands after it."""

    id: str
    amount_ore: int
    ordinal: int | None
    mechanism: str | None
    rate: int | None
    result_ore: int


@dataclass(frozen=True, slots=True)
class Change:
    """What a message did to one cell: a first row, another one in its place, or none any more."""

    month: str
    week: str
    benefit: str
    paying: str | None
    financing: str | None
    before: Side | None
    after: Side | None
    because: str

    @property
    def difference_ore(self) -> int:
        """By how much the result moved."""
        return (self.after.result_ore if self.after else 0) - (
            self.before.result_ore if self.before else 0
        )


@dataclass(frozen=True, slots=True)
class Step:
    """A message of the citizen and its changes; without any it moved the counters alone."""

    revision: int
    cause: str
    reason: str
    rules: str
    journal_offset: int
    changes: list[Change]


REASONS: Final = {
    "rule_change": "another rule set or version of the program settles the citizen",
    "recalculation": "the citizen was settled anew by order",
    "late_report": "a report came after its month was closed",
    "reversal": "a report was taken back",
    "adjustment": "a report moved rows of earlier ones alone",
    "report": "a report came in",
}
"""The reasons of contract section 3 in words."""


def steps(rows: Sequence[PostedRow]) -> list[Step]:
    """What each message changed; the rows of a citizen, or of a run, in the order of posting."""
    messages: dict[int, list[PostedRow]] = {}
    for row in rows:
        messages.setdefault(row.revision, []).append(row)
    return [
        Step(
            of[0].revision,
            of[0].cause,
            of[0].reason,
            of[0].rules,
            of[0].journal_offset,
            _changes(of),
        )
        for of in messages.values()
    ]


def _changes(rows: Iterable[PostedRow]) -> list[Change]:
    sides: dict[Cell, list[Side | None]] = {}
    for row in rows:
        if row.id:
            both = sides.setdefault(row.cell, [None, None])
            both[0 if row.reverses else 1] = _side(row)
    return [
        Change(*cell, before, after, _because(before, after))
        for cell, (before, after) in sides.items()
    ]


def _side(row: PostedRow) -> Side:
    """A row, or of a reversing one that which it reverses."""
    sign = -1 if row.reverses else 1
    name = row.reverses or row.id or ""
    return Side(
        name,
        sign * (row.amount_ore or 0),
        row.ordinal,
        row.mechanism,
        row.rate,
        sign * row.result_ore,
    )


def _because(before: Side | None, after: Side | None) -> str:
    """What is another than it was."""
    if before is None or after is None:
        return "nothing stood for it" if before is None else "nothing is due for it any more"
    said = []
    if before.amount_ore != after.amount_ore:
        said.append("another amount")
    if before.ordinal != after.ordinal:
        said.append(f"benefit week {after.ordinal} instead of {before.ordinal}")
    elif before.rate != after.rate:
        said.append("another rate for the same benefit week")
    return ", ".join(said) or "another account or ATP"
