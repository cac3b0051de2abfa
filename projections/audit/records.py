"""What the audit looks for in a single record: its format, and CPR numbers where none may be.

What a record may hold is checked so narrowly that a CPR number can hide only in a text that
somebody else wrote, the report's id; there, and in every record that is not as it should be, it is
looked for.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple

import orjson

from domain.basics.weeks import day
from domain.ruledata.ruleset import RuleSet

Code = Literal[
    "format",
    "key",
    "partition",
    "header",
    "cpr",
    "revision",
    "id",
    "link",
    "figures",
    "cause",
    "order",
    "reason",
    "not_reflected",
    "sum",
    "marker",
    "control",
    "beginning",
    "raw",
    "dead_letter",
    "truth",
    "counters",
    "fold",
    "files",
]
"""What can be wrong; docs/operations.md says what to do about each."""

Headers = Sequence[tuple[str, bytes]]

KEPT: Final = 20
"""Violations of one kind that are named for each partition; the others are counted."""

MISSHAPEN: Final = "a field is missing or is not what it must be"
_UNREADABLE: Final = (KeyError, TypeError, ValueError, AttributeError)
"""What comes of reading a record that is not as it must be, checks aside."""


class Violation(NamedTuple):
    """One thing that must not be, and where it is. `text` holds no value that could be a CPR number."""

    code: Code
    topic: str
    partition: int
    offset: int
    text: str

    def sentence(self) -> str:
        """For people."""
        return f"{self.code}: {self.topic}/{self.partition}/{self.offset}: {self.text}"


class BadRecordError(Exception):
    """A record is not as it must be: a code and a sentence."""

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code: Code = code
        self.text = text


def as_bad(error: Exception) -> BadRecordError:
    """What an error met in reading a record says of it; any other error is a defect of ours and raised again."""
    if isinstance(error, BadRecordError):
        return error
    if isinstance(error, _UNREADABLE):
        return BadRecordError("format", MISSHAPEN)
    raise error


@dataclass
class Found:
    """Violations: the first `KEPT` of each kind, and how many there are; what is only worth a remark is counted."""

    named: list[Violation] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)

    def add(self, violation: Violation) -> None:
        """Count a violation, and name it if it is among the first of its kind."""
        self.counts[violation.code] += 1
        if self.counts[violation.code] <= KEPT:
            self.named.append(violation)

    def add_record(
        self,
        place: tuple[str, int, int],
        bad: BadRecordError,
        key: bytes | None,
        value: bytes | None,
        headers: Headers,
    ) -> None:
        """A record that is not as it must be may hold anything, a CPR number too. `place` is where it stands."""
        self.add(Violation(bad.code, *place, bad.text))
        texts = (
            key or b"",
            value or b"",
            *(name.encode() + b" " + (text or b"") for name, text in headers),
        )
        if bad.code != "cpr" and any(any(cpr_candidates(text)) for text in texts):
            self.add(Violation("cpr", *place, "the record holds what looks like a CPR number"))

    def merge(self, other: "Found") -> None:
        """Take over what another part of the audit has found."""
        self.named += other.named
        self.counts += other.counts
        self.notes += other.notes


# --- CPR numbers
# ------------------------------------------------------------------------------------

_SHAPED: Final = re.compile(
    rb'k[0-9a-f]{8}\.[\w-]+|(?<![0-9a-f])[0-9a-f]{24,}|"\w*_ore"\s*:\s*-?\d+'
)
"""What is never a CPR number, however its digits fall: seals, digests and amounts."""
_TEN_DIGITS: Final = re.compile(rb"(?<![0-9])([0-9]{6})[- ]?([0-9]{4})(?![0-9])")
_MONTH_DAYS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_FICTIVE_DAY: Final = 60


_DIGITS: Final = bytes(ord("0") if byte in b"123456789" else byte for byte in range(256))
_TEN_ZEROS: Final = (b"0000000000", b"000000-0000", b"000000 0000")


def _has_ten_digits(text: bytes) -> bool:
    """Whether a CPR number could be there at all: ten times as fast as the search for it."""
    alike = text.translate(_DIGITS)
    return any(zeros in alike for zeros in _TEN_ZEROS)


def cpr_candidates(text: bytes) -> Iterator[str]:
    """Ten digits that begin with a possible date, those of a seal, a digest or an amount aside."""
    if not _has_ten_digits(text):
        return
    for found in _TEN_DIGITS.finditer(_SHAPED.sub(b" ", text)):
        digits = (found[1] + found[2]).decode()
        day_of_month, month = int(digits[:2]), int(digits[2:4])
        if day_of_month > _FICTIVE_DAY:
            day_of_month -= _FICTIVE_DAY
        if 1 <= month <= len(_MONTH_DAYS) and 1 <= day_of_month <= _MONTH_DAYS[month - 1]:
            yield digits


# --- records
# ----------------------------------------------------------------------------------------

_RAW: Final = re.compile(rb"([A-Za-z0-9._-]+)/([0-9]+)/([0-9]+)")
_CITIZEN: Final = re.compile(rb"[0-9a-f]{32}")
_SEALED: Final = re.compile(r"k[0-9a-f]{8}\.[A-Za-z0-9_-]{35}")
_SEALED_RECORD: Final = re.compile(rb"k[0-9a-f]{8}\.[A-Za-z0-9_-]+")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)")
_REPORTER: Final = re.compile(r"[0-9]{8}")
_ID_LENGTH: Final = 100

_COMMON: Final = {"schema", "type", "report_id", "reporter", "reported_at", "cpr_sealed"}
_MONEY: Final = {"period_start", "period_end", "amount_ore"}
_REPORT_FIELDS: Final = {
    "benefit_payment": _COMMON
    | _MONEY
    | {
        "benefit",
        "atp_ore",
        "paying_municipality",
        "financing_municipality",
        "channel",
        "outside_act",
    },
    "income": _COMMON | _MONEY | {"kind", "pension_ore"},
    "case_fact": _COMMON | {"fact", "date"},
    "reversal": _COMMON | {"reverses"},
}
_OPENING_FIELDS: Final = {
    *(
        "schema",
        "type",
        "reported_at",
        "cpr_sealed",
        "month",
        "week",
        "benefit",
        "paying",
        "financing",
    ),
    *("amount_ore", "atp_ore", "mechanism", "rate", "refusion_ore", "medfinansiering_ore"),
}
_CHANNELS: Final = {"eindkomst", "dfdg", "direct"}
_INCOME_KINDS: Final = {"wage", "flex_job_wage", "self_employed"}
_FACTS: Final = {
    "flex_referral", "flex_job_start", "flex_rereferral", "flex_left", "disability_pension_award", "death",
}  # fmt: skip
_NOTICE_FIELDS: Final = {"schema", "type", "code", "cause", "detail"}
_DEAD_LETTER_HEADERS: Final = {"reason", "field", "stage", "topic", "partition", "offset"}
POSTING_HEADERS: Final = frozenset(
    {"ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time", "content-type"}
)
REPORT_HEADERS: Final = POSTING_HEADERS | {"raw"}


def json_object(value: bytes | None) -> dict[str, Any]:
    """The JSON object of a value. Raises BadRecordError."""
    try:
        record = orjson.loads(value or b"")
    except ValueError:
        raise BadRecordError("format", "not JSON") from None
    if not isinstance(record, dict):
        raise BadRecordError("format", "not a JSON object")
    return record


def citizen_of(key: bytes) -> str:
    """The citizen that a key names. Raises BadRecordError."""
    if _CITIZEN.fullmatch(key) is None:
        raise BadRecordError("key", "the key is not a citizen")
    return key.decode()


def check_sealed(text: str) -> None:
    """Raises BadRecordError where a text is no sealed CPR number."""
    if _SEALED.fullmatch(text) is None:
        raise BadRecordError("format", "cpr_sealed is not a sealed CPR number")


def check_report(record: dict[str, Any], rules: RuleSet) -> None:
    """An accepted report: exactly the fields of its kind, each what it must be. Raises what `as_bad` takes."""
    kind = record["type"]
    if record.keys() != _REPORT_FIELDS.get(kind) or record["schema"] != 1:
        raise BadRecordError(
            "format", "not a report of schema 1 with exactly the fields of its kind"
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
        good = good and _is_id(record["reverses"])
    if not good:
        raise BadRecordError("format", "a field of the report is not what it must be")
    check_sealed(record["cpr_sealed"])


def check_opening(record: dict[str, Any], headers: Headers) -> str:
    """An opening row of the journal (contract section 3). Returns its name. Raises what `as_bad` takes."""
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
    check_headers(headers, POSTING_HEADERS)
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


def raw_position(record: dict[str, Any], headers: Headers) -> tuple[str, int, int]:
    """Where an accepted report came from, its headers checked. Raises BadRecordError."""
    given = dict(headers)
    raw = _RAW.fullmatch(given.get("raw", b""))
    if raw is None:
        raise BadRecordError("header", "the header `raw` does not say where the report came from")
    name = f"{record['reporter']}/{record['report_id']}"
    usual = (
        given.get("ce_id") == name.encode()
        and given.get("ce_time") == record["reported_at"].encode()
    )
    if not usual or given.get("ce_type") != f"refusion.report.{record['type']}".encode():
        raise BadRecordError("header", "the headers are not those of this report")
    check_headers(headers, REPORT_HEADERS)
    return raw[1].decode(), int(raw[2]), int(raw[3])


def check_headers(headers: Headers, usual: frozenset[str]) -> None:
    """Headers beside the usual ones are no fault, unless they hold a CPR number. Raises BadRecordError."""
    if len(headers) == len(usual) and all(name in usual for name, _ in headers):
        return
    if any(
        name not in usual and any(cpr_candidates(name.encode() + b" " + (text or b"")))
        for name, text in headers
    ):
        raise BadRecordError("cpr", "a header holds what looks like a CPR number")


def source_offset(headers: Headers, topic: str, partition: int) -> int:
    """The offset in a partition of the journal that a posting or notice follows from. Raises BadRecordError."""
    place = dict(headers).get("ce_id", b"")
    found = _RAW.fullmatch(place)
    if found is None or found[1].decode() != topic or int(found[2]) != partition:
        raise BadRecordError(
            "header", "ce_id does not name a record of the journal's same partition"
        )
    return int(found[3])


def check_notice(key: bytes | None, value: bytes | None) -> str:
    """A notice. Returns the citizen, "" for that of a reporter. Raises what `as_bad` takes."""
    notice = json_object(value)
    whose = "citizen" if "citizen" in notice else "reporter"
    if (
        notice.keys() != _NOTICE_FIELDS | {whose}
        or notice["schema"] != 1
        or notice["type"] != "notice"
    ):
        raise BadRecordError("format", "not a notice of schema 1 with exactly its fields")
    if (key or b"").decode() != notice[whose]:
        raise BadRecordError("key", f"the key is not the notice's {whose}")
    if any(
        cpr_candidates(orjson.dumps(notice["detail"] | {"other": ""}))
    ):  # whose report's id may look like one
        raise BadRecordError("cpr", "its detail holds what looks like a CPR number")
    return citizen_of(key or b"") if whose == "citizen" else ""


_STATE_KEY: Final = re.compile(rb"([0-9a-f]{32})/(.+)", re.DOTALL)
_PARTITION_KEY: Final = re.compile(rb"_partition/[0-9]+")
_NAME: Final = re.compile(rb"(?:[0-9]{8}|opening)/.+", re.DOTALL)
_HELD: Final = re.compile(
    rb'"[0-9]{8}","(?:[^"\\]|\\.)*"'  # a report's id, behind its reporter
    rb'|"[A-Z][A-Z0-9-]*":"[1-9a-f][0-9a-f]*"|"[1-9a-f][0-9a-f]*"(?=,\[)'  # the weeks of a benefit, and months
    rb"|(?<=[\[,])-?[0-9]+(?=[],])"  # an amount
)
"""What in the state may have ten digits, whatever they mean."""


def check_state(
    key: bytes | None, value: bytes | None, pseudonym: Callable[[str], str] | None
) -> None:
    """An entry of the state, which holds a citizen's CPR number only sealed. Raises BadRecordError.

    What a value is made of is the product's own affair. So ten digits are looked at alone: in a report's id, a set of
    weeks or an amount they are a CPR number where they are the citizen's own, which `pseudonym` tells, and anywhere
    else where they look like one.
    """
    key, value = key or b"", value or b""
    found = _STATE_KEY.fullmatch(key)
    if found is None:
        if _PARTITION_KEY.fullmatch(key) is None:
            raise BadRecordError("key", "the key is neither a citizen's nor the partition's own")
        if any(cpr_candidates(value)):
            raise BadRecordError("cpr", "the partition's entry holds what looks like a CPR number")
        return
    citizen, part = found[1], found[2]
    if not _has_ten_digits(value) and not _has_ten_digits(part):
        return
    digits = {
        (each[1] + each[2]).decode()
        for text in (part, value)
        for each in _TEN_DIGITS.finditer(text)
    }
    if pseudonym is not None and any(pseudonym(each) == citizen.decode() for each in digits):
        raise BadRecordError(
            "cpr", f"the state of citizen {citizen.decode()} holds their CPR number"
        )
    is_named = _NAME.fullmatch(part) is not None  # key and value are a report's id and what it says
    if not is_named and any(any(cpr_candidates(text)) for text in (part, _HELD.sub(b" ", value))):
        raise BadRecordError(
            "cpr", f"the state of citizen {citizen.decode()} holds what looks like a CPR number"
        )


class DeadLetter(NamedTuple):
    """What the headers of a dead letter say."""

    reason: str
    stage: str
    topic: str
    partition: int
    offset: int


def dead_letter(
    key: bytes | None, value: bytes | None, headers: Headers, reasons: Sequence[str]
) -> DeadLetter:
    """A dead letter, sealed and without a key. Raises what `as_bad` takes."""
    given = {name: text.decode() for name, text in headers}
    if key is not None:
        raise BadRecordError("key", "a dead letter has no key")
    if not given.keys() >= _DEAD_LETTER_HEADERS or given["reason"] not in reasons:
        raise BadRecordError(
            "dead_letter", "its headers do not say what was refused, where and why"
        )
    if _SEALED_RECORD.fullmatch(value or b"") is None:
        raise BadRecordError("dead_letter", "its value is not sealed")
    check_headers(
        [each for each in headers if each[0] != "citizen"], frozenset(_DEAD_LETTER_HEADERS)
    )
    return DeadLetter(
        given["reason"],
        given["stage"],
        given["topic"],
        int(given["partition"]),
        int(given["offset"]),
    )
