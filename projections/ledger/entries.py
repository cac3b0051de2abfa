"""Turns posting messages into the ledger's entries, the rows of a table that only grows.

An **entry** is one of three things, told apart by `kind`:

* a posting row, of the kinds in contract section 3 (`result`, `correction` …): every field of the
  row and of its message, under the same names;
* a run's marker (`run`), which cuts its partition: `run`, `closed_at`, `data_month`;
* a message that moved the counters alone (`counters`): no row, but a revision, so that the
  revisions have no gaps.

The entries of a partition are ordered by `offset` and `position`. The number of a row's run is not
known before its marker comes, and an entry is never edited. So each has the run that was closed
**before** it, `after_run`: the rows of run N are those with the `after_run` of N's own marker, in
the same partition.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

import orjson

ColumnType = Literal["string", "integer", "long"]
"""Delta Lake's names for a text, a number of 32 bits and one of 64 bits."""

BEFORE_ANY_RUN: Final = 0
ROW_KINDS: Final = ("result", "correction")
"""The kinds of the rows of a run. An opening row (`opening`) was posted by an earlier system."""

COLUMNS: Final[Mapping[str, ColumnType]] = {
    # The place of the entry.
    "after_run": "integer",
    "partition": "integer",
    "offset": "long",
    "position": "integer",
    "journal_offset": "long",
    "kind": "string",
    # The message: empty in markers.
    "citizen": "string",
    "revision": "integer",
    "cause": "string",
    "reason": "string",
    "rules": "string",
    "cpr_sealed": "string",
    # The row: empty in markers and counters.
    "id": "string",
    "reverses": "string",
    "month": "string",
    "week": "string",
    "benefit": "string",
    "paying": "string",
    "financing": "string",
    "amount_ore": "long",
    "atp_ore": "long",
    "ordinal": "integer",
    "mechanism": "string",
    "rate": "integer",
    "refusion_ore": "long",
    "medfinansiering_ore": "long",
    "account": "string",
    # The marker: empty in all others.
    "run": "integer",
    "closed_at": "string",
    "data_month": "string",
    # The counters after the message: in its first entry alone.
    "counters_week": "string",
    "seniority": "integer",
    "earned": "string",
    "after_transfer": "string",
}

Entry = tuple[Any, ...]
"""The values of COLUMNS."""

_MESSAGE: Final = ("citizen", "revision", "cause", "reason", "rules", "cpr_sealed")
_ROW: Final = (
    *("id", "reverses", "month", "week", "benefit", "paying", "financing"),
    *("amount_ore", "atp_ore", "ordinal", "mechanism", "rate"),
    *("refusion_ore", "medfinansiering_ore", "account"),
)
_LEFT_OUT: Final = {"reverses": None, "atp_ore": 0}
_MARKER: Final = ("run", "closed_at", "data_month")
_NO_MESSAGE: Final = (None,) * len(_MESSAGE)
_NO_ROW: Final = (None,) * len(_ROW)
_NO_MARKER: Final = (None,) * len(_MARKER)
COUNTERS: Final = ("counters_week", "seniority", "earned", "after_transfer")
"""The columns that ledgers of earlier versions lack. They are added to such a ledger, empty."""
_NO_COUNTERS: Final = (None,) * len(COUNTERS)


class RevisionGapError(Exception):
    """A message of a citizen is missing; the text names the citizen and the place."""


class Posted(NamedTuple):
    """A record of `postings`.

    `journal_offset` is the place of the journal record that led to it, -1 where that is not known.
    """

    offset: int
    message: dict[str, Any]
    journal_offset: int


@dataclass
class LedgerProgress:
    """The place that one partition of the ledger is.

    `position` is the next offset, `last_run` the last closed run, `revisions` each citizen's
    highest revision.
    """

    partition: int
    position: int = 0
    last_run: int = BEFORE_ANY_RUN
    revisions: dict[str, int] = field(default_factory=dict)


class Page(NamedTuple):
    """Entries that are not in the ledger yet, and the progress once they are.

    `start` is the position of the ledger at which they were read.
    """

    start: int
    entries: list[Entry]
    last_run: int
    revisions: dict[str, int]


def read_page(progress: LedgerProgress, records: Iterable[Posted]) -> Page:
    """Read the records that come next into entries. `progress` is not changed: see `advance`.

    A revision that is not higher than the citizen's last has come before (the topic was copied, an
    offset set back) and is passed over; so is a run's marker that has come before. Raises
    RevisionGapError where a revision is too high.
    """
    page = Page(progress.position, [], progress.last_run, {})
    for record in records:
        message = record.message
        if message["type"] != "run":
            _enter_message(progress, page, record, message)
        elif message["run"] > page.last_run:
            page.entries.append(_marker_entry(progress.partition, page.last_run, record, message))
            page = page._replace(last_run=message["run"])
    return page


def advance(progress: LedgerProgress, page: Page, position: int) -> None:
    """Note that a page is in the ledger and that `position` is the next offset."""
    assert position >= progress.position, "the ledger would go back"
    progress.position = position
    progress.last_run = page.last_run
    progress.revisions.update(page.revisions)


def _enter_message(
    progress: LedgerProgress, page: Page, record: Posted, message: dict[str, Any]
) -> None:
    citizen, revision = message["citizen"], message["revision"]
    known = page.revisions.get(citizen) or progress.revisions.get(citizen, 0)
    if revision <= known:
        return
    if revision != known + 1:
        raise RevisionGapError(
            f"revision {revision} of citizen {citizen} comes after {known},"
            f" at {progress.partition}/{record.offset}"
        )
    page.revisions[citizen] = revision
    page.entries.extend(_message_entries(progress.partition, page.last_run, record, message))


def _message_entries(
    partition: int, after_run: int, record: Posted, message: dict[str, Any]
) -> list[Entry]:
    """Make an entry for each row, or one for a message without rows."""
    offset, _, journal_offset = record
    common = tuple(message[name] for name in _MESSAGE)
    counters = _counters_values(message["counters"])
    rows: Sequence[dict[str, Any]] = message["rows"]
    if not rows:
        place = (after_run, partition, offset, 0, journal_offset, "counters")
        return [(*place, *common, *_NO_ROW, *_NO_MARKER, *counters)]
    return [
        (
            *(after_run, partition, offset, position, journal_offset, row["kind"]),
            *common,
            *_row_values(row),
            *_NO_MARKER,
            *(_NO_COUNTERS if position else counters),
        )
        for position, row in enumerate(rows)
    ]


def _counters_values(counters: dict[str, Any]) -> tuple[str | None, int, str, str | None]:
    """Give the values of COUNTERS; runs of weeks and what holds after a transfer are JSON."""
    later = counters.get("after_transfer")
    return (
        counters["week"],
        counters["seniority"],
        orjson.dumps(counters["earned"]).decode(),
        orjson.dumps(later).decode() if later else None,
    )


def _row_values(row: dict[str, Any]) -> list[Any]:
    """The values of the columns of a row; `reverses` and `atp_ore` may be left out in a message."""
    whole = _LEFT_OUT | row
    return [whole[name] for name in _ROW]


def _marker_entry(partition: int, after_run: int, record: Posted, marker: dict[str, Any]) -> Entry:
    place = (after_run, partition, record.offset, 0, record.journal_offset, "run")
    values = (marker[name] for name in _MARKER)
    return (*place, *_NO_MESSAGE, *_NO_ROW, *values, *_NO_COUNTERS)
