"""What was posted + what is true now -> result and correction rows (contract section 3).

A standing row is never edited: it is reversed by a row with the old figures negated, and a new
row follows where something is still due. Ids are made from citizen, revision and position, so
that the same journal gives the same bytes.
"""

from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple

from domain.citizen import Settling
from domain.counters import Counters
from domain.settlement import LETTER, Due, Move
from domain.state import CELL_AMOUNT, UNPOSTED
from domain.weeks import month_text, week_text

Row = dict[str, Any]
REFUSION = LETTER["refusion"]


GONE, UNCHANGED = -1, -2
"""Places of a move that has no new row: nothing stands for its cell now, or what stood still does."""


class Projection(NamedTuple):
    """The rows of one message, the position of each move's new row among them (or GONE, UNCHANGED),
    and whether a row belongs to the report itself."""

    rows: list[Row]
    places: list[int]
    own: bool


def project(citizen: str, revision: int, moves: Iterable[Move], dues: Iterable[Due | None]) -> Projection:
    """The rows that bring what was posted for the moved cells, in their order, to what is due for them."""
    rows: list[Row] = []
    places: list[int] = []
    own = False
    digest = _message_digest(citizen, revision)
    for move, due in zip(moves, dues, strict=True):
        kind = "result"
        if len(move[3]) > UNPOSTED:
            if due is not None and _stands(move, due):
                places.append(UNCHANGED)
                continue
            kind = "correction"
            rows.append(_reversing_row(citizen, f"{digest}{len(rows):04x}", move))
            own = own or move[6]
        if due is None:
            places.append(GONE)
            continue
        own = own or move[6]
        places.append(len(rows))
        rows.append(_new_row(f"{digest}{len(rows):04x}", kind, move, due))
    return Projection(rows, places, own)


def _stands(move: Move, due: Due) -> bool:
    """Whether the posted row says all that is due; its ordinal may be another (contract section 3)."""
    _, _, _, cell, new_amount_ore, new_atp_ore, _ = move
    _, amount_ore, atp_ore, _, _, _, *figures = cell
    return amount_ore == new_amount_ore and atp_ore == new_atp_ore and figures == [*due[1:]]


def _new_row(id_: str, kind: str, move: Move, due: Due) -> Row:
    month, week, (code, paying, financing, _), _, amount_ore, atp_ore, _ = move
    number, letter, rate, result_ore, account = due
    is_refusion = letter == REFUSION
    row = {
        "id": id_,
        "kind": kind,
        "month": month_text(month),
        "week": week_text(week),
        "benefit": code,
        "paying": paying,
        "financing": financing,
        "amount_ore": amount_ore,
        "ordinal": number,
        "mechanism": "refusion" if is_refusion else "medfinansiering",
        "rate": rate,
        "refusion_ore": result_ore if is_refusion else 0,
        "medfinansiering_ore": 0 if is_refusion else result_ore,
        "account": account,
    }
    if atp_ore:
        row["atp_ore"] = atp_ore
    return row


def _reversing_row(citizen: str, id_: str, move: Move) -> Row:
    """The standing row with its money negated and all else as it was."""
    month, week, group, cell, _, _, own = move
    _, amount_ore, atp_ore, revision, position, number, letter, rate, result_ore, account = cell
    negated = (month, week, group, cell, -amount_ore, -atp_ore, own)
    row = _new_row(id_, "correction", negated, (number, letter, rate, -result_ore, account))
    return {"id": id_, "kind": "correction", "reverses": row_id(citizen, revision, position)} | row


def row_id(citizen: str, revision: int, position: int) -> str:
    """The id of a row: a digest of citizen and revision, then the position in the message."""
    return f"{_message_digest(citizen, revision)}{position:04x}"


@lru_cache(maxsize=4096)
def _message_digest(citizen: str, revision: int) -> str:
    return blake2b(f"{citizen}/{revision}".encode(), digest_size=12).hexdigest()


def keep(revision: int, moves: Iterable[Move], dues: Iterable[Due | None], places: Iterable[int]) -> None:
    """Write what stands now into the cells; a cell with neither money nor a row is gone."""
    for (_, _, group, cell, amount_ore, atp_ore, _), due, place in zip(moves, dues, places, strict=True):
        if place >= 0 and due is not None:
            cell[CELL_AMOUNT:] = (amount_ore, atp_ore, revision, place, *due)
        elif place == GONE:
            cell[CELL_AMOUNT:] = (amount_ore, atp_ore)
            if not amount_ore and not atp_ore:
                group[3].remove(cell)


def reason(settling: Settling, projection: Projection, closed_month: str) -> str:
    """Why rows were posted: the first reason of contract section 3 that fits. `closed_month` "" is none."""
    if closed_month and any(row["month"] <= closed_month for row in projection.rows):
        return "late_report"
    if settling.reversal:
        return "reversal"
    return "adjustment" if projection.rows and not projection.own else "report"


def counters_value(counters: Counters) -> dict[str, Any]:
    """Both counters as they stand in a message."""
    return {
        "week": None if counters.week is None else week_text(counters.week),
        "seniority": counters.seniority,
        "earned": [[week_text(first), number] for first, number in counters.earned],
    }
