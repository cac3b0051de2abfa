"""The citizens stage's work on one partition, without Kafka: reports in, posting messages out.

The same code serves `refusion settle` and the worker. State is read through a store and written
by whoever owns the batch: `changes` hands over every changed entry once.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from domain.citizen import ConflictingDuplicateError, Settling, evolve
from domain.notices import Notice
from domain.reports import Report, RunMarker, cause
from domain.settlement import Law
from domain.state import Citizen, StateError, Store
from domain.weeks import month_text
from projections.results import Message, posting_message, project, reason, run_message

Settleable = tuple[str, str, Report] | RunMarker
"""Citizen, sealed CPR and report; or a run marker."""

CITIZENS_KEPT = 1_024
"""How many heads stay decoded between batches: who was paid last month is often paid again. About 2 kB each,
and a worker has many partitions."""


class Outcome(NamedTuple):
    """What a record led to: a message for `postings` or none, notices, each as JSON; or why it was refused."""

    posting: bytes | None
    notices: list[bytes]
    refused: str = ""


NOTHING = Outcome(None, [])
CONFLICT = Outcome(None, [], "conflicting_duplicate")
DEFECT = Outcome(None, [], "internal_error")


class Partition:
    """Settles the reports of one partition in their order.

    `closed_month` ("YYYY-MM" or "") is the latest month whose run is cut in this partition.
    """

    def __init__(self, law: Law, store: Store, closed_month: str = "", kept: int = CITIZENS_KEPT) -> None:
        self._law = law
        self._store = store
        self._kept = kept
        self.closed_month = closed_month
        self._open: dict[str, Citizen] = {}
        self._changed: dict[str, Citizen] = {}

    def settle_batch(self, records: Sequence[Settleable]) -> list[Outcome]:
        """Settle a batch. A defect of ours costs the one record that met it: the rest is done again without it.

        Raises StateError and OSError, which no record is to blame for.
        """
        closed_month = self.closed_month
        defects: set[int] = set()
        while True:
            outcomes: list[Outcome] = []
            try:
                for record in records:
                    outcomes.append(DEFECT if len(outcomes) in defects else self.settle(record))
            except (StateError, OSError):
                raise
            except Exception:  # noqa: BLE001 - whatever it is, the record is kept for a retry and nothing else stops
                defects.add(len(outcomes))
                self.forget()
                self.closed_month = closed_month
            else:
                return outcomes

    def settle(self, record: Settleable) -> Outcome:
        """Settle one record, a defect of ours not caught."""
        if isinstance(record, RunMarker):
            return Outcome(self._close(record), [])
        citizen_id, cpr_sealed, report = record
        citizen = self._open.get(citizen_id)
        if citizen is None:
            citizen = self._open[citizen_id] = Citizen(citizen_id, self._store, self._law)
        self._changed[citizen_id] = citizen
        try:
            settling = evolve(self._law, citizen, report)
        except ConflictingDuplicateError:
            return CONFLICT
        if settling is None:
            return NOTHING
        name = cause(report)
        notices = [_notice(citizen_id, name, notice) for notice in settling.notices]
        return Outcome(self._post(citizen, cpr_sealed, name, settling), notices)

    def _post(self, citizen: Citizen, cpr_sealed: str, name: str, settling: Settling) -> bytes | None:
        head = citizen.head
        revision = head.revision + 1
        projection = project(citizen.id, revision, settling.moves, settling.dues)
        if not projection.rows and settling.counters is None:
            return None
        citizen.change_head().revision = revision
        why = reason(settling, projection, self.closed_month)
        message = Message(citizen.id, revision, name, why, head.rules, cpr_sealed)
        return posting_message(message, settling.counters or self._law.counters(head.reading()), projection.rows)

    def _close(self, marker: RunMarker) -> bytes:
        """Cut a run: later rows of its month or an earlier one are late."""
        self.closed_month = max(self.closed_month, month_text(marker.data_month))
        return run_message(marker)

    def forget(self) -> None:
        """Undo everything since the last call of `changes`."""
        self._open.clear()
        self._changed.clear()

    def changes(self) -> list[tuple[bytes, bytes]]:
        """Every state entry changed since the last call: the batch is over, only heads stay in memory."""
        changes = [change for citizen in self._changed.values() for change in citizen.changes()]
        self._changed.clear()
        if len(self._open) > self._kept:
            self._open.clear()
        return changes


def _notice(citizen: str, name: str, notice: Notice) -> bytes:
    value: dict[str, Any] = {
        "schema": 1,
        "type": "notice",
        "code": notice.code,
        "citizen": citizen,
        "cause": name,
        "detail": notice.told(),
    }
    return orjson.dumps(value)
