"""The edge: bytes from upstream become a report in the domain's types, or a rejection.

Source: contract section 2. The usual line takes the fast path: decoded, held against its shape,
checked against the rules. Only a line that fails, or that the fast path cannot prove to be right,
is looked at again, slowly, to name the reason that comes first in the contract's order.

    too_large, not_json, wrong_type (a key twice)     the bytes
    unsupported_schema .. unknown_field, wrong_type   the shape, one pydantic type per kind of report
    bad_cpr .. bad_amount                             the content, against the rule set

A rejection never holds a value from the record: a field's name is given only
when it cannot be a CPR in disguise.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from functools import lru_cache, partial
from typing import Annotated, Any, Final, Literal, NamedTuple, get_args, get_type_hints

import orjson
from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    PlainValidator,
    TypeAdapter,
    ValidateAs,
    ValidationError,
)

from domain.basics.cache import Memo
from domain.basics.weeks import day, first_day, monday, month_number, sunday, week_of
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
    made,
)
from domain.ruledata.ruleset import Benefit, Mechanism, RuleSet
from domain.ruledata.switches import NAME as RULE_SET_NAME
from streams.wire.journal import scope_of

MAX_BYTES: Final = 64 * 1024
MAX_DEPTH: Final = 100
MAX_AMOUNT_ORE: Final = 10**9
MAX_PERIOD_DAYS: Final = 366
FIRST_DAY: Final = day("2014-01-01")
LAST_DAY: Final = day("2099-12-31")
MAX_INTEGER: Final = 2**63 - 1
FIRST_RUN_MONTH: Final = month_number("2020-01")

Reason = Literal[
    "too_large",
    "not_json",
    "unsupported_schema",
    "unknown_type",
    "missing_field",
    "unknown_field",
    "wrong_type",
    "bad_cpr",
    "bad_period",
    "not_reportable",
    "unknown_benefit",
    "not_valid_in_period",
    "unknown_municipality",
    "bad_amount",
    "conflicting_duplicate",
    "internal_error",
]
"""Why a record is rejected, in the order of the checks."""

Channel = Literal["eindkomst", "dfdg", "direct"]
IncomeKind = Literal["wage", "flex_job_wage", "self_employed"]
Fact = Literal[
    "flex_referral",
    "flex_job_start",
    "flex_rereferral",
    "flex_left",
    "disability_pension_award",
    "death",
]

REASONS: Final[tuple[Reason, ...]] = get_args(Reason)


class Rejection(NamedTuple):
    """A record that is refused: why, which field (or None), and a sentence on what to do."""

    reason: Reason
    field: str | None
    detail: str


class Accepted(NamedTuple):
    """A valid report and the CPR it is about."""

    report: Report
    cpr: str


class AcceptedOpening(NamedTuple):
    """A valid opening row and the CPR it is about."""

    report: Opening
    cpr: str


Outcome = Accepted | AcceptedOpening | ControlRecord | Rejection

TOO_LARGE: Final = Rejection(
    "too_large", None, "the record is over 64 KiB; send one report a record"
)
NOT_JSON: Final = Rejection(
    "not_json",
    None,
    "the record is not one JSON object in UTF-8 (no byte order mark, no NaN, at most 100 levels); correct the encoder",
)
CONFLICTING_DUPLICATE: Final = Rejection(
    "conflicting_duplicate",
    "report_id",
    "a report with this reporter and report_id and other content came before and stands; send it under a new report_id",
)
CONFLICTING_OPENING: Final = Rejection(
    "conflicting_duplicate",
    None,
    "the cell has an opening row with other figures that came before and stands; what is due is settled from the"
    " reports, so correct them where they are wrong",
)
INTERNAL_ERROR: Final = Rejection(
    "internal_error",
    None,
    "this program failed, not the record, which is kept; run `refusion dead-letters retry` after the repair",
)

REFUSED: Final[Mapping[str, Rejection]] = {
    "conflicting_duplicate": CONFLICTING_DUPLICATE,
    "conflicting_opening": CONFLICTING_OPENING,
    "internal_error": INTERNAL_ERROR,
}
"""What is said of a record that is refused when it is settled, by `streams.citizens.settler.Outcome.refused`."""

# --- forms: what a single field must look like ---------------------------------------------

_TIME_OF_DAY = r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?(?:Z|\+00:00)"
_READ_TIME_OF_DAY = re.compile(_TIME_OF_DAY)


def _time(text: str) -> str:
    """A time as it came; ValueError where it is not RFC 3339 in UTC or does not exist."""
    _day_of_time(text)
    return text


def _day_of_time(text: str) -> int:
    """The day of an RFC 3339 time in UTC; ValueError where there is no such time."""
    if not _READ_TIME_OF_DAY.fullmatch(
        text, 10
    ):  # a cache of these would hold fractions of any length
        raise ValueError("not a time in UTC")
    return day(text[:10])


_DAYS = Memo(day, 1 << 14)


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("not printable")
    return text


Integer = Annotated[int, Field(ge=-MAX_INTEGER - 1, le=MAX_INTEGER)]
Day = Annotated[int, ValidateAs(str, day)]
Time = Annotated[str, AfterValidator(_time)]
DayOfTime = Annotated[int, ValidateAs(str, _day_of_time)]
Month = Annotated[int, ValidateAs(str, month_number)]
ReportId = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_printable)]
Reporter = Annotated[str, Field(pattern="^[0-9]{8}$")]
ControlId = Annotated[str, Field(pattern="^[A-Za-z0-9._-]{1,64}$")]
Schema = Annotated[int, Field(ge=1, le=1)]  # Literal[1] would take 1.0 and true

_AS_TEXT: Final[Mapping[object, object]] = {
    Day: str,
    DayOfTime: Annotated[str, Field(pattern=f"^.{{10}}{_TIME_OF_DAY}$")],
    ReportId: Annotated[str, Field(min_length=1, max_length=100)],
}
"""Forms without their part in Python, which costs the more where pydantic calls it. `_quick_payment` does the rest."""

# --- shapes: one type of record on the wire, its fields first in the order of the domain's type ---


class PaymentLine(NamedTuple):
    """`benefit_payment` on the wire; up to `reported_at` as `domain.citizen.reports.Payment`."""

    reporter: Reporter
    report_id: ReportId
    benefit: str
    period_start: Day
    period_end: Day
    amount_ore: Integer
    atp_ore: Annotated[Integer, Field(default=0)]
    paying_municipality: Annotated[str | None, Field(default=None)]
    financing_municipality: Annotated[str | None, Field(default=None)]
    channel: Channel
    outside_act: Annotated[bool, Field(default=False)]
    reported_at: DayOfTime
    cpr: str
    schema: Schema
    type: Literal["benefit_payment"]


class IncomeLine(NamedTuple):
    """`income` on the wire; up to `reported_at` as `domain.citizen.reports.Income`."""

    reporter: Reporter
    report_id: ReportId
    kind: IncomeKind
    period_start: Day
    period_end: Day
    amount_ore: Integer
    pension_ore: Integer
    reported_at: DayOfTime
    cpr: str
    schema: Schema
    type: Literal["income"]


class CaseFactLine(NamedTuple):
    """`case_fact` on the wire; up to `reported_at` as `domain.citizen.reports.CaseFact`."""

    reporter: Reporter
    report_id: ReportId
    fact: Fact
    date: Day
    reported_at: DayOfTime
    cpr: str
    schema: Schema
    type: Literal["case_fact"]


class ReversalLine(NamedTuple):
    """`reversal` on the wire; up to `reported_at` as `domain.citizen.reports.Reversal`."""

    reporter: Reporter
    report_id: ReportId
    reverses: ReportId
    reported_at: DayOfTime
    cpr: str
    schema: Schema
    type: Literal["reversal"]


class OpeningLine(NamedTuple):
    """The control record `opening` in the input of `refusion settle` and of `refusion opening load`."""

    month: Month
    week: Day
    benefit: str
    paying: Annotated[str | None, Field(default=None)]
    financing: Annotated[str | None, Field(default=None)]
    amount_ore: Integer
    atp_ore: Annotated[Integer, Field(default=0)]
    mechanism: Mechanism
    rate: Annotated[int, Field(ge=0, le=100)]
    refusion_ore: Annotated[Integer, Field(default=0)]
    medfinansiering_ore: Annotated[Integer, Field(default=0)]
    reported_at: DayOfTime
    cpr: str
    schema: Schema
    type: Literal["opening"]


# The control records in the input of `refusion settle`, first as in `domain.citizen.reports`.


class RunLine(NamedTuple):
    """The control record `run`: `RunMarker`."""

    run: Integer
    closed_at: Time
    data_month: Month
    schema: Schema
    type: Literal["run"]


class RulesLine(NamedTuple):
    """The control record `rules`: `RulesRecord`."""

    id: ControlId
    rules: Annotated[str, Field(pattern=f"^{RULE_SET_NAME}$")]
    digest: Annotated[str, Field(default="", pattern="^[0-9a-f]*$")]
    written_at: Time
    schema: Schema
    type: Literal["rules"]


class RecalculateLine(NamedTuple):
    """The control record `recalculate`: `Recalculation`."""

    id: ControlId
    scope: Annotated[Scope, PlainValidator(scope_of)]
    written_at: Time
    schema: Schema
    type: Literal["recalculate"]


FORMS: Final[Mapping[str, str]] = {
    "schema": "1",
    "type": "benefit_payment, income, case_fact or reversal",
    "report_id": "a string of 1-100 printable characters",
    "reporter": "a string of eight digits (CVR or SE)",
    "reported_at": "a time in UTC that exists, like 2024-03-01T10:00:00Z",
    "cpr": "the CPR number, as a string of ten digits",
    "benefit": "a code of the catalogue, as a string",
    "kind": "one of " + ", ".join(get_args(IncomeKind)),
    "fact": "one of " + ", ".join(get_args(Fact)),
    "date": "a date YYYY-MM-DD that exists",
    "reverses": "a string of 1-100 printable characters",
    "period_start": "a date YYYY-MM-DD that exists",
    "period_end": "a date YYYY-MM-DD that exists",
    "amount_ore": "a JSON integer of at most 64 bits",
    "atp_ore": "a JSON integer of at most 64 bits",
    "pension_ore": "a JSON integer of at most 64 bits",
    "paying_municipality": "the three digits of a municipality, as a string",
    "financing_municipality": "the three digits of a municipality, as a string",
    "channel": "one of " + ", ".join(get_args(Channel)),
    "outside_act": "true or false",
    "month": "a month YYYY-MM",
    "week": "the Monday YYYY-MM-DD of a week that has days in the month",
    "paying": "the three digits of a municipality, as a string",
    "financing": "the three digits of a municipality, as a string",
    "mechanism": "refusion or medfinansiering",
    "rate": "a whole percentage from 0 to 100",
    "refusion_ore": "a JSON integer of at most 64 bits",
    "medfinansiering_ore": "a JSON integer of at most 64 bits",
    "run": "the number of months from 2020-01 to data_month, plus 1",
    "closed_at": "a time in UTC that exists, like 2024-03-01T10:00:00Z",
    "data_month": "a month YYYY-MM",
    "id": "1-64 letters, digits, dots, dashes and underscores",
    "rules": "the name of a rule set",
    "digest": "the digest of the rule set's content, in hexadecimal, or leave it out",
    "scope": 'all, {"municipality": its three digits} or {"citizen": 32 hexadecimal digits}',
    "written_at": "a time in UTC that exists, like 2024-03-01T10:00:00Z",
}
"""What to send in each field; the fields in the contract's order, which decides between findings of one reason."""

_FIELD_ORDER = {name: position for position, name in enumerate(FORMS)}


def _missing(field: str) -> Rejection:
    return Rejection("missing_field", field, f"{field} is missing; send {FORMS[field]}")


def _wrong_type(field: str) -> Rejection:
    return Rejection(
        "wrong_type", field, f"{field} has the wrong type or form; send {FORMS[field]}"
    )


def _unknown_field(name: str) -> Rejection:
    detail = "the field is not one of this type of report; check its spelling or leave it out"
    return Rejection("unknown_field", _shown(name), detail)


def _doubled_key(name: str) -> Rejection:
    return Rejection(
        "wrong_type", _shown(name), "the same key stands twice in one object; send it once"
    )


def _shown(name: str) -> str | None:
    """A name from the record when it is safe to repeat it: a short word that cannot hold a CPR."""
    digits = sum(map(str.isdigit, name))
    return name if len(name) <= 64 and digits < 6 and re.fullmatch(r"[\w.\- ]+", name) else None


def _findings(error: ValidationError) -> Iterable[Rejection]:
    """What pydantic found wrong with the shape of a record, one rejection a field."""
    for found in error.errors(include_url=False, include_context=False, include_input=False):
        field = str(found["loc"][0])
        match found["type"]:
            case "missing":
                yield _missing(field)
            case "extra_forbidden":
                yield _unknown_field(field)
            case _:
                yield _wrong_type(field)


def _rank(rejection: Rejection) -> tuple[int, int]:
    return REASONS.index(rejection.reason), _FIELD_ORDER.get(
        rejection.field or "", len(_FIELD_ORDER)
    )


# --- the bytes, slowly ----------------------------------------------------------------------

_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]')
_ESCAPE = re.compile(r"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(?P<lone>u[dD][89a-fA-F]..)|.)")


def _decode(line: bytes) -> dict[str, Any] | Rejection:
    """The JSON object of a line; NOT_JSON, or a key that stands twice."""
    doubled: list[str] = []
    try:
        text = line.decode()
        record = json.loads(
            text,
            object_pairs_hook=partial(_object, doubled),
            parse_int=_integer,
            parse_constant=_no_constant,
        )
    except (ValueError, RecursionError):
        return NOT_JSON
    if not isinstance(record, dict) or _depth(text) > MAX_DEPTH or _has_lone_surrogate(text):
        return NOT_JSON
    return _doubled_key(doubled[0]) if doubled else record


def _object(doubled: list[str], pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """One object of the record; a key that it has twice is added to `doubled`."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            doubled.append(name)
        found[name] = value
    return found


def _integer(digits: str) -> int:
    """A JSON integer; one that cannot fit 64 bits is not read in full (Python refuses over 4,300 digits)."""
    return int(digits) if len(digits) <= 20 else MAX_INTEGER + 1


def _no_constant(_name: str) -> None:
    raise ValueError("NaN and Infinity are not JSON")


def _depth(text: str) -> int:
    """How deep objects and lists nest in a JSON text."""
    deepest = depth = 0
    for token in _STRING_OR_BRACKET.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token[0], 0)
        deepest = max(deepest, depth)
    return deepest


def _has_lone_surrogate(text: str) -> bool:
    """Whether a JSON text escapes half a character: it cannot be written in UTF-8."""
    return any(escape["lone"] for escape in _ESCAPE.finditer(text))


def _has_each_key_once(line: bytes, record: dict[str, Any]) -> bool:
    """Whether a line that orjson has decoded is proved to have no key twice, which orjson does not tell.

    Without escapes every colon of the line stands behind a key, also one whose value is lost, or in
    a text. A shape that fits has no objects inside; what is not proved here may be right all the
    same.
    """
    in_texts = sum(value.count(":") for value in record.values() if isinstance(value, str))
    return b"\\" not in line and line.count(b":") == len(record) + in_texts


COLONS_OF_A_TIME: Final = 2
"""In `reported_at`, whose form the shape holds: in most lines there are no more."""

# --- the content ----------------------------------------------------------------------------


@lru_cache(maxsize=1 << 17)
def _is_birthday(digits: str, demo: bool) -> bool:
    """Whether DDMMYY and the seventh digit of a CPR are a date; with `demo` also with 60 added to the day.

    The seventh digit decides the century (CPR-kontoret, "Personnummeret i CPR"):
    0-3 19xx; 4 and 9 20xx up to 36, else 19xx; 5-8 20xx up to 57, else 18xx.
    """
    day_of_month, month, year, seventh = (
        int(digits[:2]),
        int(digits[2:4]),
        int(digits[4:6]),
        int(digits[6]),
    )
    if seventh <= 3:
        century = 1900
    elif seventh in {4, 9}:
        century = 2000 if year <= 36 else 1900
    else:
        century = 2000 if year <= 57 else 1800
    if demo and day_of_month > 60:
        day_of_month -= 60
    try:
        date(century + year, month, day_of_month)
    except ValueError:
        return False
    return True


def is_cpr(text: str, demo: bool) -> bool:
    """Ten ASCII digits with a possible date; with `demo` also fictive numbers. No modulus 11."""
    return len(text) == 10 and text.isascii() and text.isdigit() and _is_birthday(text[:7], demo)


def _refuse_period(start: int, end: int) -> Rejection | None:
    if start < FIRST_DAY:
        return _BEFORE_2014
    if end < start:
        return _ENDS_BEFORE_START
    if end - start >= MAX_PERIOD_DAYS:
        return _TOO_LONG
    return _AFTER_2099 if end > LAST_DAY else None


def _refuse_amounts(amount_ore: int, other_field: str, other_ore: int) -> Rejection | None:
    if not -MAX_AMOUNT_ORE <= amount_ore <= MAX_AMOUNT_ORE:
        return _too_much("amount_ore")
    return None if -MAX_AMOUNT_ORE <= other_ore <= MAX_AMOUNT_ORE else _too_much(other_field)


def _too_much(field: str) -> Rejection:
    return Rejection(
        "bad_amount", field, f"{field} is over 10^9 øre; check that its unit is øre and correct it"
    )


def _unknown_municipality(field: str) -> Rejection:
    return Rejection(
        "unknown_municipality", field, f"{field} is not one of the 98 codes; use a code in force"
    )


_BEFORE_2014 = Rejection(
    "bad_period",
    "period_start",
    "the period starts before 2014-01-01, which is not settled here; leave it out",
)
_ENDS_BEFORE_START = Rejection(
    "bad_period", "period_end", "the period ends before it starts; correct the date that is wrong"
)
_TOO_LONG = Rejection(
    "bad_period", "period_end", "the period is longer than 366 days; report it in parts"
)
_AFTER_2099 = Rejection(
    "bad_period", "period_end", "the period ends after 2099-12-31; correct the date"
)
_UNSUPPORTED_SCHEMA = Rejection(
    "unsupported_schema", "schema", "schema is not 1, the only version; send schema 1"
)
_BAD_CPR = Rejection(
    "bad_cpr",
    "cpr",
    "cpr is not ten digits that begin with a possible date; send the CPR number of the person",
)
_NOT_REPORTABLE = Rejection(
    "not_reportable", "benefit", "this benefit is computed here and never reported; leave it out"
)
_UNKNOWN_BENEFIT = Rejection(
    "unknown_benefit",
    "benefit",
    "the benefit is not a code of the catalogue; use the code of the benefit that was paid",
)
_NOT_VALID = Rejection(
    "not_valid_in_period",
    "benefit",
    "the benefit exists on no day of the period; check the code and the dates",
)
_BEFORE_RATES = Rejection(
    "bad_period",
    "month",
    "the month is before the rates of the Act, and is not settled by it; leave it out",
)
_NOT_FINANCED = Rejection(
    "unknown_benefit",
    "benefit",
    "the benefit is neither refunded nor co-financed, so that no row can stand for it",
)
_TWO_MECHANISMS = Rejection(
    "bad_amount",
    "mechanism",
    "the row has money of the other mechanism; give each mechanism a row of its own",
)
_NO_MONEY = Rejection(
    "bad_amount", "amount_ore", "the row has no money, so that nothing stands; leave it out"
)
_NOT_A_PART = Rejection(
    "bad_amount",
    "amount_ore",
    "the result is more than the amount, or has another sign; give what was settled",
)
_OTHER_SIGN = Rejection(
    "bad_amount", "atp_ore", "atp_ore and amount_ore have different signs; give both the same"
)


class _Entry(NamedTuple):
    """What validation needs to know about one benefit; days are inclusive."""

    mechanism: Mechanism | None
    reportable: bool
    first: int
    last: int


def _entry(benefit: Benefit) -> _Entry:
    last = benefit.valid_to or date.max
    return _Entry(
        benefit.mechanism, benefit.reportable, benefit.valid_from.toordinal(), last.toordinal()
    )


def _lacks_municipality(mechanism: Mechanism | None, paying: object, financing: object) -> bool:
    """Refusion needs one of the two, medfinansiering the one that finances."""
    return financing is None and (
        mechanism == "medfinansiering" or (mechanism == "refusion" and paying is None)
    )


def _refuse_benefit(entry: _Entry | None, start: int, end: int) -> Rejection | None:
    if entry is None:
        return _UNKNOWN_BENEFIT
    if not entry.reportable:
        return _NOT_REPORTABLE
    return _NOT_VALID if start > entry.last or end < entry.first else None


_Place = tuple[Rejection | None, Rejection | None, str | None, str | None]
"""Why a payment's place is refused before and after its CPR is looked at; its paying and financing municipality."""

CACHED_PLACES: Final = 1 << 15
"""About 10 MB; the payments of a month lie in few."""


class _Kind(NamedTuple):
    """How one type of record is read: its shape, then the checks of its content."""

    read: Callable[[object], Any]
    check: Callable[[Any], Outcome]


def _reader(shape: type) -> Callable[[object], Any]:
    """Reads a decoded record into a shape; ValidationError where it does not fit."""
    return TypeAdapter(shape, config=ConfigDict(strict=True)).validator.validate_python


def _as_text(shape: type) -> type:
    """A shape with the forms of `_AS_TEXT`."""
    forms = get_type_hints(shape, include_extras=True).items()
    fields = [(name, _AS_TEXT.get(form, form)) for name, form in forms]
    texts: type = NamedTuple(shape.__name__, fields)  # type: ignore[misc]
    return texts


class Validator:
    """Turns records into reports or rejections, by one rule set.

    `demo` accepts fictive CPR numbers, `markers` the control records.
    """

    def __init__(self, rules: RuleSet, demo: bool, markers: bool = False) -> None:
        self._demo = demo
        self._benefits = {code: _entry(benefit) for code, benefit in rules.benefits.items()}
        self._municipalities = frozenset(rules.municipalities)
        self._places = frozenset((*rules.municipalities, None))
        self._known_places = Memo(self._place, CACHED_PLACES)
        self._kinds = {
            "benefit_payment": _Kind(_reader(PaymentLine), self._payment),
            "income": _Kind(_reader(IncomeLine), self._income),
            "case_fact": _Kind(_reader(CaseFactLine), self._case_fact),
            "reversal": _Kind(_reader(ReversalLine), self._reversal),
        }
        self._read_as_text = _reader(_as_text(PaymentLine))
        self._rates_from_month = month_number(rules.dates.rates_from_month)
        self._turn_week = rules.dates.turn_of_year_week.toordinal()
        if markers:
            self._kinds["run"] = _Kind(_reader(RunLine), _run_marker)
            self._kinds["rules"] = _Kind(_reader(RulesLine), _rules_record)
            self._kinds["recalculate"] = _Kind(_reader(RecalculateLine), self._recalculation)
            self._kinds["opening"] = _Kind(_reader(OpeningLine), self._opening)

    def parse(self, line: bytes) -> Outcome:
        """The report (or control record) of one record, or why it is rejected. Never raises.

        `line` is the record without its line end, whatever bytes it has.
        """
        if len(line) > MAX_BYTES:
            return TOO_LARGE
        try:
            record = orjson.loads(line)
            is_usual = line.count(b":") == len(record) + COLONS_OF_A_TIME and b"\\" not in line
            if not is_usual and not _has_each_key_once(line, record):
                return self._diagnose(line)
            if record["type"] == "benefit_payment":  # nearly all
                return self._quick_payment(record)
            kind = self._kinds[record["type"]]
            return kind.check(kind.read(record))
        except (
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
        ):  # not JSON or not the shape; no type; not an object
            return self._diagnose(line)

    def _quick_payment(self, record: object) -> Outcome:
        """As `_Kind` reads it, at less cost. ValueError where it is not a payment."""
        (
            reporter, report_id, benefit, start, end, amount_ore, atp_ore, paying, financing, channel, outside,
            reported, cpr, _, _,
        ) = self._read_as_text(record)  # fmt: skip
        if not report_id.isprintable():
            raise ValueError("not printable")
        return self._checked_payment(
            reporter, report_id, benefit, _DAYS[start], _DAYS[end], amount_ore, atp_ore, paying, financing, channel,
            outside, _DAYS[reported[:10]], cpr,
        )  # fmt: skip

    def _diagnose(self, line: bytes) -> Outcome:
        """The first reason, in the contract's order, that a record does not fit.

        It has a decoder of its own: an object with a key twice, or a number of any length, is
        still JSON, and the record may be no JSON further on.
        """
        record = _decode(line)
        if isinstance(record, Rejection):
            return record
        head = self._refuse_head(record)
        if head:
            return head
        kind = self._kinds[record["type"]]
        try:
            fields = kind.read(record)
        except ValidationError as error:
            return min([*_findings(error), *self._missing_municipality(record)], key=_rank)
        return kind.check(fields)

    def _refuse_head(self, record: dict[str, Any]) -> Rejection | None:
        """`schema` and `type` decide how to read the rest, so they come before any other field."""
        schema, kind = record.get("schema", 1), record.get("type")
        if type(schema) is not int or schema != 1:
            return _UNSUPPORTED_SCHEMA
        if "type" in record and not (isinstance(kind, str) and kind in self._kinds):
            return Rejection(
                "unknown_type", "type", f"type is none of {', '.join(self._kinds)}; correct it"
            )
        for name in ("schema", "type"):
            if name not in record:
                return _missing(name)
        return None

    def _missing_municipality(self, record: dict[str, Any]) -> Iterable[Rejection]:
        """The municipality that the benefit's mechanism requires, in a record of the wrong shape."""
        benefit = record.get("benefit")
        entry = self._benefits.get(benefit) if isinstance(benefit, str) else None
        given = record.get("paying_municipality"), record.get("financing_municipality")
        if (
            record["type"] == "benefit_payment"
            and entry
            and _lacks_municipality(entry.mechanism, *given)
        ):
            yield _missing("financing_municipality")

    def _payment(self, fields: PaymentLine) -> Accepted | Rejection:
        return self._checked_payment(*fields[: len(Payment._fields) + 1])  # type: ignore[arg-type]  # a slice has one

    def _checked_payment(
        self,
        reporter: str,
        report_id: str,
        benefit: str,
        start: int,
        end: int,
        amount_ore: int,
        atp_ore: int,
        paying: str | None,
        financing: str | None,
        channel: str,
        outside: bool,
        reported: int,
        cpr: str,
    ) -> Accepted | Rejection:
        known = benefit in self._benefits and paying in self._places and financing in self._places
        place = benefit, start, end, paying, financing
        # what is refused may be long, and is not worth keeping
        missing, refused, paying, financing = (
            self._known_places[place] if known else self._place(place)
        )
        refused = (
            missing
            or (None if is_cpr(cpr, self._demo) else _BAD_CPR)
            or refused
            or _refuse_amounts(amount_ore, "atp_ore", atp_ore)
            or (_OTHER_SIGN if atp_ore and amount_ore * atp_ore < 0 else None)
        )
        if refused:
            return refused
        payment = (
            reporter, report_id, benefit, start, end, amount_ore, atp_ore, paying, financing, channel, outside,
            reported,
        )  # fmt: skip
        return made(Accepted, (made(Payment, payment), cpr))

    def _place(self, place: tuple[str, int, int, str | None, str | None]) -> _Place:
        """What the checks say of a payment's benefit, period and municipalities, and the municipalities it gets."""
        benefit, start, end, paying, financing = place
        entry = self._benefits.get(benefit)
        missing = (
            _missing("financing_municipality")
            if entry and _lacks_municipality(entry.mechanism, paying, financing)
            else None
        )
        refused = (
            _refuse_period(start, end)
            or _refuse_benefit(entry, start, end)
            or self._refuse_municipalities(paying, financing)
        )
        if entry and entry.mechanism == "refusion":
            paying, financing = paying or financing, financing or paying
        return missing, refused, paying, financing

    def _refuse_municipalities(
        self,
        paying: str | None,
        financing: str | None,
        paying_field: str = "paying_municipality",
        financing_field: str = "financing_municipality",
    ) -> Rejection | None:
        if paying is not None and paying not in self._municipalities:
            return _unknown_municipality(paying_field)
        if financing is not None and financing not in self._municipalities:
            return _unknown_municipality(financing_field)
        return None

    def _income(self, fields: IncomeLine) -> Accepted | Rejection:
        report = Income._make(fields[: len(Income._fields)])
        refused = (
            (None if is_cpr(fields.cpr, self._demo) else _BAD_CPR)
            or _refuse_period(report.start, report.end)
            or _refuse_amounts(report.amount_ore, "pension_ore", report.pension_ore)
        )
        return refused or Accepted(report, fields.cpr)

    def _case_fact(self, fields: CaseFactLine) -> Accepted | Rejection:
        report = CaseFact._make(fields[: len(CaseFact._fields)])
        return Accepted(report, fields.cpr) if is_cpr(fields.cpr, self._demo) else _BAD_CPR

    def _recalculation(self, fields: RecalculateLine) -> Recalculation | Rejection:
        if fields.scope.municipality and fields.scope.municipality not in self._municipalities:
            return _wrong_type("scope")
        return Recalculation(fields.id, fields.scope)

    def _reversal(self, fields: ReversalLine) -> Accepted | Rejection:
        report = Reversal._make(fields[: len(Reversal._fields)])
        return Accepted(report, fields.cpr) if is_cpr(fields.cpr, self._demo) else _BAD_CPR

    def _opening(self, fields: OpeningLine) -> AcceptedOpening | Rejection:
        (
            month, monday_of, benefit, paying, financing, amount_ore, atp_ore, mechanism, rate, refusion_ore,
            medfinansiering_ore, reported, cpr, _, _,
        ) = fields  # fmt: skip
        if mechanism == "refusion":
            paying, financing = paying or financing, financing or paying
        results = (
            (refusion_ore, medfinansiering_ore)
            if mechanism == "refusion"
            else (medfinansiering_ore, refusion_ore)
        )
        refused = (
            (_missing("financing") if financing is None else None)
            or (None if is_cpr(cpr, self._demo) else _BAD_CPR)
            or self._refuse_cell(month, monday_of)
            or self._refuse_opening_benefit(benefit)
            or self._refuse_municipalities(paying, financing, "paying", "financing")
            or _refuse_opening_money(amount_ore, atp_ore, *results)
        )
        if refused:
            return refused
        where = month, week_of(monday_of), benefit, paying, financing
        return AcceptedOpening(
            Opening(*where, amount_ore, atp_ore, mechanism, rate, results[0], reported), cpr
        )

    def _refuse_cell(self, month: int, monday_of: int) -> Rejection | None:
        week = week_of(monday_of)
        if (
            monday_of != monday(week)
            or sunday(week) < first_day(month)
            or monday_of >= first_day(month + 1)
        ):
            return _wrong_type("week")
        return (
            _BEFORE_RATES
            if month < self._rates_from_month and monday_of != self._turn_week
            else None
        )

    def _refuse_opening_benefit(self, code: str) -> Rejection | None:
        entry = self._benefits.get(code)
        return (
            _UNKNOWN_BENEFIT
            if entry is None
            else _NOT_FINANCED
            if entry.mechanism is None
            else None
        )


def _refuse_opening_money(
    amount_ore: int, atp_ore: int, result_ore: int, other_ore: int
) -> Rejection | None:
    """A row's money: its result is a part of its amount, and the other mechanism has none.

    A cell may hold more than one report may.
    """
    if other_ore:
        return _TWO_MECHANISMS
    if not (amount_ore or atp_ore or result_ore):
        return _NO_MONEY
    is_part = abs(result_ore) <= abs(amount_ore) and amount_ore * result_ore >= 0
    return None if is_part else _NOT_A_PART


def _run_marker(fields: RunLine) -> RunMarker | Rejection:
    if fields.run != fields.data_month - FIRST_RUN_MONTH + 1:
        return _wrong_type("run")
    return RunMarker(fields.run, fields.closed_at, fields.data_month)


def _rules_record(fields: RulesLine) -> RulesRecord:
    return RulesRecord(fields.id, fields.rules, fields.digest)
