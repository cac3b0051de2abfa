"""Reads the records of the journal for settling, and passes over those that are not ours."""

import logging
from collections.abc import Sequence
from typing import Any, Final

from streams.citizens.settler import CONTROLS, DEFECT, NOTHING, OF_CITIZENS, Outcome, Settleable
from streams.engine.ports import Record
from streams.wire import journal
from streams.wire.belief import JournalBelief
from streams.wire.journal import JournalEntry

FOREIGN: Final = Outcome(None, [], "foreign_record")

log = logging.getLogger("refusion")


class JournalEntries:
    """The entries of a partition's records; one that is not settled has its outcome already."""

    def __init__(self, name: str, place: str, belief: JournalBelief) -> None:
        """`name` is that of the work in the log; offsets follow `place` in the name of a record."""
        self._name = name
        self._place = place
        self._belief = belief

    def read(self, records: Sequence[Record]) -> list[JournalEntry | Outcome]:
        """Read records in their order. Those that are passed over are told, without content."""
        entries: list[JournalEntry | Outcome] = []
        passed_over: dict[str, list[int]] = {}
        of = self._belief.of
        for record in records:
            if (verdict := of(record)) == "ours":
                entries.append(_entry(record))
            else:
                passed_over.setdefault(verdict, []).append(record.offset)
                entries.append(FOREIGN if verdict == "foreign" else NOTHING)
        for kind, offsets in passed_over.items():
            what = "that nobody of ours wrote" if kind == "foreign" else "copied in the journal"
            first = f"{self._place}{offsets[0]}"
            log.error(
                "%s: passed over %d records %s, first %s", self._name, len(offsets), what, first
            )
        return entries

    def noted(self) -> dict[str, Any]:
        """Return what the partition's own entry keeps of the belief."""
        noted: dict[str, Any] = {}
        if self._belief.checked_from is not None:
            noted["checked_from"] = self._belief.checked_from
        if self._belief.controls:
            noted["controls"] = dict(self._belief.controls)
        return noted


def settleable(entry: JournalEntry) -> Settleable:
    """Turn an entry into what the settler takes."""
    report = entry.report
    assert not isinstance(report, OF_CITIZENS), "a recalculation is not settled like a report"
    return report if isinstance(report, CONTROLS) else (entry.citizen, entry.cpr_sealed, report)


def _entry(record: Record) -> JournalEntry | Outcome:
    """Read a record of ours; one that cannot be read is a defect of ours."""
    try:
        return journal.decode(record.key, record.value)
    except Exception:  # noqa: BLE001 - whatever it is: the record becomes a dead letter
        return DEFECT
