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
from collections.abc import Iterator, Sequence
from typing import Final

from domain.citizen.reports import Copy, Freeing, Join, Move
from streams.citizens.merges import PassedOn
from streams.engine.ports import Headers, Message
from streams.operations.merge_checks import (
    check_admission,
    check_ids,
    check_openings,
    check_room,
    left_out,
)
from streams.operations.merge_past import (
    CitizenPast,
    MergeError,
    PastRecord,
    brought_by,
    ids_taken,
    report_of,
)
from streams.privacy.macs import EVENT_TYPE, MAC, MacKeys
from streams.stages.passing_on import JournalCopies
from streams.wire.cloudevents import event_headers
from streams.wire.journal import encode_freeing
from streams.wire.merge_records import EVENTS, encode_merge

SOURCE: Final = b"refusion/merge"


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
        without_copy = left_out(past, to)
        for number, kept in enumerate(past.since):
            if number in without_copy:
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
                merge = brought_by(kept)
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
    if former.moved is not None and former.moved.to == to.citizen:
        raise MergeError("the two are one person already, in this direction: nothing is to be done")
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
    check_ids(former, to)
    for past, other in ((former, to), (to, former)):
        check_openings(past, other)
    without_copy = left_out(former, to)
    copied = [kept for place, kept in enumerate(former.since) if place not in without_copy]
    check_admission(to.law, copied, to.since)
    check_room(to, copied)
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
    for past, again in ((former, kept_by_former(former, to)), (to, to.all_but(ended))):
        check_admission(past.law, again)
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
        content, merged_by = kept.entry.report, brought_by(kept)
        if isinstance(content, Copy) and merged_by == merge:
            copied.update(ids_taken(content.report))
        elif isinstance(content, Freeing) and merged_by != merge and copied[content.name]:
            freed[content.name, copied[content.name]].append(kept)
    counting: list[PastRecord] = []
    met: Counter[str] = Counter()
    for kept in former.all_but(merge):
        counting.append(kept)
        report = report_of(kept)
        for name in () if report is None else ids_taken(report):
            met[name] += 1
            counting += freed.pop((name, met[name]), ())
    return counting
