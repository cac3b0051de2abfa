"""Two citizens who are one person: the one's reports go to the other, and back where it was wrong.

A merge is in the journal as a record `moved` of the former citizen, a record `joined` of the other
one, and copies of the former's reports behind it, all in one transaction. The former citizen is
emptied: each row is reversed, and all that was kept of the reports is forgotten, since they count
for the other from now on. What is reported for the former number later is passed on as a copy.

Undoing empties both, and the reports of each come again behind it, those of the one without the
other's copies. A copy counts only while its merge does: one that was under way when the merge was
undone, or is made once more by a rebuild, changes nothing.
"""

from collections.abc import Iterable

from domain.citizen.changes import CellChange
from domain.citizen.reports import CitizenRecord, Copy, Freeing, Join, Move, Opening, Report
from domain.citizen.state import Citizen, Head, StateReader, Ties
from domain.law.staircase import Law


class Without:
    """A store of which some keys are gone."""

    def __init__(self, store: StateReader, gone: frozenset[bytes]) -> None:
        self._store = store
        self._gone = gone

    def get(self, key: bytes, /) -> bytes | None:
        """Give the value of a key, or None."""
        return None if key in self._gone else self._store.get(key)


def reversals(citizen: Citizen) -> list[CellChange]:
    """Give the changes that take back every row of a citizen, in the order of their cells."""
    changes: list[CellChange] = []
    opened: set[tuple[object, ...]] = set()
    for part in citizen.all_parts():
        for group in part.groups:
            changes += [
                CellChange(part.month, cell.week, group, cell, 0, 0, True)
                for cell in group.cells
                if cell.revision
            ]
        for opening in part.openings:
            place = opening.month, opening.benefit, opening.paying, opening.financing
            if (*place, opening.cell.week) not in opened:  # a week of two months stands in both
                opened.add((*place, opening.cell.week))
                group = citizen.open_part(opening.month).group(*place[1:])
                changes.append(
                    CellChange(opening.month, opening.cell.week, group, opening.cell, 0, 0, True)
                )
    return sorted(changes, key=CellChange.place)


def emptied(law: Law, citizen: Citizen, store: StateReader, move: Move) -> Citizen:
    """Give the citizen as a record `moved` leaves it: without reports, with number and revision.

    `store` has none of the reports any more.
    """
    ties = citizen.head.ties or Ties()
    former = citizen.head
    left = Citizen(citizen.id, store, law)
    head = left.head = Head(law)
    left.change_head()
    head.cpr_sealed, head.revision = former.cpr_sealed, former.revision
    head.ties = Ties(
        move.to,
        move.other_sealed if move.to else "",
        move.id if move.to else "",
        [merge for merge in ties.joined if merge != move.undoes],
        [*ties.carried_out, move.id],
    )
    if move.to:
        head.law, head.rules = None, ""  # so that whatever comes is looked at more closely
    return left


def join(citizen: Citizen, record: Join) -> None:
    """Let the copies of a merge count for a citizen from here on."""
    head = citizen.change_head()
    ties = head.ties or Ties()
    head.ties = Ties(
        ties.to,
        ties.to_sealed,
        ties.move,
        [*ties.joined, record.id],
        [*ties.carried_out, record.id],
    )


def came_again(citizen: Citizen, record: Move | Join) -> bool:
    """Tell if a record of a merge was carried out before: a copy of it does nothing."""
    ties = citizen.head.ties
    return ties is not None and record.id in ties.carried_out


def counts(citizen: Citizen, copy: Copy) -> bool:
    """Tell if the merge of a copy holds."""
    ties = citizen.head.ties
    return ties is not None and copy.move in ties.joined


class Standing:
    """Tells which records of a citizen's past count, as they come in the order of the journal.

    For those who read the journal without settling it. `to` is the citizen to whom the reports go,
    or "". Whoever begins behind the journal's start has not seen all merges: one of which a copy
    comes holds unless its end was seen.
    """

    def __init__(self, *, is_from_start: bool = True) -> None:
        self.to = ""
        self._is_from_start = is_from_start
        self._joined: set[str] = set()
        self._ended: set[str] = set()
        self._carried_out: set[str] = set()

    def empties(self, record: Move) -> bool:
        """Take a record `moved`, after which nothing of before counts; tell if it comes first."""
        if record.id in self._carried_out:
            return False
        self._carried_out.add(record.id)
        self._joined.discard(record.undoes)
        self._ended.add(record.undoes)
        self.to = record.to
        return True

    def was_moved(self, to: str) -> None:
        """Take it from a copy that reports have gone to another citizen since before the start."""
        self.to = to

    def joins(self, record: Join) -> None:
        """Take a record `joined`."""
        if record.id not in self._carried_out:
            self._carried_out.add(record.id)
            self._joined.add(record.id)

    def counting(self, record: Report | Opening | Copy) -> Report | Opening | None:
        """Give the report or opening row that a record is here; None where it is none."""
        if self.to:
            return None
        if isinstance(record, Copy):
            return record.report if self._holds(record.move) else None
        return record

    def knows(self, merge: str) -> bool:
        """Tell if a merge was seen to begin or to end."""
        return merge in self._joined or merge in self._ended

    def _holds(self, merge: str) -> bool:
        return merge in self._joined or not (self._is_from_start or merge in self._ended)


def standing_reports(
    past: Iterable[CitizenRecord | Freeing],
) -> list[tuple[int, Report | Opening | Freeing]]:
    """Give what counts of one citizen's past, in its order, each with its place in the past."""
    standing, counting = Standing(), list[tuple[int, Report | Opening | Freeing]]()
    for place, record in enumerate(past):
        if isinstance(record, Move):
            if standing.empties(record):
                counting.clear()
        elif isinstance(record, Join):
            standing.joins(record)
        elif isinstance(record, Freeing):
            counting.append((place, record))
        elif (report := standing.counting(record)) is not None:
            counting.append((place, report))
    return counting
