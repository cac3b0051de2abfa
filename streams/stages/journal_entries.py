"""Reads the records of the journal for settling, and passes over those that are not ours."""

import logging
import re
from collections.abc import Collection, Sequence
from typing import Any, Final

from domain.citizen.reports import KeysRecord
from streams.citizens.outcomes import DEFECT, NOTHING, Outcome
from streams.citizens.settler import CONTROLS, OF_CITIZENS, Settleable
from streams.engine.ports import Events, Record, UnreadBatch
from streams.kit.errors import UnworkableError
from streams.kit.foreign import Foreign
from streams.settings_table import JOURNAL_KEY
from streams.wire.belief import JournalBelief
from streams.wire.journal import JournalEntry, decode_own
from streams.wire.readers import RecordReader, refuse_newer

FOREIGN: Final = Outcome(None, [], "foreign_record")
TOO_LARGE: Final = Outcome(None, [], "too_large")
_KEY_ID: Final = re.compile("m[0-9a-f]{8}")

log = logging.getLogger("refusion")


class JournalEntries:
    """The entries of a partition's records; one that is not settled has its outcome already."""

    def __init__(
        self,
        name: str,
        reader: RecordReader[JournalEntry],
        belief: JournalBelief,
        key_ids: Collection[str],
        events: Events,
    ) -> None:
        """`name` is that of the work in the log; `key_ids` are those of our keys for MACs.

        `events` counts the copies; what is foreign is counted as a refusal.
        """
        self._name = name
        self._reader = reader
        self._belief = belief
        self._key_ids = key_ids
        self._events = events

    def read(self, records: Sequence[Record]) -> list[JournalEntry | Outcome]:
        """Read records in their order. Those that are passed over are told, without content.

        Raises UnworkableError where a record of ours states keys that we do not have, or is of a
        newer version.
        """
        entries: list[JournalEntry | Outcome] = []
        passed_over: dict[str, list[Foreign]] = {}
        of, read, proves_report = self._belief.of, self._reader.read, self._belief.proves_report
        for record in records:
            if proves_report(record) and (own := _own_report(record)) is not None:
                entries.append(own)
                continue
            verdict = of(record)
            entry = self._entry(record, read(record))
            if verdict != "ours" and entry is not TOO_LARGE:
                entry = FOREIGN if verdict == "foreign" else NOTHING
            if entry is FOREIGN:
                verdict = "foreign"
            if verdict != "ours":
                passed_over.setdefault(verdict, []).append(self._reader.place_of(record))
            entries.append(entry)
        self._events["copied_controls"] += len(passed_over.get("repeated", ()))
        for kind, places in passed_over.items():
            what = "that nobody of ours wrote" if kind == "foreign" else "copied in the journal"
            log.error(
                "%s: passed over %d records %s, first %s", self._name, len(places), what, places[0]
            )
        return entries

    def _entry(self, record: Record, entry: JournalEntry | Foreign) -> JournalEntry | Outcome:
        """Judge a record as it was read; where a MAC is ours, but not read, the defect is ours."""
        if not isinstance(entry, Foreign):
            if isinstance(entry.report, KeysRecord) and self._belief.is_proved(record):
                check_marking_keys(self._key_ids, entry.report)
            return entry
        if isinstance(record, UnreadBatch) and record.is_too_large:
            return TOO_LARGE
        if not self._belief.is_proved(record):
            return FOREIGN
        refuse_newer(record, self._reader.place_of(record))
        return DEFECT

    def noted(self) -> dict[str, Any]:
        """Return what the partition's own entry keeps of the belief."""
        noted: dict[str, Any] = {}
        if self._belief.checked_from is not None:
            noted["checked_from"] = self._belief.checked_from
        if self._belief.controls:
            noted["controls"] = dict(self._belief.controls)
        return noted


def _own_report(record: Record) -> JournalEntry | None:
    """Read a report that is proved to be ours; None where it is something else."""
    try:
        return decode_own(record.key or b"", record.value or b"")
    except (ValueError, KeyError, TypeError):
        return None


def check_marking_keys(known: Collection[str], stated: KeysRecord) -> None:
    """Raise UnworkableError where a journal states a key for its MACs that is not known."""
    if missing := sorted(set(stated.journal_keys) - set(known)):
        named = missing[0] if _KEY_ID.fullmatch(missing[0]) else "of another form than ours"
        raise UnworkableError(
            f"the journal states a key for its MACs ({named}) that is not in"
            f" {JOURNAL_KEY.name}: what was written with it would be taken for somebody else's;"
            " set all keys that were in use, the newest first"
        )


def settleable(entry: JournalEntry) -> Settleable:
    """Turn an entry into what the settler takes."""
    report = entry.report
    assert not isinstance(report, OF_CITIZENS), "a recalculation is not settled like a report"
    return report if isinstance(report, CONTROLS) else (entry.citizen, entry.cpr_sealed, report)
