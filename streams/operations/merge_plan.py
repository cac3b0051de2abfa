"""Works out what a merge of two citizens, or the undoing of one, writes into the journal.

It is worked out from the records that the journal has of both, without Kafka. First come the
records that empty a citizen, or let copies count; behind them the reports, which count again:

    merge    moved (former)                    in the partition of the former citizen
             joined (other), the former's reports as copies, in that of the other
    undo     moved (both)                      each in its own partition
             the reports of each, without the copies that the merge has brought

Ids that were freed are freed again, at their place among the reports, in every partition. The ids
of such records begin with that of the merge that has brought them, by which undoing it leaves them
out.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from domain.citizen.openings import has_days_in
from domain.citizen.reports import (
    Copy,
    Freeing,
    Join,
    Move,
    Opening,
    Payment,
    Report,
    Reversal,
    cause,
    says_the_same,
)
from streams.citizens.merges import PassedOn
from streams.engine.ports import Headers, Message, Record
from streams.kit.errors import UserError
from streams.privacy.macs import EVENT_TYPE, MAC, MacKeys
from streams.stages.passing_on import JournalCopies
from streams.wire.cloudevents import event_headers
from streams.wire.journal import JournalEntry, encode_freeing
from streams.wire.merge_records import EVENTS, encode_merge

SOURCE: Final = b"refusion/merge"


class MergeError(UserError):
    """Two citizens cannot be merged, or parted; the message says why and what to do."""


class PastRecord(NamedTuple):
    """A record of the journal that is of a citizen, or frees an id of one."""

    record: Record
    entry: JournalEntry


@dataclass
class CitizenPast:
    """All that the journal has of one citizen, in its order.

    `since` are the records that count, or wait for it, since the citizen was emptied last;
    `before_merge` those of before, where that was a merge.
    """

    citizen: str
    partition: int
    since: list[PastRecord] = field(default_factory=list)
    before_merge: list[PastRecord] = field(default_factory=list)
    cpr_sealed: str = ""
    moved: Move | None = None
    joined: list[str] = field(default_factory=list)
    _carried_out: set[str] = field(default_factory=set)

    def take(self, kept: PastRecord) -> None:
        """Take the next record; a record of a merge that comes again does nothing."""
        content = kept.entry.report
        self.cpr_sealed = kept.entry.cpr_sealed or self.cpr_sealed
        if isinstance(content, Move | Join):
            if content.id not in self._carried_out:
                self._carried_out.add(content.id)
                self._merge(content)
        elif not isinstance(content, Copy) or content.move in self.joined:
            self.since.append(kept)

    def _merge(self, record: Move | Join) -> None:
        if isinstance(record, Join):
            self.joined.append(record.id)
            return
        self.before_merge, self.since = (self.since, []) if record.to else ([], [])
        self.moved = record if record.to else None
        self.joined = [merge for merge in self.joined if merge != record.undoes]

    def all_but(self, merge: str) -> list[PastRecord]:
        """Return what counts without a merge: nothing that it brought, and what went on by it."""
        kept = (*self.before_merge, *self.since)
        return [each for each in kept if _brought_by(each) != merge]


def _brought_by(kept: PastRecord) -> str:
    """Return the merge that has brought a record; "" where none has."""
    content = kept.entry.report
    if isinstance(content, Freeing):
        merge, dot, _ = content.id.partition(".")
        return merge if dot else ""
    return content.move if isinstance(content, Copy) else ""


def _report_of(kept: PastRecord) -> Report | Opening | None:
    content = kept.entry.report
    plain = content.report if isinstance(content, Copy) else content
    return plain if isinstance(plain, Report | Opening) else None


def _names(report: Report | Opening) -> list[str]:
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
            elif (report := _report_of(kept)) is not None:
                self.first.setdefault(cause(report), report)
                self.taken.update(_names(report))
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


class MergeWriting:
    """The messages of a merge by the partition of the journal, each with the MAC of its place."""

    def __init__(self, journal: str, partitions: int, macs: MacKeys, reason: str, at: str) -> None:
        """`at` is the time of writing."""
        self._journal = journal
        self._partitions = partitions
        self._macs = macs
        self._copies = JournalCopies(journal, partitions, macs)
        self._reason = reason
        self._at = at

    def first(self, past: CitizenPast, record: Move | Join) -> tuple[int, Message]:
        """Write the record with which a merge or its end begins for a citizen."""
        value = encode_merge(record, past.cpr_sealed, self._reason, self._at)
        kind = EVENTS[type(record)]
        name = kind.removeprefix(b"refusion.").decode()
        headers = event_headers(f"{name}/{record.id}".encode(), kind, SOURCE, self._at)
        return past.partition, self._marked(past.partition, past.citizen.encode(), value, headers)

    def behind(
        self, former: CitizenPast, to: CitizenPast, number: str
    ) -> list[tuple[int, Message]]:
        """Write what stands behind the first records: copies, or where they part, all anew."""
        if former.moved is None:
            return [*self._copied(former, to, number)]
        return [
            *self._again(former, kept_by_former(former, to), f"{number}.former"),
            *self._again(to, to.all_but(former.moved.id), f"{number}.new"),
        ]

    def _copied(
        self, past: CitizenPast, to: CitizenPast, merge: str
    ) -> Iterator[tuple[int, Message]]:
        """Copy all that counts of a citizen for another."""
        passed_on = PassedOn(to.citizen, to.cpr_sealed, merge)
        left_out = _left_out(past, to)
        for number, kept in enumerate(past.since):
            if number in left_out:
                continue
            if isinstance(kept.entry.report, Freeing):
                yield from self._freed(kept.entry.report, to.citizen, f"{merge}.{number}")
                continue
            place = f"{self._journal}/{past.partition}/{kept.record.offset}"
            value, headers = kept.record.value or b"", [*kept.record.headers]
            yield self._copies.copy(value, headers, place, passed_on)

    def _again(
        self, past: CitizenPast, again: Sequence[PastRecord], ending: str
    ) -> Iterator[tuple[int, Message]]:
        """Write records of a citizen once more, as they are."""
        for number, kept in enumerate(again):
            record, entry = kept
            if isinstance(entry.report, Freeing):
                merge = _brought_by(kept)
                begin = f"{merge}." if merge in past.joined else ""
                yield from self._freed(entry.report, past.citizen, f"{begin}{ending}.{number}")
                continue
            headers = [header for header in record.headers if header[0] != MAC]
            value = record.value or b""
            message = self._marked(past.partition, past.citizen.encode(), value, headers)
            yield past.partition, message

    def _freed(self, freed: Freeing, citizen: str, number: str) -> Iterator[tuple[int, Message]]:
        """Free an id in every partition, as it was freed for a citizen."""
        again = freed._replace(id=number, citizen=citizen)
        value = encode_freeing(again, self._reason, self._at)
        headers = event_headers(f"free/{number}".encode(), b"refusion.free", SOURCE, self._at)
        for at in range(self._partitions):
            yield at, self._marked(at, None, value, headers)

    def _marked(self, at: int, key: bytes | None, value: bytes, headers: Headers) -> Message:
        event_type = dict(headers).get(EVENT_TYPE, b"")
        mac = self._macs.at("reports", at).header(key, event_type, value)
        return key, value, [*headers, mac]


def records_of(
    former: CitizenPast, to: CitizenPast, number: str, *, undo: bool
) -> tuple[Move, Move | Join]:
    """Make the records with which a merge or its end begins, for both. Raises MergeError."""
    return parting_of(former, to, number) if undo else merge_of(former, to, number)


def merge_of(former: CitizenPast, to: CitizenPast, number: str) -> tuple[Move, Join]:
    """Make the records of a merge. Raises MergeError where the two cannot be merged."""
    if former.citizen == to.citizen:
        raise MergeError("the former number and the new one are the same: give two numbers")
    for past, which in ((former, "former"), (to, "new")):
        if past.moved is not None:
            raise MergeError(
                f"the {which} number was merged with another one before ({past.moved.to}): name"
                " that one, or undo that merge first (--undo)"
            )
        if not past.cpr_sealed:
            raise MergeError(
                f"nothing has been reported for the {which} number yet, so there is nothing to"
                " merge: do it when its first report has come"
            )
    _check_ids(former, to)
    for past, other in ((former, to), (to, former)):
        _check_openings(past, other)
    move = Move(number, to.citizen, to.cpr_sealed)
    return move, Join(number, former.citizen, former.cpr_sealed)


def parting_of(former: CitizenPast, to: CitizenPast, number: str) -> tuple[Move, Move]:
    """Make the records that end a merge, for both. Raises MergeError where there is none."""
    if former.moved is None or former.moved.to != to.citizen:
        raise MergeError("the two are not merged, in this direction: there is nothing to undo")
    if to.moved is not None:
        raise MergeError(
            f"the new number was merged with another one since ({to.moved.to}): undo that first"
        )
    ended = former.moved.id
    return (
        Move(number, to.citizen, to.cpr_sealed, ended),
        Move(number, former.citizen, former.cpr_sealed, ended),
    )


def kept_by_former(former: CitizenPast, to: CitizenPast) -> list[PastRecord]:
    """Return what counts of a former citizen whose merge ends, with what was freed meanwhile.

    An id of the former number could be freed under the new one alone, where it is among copies:
    it is freed behind the report of which the last copy before it was.
    """
    merge = former.moved.id if former.moved else ""
    copied: Counter[str] = Counter()
    freed: defaultdict[tuple[str, int], list[PastRecord]] = defaultdict(list)
    for kept in to.since:
        content, merged_by = kept.entry.report, _brought_by(kept)
        if isinstance(content, Copy) and merged_by == merge:
            copied.update(_names(content.report))
        elif isinstance(content, Freeing) and merged_by != merge and copied[content.name]:
            freed[content.name, copied[content.name]].append(kept)
    counting: list[PastRecord] = []
    met: Counter[str] = Counter()
    for kept in former.all_but(merge):
        counting.append(kept)
        report = _report_of(kept)
        for name in () if report is None else _names(report):
            met[name] += 1
            counting += freed.pop((name, met[name]), ())
    return counting


def _left_out(past: CitizenPast, to: CitizenPast) -> set[int]:
    """Return the places of a past that another citizen gets no copy of.

    They are what would free an id that nothing had; whatever has to do with an id that was freed
    and is the other's; and opening rows that have made way for a payment.
    """
    mine, payments = PastIds(past.since), _payments(past)
    names = mine.vacant() & PastIds(to.since).ever
    left_out = set(mine.idle)
    for place, kept in enumerate(past.since):
        content, report = kept.entry.report, _report_of(kept)
        has = [content.name] if isinstance(content, Freeing) else []
        if isinstance(report, Opening):
            if _is_answered(report, payments):
                left_out.add(place)
        elif report is not None:
            has = _names(report)
        if not names.isdisjoint(has):
            left_out.add(place)
    return left_out


def _check_ids(former: CitizenPast, to: CitizenPast) -> None:
    """Raise MergeError where two numbers' ids, taken as one set of ids, would lose a report."""
    mine, theirs = PastIds(former.since), PastIds(to.since)
    shared = (mine.ever & theirs.ever) - mine.vacant()
    lost = sorted(name for name in shared if _loses(name, mine, theirs))
    if lost:
        raise MergeError(
            f"{len(lost)} ids have other contents under the two numbers, or were freed under one of"
            f" them, such as {lost[0]}, so that one of two reports would not count: free the id"
            " under the former number (`refusion free-id`; where a reversal has it there, under the"
            " new one), and have the reporter report what is true under another id"
        )


def _loses(name: str, former: PastIds, to: PastIds) -> bool:
    """Tell if a report is lost where two numbers' reports come under an id one after the other."""
    one, other = former.first.get(name), to.first.get(name)
    if isinstance(one, Opening) or isinstance(other, Opening):
        return False  # they are looked at week by week
    if name in to.vacant():
        return name in former.freed or _is_same(one, to.freed[name])
    if name in former.freed or name in to.freed:
        return True
    return one is not None and other is not None and not _is_same(one, other)


def _is_same(one: Report | Opening | None, other: Report | Opening | None) -> bool:
    if isinstance(one, Opening | None) or isinstance(other, Opening | None):
        return False
    return says_the_same(one, other)


def _check_openings(past: CitizenPast, other: CitizenPast) -> None:
    """Raise MergeError where an opening row would make way for what the other number has.

    A cell has one opening row, and all rows of a week make way for the first payment in it.
    """
    rows, theirs = _openings(past), _openings(other)
    if not rows:
        return
    mine, payments = _payments(past), _payments(other)
    lost = sorted(
        name
        for name, row in rows.items()
        if not _is_answered(row, mine) and (name in theirs or _is_answered(row, payments))
    )
    if lost:
        raise MergeError(
            f"{len(lost)} opening rows would make way for what the other number has in the same"
            f" week, such as {lost[0]}: have the payments of that week reported for both numbers,"
            " as they were paid; they take the place of the rows"
        )


def _is_answered(row: Opening, payments: Iterable[Payment]) -> bool:
    """Tell if a payment has days in the week of an opening row."""
    return any(has_days_in(paid.start, paid.end, row.week) for paid in payments)


def _openings(past: CitizenPast) -> dict[str, Opening]:
    first = PastIds(past.since).first
    return {name: row for name, row in first.items() if isinstance(row, Opening)}


def _payments(past: CitizenPast) -> list[Payment]:
    reports = (_report_of(kept) for kept in past.since)
    return [report for report in reports if isinstance(report, Payment)]
