"""Audits the postings' side of a partition: revisions, causes, reasons, markers and rows."""

from collections.abc import Sequence
from typing import Any, Final

import orjson

from projections.audit.links import RowLinks
from projections.audit.records import (
    POSTING_HEADERS,
    check_headers,
    check_sealed,
    citizen_of,
    json_object,
    source_offset,
)
from projections.audit.rows import OPENING, RowCheck
from projections.audit.scope import AuditedPartition
from projections.audit.violations import BadRecordError, Headers

MOVED: Final = "moved"
REASONS: Final = (
    "report",
    "adjustment",
    "reversal",
    "late_report",
    "recalculation",
    "rule_change",
    OPENING,
    MOVED,
)
OF_CLOSED_MONTHS: Final = ("late_report", "recalculation", "rule_change", OPENING, MOVED)
"""Reasons of messages that change a closed month."""
ANEW: Final = ("recalculation", "rule_change")
"""Reasons of messages that no report of the citizen led to by itself."""
_MESSAGE_FIELDS: Final = {
    "schema", "type", "citizen", "revision", "cause", "reason", "rules", "cpr_sealed", "counters",
    "rows",
}  # fmt: skip


class PostingsAudit:
    """Takes the records of the postings in order, after all records of the journal."""

    def __init__(self, partition: AuditedPartition, rows: RowCheck) -> None:
        self._partition = partition
        self._scope = partition.scope
        self._links = RowLinks(partition, rows)
        self.totals = self._links.totals
        self._report = partition.report_posting
        self._markers: list[tuple[int, bytes]] = []
        self._last_source = -1
        self._closed_month = ""

    def take(self, offset: int, key: bytes | None, value: bytes | None, headers: Headers) -> None:
        """Take a record; one that follows from a record not yet settled is passed over."""
        try:
            source = source_offset(headers, self._scope.journal_topic, self._partition.number)
            if source >= self._scope.settled_to:
                return
            if source < self._last_source and (key or self._scope.first):
                text = "it follows from an earlier record than the posting before it"
                self._report("order", offset, text)
            self._last_source = source
            check_headers(headers, POSTING_HEADERS, self._partition.scope.cprs)
            message = json_object(value)
            if key:
                self._take_message(offset, source, self._partition.citizen(key), message)
            else:
                self._take_marker(offset, message, value or b"")
        except Exception as error:  # noqa: BLE001 - report_bad raises defects of ours again
            topic = self._scope.postings_topic
            self._partition.report_bad(topic, offset, error, (key, value, headers))

    def _take_marker(self, offset: int, marker: dict[str, Any], value: bytes) -> None:
        if marker["type"] != "run":
            raise BadRecordError("key", "a record without a citizen that is no run marker")
        self._markers.append((offset, value))
        self._closed_month = max(self._closed_month, marker["data_month"])

    def _take_message(
        self, offset: int, source: int, citizen: str, message: dict[str, Any]
    ) -> None:
        has_moved = message["reason"] == MOVED and _is_citizen(message.get("moved_to"))
        fields = _MESSAGE_FIELDS | {"moved_to"} if has_moved else _MESSAGE_FIELDS
        is_posting = message.keys() == fields and message["schema"] == 1
        if not is_posting or message["type"] != "postings":
            text = "not a posting message of schema 1 with exactly its fields"
            raise BadRecordError("format", text)
        if message["citizen"] != citizen:
            raise BadRecordError("key", "the key is not the message's citizen")
        account = self._partition.account(citizen)
        revision, rules, rows = message["revision"], message["rules"], message["rows"]
        if revision != account.revision + 1:
            text = f"revision {revision} of citizen {citizen} comes after {account.revision}"
            self._report("revision", offset, text)
            if revision <= account.revision:
                return  # what comes again is not counted again
        account.revision, account.offset = revision, offset
        account.counters, account.rules = message["counters"], rules
        check_sealed(message["cpr_sealed"])
        self._check_cause(offset, source, citizen, message)
        self._links.enter(offset, citizen, account, rules, rows)
        self._check_reason(offset, message["reason"], rows)

    def _check_cause(self, offset: int, source: int, citizen: str, message: dict[str, Any]) -> None:
        """Check that a message follows from the report it names.

        Those of a recalculation or another law follow from a record of the journal, but from no
        report.
        """
        sources = self._partition.sources
        if message["reason"] in ANEW:
            if source not in sources:
                text = f"the journal has no record {source}, from which it follows"
                self._report("cause", offset, text)
            return
        known = sources.pop(source, None)
        if known is None or known.citizen != citizen or known.cause != message["cause"]:
            text = f"record {source} of the journal is not the report that it names"
            self._report("cause", offset, text)

    def _check_reason(self, offset: int, reason: str, rows: Sequence[dict[str, Any]]) -> None:
        """Check that a closed month changes only for a reason that says so (invariant 11)."""
        closed = self._closed_month
        changes_closed = bool(closed) and any(row["month"] <= closed for row in rows)
        if reason not in REASONS:
            self._report("reason", offset, "its reason is none of those of a posting")
        elif changes_closed and reason not in OF_CLOSED_MONTHS:
            self._report("reason", offset, f"it changes a closed month with the reason {reason}")
        elif reason == "late_report" and not changes_closed:
            self._report("reason", offset, "it says late_report and changes no closed month")

    def compare_markers(self, control: Sequence[tuple[int, bytes]]) -> None:
        """Check that the run markers are those of the journal, and that the runs are in order."""
        cut = {value: at for at, value in control if at < self._scope.settled_to and _run_of(value)}
        posted = {value for _, value in self._markers}
        for value, at in cut.items():
            if value not in posted:
                marker = f"the marker of run {_run_of(value)}"
                text = f"{marker} is not in the postings of this partition"
                self._partition.report_journal("marker", at, text)
        last = 0
        for at, value in self._markers:
            run = _run_of(value)
            if value not in cut:
                text = f"the journal of this partition has no such marker of run {run}"
                self._report("marker", at, text)
            if last and run != last + 1:
                self._report("marker", at, f"run {run} follows run {last}")
            last = run


def _is_citizen(name: object) -> bool:
    """Tell whether a field names a citizen."""
    return isinstance(name, str) and bool(citizen_of(name.encode()))


def _run_of(value: bytes) -> int:
    """The number of a run marker, 0 for another control record."""
    record = orjson.loads(value)
    return record["run"] if record["type"] == "run" else 0
