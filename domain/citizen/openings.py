"""Opening rows: rows that an earlier system settled, until the journal answers for the week.

The reports are the truth, and what an earlier system settled must not be paid again. So for each
week of a citizen

* the journal **answers** for the week as soon as it has a payment report with days in it, of any
  benefit, reversed or not. Then all rows of the citizen in that week are brought to what the
  reports say: an opening row that says the same is left alone, any other is reversed, and what is
  due is posted;
* until then the opening rows stand, and nothing is due beside them.

So a week is either the earlier system's or the journal's, never both: it is the law's own unit,
with one count and one rate. Were only the cell of a report its own answer, a payment that the
earlier system had under another code or municipality would be paid twice. Were a citizen's first
report the answer for all weeks, ten years of settlement would be taken back because old reports are
not in the new journal. A reversed report answers too: that it never counted is what upstream says
of the week. An answer is never taken back, so that the order of reports and opening rows does not
matter.

A part keeps the opening rows of all weeks that have days in its month, whichever month they are of:
a week that lies in two months has its rows in both, so that a payment finds them where it is
itself.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from domain.basics.weeks import monday, month_of, sunday
from domain.citizen.changes import CellChange
from domain.citizen.records import Cell, OpeningRow, Part, SeenReport
from domain.citizen.reports import ConflictingDuplicateError, Opening, cause, content_digest
from domain.citizen.state import Citizen
from domain.law.rates import LETTER
from domain.law.staircase import Law

SEEN_AS = "O"
NO_ORDINAL = 0
"""The ordinal of an opening row: an earlier system does not tell it."""


class Entered(NamedTuple):
    """An opening row's cell as posted; with `is_answered` it is taken back at once."""

    cell: Cell
    is_answered: bool


def enter(law: Law, citizen: Citizen, opening: Opening, revision: int) -> Entered | None:
    """Take an opening row in, posted at position 0 of a revision; None where it came before.

    Raises ConflictingDuplicateError where the cell has another opening row.
    """
    name, digest = cause(opening), content_digest(opening)
    seen = citizen.seen(name)
    if seen is not None:
        if seen.place != digest:
            raise ConflictingDuplicateError(name)
        return None
    citizen.remember(name, SeenReport(SEEN_AS, False, digest))
    week = opening.week
    cell = Cell(
        week,
        opening.amount_ore,
        opening.atp_ore,
        revision,
        0,
        NO_ORDINAL,
        LETTER[opening.mechanism],
        opening.rate,
        opening.result_ore,
        law.rules.accounts.get((opening.benefit, opening.mechanism, opening.rate)),
    )
    parts = _parts_of(citizen, week)
    is_answered = any(
        has_days_in(line.start, line.end, week) for part in parts for line in part.lines
    )
    if not is_answered:
        row = OpeningRow(opening.month, opening.benefit, opening.paying, opening.financing, cell)
        for part in parts:
            part.openings = [*part.openings, row]
    return Entered(cell, is_answered)


def take_over(
    citizen: Citizen,
    parts: Iterable[Part],
    start: int,
    end: int,
    changes: Sequence[CellChange],
) -> list[CellChange]:
    """Answer for the weeks of a payment: their opening rows become rows of their cells.

    `changes` are the cells that the payment has moved: they get the opening row as the row to
    compare with. Gives the cells of opening rows in which the payment has no money: nothing is due
    for them.
    """
    moved = {change.place(): change for change in changes}
    taken: list[CellChange] = []
    for opening in _openings_in(parts, start, end):
        if not _leave(citizen, opening):
            continue  # taken from the week's other month
        month, row = opening.month, opening.cell
        group = citizen.open_part(month).group(opening.benefit, opening.paying, opening.financing)
        cell = group.cell(row.week) or Cell(row.week, 0, 0)
        unpaid = CellChange(month, row.week, group, row, cell.amount_ore, cell.atp_ore, False)
        change = moved.get(unpaid.place())
        if change is None:
            taken.append(unpaid)
        else:
            change.old = row
        group.put(row)
    return taken


def _openings_in(parts: Iterable[Part], start: int, end: int) -> list[OpeningRow]:
    """Give the opening rows of the weeks in which a period has days."""
    return [
        opening
        for part in parts
        for opening in part.openings
        if has_days_in(start, end, opening.cell.week)
    ]


def _leave(citizen: Citizen, opening: OpeningRow) -> bool:
    """Take an opening row out of the parts that keep it, and tell if it was there."""
    was_there = False
    for part in _parts_of(citizen, opening.cell.week):
        kept = [other for other in part.openings if other != opening]
        was_there = was_there or len(kept) < len(part.openings)
        part.openings = kept
    return was_there


def _parts_of(citizen: Citizen, week: int) -> list[Part]:
    """Give the parts of the months that a week lies in, to be changed."""
    return [
        citizen.open_part(month)
        for month in sorted({month_of(monday(week)), month_of(sunday(week))})
    ]


def has_days_in(start: int, end: int, week: int) -> bool:
    """Tell if a period has days in a week."""
    return start <= sunday(week) and end >= monday(week)
