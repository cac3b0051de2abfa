"""The journal's records: accepted reports with the CPR sealed, and control records.

The key is the citizen; the value is plain JSON as in contract section 2, with `cpr_sealed` in
the place of `cpr` and every default filled in. The partition follows from the citizen as in
any other Kafka producer (murmur2), so that others may write to the topic too.
"""

import re
from collections.abc import Callable, Sequence
from struct import unpack
from typing import Any, Final, NamedTuple

import orjson

from domain.basics.compact_json import dumps
from domain.basics.weeks import day, day_text, month_number, month_text, week_of, week_text
from domain.citizen.reports import (
    CaseFact,
    ControlRecord,
    Income,
    Opening,
    Payment,
    Recalculation,
    Report,
    Reversal,
    RulesRecord,
    RunMarker,
    Scope,
    cause,
    made,
)
from streams.engine.ports import Headers

CE_VERSION: Final = ("ce_specversion", b"1.0")
JSON: Final = ("content-type", b"application/json")
ALL: Final = "all"
_SCOPES: Final = {"municipality": re.compile("[0-9]{3}"), "citizen": re.compile("[0-9a-f]{32}")}


class Entry(NamedTuple):
    """A record of the journal: a citizen's report or opening row with its time, or a control record."""

    citizen: str
    cpr_sealed: str
    report: Report | Opening | ControlRecord
    at: str


# --- writing
# ------------------------------------------------------------------------------------------


def encode(report: Report, cpr_sealed: str, reported_at: str) -> bytes:
    """The value of an accepted report."""
    return dumps(_VALUES[type(report)](report, cpr_sealed, reported_at))


def _payment_value(report: Payment, cpr_sealed: str, reported_at: str) -> dict[str, Any]:
    """In one display, as nearly every report is a payment."""
    (
        reporter,
        report_id,
        benefit,
        start,
        end,
        amount_ore,
        atp_ore,
        paying,
        financing,
        channel,
        outside_act,
        _,
    ) = report
    return {
        "schema": 1,
        "type": "benefit_payment",
        "report_id": report_id,
        "reporter": reporter,
        "reported_at": reported_at,
        "cpr_sealed": cpr_sealed,
        "benefit": benefit,
        "period_start": day_text(start),
        "period_end": day_text(end),
        "amount_ore": amount_ore,
        "atp_ore": atp_ore,
        "paying_municipality": paying,
        "financing_municipality": financing,
        "channel": channel,
        "outside_act": outside_act,
    }


def _common(report: Report, cpr_sealed: str, reported_at: str) -> dict[str, Any]:
    return {
        "schema": 1,
        "type": TYPE_OF[type(report)],
        "report_id": report.report_id,
        "reporter": report.reporter,
        "reported_at": reported_at,
        "cpr_sealed": cpr_sealed,
    }


def _income_value(report: Income, cpr_sealed: str, reported_at: str) -> dict[str, Any]:
    return {
        **_common(report, cpr_sealed, reported_at),
        "kind": report.kind,
        "period_start": day_text(report.start),
        "period_end": day_text(report.end),
        "amount_ore": report.amount_ore,
        "pension_ore": report.pension_ore,
    }


def _fact_value(report: CaseFact, cpr_sealed: str, reported_at: str) -> dict[str, Any]:
    return {
        **_common(report, cpr_sealed, reported_at),
        "fact": report.fact,
        "date": day_text(report.date),
    }


def _reversal_value(report: Reversal, cpr_sealed: str, reported_at: str) -> dict[str, Any]:
    return {**_common(report, cpr_sealed, reported_at), "reverses": report.reverses}


def encode_opening(opening: Opening, cpr_sealed: str, reported_at: str) -> bytes:
    """The value of an opening row."""
    month, week, benefit, paying, financing, amount_ore, atp_ore, mechanism, rate, result_ore, _ = (
        opening
    )
    return dumps(
        {
            "schema": 1,
            "type": OPENING,
            "reported_at": reported_at,
            "cpr_sealed": cpr_sealed,
            "month": month_text(month),
            "week": week_text(week),
            "benefit": benefit,
            "paying": paying,
            "financing": financing,
            "amount_ore": amount_ore,
            "atp_ore": atp_ore,
            "mechanism": mechanism,
            "rate": rate,
            "refusion_ore": result_ore if mechanism == "refusion" else 0,
            "medfinansiering_ore": result_ore if mechanism == "medfinansiering" else 0,
        }
    )


_VALUES: Final[dict[type, Callable[[Any, str, str], dict[str, Any]]]] = {
    Payment: _payment_value,
    Income: _income_value,
    CaseFact: _fact_value,
    Reversal: _reversal_value,
}
TYPE_OF: Final[dict[type, str]] = {
    Payment: "benefit_payment",
    Income: "income",
    CaseFact: "case_fact",
    Reversal: "reversal",
}
OPENING: Final = "opening"


def opening_headers(opening: Opening, reported_at: str) -> Headers:
    """CloudEvents headers of an opening row."""
    return [
        CE_VERSION,
        ("ce_id", cause(opening).encode()),
        ("ce_type", b"refusion.opening"),
        ("ce_source", b"refusion/opening"),
        ("ce_time", reported_at.encode()),
        JSON,
    ]


def report_headers(report: Report, reported_at: str, raw: bytes) -> Headers:
    """CloudEvents headers of an accepted report, and the raw position it came from."""
    return [
        ("raw", raw),
        CE_VERSION,
        ("ce_id", f"{report.reporter}/{report.report_id}".encode()),
        _CE_TYPE[type(report)],
        ("ce_source", f"urn:dk:cvr:{report.reporter}".encode()),
        ("ce_time", reported_at.encode()),
        JSON,
    ]


_CE_TYPE: Final = {
    kind: ("ce_type", f"refusion.report.{name}".encode()) for kind, name in TYPE_OF.items()
}


def control_value(record: RulesRecord | Recalculation, written_at: str) -> bytes:
    """The value of a control record; that of a run is `projections.postings.messages.run_message`. It has no key."""
    fields: dict[str, Any]
    if isinstance(record, RulesRecord):
        fields = {"type": "rules", "id": record.id, "rules": record.rules, "digest": record.digest}
    else:
        fields = {"type": "recalculate", "id": record.id, "scope": _scope_value(record.scope)}
    return orjson.dumps({"schema": 1, **fields, "written_at": written_at})


def _scope_value(scope: Scope) -> str | dict[str, str]:
    return {name: value for name, value in scope._asdict().items() if value} or ALL


def scope_of(value: object) -> Scope:
    """The scope that a value says. Raises ValueError where it is none."""
    if value == ALL:
        return Scope()
    if isinstance(value, dict) and len(value) == 1:
        ((name, text),) = value.items()
        if name in _SCOPES and isinstance(text, str) and _SCOPES[name].fullmatch(text):
            return Scope(**{name: text})
    raise ValueError("not a scope")


def source_offset(headers: Sequence[tuple[str, bytes]]) -> int:
    """Where in its journal's partition the record stands that led to a posting or notice, by its `ce_id`; else -1."""
    for name, value in headers:
        if name == "ce_id":
            offset = value.rpartition(b"/")[2]
            return int(offset) if offset.isdigit() else -1
    return -1


# --- reading
# ------------------------------------------------------------------------------------------


def decode(key: bytes | None, value: bytes | None) -> Entry:
    """A record of the journal. Raises ValueError, KeyError or TypeError where it is none that we know."""
    record = orjson.loads(value or b"")
    read = _READERS.get(record["type"])
    if read is None:
        return _control(record)
    reported_at = record["reported_at"]
    report = read(record, day(reported_at[:10]))
    return made(Entry, ((key or b"").decode(), record["cpr_sealed"], report, reported_at))


def _control(record: dict[str, Any]) -> Entry:
    match record["type"]:
        case "run":
            accepted = tuple(record.get("accepted", ()))
            marker = RunMarker(
                record["run"], record["closed_at"], month_number(record["data_month"]), accepted
            )
            return Entry("", "", marker, record["closed_at"])
        case "rules":
            rules = RulesRecord(record["id"], record["rules"], record.get("digest", ""))
            return Entry("", "", rules, record["written_at"])
        case "recalculate":
            recalculation = Recalculation(record["id"], scope_of(record["scope"]))
            return Entry("", "", recalculation, record["written_at"])
    raise ValueError("a control record of a type that this version does not know")


def _read_payment(record: dict[str, Any], reported: int) -> Payment:
    return made(
        Payment,
        (
            record["reporter"],
            record["report_id"],
            record["benefit"],
            day(record["period_start"]),
            day(record["period_end"]),
            record["amount_ore"],
            record["atp_ore"],
            record["paying_municipality"],
            record["financing_municipality"],
            record["channel"],
            record["outside_act"],
            reported,
        ),
    )


def _read_income(record: dict[str, Any], reported: int) -> Income:
    return Income(
        record["reporter"],
        record["report_id"],
        record["kind"],
        day(record["period_start"]),
        day(record["period_end"]),
        record["amount_ore"],
        record["pension_ore"],
        reported,
    )


def _read_fact(record: dict[str, Any], reported: int) -> CaseFact:
    return CaseFact(
        record["reporter"], record["report_id"], record["fact"], day(record["date"]), reported
    )


def _read_reversal(record: dict[str, Any], reported: int) -> Reversal:
    return Reversal(record["reporter"], record["report_id"], record["reverses"], reported)


def _read_opening(record: dict[str, Any], reported: int) -> Opening:
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


_READERS: Final[dict[str, Callable[[dict[str, Any], int], Report | Opening]]] = {
    "benefit_payment": _read_payment,
    "income": _read_income,
    "case_fact": _read_fact,
    "reversal": _read_reversal,
    OPENING: _read_opening,
}


# --- the partition of a citizen
# -----------------------------------------------------------------------

_SEED, _M, _MASK = 0x9747B28C, 0x5BD1E995, 0xFFFFFFFF


def partition_of(citizen: bytes, partitions: int) -> int:
    """The partition that Kafka's default partitioner gives to a citizen (32 hex digits)."""
    mixed = _SEED ^ len(citizen)
    for word in unpack("<8I", citizen):
        k = word * _M & _MASK
        mixed = (mixed * _M & _MASK) ^ ((k ^ k >> 24) * _M & _MASK)
    mixed = (mixed ^ mixed >> 13) * _M & _MASK
    return ((mixed ^ mixed >> 15) & 0x7FFFFFFF) % partitions
