"""The citizens stage's work on one partition, without Kafka: reports in, posting messages out.

The same code serves `refusion settle` and the worker. State is read through a store and written
by whoever owns the batch: `changes` hands over every changed entry once.
"""

from typing import Any, NamedTuple

import orjson

from domain.citizen import Notice, Settling, evolve
from domain.counters import counters
from domain.reports import Report, RunMarker, cause
from domain.settlement import Law
from domain.state import Citizen, Store
from domain.weeks import month_text
from projections.results import counters_value, keep, project, reason


class Outcome(NamedTuple):
    """What a report led to: a posting message or none, and notices, each as JSON."""

    posting: bytes | None
    notices: list[bytes]


NOTHING = Outcome(None, [])


class Partition:
    """Settles the reports of one partition in their order.

    `closed_month` ("YYYY-MM" or "") is the latest month whose run is cut in this partition.
    """

    def __init__(self, law: Law, store: Store, closed_month: str = "") -> None:
        self._law = law
        self._store = store
        self.closed_month = closed_month
        self._open: dict[str, Citizen] = {}

    def settle(self, citizen_id: str, cpr_sealed: str, report: Report) -> Outcome:
        """Fold a report and post what it changes.

        Raises ConflictingDuplicateError; then nothing was changed.
        """
        citizen = self._open.get(citizen_id)
        if citizen is None:
            citizen = self._open[citizen_id] = Citizen(citizen_id, self._store, self._law)
        settling = evolve(self._law, citizen, report)
        if settling is None:
            return NOTHING
        name = cause(report)
        notices = [_notice(citizen_id, name, notice) for notice in settling.notices]
        return Outcome(self._post(citizen, cpr_sealed, name, settling), notices)

    def _post(self, citizen: Citizen, cpr_sealed: str, name: str, settling: Settling) -> bytes | None:
        head = citizen.head
        projection = project(citizen.id, head.revision + 1, settling.moves)
        keep(projection.standing)
        if not projection.rows and settling.counters is None:
            return None
        citizen.change_head().revision += 1
        return orjson.dumps(
            {
                "schema": 1,
                "type": "postings",
                "citizen": citizen.id,
                "revision": head.revision,
                "cause": name,
                "reason": reason(settling, projection, self.closed_month),
                "rules": head.rules,
                "cpr_sealed": cpr_sealed,
                "counters": counters_value(settling.counters or counters(self._law.window, *head.count)),
                "rows": projection.rows,
            }
        )

    def close(self, marker: RunMarker) -> bytes:
        """Cut a run: later rows of its month or an earlier one are late. Returns the marker for `postings`."""
        self.closed_month = max(self.closed_month, month_text(marker.data_month))
        return orjson.dumps(
            {
                "schema": 1,
                "type": "run",
                "run": marker.run,
                "closed_at": marker.closed_at,
                "data_month": month_text(marker.data_month),
            }
        )

    def forget(self) -> None:
        """Undo everything since the last call of `changes`."""
        self._open.clear()

    def changes(self) -> list[tuple[bytes, bytes]]:
        """Every state entry changed since the last call; the batch is over and memory is let go."""
        changes = [change for citizen in self._open.values() for change in citizen.changes()]
        self._open.clear()
        return changes


def _notice(citizen: str, name: str, notice: Notice) -> bytes:
    value: dict[str, Any] = {
        "schema": 1,
        "type": "notice",
        "code": notice.code,
        "citizen": citizen,
        "cause": name,
        "detail": notice.detail,
    }
    return orjson.dumps(value)
