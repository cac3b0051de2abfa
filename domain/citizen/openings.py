"""Opening rows: what an earlier system settled stands as posted, until the journal answers for the week.

The reports are the truth, and what an earlier system settled must not be paid again. So for each
week of a citizen

* the journal **answers** for the week as soon as it has a payment report with days in it, of whatever benefit, and
  reversed or not. Then all that stands for the citizen in that week is brought to what the reports
  say: an opening row that says the same is left alone, any other is reversed, and what is due is
  posted;
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

from collections.abc import Iterable
from typing import Any

from domain.basics.weeks import monday, month_of, sunday
from domain.citizen.reports import ConflictingDuplicateError, Opening, cause, content_digest
from domain.citizen.state import (
    CELL_AMOUNT,
    CELL_ATP,
    END,
    START,
    WEEK,
    Cell,
    Citizen,
    Known,
    Part,
    cell_of,
)
from domain.law.staircase import LETTER, Due, Law, Move

KNOWN_AS = "O"
NO_ORDINAL = 0
"""An earlier system does not tell the week's number."""


def enter(law: Law, citizen: Citizen, opening: Opening, revision: int) -> tuple[Cell, bool] | None:
    """Take an opening row in, posted at position 0 of a revision; None where it came before.

    Gives its cell, and whether the journal answers for the week already: then the row is taken back
    at once. Raises ConflictingDuplicateError where the cell has another opening row.
    """
    name, digest = cause(opening), content_digest(opening)
    known = citizen.known(name)
    if known is not None:
        if known.place != digest:
            raise ConflictingDuplicateError(name)
        return None
    citizen.know(name, Known(KNOWN_AS, False, digest))
    month, week, benefit, paying, financing, amount_ore, atp_ore, mechanism, rate, result_ore, _ = (
        opening
    )
    account = law.rules.accounts.get((benefit, mechanism, rate))
    cell = [
        week,
        amount_ore,
        atp_ore,
        revision,
        0,
        NO_ORDINAL,
        LETTER[mechanism],
        rate,
        result_ore,
        account,
    ]
    parts = _parts_of(citizen, week)
    is_answered = any(
        has_days_in(line[START], line[END], week) for part in parts for line in part.lines
    )
    if not is_answered:
        for part in parts:
            part.openings = [*part.openings, [month, benefit, paying, financing, cell]]
    return cell, is_answered


def take_over(
    citizen: Citizen,
    parts: Iterable[Part],
    start: int,
    end: int,
    settled: list[tuple[Move, Due | None]],
) -> bool:
    """Answer for the weeks of a payment: their opening rows become rows of their cells, which are settled.

    `settled` are the cells that the payment has moved; those that it has no money in are added, and nothing is due
    for them. Returns whether there was any opening row.
    """
    place_of = {id(move[3]): at for at, (move, _) in enumerate(settled)}
    taken = [
        opening
        for part in parts
        for opening in part.openings
        if has_days_in(start, end, opening[-1][WEEK])
    ]
    for opening in taken:
        month, benefit, paying, financing, row = opening
        if not _leave(citizen, opening):
            continue  # taken from the week's other month
        group = citizen.open_part(month).group(benefit, paying, financing)
        cell = cell_of(group[3], row[WEEK])
        if id(cell) not in place_of:
            settled.append(
                ((month, row[WEEK], group, cell, cell[CELL_AMOUNT], cell[CELL_ATP], False), None)
            )
        cell[CELL_AMOUNT:] = row[CELL_AMOUNT:]
    return bool(taken)


def _leave(citizen: Citizen, opening: list[Any]) -> bool:
    """Take an opening row out of the parts that keep it; whether it was there."""
    was_there = False
    for part in _parts_of(citizen, opening[-1][WEEK]):
        kept = [other for other in part.openings if other != opening]
        was_there = was_there or len(kept) < len(part.openings)
        part.openings = kept
    return was_there


def _parts_of(citizen: Citizen, week: int) -> list[Part]:
    """The parts of the months that a week lies in, to be changed."""
    return [
        citizen.open_part(month)
        for month in sorted({month_of(monday(week)), month_of(sunday(week))})
    ]


def has_days_in(start: int, end: int, week: int) -> bool:
    """Whether a period has days in a week."""
    return start <= sunday(week) and end >= monday(week)
