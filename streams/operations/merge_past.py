"""Tells what the journal has of a citizen who is merged or parted, as far as it counts."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from domain.citizen.admission import refusal
from domain.citizen.reports import (
    Copy,
    Freeing,
    Join,
    Move,
    Opening,
    Report,
    Reversal,
    RulesRecord,
    cause,
)
from domain.law.staircase import Law
from streams.citizens.rule_sets import DEFAULT, LawBook
from streams.engine.ports import Record
from streams.kit.errors import UserError
from streams.wire.journal import JournalEntry


class MergeError(UserError):
    """Two citizens cannot be merged, or parted; the message says why and what to do."""


class PastRecord(NamedTuple):
    """A record of the journal that is of a citizen, frees an id of one, or names the rule set."""

    record: Record
    entry: JournalEntry


@dataclass
class CitizenPast:
    """All that the journal has of one citizen, in its order.

    `since` are the records that count, or wait for it, since the citizen was emptied last;
    `before_merge` those of before, where that was a merge. What the rule set that held at its place
    did not admit is in neither. `law` is that of the rule set that holds at the end; None where it
    is not known here.
    """

    citizen: str
    partition: int
    laws: LawBook
    since: list[PastRecord] = field(default_factory=list)
    before_merge: list[PastRecord] = field(default_factory=list)
    cpr_sealed: str = ""
    moved: Move | None = None
    joined: list[str] = field(default_factory=list)
    law: Law | None = field(init=False)
    _carried_out: set[str] = field(default_factory=set)
    _admitted: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.law = self.laws.law(DEFAULT)

    def take(self, kept: PastRecord) -> None:
        """Take the next record; a record of a merge that comes again does nothing."""
        content = kept.entry.report
        if isinstance(content, RulesRecord):
            self._take_up(content)
            return
        self.cpr_sealed = kept.entry.cpr_sealed or self.cpr_sealed
        if isinstance(content, Move | Join):
            if content.id not in self._carried_out:
                self._carried_out.add(content.id)
                self._merge(content)
        elif not isinstance(content, Copy) or content.move in self.joined:
            if isinstance(content, Freeing):
                self._admitted.discard(content.name)
            if self._is_admitted(report_of(kept)):
                self.since.append(kept)

    def _take_up(self, record: RulesRecord) -> None:
        try:
            self.law = self.laws.law(record.rules, record.digest)
        except UserError:
            self.law = None

    def _is_admitted(self, report: Report | Opening | None) -> bool:
        """Tell if a report counts by the rule set that holds here, or goes on to be judged."""
        if report is None or self.moved is not None:
            return True
        name = cause(report)
        if name not in self._admitted and self.law is not None and refusal(self.law, report):
            return False
        self._admitted.add(name)
        return True

    def _merge(self, record: Move | Join) -> None:
        if isinstance(record, Join):
            self.joined.append(record.id)
            return
        self.before_merge, self.since = (self.since, []) if record.to else ([], [])
        self.moved = record if record.to else None
        self._admitted.clear()
        self.joined = [merge for merge in self.joined if merge != record.undoes]

    def all_but(self, merge: str) -> list[PastRecord]:
        """Return what counts without a merge: nothing that it brought, and what went on by it."""
        kept = (*self.before_merge, *self.since)
        return [each for each in kept if brought_by(each) != merge]


def brought_by(kept: PastRecord) -> str:
    """Return the merge that has brought a record; "" where none has."""
    content = kept.entry.report
    if isinstance(content, Freeing):
        merge, dot, _ = content.id.partition(".")
        return merge if dot else ""
    return content.move if isinstance(content, Copy) else ""


def report_of(kept: PastRecord) -> Report | Opening | None:
    """Return the report or opening row of a record, or of a copy of one."""
    content = kept.entry.report
    plain = content.report if isinstance(content, Copy) else content
    return plain if isinstance(plain, Report | Opening) else None


def ids_taken(report: Report | Opening) -> list[str]:
    """Name the ids that a report takes: its own, and the one that it takes back."""
    if isinstance(report, Reversal) and report.reverses:
        return [cause(report), f"{report.reporter}/{report.reverses}"]
    return [cause(report)]


class PastIds:
    """The ids among records of a citizen, in their order.

    `first` has by id the report that has it now, `taken` also the ids that reversals name, and
    `ever` those of before an id was freed as well. `freed` has what had an id before it was freed
    last. `idle` are the places of records that free an id which nothing had, or a reversal.
    """

    def __init__(self, past: Iterable[PastRecord]) -> None:
        self.first: dict[str, Report | Opening] = {}
        self.taken: set[str] = set()
        self.ever: set[str] = set()
        self.freed: dict[str, Report | Opening | None] = {}
        self.idle: set[int] = set()
        for place, kept in enumerate(past):
            if isinstance(kept.entry.report, Freeing):
                self._free(place, kept.entry.report.name)
            elif (report := report_of(kept)) is not None:
                self.first.setdefault(cause(report), report)
                self.taken.update(ids_taken(report))
        self.ever |= self.taken

    def _free(self, place: int, name: str) -> None:
        if name not in self.taken or isinstance(self.first.get(name), Reversal):
            self.idle.add(place)
            return
        self.freed[name] = self.first.pop(name, None)
        self.taken.discard(name)
        self.ever.add(name)

    def vacant(self) -> set[str]:
        """Return the ids that were freed and that nothing has taken since."""
        return self.freed.keys() - self.taken
