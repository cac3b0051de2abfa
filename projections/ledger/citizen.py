"""Reads one citizen's entries in the ledger: rows that stand, changes by message, sums."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from domain.basics.sentences import Sentence, sentence
from domain.citizen.fleksbidrag import FLEKSBIDRAG
from domain.citizen.openings import NO_ORDINAL
from domain.explain.reasons import WeekReason

LedgerCell = tuple[str, str, str, str | None, str | None]
"""Month, week, benefit, paying and financing municipality."""


class PostedRow(NamedTuple):
    """A citizen's row in the ledger, or a message without rows; then the fields of a row are None.

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
    def cell(self) -> LedgerCell:
        """Month, week, benefit and municipalities of the row."""
        return self.month or "", self.week or "", self.benefit or "", self.paying, self.financing

    @property
    def result_ore(self) -> int:
        """The øre that the row moves between municipality and State."""
        return (self.refusion_ore or 0) + (self.medfinansiering_ore or 0)


FIELDS: Final = PostedRow._fields[:-1]
"""The columns that are read from the ledger."""

Sums = Mapping[LedgerCell, tuple[int, int, int]]
"""Amount, refusion and medfinansiering in øre of the cells in which they are not all 0."""


def standing(rows: Iterable[PostedRow]) -> list[PostedRow]:
    """The rows that no other row reverses."""
    with_id = [row for row in rows if row.id]
    gone = {row.reverses for row in with_id if row.reverses}
    return [row for row in with_id if not row.reverses and row.id not in gone]


def posted_sums(rows: Iterable[PostedRow]) -> Sums:
    """Sum the ledger's rows by cell."""
    return _sums(
        (row.cell, row.amount_ore or 0, row.refusion_ore or 0, row.medfinansiering_ore or 0)
        for row in rows
        if row.id
    )


def message_sums(messages: Iterable[Mapping[str, Any]]) -> Sums:
    """Sum the rows of posting messages by cell."""
    return _sums(
        (
            (row["month"], row["week"], row["benefit"], row["paying"], row["financing"]),
            *(row["amount_ore"], row["refusion_ore"], row["medfinansiering_ore"]),
        )
        for message in messages
        for row in message["rows"]
    )


def _sums(rows: Iterable[tuple[LedgerCell, int, int, int]]) -> Sums:
    sums: dict[LedgerCell, list[int]] = defaultdict(lambda: [0, 0, 0])
    for cell, *money in rows:
        for at, ore in enumerate(money):
            sums[cell][at] += ore
    return {cell: (ore[0], ore[1], ore[2]) for cell, ore in sums.items() if any(ore)}


def agree(reason: WeekReason, posted: Iterable[PostedRow]) -> bool:
    """True if the rows that stand for a week are the ones that an explanation finds due for it."""
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


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """The row of a cell before or after a change."""

    id: str
    amount_ore: int
    ordinal: int | None
    mechanism: str | None
    rate: int | None
    result_ore: int


@dataclass(frozen=True, slots=True)
class MessageChange:
    """A message's change to one cell: a first row, another row in its place, or no row any more."""

    month: str
    week: str
    benefit: str
    paying: str | None
    financing: str | None
    before: ChangedRow | None
    after: ChangedRow | None
    because: Sentence

    @property
    def difference_ore(self) -> int:
        """The øre by which the result moved."""
        return (self.after.result_ore if self.after else 0) - (
            self.before.result_ore if self.before else 0
        )


@dataclass(frozen=True, slots=True)
class Step:
    """A message of the citizen and its changes; without changes it moved the counters alone."""

    revision: int
    cause: str
    reason: str
    rules: str
    journal_offset: int
    changes: list[MessageChange]


def steps(rows: Sequence[PostedRow]) -> list[Step]:
    """List the changes of each message; `rows` are in the order of posting."""
    messages: dict[int, list[PostedRow]] = {}
    for row in rows:
        messages.setdefault(row.revision, []).append(row)
    return [
        Step(
            first.revision,
            first.cause,
            first.reason,
            first.rules,
            first.journal_offset,
            _changes([first, *others]),
        )
        for first, *others in messages.values()
    ]


def _changes(rows: Iterable[PostedRow]) -> list[MessageChange]:
    sides: dict[LedgerCell, list[ChangedRow | None]] = {}
    for row in rows:
        if row.id:
            both = sides.setdefault(row.cell, [None, None])
            both[0 if row.reverses else 1] = _side(row)
    return [
        MessageChange(*cell, before, after, _because(before, after))
        for cell, (before, after) in sides.items()
    ]


def _side(row: PostedRow) -> ChangedRow:
    """A row, or the row that a reversing row reverses."""
    sign = -1 if row.reverses else 1
    name = row.reverses or row.id or ""
    return ChangedRow(
        name,
        sign * (row.amount_ore or 0),
        row.ordinal,
        row.mechanism,
        row.rate,
        sign * row.result_ore,
    )


def difference_of(changes: Iterable[MessageChange]) -> dict[str, int]:
    """Sum changes by mechanism, in øre."""
    sums = {"refusion": 0, "medfinansiering": 0}
    for change in changes:
        for side, sign in ((change.before, -1), (change.after, 1)):
            if side is not None and side.mechanism is not None:
                sums[side.mechanism] += sign * side.result_ore
    return sums


def between(then: Iterable[PostedRow], now: Iterable[PostedRow]) -> list[MessageChange]:
    """List the cells in which the rows that stood at two moments differ, by month and week."""
    before, after = ({row.cell: _side(row) for row in standing(rows)} for rows in (then, now))
    return [
        MessageChange(*cell, old, new, _because(old, new))
        for cell in sorted({*before, *after}, key=lambda cell: tuple(part or "" for part in cell))
        if (old := before.get(cell)) != (new := after.get(cell))
    ]


def _because(before: ChangedRow | None, after: ChangedRow | None) -> Sentence:
    """Say how two rows of a cell differ."""
    if before is None or after is None:
        return sentence("change.new" if before is None else "change.gone")
    differences = []
    if before.amount_ore != after.amount_ore:
        differences.append(sentence("change.amount"))
    is_counted = NO_ORDINAL not in (before.ordinal, after.ordinal)
    if is_counted and before.ordinal != after.ordinal:
        ordinals = {"after": str(after.ordinal), "before": str(before.ordinal)}
        differences.append(sentence("change.ordinal", **ordinals))
    elif before.rate != after.rate:
        differences.append(sentence("change.rate"))
    several = tuple(differences) or (sentence("change.other"),)
    return sentence("change.several", differences=several)
