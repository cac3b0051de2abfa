"""Reads records of merges in the journal, for the audit: it shares no code with what wrote them."""

import re
from dataclasses import dataclass, field
from typing import Any, Final

from projections.audit.cpr import CprSearch
from projections.audit.records import (
    ORIGIN,
    POSTING_HEADERS,
    check_headers,
    check_sealed,
    citizen_of,
)
from projections.audit.violations import BadRecordError, Headers

MOVED: Final = "moved"
JOINED: Final = "joined"
MERGES: Final = (MOVED, JOINED)
COPY_HEADERS: Final = POSTING_HEADERS | {"moved-from"}
_COPY_SCHEMA: Final = 3
_MERGE_SCHEMA: Final = 3
_FIELDS: Final = {
    MOVED: {"undoes", "reason"},
    JOINED: set(),
}
_USUAL: Final = {"schema", "type", "id", "other", "other_sealed", "cpr_sealed", "written_at"}
_PLACE: Final = re.compile(rb"[A-Za-z0-9._-]+/([0-9]{1,9})/([0-9]{1,18})")


@dataclass
class Copies:
    """A partition of the journal has these of merged citizens.

    `passed_on` are the offsets of what came for a citizen who was merged with another, `copied` the
    partitions and offsets of the records of which there are copies here.
    """

    passed_on: list[int] = field(default_factory=list)
    copied: list[tuple[int, int]] = field(default_factory=list)

    def add(self, other: "Copies") -> None:
        """Add those of another slice."""
        self.passed_on += other.passed_on
        self.copied += other.copied


def check_merge(record: dict[str, Any], headers: Headers, cprs: CprSearch) -> None:
    """Check the record with which a merge or its end begins. Raises BadRecordError."""
    kind = record["type"]
    if record.keys() != _USUAL | _FIELDS[kind] or record["schema"] != _MERGE_SCHEMA:
        raise BadRecordError("format", "not a record of a merge with exactly its fields")
    check_sealed(record["cpr_sealed"])
    citizen_of(record["other"].encode())
    check_sealed(record["other_sealed"])
    if dict(headers).get("ce_id") != f"{kind}/{record['id']}".encode():
        raise BadRecordError("header", "the headers are not those of this record")
    if cprs.finds(record.get("reason", "").encode()):
        raise BadRecordError("cpr", "a record of a merge holds what looks like a CPR number")
    check_headers(headers, POSTING_HEADERS, cprs)


def plain_of_copy(record: dict[str, Any]) -> tuple[dict[str, Any], str] | None:
    """Return the record that a copy is of, and its merge; None for any other record."""
    if record["schema"] != _COPY_SCHEMA:
        return None
    moved = record["moved"]
    plain = {name: value for name, value in record.items() if name != "moved"}
    return plain | {"schema": moved["schema"]}, moved["merge"]


def copied_place(headers: Headers) -> tuple[int, int] | None:
    """Return partition and offset of the record that a copy names; None where it names none."""
    match = _PLACE.fullmatch(dict(headers).get("moved-from", b""))
    return None if match is None else (int(match[1]), int(match[2]))


def written_anew(headers: Headers) -> bool:
    """Tell whether a record was written anew from a backup, or under other keys."""
    return ORIGIN in dict(headers)
