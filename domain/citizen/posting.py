"""Posting: the rows that bring changed cells from what is posted to what is due.

Contract section 3.

A posted row is never edited: it is reversed by a row with its figures negated, and a new row
follows where something is still due. The same journal gives the same rows: a row is named by
citizen, revision and position.
"""

from collections.abc import Iterable
from typing import Literal, NamedTuple

from msgspec import Struct

from domain.basics.named import made
from domain.basics.weeks import month_text
from domain.citizen.changes import CellChange
from domain.citizen.fresh import FreshCells
from domain.citizen.openings import Entered
from domain.citizen.records import Cell, Group
from domain.citizen.reports import Opening

Kind = Literal["result", "correction", "reversal", "opening"]
"""The kind of a row. A reversal negates the row of its cell; its kind is `correction` in JSON."""

Reason = Literal[
    "report",
    "late_report",
    "reversal",
    "adjustment",
    "recalculation",
    "rule_change",
    "opening",
    "moved",
]


class RowsToPost(Struct, gc=False):
    """Consecutive rows to post of one kind: each has the figures of a cell of the group's month."""

    kind: Kind
    month: int
    group: Group
    cells: list[Cell]


class Posting(NamedTuple):
    """The rows of one message, in the order of their positions.

    `earliest` is the earliest month that one of them is of; `has_own` tells if one belongs to the
    report itself; `corrections` are the reversals and the rows in place of a reversed one.
    """

    rows: list[RowsToPost]
    earliest: int | None
    has_own: bool
    corrections: int


def post(changes: Iterable[CellChange], revision: int) -> Posting:
    """Give the rows for changed cells, and put the new cells in their places.

    A cell that nobody had before is compared with nothing. A cell with neither money nor a row
    goes.
    """
    rows: list[RowsToPost] = []
    earliest: int | None = None
    has_own, corrections = False, 0
    for change in changes:
        number, month, group = len(rows), change.month, change.group
        due = change.entitlement
        kind: Kind = "result"
        if (old := change.old) is not None and old.revision:
            if change.keeps_the_row():
                continue
            rows.append(RowsToPost("reversal", month, group, [old]))
            kind = "correction"
            corrections += 1 if due is None else 2
        if due is not None:
            cell = Cell(
                change.week, change.amount_ore, change.atp_ore, revision, len(rows),
                due.ordinal, due.mechanism, due.rate, due.result_ore, due.account,
            )  # fmt: skip
            rows.append(RowsToPost(kind, month, group, [cell]))
            group.put(cell)
        elif change.amount_ore or change.atp_ore:
            group.put(Cell(change.week, change.amount_ore, change.atp_ore))
        else:
            group.remove(change.week)
        if len(rows) > number:
            has_own = has_own or change.is_own
            earliest = month if earliest is None else min(earliest, month)
    return Posting(rows, earliest, has_own, corrections)


def post_fresh(fresh: FreshCells, revision: int) -> Posting:
    """Give the rows for cells that are not there yet, and make the cells."""
    pieces, per_day_ore, atps_ore, groups, run = fresh
    if run is None:
        return _post_no_rows(fresh)
    at_zero, rise, mechanism, by_ordinal = run
    rows: list[RowsToPost] = []
    atp_ore = 0
    at = -1
    for position, (month, week, days, extra_ore) in enumerate(pieces):
        if month != at:
            at, group = month, groups[month]
            cells: list[Cell] = []
            rows.append(RowsToPost("result", month, group, cells))
        number = at_zero + rise * week
        rate, account = by_ordinal[number]
        amount_ore = per_day_ore * days + extra_ore
        if atps_ore:
            atp_ore = atps_ore[position]
        cells.append(
            Cell(
                week, amount_ore, atp_ore, revision, position, number, mechanism, rate,
                (amount_ore * rate * 2 + 100) // 200,  # `percentage` of a positive amount
                account,
            )
        )  # fmt: skip
    for month_rows in rows:
        month_rows.group.cells += month_rows.cells
    return made(Posting, (rows, rows[0].month, True, 0))


NO_ROWS = Posting([], None, False, 0)


def _post_no_rows(fresh: FreshCells) -> Posting:
    """Make cells of money that gives no rows; their weeks may block self-support."""
    pieces, per_day_ore, atps_ore, groups, _ = fresh
    for position, (month, week, days, extra_ore) in enumerate(pieces):
        atp_ore = atps_ore[position] if atps_ore else 0
        groups[month].cells.append(Cell(week, per_day_ore * days + extra_ore, atp_ore))
    return NO_ROWS


def post_opening(opening: Opening, entered: Entered) -> list[RowsToPost]:
    """Give the row of an opening, and its reversal where the journal answers for its week."""
    group = Group(opening.benefit, opening.paying, opening.financing, [])
    row = RowsToPost("opening", opening.month, group, [entered.cell])
    if not entered.is_answered:
        return [row]
    return [row, RowsToPost("reversal", opening.month, group, [entered.cell])]


def reason(posting: Posting, closed_month: str, *, is_reversal: bool) -> Reason:
    """Give the first reason of contract section 3 that fits; `closed_month` is "" where none is."""
    rows, earliest, has_own, _ = posting
    if closed_month and earliest is not None and month_text(earliest) <= closed_month:
        return "late_report"
    if is_reversal:
        return "reversal"
    return "adjustment" if rows and not has_own else "report"
