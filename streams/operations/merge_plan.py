"""Works out what a merge of two citizens, or the undoing of one, writes into the journal.

It is worked out from the records that the journal has of both, without Kafka. First come the
records that empty a citizen, or let copies count; behind them the reports, which count again:

    merge    moved (former)                    in the partition of the former citizen
             joined (other), the former's reports as copies, in that of the other
    undo     moved (both)                      each in its own partition
             the reports of each, without the copies that the merge has brought

Ids that were freed are freed again, at their place among the reports, in every partition.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from domain.citizen.reports import (
    Copy,
    Freeing,
    Join,
    Move,
    Opening,
    Report,
    cause,
    content_digest,
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

    def take(self, kept: PastRecord) -> None:
        """Take the next record."""
        content = kept.entry.report
        self.cpr_sealed = kept.entry.cpr_sealed or self.cpr_sealed
        if isinstance(content, Join):
            self.joined.append(content.id)
        elif isinstance(content, Move):
            self.before_merge, self.since = (self.since, []) if content.to else ([], [])
            self.moved = content if content.to else None
            self.joined = [merge for merge in self.joined if merge != content.undoes]
        elif not isinstance(content, Copy) or content.move in self.joined:
            self.since.append(kept)

    def all_but(self, merge: str) -> list[PastRecord]:
        """Return what counts without a merge: no copies of it, and what went on by it."""
        return [
            kept
            for kept in (*self.before_merge, *self.since)
            if not (isinstance(kept.entry.report, Copy) and kept.entry.report.move == merge)
        ]


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

    def copies(
        self, past: CitizenPast, to: CitizenPast, merge: str
    ) -> Iterator[tuple[int, Message]]:
        """Copy all that counts of a citizen for another."""
        passed_on = PassedOn(to.citizen, to.cpr_sealed, merge)
        for number, kept in enumerate(past.since):
            if isinstance(kept.entry.report, Freeing):
                yield from self._freed(kept.entry.report, to.citizen, f"{merge}.{number}")
                continue
            place = f"{self._journal}/{past.partition}/{kept.record.offset}"
            value, headers = kept.record.value or b"", [*kept.record.headers]
            yield self._copies.copy(value, headers, place, passed_on)

    def again(
        self, past: CitizenPast, kept: Sequence[PastRecord], ending: str
    ) -> Iterator[tuple[int, Message]]:
        """Write records of a citizen once more, as they are."""
        for number, (record, entry) in enumerate(kept):
            if isinstance(entry.report, Freeing):
                yield from self._freed(
                    entry.report, past.citizen, f"{ending}.{past.partition}.{number}"
                )
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
    if conflicting := conflicts(former, to):
        raise MergeError(
            f"{len(conflicting)} ids have other contents under the new number, such as"
            f" {conflicting[0]}, so that one of the two would not count: have the reporter take"
            " one of them back and report it under another id"
        )
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


def conflicts(former: CitizenPast, to: CitizenPast) -> list[str]:
    """Return the ids that both have with different contents, in order."""
    theirs = _first_of_each(former)
    return sorted(
        name
        for name, report in _first_of_each(to).items()
        if name in theirs and not _is_same(report, theirs[name])
    )


def _is_same(one: Report | Opening, other: Report | Opening) -> bool:
    if isinstance(one, Opening) or isinstance(other, Opening):
        return content_digest(one) == content_digest(other)
    return says_the_same(one, other)


def _first_of_each(past: CitizenPast) -> dict[str, Report | Opening]:
    first: dict[str, Report | Opening] = {}
    for _, entry in past.since:
        content = entry.report.report if isinstance(entry.report, Copy) else entry.report
        if isinstance(content, Freeing):
            first.pop(content.name, None)
        elif isinstance(content, Report | Opening):
            first.setdefault(cause(content), content)
    return first
