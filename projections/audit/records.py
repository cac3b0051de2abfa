"""Checks a single record of the journal, the notices or the dead letters: its format and headers.

A value may hold only what the contract says, so that nothing can hide in it; see `cpr.py`.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

import orjson

from domain.basics.weeks import day
from domain.ruledata.ruleset import RuleSet
from projections.audit.cpr import CprSearch
from projections.audit.violations import BadRecordError, Headers

_RAW: Final = re.compile(rb"([A-Za-z0-9._-]+)/([0-9]+)/([0-9]+)")
_CITIZEN: Final = re.compile(rb"[0-9a-f]{32}")
_SEALED: Final = re.compile(r"k[0-9a-f]{8}\.[A-Za-z0-9_-]{35}")
_SEALED_RECORD: Final = re.compile(rb"k[0-9a-f]{8}\.[A-Za-z0-9_-]+")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|\+00:00)")
_REPORTER: Final = re.compile(r"[0-9]{8}")
_ID_LENGTH: Final = 100

_COMMON: Final = {"schema", "type", "report_id", "reporter", "reported_at", "cpr_sealed"}
_MONEY: Final = {"period_start", "period_end", "amount_ore"}
_REPORT_FIELDS: Final = {
    "benefit_payment": _COMMON
    | _MONEY
    | {"benefit", "atp_ore", "paying_municipality", "financing_municipality"}
    | {"channel", "outside_act"},
    "income": _COMMON | _MONEY | {"kind", "pension_ore"},
    "case_fact": _COMMON | {"fact", "date"},
    "reversal": _COMMON | {"reverses"},
}
_NEW_IN_2: Final = {"group", "reverses_group"}
_OPENING_FIELDS: Final = {
    "schema", "type", "reported_at", "cpr_sealed", "month", "week", "benefit", "paying",
    "financing", "amount_ore", "atp_ore", "mechanism", "rate", "refusion_ore",
    "medfinansiering_ore",
}  # fmt: skip
_CHANNELS: Final = {"eindkomst", "dfdg", "direct"}
_INCOME_KINDS: Final = {"wage", "flex_job_wage", "self_employed"}
_FACTS: Final = {
    "flex_referral", "flex_job_start", "flex_rereferral", "flex_left", "disability_pension_award",
    "death",
}  # fmt: skip
_NOTICE_FIELDS: Final = {"schema", "type", "code", "cause", "detail"}
_DEAD_LETTER_HEADERS: Final = {"reason", "field", "stage", "topic", "partition", "offset"}
POSTING_HEADERS: Final = frozenset(
    {"ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time", "content-type", "mac"}
)
REPORT_HEADERS: Final = POSTING_HEADERS | {"raw"}
STATE_HEADERS: Final = frozenset({"ce_type", "mac"})
ORIGIN: Final = "origin"
ORIGIN_TIME: Final = "origin_time"
ORIGIN_RAW: Final = "origin_raw"
ORIGIN_MAC: Final = "origin_mac"
ORIGIN_HEADERS: Final = frozenset({ORIGIN, ORIGIN_TIME, ORIGIN_RAW, ORIGIN_MAC})
"""Headers of a record that was written anew, from a backup or under new keys: where it was, when it
was written, the raw record that the report there came from, and the proof of the first."""


def json_object(value: bytes | None) -> dict[str, Any]:
    """Read the JSON object of a value. Raises BadRecordError."""
    try:
        record = orjson.loads(value or b"")
    except ValueError:
        raise BadRecordError("format", "not JSON") from None
    if not isinstance(record, dict):
        raise BadRecordError("format", "not a JSON object")
    return record


def citizen_of(key: bytes) -> str:
    """Return the citizen that a key names. Raises BadRecordError."""
    if _CITIZEN.fullmatch(key) is None:
        raise BadRecordError("key", "the key is not a citizen")
    return key.decode()


def check_sealed(text: str) -> None:
    """Raise BadRecordError for a text that is no sealed CPR number."""
    if _SEALED.fullmatch(text) is None:
        raise BadRecordError("format", "cpr_sealed is not a sealed CPR number")


def check_report(record: dict[str, Any], rules: RuleSet) -> None:
    """Check an accepted report: exactly the fields of its kind, each of its type and range.

    Raises the errors that `as_bad` takes.
    """
    kind = record["type"]
    if record["schema"] == 2:
        _check_schema_2(record)
    elif record.keys() != _REPORT_FIELDS.get(kind) or record["schema"] != 1:
        raise BadRecordError(
            "format", "not a report of schema 1 or 2 with exactly the fields of its kind"
        )
    report_id, reported_at = record["report_id"], record["reported_at"]
    good = (
        _is_reporter(record["reporter"])
        and _is_id(report_id)
        and _TIME.fullmatch(reported_at) is not None
    )
    if kind == "benefit_payment":
        good = good and _is_payment(record, rules)
    elif kind == "income":
        good = (
            good
            and record["kind"] in _INCOME_KINDS
            and _is_money(record)
            and type(record["pension_ore"]) is int
        )
    elif kind == "case_fact":
        good = good and record["fact"] in _FACTS and _is_day(record["date"])
    else:
        good = good and _is_id(record.get("reverses", record.get("reverses_group", "")))
    if not good:
        raise BadRecordError("format", "a field of the report is not what it must be")
    check_sealed(record["cpr_sealed"])


def _check_schema_2(record: dict[str, Any]) -> None:
    """Check the fields of a report that says what schema 1 cannot say."""
    kind, new = record["type"], record.keys() & _NEW_IN_2
    others = record.keys() - new
    usual = _REPORT_FIELDS.get(kind, set())
    if "reverses_group" in new:
        usual = usual - {"reverses"} if kind == "reversal" else set()
    if not new or others != usual or not all(_is_id(record[name]) for name in new):
        raise BadRecordError("format", "not a report of schema 2 with exactly the fields it needs")


def check_opening(record: dict[str, Any], headers: Headers, cprs: CprSearch) -> str:
    """Check an opening row of the journal (contract section 3), and return its name.

    Raises the errors that `as_bad` takes.
    """
    if (
        record.keys() != _OPENING_FIELDS
        or record["schema"] != 1
        or _TIME.fullmatch(record["reported_at"]) is None
    ):
        raise BadRecordError("format", "not an opening row of schema 1 with exactly its fields")
    check_sealed(record["cpr_sealed"])
    places = (record["paying"] or "-", record["financing"] or "-")
    name = "/".join(("opening", record["month"], record["week"], record["benefit"], *places))
    if dict(headers).get("ce_id") != name.encode():
        raise BadRecordError("header", "the headers are not those of this opening row")
    check_headers(headers, POSTING_HEADERS, cprs)
    return name


@lru_cache(maxsize=1 << 14)
def _is_reporter(text: str) -> bool:
    return _REPORTER.fullmatch(text) is not None


def _is_id(text: str) -> bool:
    return 0 < len(text) <= _ID_LENGTH and text.isprintable()


def _is_payment(record: dict[str, Any], rules: RuleSet) -> bool:
    known = rules.municipalities
    paying, financing = record["paying_municipality"], record["financing_municipality"]
    return (
        record["benefit"] in rules.benefits
        and (paying is None or paying in known)
        and (financing is None or financing in known)
        and record["channel"] in _CHANNELS
        and type(record["outside_act"]) is bool
        and type(record["atp_ore"]) is int
        and _is_money(record)
    )


def _is_money(record: dict[str, Any]) -> bool:
    start, end = record["period_start"], record["period_end"]
    return type(record["amount_ore"]) is int and _is_day(start) and _is_day(end) and start <= end


@lru_cache(maxsize=1 << 14)
def _is_day(text: str) -> bool:
    day(text)  # ValueError where there is no such day
    return True


def raw_position(
    record: dict[str, Any], headers: Headers, cprs: CprSearch
) -> tuple[str, int, int] | None:
    """Check a report's headers, and return the place of its raw record. Raises BadRecordError.

    One that was written anew from a backup has its raw record elsewhere: None.
    """
    given = dict(headers)
    is_anew = ORIGIN in given
    raw = _RAW.fullmatch(given.get(ORIGIN_RAW if is_anew else "raw", b""))
    if raw is None or (is_anew and _RAW.fullmatch(given[ORIGIN]) is None):
        raise BadRecordError("header", "the header `raw` does not say where the report came from")
    name = f"{record['reporter']}/{record['report_id']}"
    usual = (
        given.get("ce_id") == name.encode()
        and given.get("ce_time") == record["reported_at"].encode()
    )
    if not usual or given.get("ce_type") != f"refusion.report.{record['type']}".encode():
        raise BadRecordError("header", "the headers are not those of this report")
    check_headers(headers, REPORT_HEADERS, cprs)
    return None if is_anew else (raw[1].decode(), int(raw[2]), int(raw[3]))


def check_headers(headers: Headers, usual: frozenset[str], cprs: CprSearch) -> None:
    """Raise BadRecordError for a CPR number in an unusual header; other headers are no fault."""
    if len(headers) == len(usual) and all(name in usual for name, _ in headers):
        return
    known = usual | ORIGIN_HEADERS
    unusual = [name.encode() + b" " + (text or b"") for name, text in headers if name not in known]
    if cprs.finds(*unusual):
        raise BadRecordError("cpr", "a header holds what looks like a CPR number")


def source_offset(headers: Headers, topic: str, partition: int) -> int:
    """Return the offset in the journal that a posting follows from. Raises BadRecordError."""
    place = dict(headers).get("ce_id", b"")
    match = _RAW.fullmatch(place)
    if match is None or match[1].decode() != topic or int(match[2]) != partition:
        raise BadRecordError(
            "header", "ce_id does not name a record of the journal's same partition"
        )
    return int(match[3])


def check_notice(key: bytes | None, value: bytes | None, cprs: CprSearch) -> str:
    """Check a notice, and return its citizen, "" for a notice to a reporter.

    Raises the errors that `as_bad` takes.
    """
    notice = json_object(value)
    addressee = "citizen" if "citizen" in notice else "reporter"
    if (
        notice.keys() != _NOTICE_FIELDS | {addressee}
        or notice["schema"] != 1
        or notice["type"] != "notice"
    ):
        raise BadRecordError("format", "not a notice of schema 1 with exactly its fields")
    if (key or b"").decode() != notice[addressee]:
        raise BadRecordError("key", f"the key is not the notice's {addressee}")
    # `other` is another report's id, which may look like one.
    if cprs.finds(orjson.dumps(notice["detail"] | {"other": ""})):
        raise BadRecordError("cpr", "its detail holds what looks like a CPR number")
    return citizen_of(key or b"") if addressee == "citizen" else ""


class DeadLetter(NamedTuple):
    """The headers of a dead letter."""

    reason: str
    stage: str
    topic: str
    partition: int
    offset: int


def dead_letter(
    key: bytes | None,
    value: bytes | None,
    headers: Headers,
    reasons: Sequence[str],
    cprs: CprSearch,
) -> DeadLetter:
    """Read a dead letter, which is sealed and has no key. `reasons` are those of a refusal.

    Raises the errors that `as_bad` takes.
    """
    given = {name: text.decode() for name, text in headers}
    if key is not None:
        raise BadRecordError("key", "a dead letter has no key")
    if not given.keys() >= _DEAD_LETTER_HEADERS or given["reason"] not in reasons:
        raise BadRecordError(
            "dead_letter", "its headers do not say what was refused, where and why"
        )
    if _SEALED_RECORD.fullmatch(value or b"") is None:
        raise BadRecordError("dead_letter", "its value is not sealed")
    others = [(name, text) for name, text in headers if name not in ("citizen", "mac")]
    check_headers(others, frozenset(_DEAD_LETTER_HEADERS), cprs)
    return DeadLetter(
        given["reason"],
        given["stage"],
        given["topic"],
        int(given["partition"]),
        int(given["offset"]),
    )
