"""Says which records of the journal are of a citizen, and which of these count now."""

from collections.abc import Sequence
from typing import NamedTuple

from domain.citizen.merges import Standing, standing_reports
from domain.citizen.reports import CitizenRecord, Copy, Freeing, Join, Move, Opening, Report
from streams.engine.ports import Record
from streams.explain.index import freed_citizen
from streams.kit.errors import UserError
from streams.kit.foreign import Foreign, passed_over
from streams.wire.journal import JournalEntry
from streams.wire.readers import RecordReader


class LiveError(UserError):
    """A citizen cannot be read; the message says why and what to do, and holds no CPR."""


class MergedError(LiveError):
    """The citizen's number was merged with another one: `to` has all reports."""

    def __init__(self, citizen: str, to: str) -> None:
        super().__init__(
            f"citizen {citizen} was merged with citizen {to}, for whom all reports count now: name"
            " that one; `refusion diff` shows what was posted before"
        )
        self.to = to


class Placed(NamedTuple):
    """A report, or a record that frees the id of one, and its offset in the journal."""

    offset: int
    report: Report | Freeing


class PlacedRecord(NamedTuple):
    """A record of a citizen, or one that frees an id, and its offset in the journal."""

    offset: int
    record: CitizenRecord | Freeing


def standing_of(citizen: str, records: Sequence[PlacedRecord]) -> list[Placed]:
    """Return the reports that count for a citizen now. Raises MergedError."""
    merging = Standing()
    for each in records:
        if isinstance(each.record, Move):
            merging.empties(each.record)
    if merging.to:
        raise MergedError(citizen, merging.to)
    standing = standing_reports(each.record for each in records)
    return [
        Placed(records[place].offset, report)
        for place, report in standing
        if not isinstance(report, Opening)
    ]


def report_of(record: CitizenRecord | Freeing) -> Report | Freeing | None:
    """Return the report of a record, or of a copy of one; None for what is none."""
    report = record.report if isinstance(record, Copy) else record
    return None if isinstance(report, Opening | Move | Join) else report


def placed_record(
    reader: RecordReader[JournalEntry], record: Record, citizen: str
) -> PlacedRecord | None:
    """Return the report of a record, or what frees an id, if it is of this citizen and can be read.

    A record that cannot be read is a dead letter by now.
    """
    if record.key != citizen.encode() and freed_citizen(record) != citizen:
        return None
    entry = reader.read(record)
    if isinstance(entry, Foreign):
        passed_over(entry)
        return None
    content = entry.report
    plain = content.report if isinstance(content, Copy) else content
    if isinstance(content, CitizenRecord | Freeing) and not isinstance(plain, Opening):
        return PlacedRecord(record.offset, content)
    return None
