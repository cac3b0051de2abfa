"""The records of the journal: accepted reports with the CPR sealed, opening rows, control records.

The key is the citizen; the value is plain JSON as in contract section 2, with `cpr_sealed` in the
place of `cpr` and every default filled in. A control record has no key.
"""

from functools import reduce
from operator import or_
from typing import Annotated, Any, Final, NamedTuple

import msgspec
import orjson
from msgspec.structs import astuple

from domain.basics.cache import Memo
from domain.basics.compact_json import dumps
from domain.basics.named import made
from domain.basics.weeks import day, day_text, month_number, month_text, week_of, week_text
from domain.citizen.reports import (
    CitizenRecord,
    ControlRecord,
    Copy,
    Freeing,
    Join,
    KeysRecord,
    Move,
    Opening,
    Recalculation,
    Report,
    Reversal,
    RulesRecord,
    RunMarker,
    Scope,
    cause,
)
from domain.ruledata.ruleset import Mechanism
from domain.ruledata.switches import NAME as RULE_SET_NAME
from streams.engine.ports import Headers
from streams.wire.cloudevents import event_headers
from streams.wire.merge_records import (
    COPY_SCHEMA,
    JOINED,
    MERGE_SCHEMA,
    MOVED,
    JoinedLine,
    MovedLine,
    plain_record,
)
from streams.wire.shapes import (
    ALL,
    DATE_LENGTH,
    MAX_PERIOD_DAYS,
    NEWEST_SCHEMA,
    REPORT_TYPES,
    TIME_OF_DAY_OF_OLD,
    day_fields,
    fields_in_1,
    journal_structs,
    scope_of,
    utc_time,
)

OPENING: Final = "opening"
TYPE_OF: Final = {report: name for name, report in REPORT_TYPES.items()}
"""The types on the wire by the types of the domain."""


class JournalEntry(NamedTuple):
    """A record of the journal; a control record has no citizen and no seal.

    `at` is the time that the report was reported at, or the control record was written at.
    """

    citizen: str
    cpr_sealed: str
    report: CitizenRecord | ControlRecord
    at: str


# --- writing ------------------------------------------------------------------------------------

_STRUCTS: Final = {report: journal_structs(name, report) for report, name in TYPE_OF.items()}
_DAYS_AT: Final = {report: day_fields(report) for report in TYPE_OF}
_OLD_FIELDS: Final = {report: len(fields_in_1(report)) for report in TYPE_OF}
"""The number of fields that schema 1 has, the last of which is the time of reporting."""
_WRITTEN: Final = {
    report: (in_1, in_2, TYPE_OF[report], _DAYS_AT[report], _OLD_FIELDS[report])
    for report, (in_1, in_2, _, _) in _STRUCTS.items()
}
_DAY_TEXTS: Final = Memo(day_text, 1 << 14)
_write: Final = msgspec.json.Encoder().encode


def encode(report: Report, cpr_sealed: str, reported_at: str) -> bytes:
    """Write the value of an accepted report, in schema 1 where that can say it."""
    in_1, in_2, name, days_at, old = _WRITTEN[type(report)]
    fields: list[Any] = [*report]
    for place in days_at:
        fields[place] = _DAY_TEXTS[fields[place]]
    common = name, report.report_id, report.reporter, reported_at, cpr_sealed
    if fields[old] or fields[-1]:
        return _write(in_2(2, *common, *fields[2 : old - 1], *fields[old:]))
    return _write(in_1(1, *common, *fields[2 : old - 1]))


def encode_opening(opening: Opening, cpr_sealed: str, reported_at: str) -> bytes:
    """Write the value of an opening row."""
    is_refusion = opening.mechanism == "refusion"
    return dumps(
        {
            "schema": 1,
            "type": OPENING,
            "reported_at": reported_at,
            "cpr_sealed": cpr_sealed,
            "month": month_text(opening.month),
            "week": week_text(opening.week),
            "benefit": opening.benefit,
            "paying": opening.paying,
            "financing": opening.financing,
            "amount_ore": opening.amount_ore,
            "atp_ore": opening.atp_ore,
            "mechanism": opening.mechanism,
            "rate": opening.rate,
            "refusion_ore": opening.result_ore if is_refusion else 0,
            "medfinansiering_ore": 0 if is_refusion else opening.result_ore,
        }
    )


def encode_freeing(record: Freeing, reason: str, written_at: str) -> bytes:
    """Write the value of the control record that frees an id."""
    value = {"schema": 1, "type": "free", **record._asdict(), "reason": reason}
    return orjson.dumps(value | {"written_at": written_at})


def encode_control(record: RulesRecord | Recalculation | KeysRecord, written_at: str) -> bytes:
    """Write the value of a control record.

    A run's marker is written by `projections.postings.messages.run_message`.
    """
    fields: dict[str, Any]
    if isinstance(record, RulesRecord):
        fields = {"type": "rules", "id": record.id, "rules": record.rules, "digest": record.digest}
    elif isinstance(record, KeysRecord):
        fields = {"type": "keys", **record._asdict()}
    else:
        fields = {"type": "recalculate", "id": record.id, "scope": _scope_value(record.scope)}
    return orjson.dumps({"schema": 1, **fields, "written_at": written_at})


def _scope_value(scope: Scope) -> str | dict[str, str]:
    return {name: value for name, value in scope._asdict().items() if value} or ALL


EVENT_TYPES: Final = {
    report: f"refusion.report.{name}".encode() for report, name in TYPE_OF.items()
}
"""The header `ce_type` of reports by their types in the domain."""
OPENING_EVENT: Final = b"refusion.opening"


def report_headers(report: Report, reported_at: str, raw: bytes) -> Headers:
    """Make the headers of an accepted report; `raw` is the place that it came from."""
    reporter = report.reporter
    headers = event_headers(
        f"{reporter}/{report.report_id}".encode(),
        EVENT_TYPES[type(report)],
        f"urn:dk:cvr:{reporter}".encode(),
        reported_at,
    )
    return [("raw", raw), *headers]


def opening_headers(opening: Opening, reported_at: str) -> Headers:
    """Make the headers of an opening row."""
    event_id = cause(opening).encode()
    return event_headers(event_id, OPENING_EVENT, b"refusion/opening", reported_at)


# --- reading ------------------------------------------------------------------------------------

_READ: Final = {read: report for report, (_, _, read, _) in _STRUCTS.items()}
_read: Final = msgspec.json.Decoder(reduce(or_, _READ)).decode
_OWN: Final = {
    own: (report, _DAYS_AT[report], _OLD_FIELDS[report] - 1)
    for report, (_, _, _, own) in _STRUCTS.items()
}
"""Report, places of its days and of its time of reporting, by the struct of a record of ours."""
_read_own: Final = msgspec.json.Decoder(reduce(or_, _OWN)).decode
_DAYS: Final = Memo(day, 1 << 14)
_is_time: Final = TIME_OF_DAY_OF_OLD.fullmatch
_BOUNDS_AT: Final = {
    kind: tuple(places) for kind, places in _DAYS_AT.items() if len(places) == len(("start", "end"))
}
"""The places of the first and the last day of a period."""


class _Line(msgspec.Struct, kw_only=True):
    """The field of all opening rows and control records; they have one schema until today."""

    schema: Annotated[int, msgspec.Meta(ge=1, le=1)] = 1


class _RunLine(_Line, tag_field="type", tag="run"):
    run: Annotated[int, msgspec.Meta(ge=1, le=10**6)]
    closed_at: str
    data_month: str
    accepted: list[str] = []


class _RulesLine(_Line, tag_field="type", tag="rules"):
    id: str
    rules: Annotated[str, msgspec.Meta(pattern=f"^{RULE_SET_NAME}$")]
    written_at: str
    digest: str = ""


class _KeysLine(_Line, tag_field="type", tag="keys"):
    id: str
    pseudonym_key: str
    seal_keys: list[str]
    journal_keys: list[str]
    demo: bool
    written_at: str


class _RecalculateLine(_Line, tag_field="type", tag="recalculate"):
    id: str
    scope: str | dict[str, str]
    written_at: str


class _FreeLine(_Line, tag_field="type", tag="free"):
    id: str
    citizen: str
    reporter: str
    report_id: str
    written_at: str
    reason: str = ""


class _OpeningLine(_Line, tag_field="type", tag=OPENING):
    reported_at: str
    cpr_sealed: str
    month: str
    week: str
    benefit: str
    paying: str | None
    financing: str | None
    amount_ore: int
    atp_ore: int
    mechanism: Mechanism
    rate: Annotated[int, msgspec.Meta(ge=0, le=100)]
    refusion_ore: int
    medfinansiering_ore: int


_OTHER: Final = (
    _RunLine | _RulesLine | _RecalculateLine | _KeysLine | _FreeLine | _OpeningLine
    | MovedLine | JoinedLine
)  # fmt: skip
"""Types of fields of opening rows, control records and records of merges.

Further fields may stand beside them."""
_OTHER_TYPES: Final = frozenset(
    {OPENING, "run", "rules", "recalculate", "keys", "free", MOVED, JOINED}
)


def decode(key: bytes | None, value: bytes | None) -> JournalEntry:
    """Read a record of the journal.

    Raises ValueError, KeyError or TypeError where it is none that this version knows.
    """
    try:
        line = _read(value or b"")
    except msgspec.ValidationError:
        return _decode_other(key, value or b"")
    except RecursionError:
        raise ValueError("nested too deeply") from None
    kind = _READ[type(line)]
    *fields, sealed, _schema = astuple(line)
    for place in _DAYS_AT[kind]:
        fields[place] = _DAYS[fields[place]]
    if kind in _BOUNDS_AT:
        first, last = _BOUNDS_AT[kind]
        if not 0 <= fields[last] - fields[first] < MAX_PERIOD_DAYS:
            raise ValueError("a period that ends before it starts, or is too long")
    at = _OLD_FIELDS[kind] - 1
    reported_at = fields[at]
    if not _is_time(reported_at, DATE_LENGTH):
        raise ValueError("not a time in UTC")
    fields[at] = _DAYS[reported_at[:DATE_LENGTH]]
    report = made(kind, fields)
    if isinstance(report, Reversal) and bool(report.reverses) == bool(report.reverses_group):
        raise ValueError("a reversal names one report or one group")
    return made(JournalEntry, ((key or b"").decode(), sealed, report, reported_at))


def decode_own(key: bytes, value: bytes) -> JournalEntry:
    """Read a citizen's report whose MAC proves that it is ours: validation has seen its texts.

    Raises what `decode` raises, also for an opening row.
    """
    try:
        line = _read_own(value)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    kind, days_at, at = _OWN[type(line)]
    *fields, sealed, _schema = astuple(line)
    for place in days_at:
        fields[place] = _DAYS[fields[place]]
    reported_at = fields[at]
    fields[at] = _DAYS[reported_at[:DATE_LENGTH]]
    return made(JournalEntry, (key.decode(), sealed, made(kind, fields), reported_at))


def newer_schema(value: bytes | None) -> int | None:
    """Give the schema of a record that only a newer version can read, or None.

    >>> newer_schema(b'{"schema":3}'), newer_schema(b'{"schema":2}'), newer_schema(b"[]")
    (3, None, None)
    >>> newer_schema(b'{"schema":2,"type":"run"}'), newer_schema(b'{"schema":3,"type":[]}')
    (2, 3)
    """
    try:
        record = orjson.loads(value or b"")
    except ValueError:
        return None
    if not isinstance(record, dict):
        return None
    schema, name = record.get("schema"), record.get("type")
    name = name if isinstance(name, str) else ""
    known = 1 if name in _OTHER_TYPES else NEWEST_SCHEMA
    if MOVED in record or name in {MOVED, JOINED}:
        known = max(COPY_SCHEMA, MERGE_SCHEMA)
    return schema if isinstance(schema, int) and schema > known else None


def _decode_other(key: bytes | None, value: bytes) -> JournalEntry:
    """Read an opening row, a control record, or a record of a merge."""
    record = orjson.loads(value)
    if (copied := plain_record(record)) is not None:
        plain, merge = copied
        entry = decode(key, orjson.dumps(plain))
        if not isinstance(entry.report, Report | Opening):
            raise ValueError("a copy of what is no report")
        return entry._replace(report=Copy(entry.report, merge))
    msgspec.convert(record, _OTHER)
    match record["type"]:
        case "opening":
            at = utc_time(record["reported_at"])
            opening = _opening(record, day(at[:DATE_LENGTH]))
            return JournalEntry((key or b"").decode(), record["cpr_sealed"], opening, at)
        case "run":
            accepted = tuple(record.get("accepted", ()))
            marker = RunMarker(
                record["run"], record["closed_at"], month_number(record["data_month"]), accepted
            )
            return JournalEntry("", "", marker, utc_time(record["closed_at"]))
        case "rules":
            rules = RulesRecord(record["id"], record["rules"], record.get("digest", ""))
            return JournalEntry("", "", rules, utc_time(record["written_at"]))
        case "keys":
            keys = KeysRecord(
                record["id"],
                record["pseudonym_key"],
                tuple(record["seal_keys"]),
                tuple(record["journal_keys"]),
                record["demo"],
            )
            return JournalEntry("", "", keys, utc_time(record["written_at"]))
        case "recalculate":
            recalculation = Recalculation(record["id"], scope_of(record["scope"]))
            return JournalEntry("", "", recalculation, utc_time(record["written_at"]))
        case "free":
            freeing = Freeing(*map(record.get, ("id", "citizen", "reporter", "report_id")))
            return JournalEntry("", "", freeing, utc_time(record["written_at"]))
        case "moved" | "joined" as name:
            kind = Move if name == MOVED else Join
            merge_record = kind(*(record[field] for field in kind._fields))
            citizen, sealed = (key or b"").decode(), record["cpr_sealed"]
            return JournalEntry(citizen, sealed, merge_record, utc_time(record["written_at"]))
    raise AssertionError("a type without a form")


def _opening(record: dict[str, Any], reported: int) -> Opening:
    return Opening(
        month_number(record["month"]),
        week_of(day(record["week"])),
        record["benefit"],
        record["paying"],
        record["financing"],
        record["amount_ore"],
        record["atp_ore"],
        record["mechanism"],
        record["rate"],
        record[f"{record['mechanism']}_ore"],
        reported,
    )
