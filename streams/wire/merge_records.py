"""The records of merges in the journal: `moved`, `joined`, and copies of reports.

All three stand in the partition of the citizen that is their key. A copy has the fields of the
record that it copies, with the sealed CPR number of its own citizen, and `moved`: the id of the
merge, and the schema that the record had. Its own schema is one that no report has, so that
whoever does not know merges refuses it.
"""

import re
from typing import Annotated, Any, Final

import msgspec
import orjson

from domain.citizen.reports import Join, Move

MOVED: Final = "moved"
JOINED: Final = "joined"
COPY_SCHEMA: Final = 3
MERGE_SCHEMA: Final = 3
"""The schema of `moved` and `joined`: versions that do not know them refuse it, and stop."""
_OTHER: Final = re.compile("[0-9a-f]{32}")
_NAMES_OTHER: Final = b'"other_sealed":'
EVENTS: Final = {Move: b"refusion.moved", Join: b"refusion.joined"}
"""The header `ce_type` of the records of a merge."""


_Schema = Annotated[int, msgspec.Meta(ge=MERGE_SCHEMA, le=MERGE_SCHEMA)]
_Citizen = Annotated[str, msgspec.Meta(pattern=f"^{_OTHER.pattern}$")]


class MovedLine(msgspec.Struct, kw_only=True, tag_field="type", tag=MOVED):
    """The fields of a record `moved`."""

    schema: _Schema
    id: str
    other: _Citizen
    other_sealed: str
    undoes: str
    cpr_sealed: str
    written_at: str
    reason: str = ""


class JoinedLine(msgspec.Struct, kw_only=True, tag_field="type", tag=JOINED):
    """The fields of a record `joined`."""

    schema: _Schema
    id: str
    other: _Citizen
    other_sealed: str
    cpr_sealed: str
    written_at: str


class CopyMark(msgspec.Struct, kw_only=True):
    """The field `moved` of a copy."""

    merge: str
    schema: int


def encode_merge(record: Move | Join, cpr_sealed: str, reason: str, written_at: str) -> bytes:
    """Write a record `moved` or `joined`; `cpr_sealed` is that of the citizen that is the key."""
    name = MOVED if isinstance(record, Move) else JOINED
    fields: dict[str, Any] = {"schema": MERGE_SCHEMA, "type": name}
    fields |= record._asdict() | {"cpr_sealed": cpr_sealed}
    if isinstance(record, Move):
        fields["reason"] = reason
    return orjson.dumps(fields | {"written_at": written_at})


def copy_of(value: bytes, cpr_sealed: str, merge: str) -> bytes:
    """Write the copy of a record for the citizen with another sealed CPR number."""
    record: dict[str, Any] = orjson.loads(value)
    before = record["moved"]["schema"] if MOVED in record else record["schema"]
    moved = {"merge": merge, "schema": before}
    copy = record | {"schema": COPY_SCHEMA, "cpr_sealed": cpr_sealed, MOVED: moved}
    return orjson.dumps(copy)


def plain_record(record: Any) -> tuple[dict[str, Any], str] | None:
    """Return the record that a copy is of, under its own citizen, and the id of the merge.

    Returns None for what is no copy. Raises ValueError where it is none of ours.

    >>> plain_record(orjson.loads(copy_of(b'{"schema":1,"cpr_sealed":"a"}', "b", "m")))
    ({'schema': 1, 'cpr_sealed': 'b'}, 'm')
    """
    is_copy = isinstance(record, dict) and record.get("schema") == COPY_SCHEMA
    if not is_copy or MOVED not in record:
        return None
    moved = msgspec.convert(record[MOVED], CopyMark)
    plain = {name: value for name, value in record.items() if name != MOVED}
    return plain | {"schema": moved.schema}, moved.merge


def may_be_merge(value: bytes | None) -> bool:
    """Tell at once, without reading it, that a record is none with which a merge begins or ends."""
    return value is not None and _NAMES_OTHER in value


def merge_in(value: bytes | None) -> tuple[str, str]:
    """Return the id of a merge, or of its end, and the other citizen; "" for any other record.

    >>> merge_in(b'{"id":"m","other":"abc","other_sealed":""}')
    ('', '')
    """
    if not value or not may_be_merge(value):
        return "", ""
    try:
        record: Any = orjson.loads(value)
        number, other = record["id"], record["other"]
    except (ValueError, KeyError, TypeError):
        return "", ""
    if not (isinstance(number, str) and isinstance(other, str) and _OTHER.fullmatch(other)):
        return "", ""
    return f"merge/{number}", other
