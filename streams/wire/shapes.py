"""The records on the wire: the fields of each type, and the form of each field.

A report's fields are those of its type in `domain.citizen.reports`, in that order, and then `cpr`,
`schema` and `type`. Each type of report has two shapes that are made from the same list:

    shape    a named tuple with exact forms, read by pydantic, which names what is wrong
    quick    a msgspec struct with plain forms, decoded from bytes in a third of a microsecond
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, NamedTuple, get_args, get_type_hints

import msgspec
from msgspec import UNSET, Meta, UnsetType
from pydantic import AfterValidator, Field, ValidateAs

from domain.basics.weeks import day, month_number
from domain.citizen.reports import CaseFact, Income, Payment, Report, Reversal, Scope
from streams.wire.ids import LONGEST, is_id, is_id_of_old
from streams.wire.json_edge import MAX_INTEGER

MAX_AMOUNT_ORE: Final = 10**9
MAX_PERIOD_DAYS: Final = 366
REPORTER_DIGITS: Final = 8

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

# --- the exact forms ----------------------------------------------------------------------------

DATE_LENGTH: Final = len("2024-03-01")
_SECOND: Final = r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
TIME_OF_DAY: Final = re.compile(rf"{_SECOND}(?:\.[0-9]{{1,9}})?(?:Z|\+00:00)")
"""Nine digits are nanoseconds; ten could be a CPR number, which would be kept for ever."""
TIME_OF_DAY_OF_OLD: Final = re.compile(rf"{_SECOND}(?:\.[0-9]+)?(?:Z|\+00:00)")
"""A form that some version has accepted, and that a journal may have."""


def utc_time(text: str) -> str:
    """Check an RFC 3339 time in UTC; ValueError where there is no such time."""
    if not TIME_OF_DAY.fullmatch(text, DATE_LENGTH):
        raise ValueError("not a time in UTC")
    day(text[:DATE_LENGTH])
    return text


_SCOPES: Final = {"municipality": re.compile("[0-9]{3}"), "citizen": re.compile("[0-9a-f]{32}")}
ALL: Final = "all"
"""Scope of everybody."""


def scope_of(value: object) -> Scope:
    """Read the scope of a recalculation; ValueError where the value is none.

    >>> scope_of({"municipality": "730"})
    Scope(municipality='730', citizen='')
    """
    if value == ALL:
        return Scope()
    if isinstance(value, dict) and len(value) == 1:
        ((name, text),) = value.items()
        if name in _SCOPES and isinstance(text, str) and _SCOPES[name].fullmatch(text):
            return Scope(**{name: text})
    raise ValueError("not a scope")


def _id(text: str) -> str:
    if not is_id(text):
        raise ValueError("not an id")
    return text


def _id_of_old(text: str) -> str:
    if not is_id_of_old(text):
        raise ValueError("not an id of any version")
    return text


Integer = Annotated[int, Field(ge=-MAX_INTEGER - 1, le=MAX_INTEGER)]
Day = Annotated[int, ValidateAs(str, day)]
Time = Annotated[str, AfterValidator(utc_time)]
Month = Annotated[int, ValidateAs(str, month_number)]
ReportId = Annotated[str, Field(min_length=1, max_length=LONGEST), AfterValidator(_id)]
ReversedId = Annotated[str, Field(min_length=1, max_length=LONGEST), AfterValidator(_id_of_old)]
Reporter = Annotated[str, Field(pattern=f"^[0-9]{{{REPORTER_DIGITS}}}$")]
ControlId = Annotated[str, Field(pattern="^[A-Za-z0-9._-]{1,64}$")]
KeyId = Annotated[str, Field(pattern="^[kmp][0-9a-f]{8}$")]
Schema = Annotated[int, Field(ge=1, le=1)]  # Literal[1] would take 1.0 and true
NewestSchema = Annotated[int, Field(ge=2, le=2)]
NEWEST_SCHEMA: Final = 2
KnownSchema = Annotated[int, Meta(ge=1, le=NEWEST_SCHEMA)]
OptionalGroup = Annotated[ReportId | None, Field(default=None)]
OptionalReversedId = Annotated[ReversedId | None, Field(default=None)]
OptionalText = Annotated[str | None, Field(default=None)]
OptionalInteger = Annotated[Integer, Field(default=0)]
OptionalFlag = Annotated[bool, Field(default=False)]

_Amount = Annotated[int, Meta(ge=-MAX_AMOUNT_ORE, le=MAX_AMOUNT_ORE)]
_QUICK_FORMS: Final[Mapping[object, object]] = {
    Day: str,
    Time: str,
    Integer: _Amount,
    ReportId: Annotated[str, Meta(min_length=1, max_length=LONGEST)],
    ReversedId: Annotated[str, Meta(min_length=1, max_length=LONGEST)],
    Reporter: Annotated[str, Meta(min_length=REPORTER_DIGITS, max_length=REPORTER_DIGITS)],
    Schema: Literal[1, 2],
    OptionalText: str | None | UnsetType,
    OptionalGroup: str | None | UnsetType,
    OptionalReversedId: str | None | UnsetType,
    OptionalInteger: _Amount | UnsetType,
    OptionalFlag: bool | UnsetType,
}
"""Plain forms for exact ones; other forms are the same in both shapes.

A value that fits the exact form fits the plain one, amounts over 10^9 øre aside, which are rejected
anyway. `streams.wire.validator` checks the rest.
"""

_StoredId = Annotated[
    str, Meta(min_length=1, max_length=LONGEST, pattern=r"\A[^\x00-\x1f\x7f-\x9f]+\Z")
]
_STORED_FORMS: Final[Mapping[object, object]] = {
    Day: str,
    Time: str,
    Integer: _Amount,
    ReportId: _StoredId,
    ReversedId: _StoredId,
    OptionalGroup: _StoredId,
    OptionalReversedId: _StoredId,
    Reporter: Annotated[str, Meta(pattern=rf"\A[0-9]{{{REPORTER_DIGITS}}}\Z")],
    OptionalText: str | None,
    OptionalInteger: _Amount,
    OptionalFlag: bool,
}
"""Forms of fields in the journal, where others are exact.

Every field of ours has passed validation. What anybody may have written before there were MACs must
not bring a number of a person into a cause, which reporter and id make.
"""

_OWN_FORMS: Final[Mapping[object, object]] = {
    **_STORED_FORMS,
    **dict.fromkeys((ReportId, ReversedId, OptionalGroup, OptionalReversedId, Reporter), str),
}
"""Forms of fields in a record whose MAC proves that it is ours: its texts are not searched again,
which would take more than half of the time of decoding."""

# --- reports ------------------------------------------------------------------------------------

REPORT_TYPES: Final[Mapping[str, type[Report]]] = {
    "benefit_payment": Payment,
    "income": Income,
    "case_fact": CaseFact,
    "reversal": Reversal,
}
"""The types of report on the wire and in the domain."""

WIRE_NAMES: Final[Mapping[str, str]] = {
    "start": "period_start",
    "end": "period_end",
    "paying": "paying_municipality",
    "financing": "financing_municipality",
    "reported": "reported_at",
}
"""Names on the wire of fields that the domain calls otherwise."""

_FORMS: Final[Mapping[str, Any]] = {
    "reporter": Reporter,
    "report_id": ReportId,
    "benefit": str,
    "kind": IncomeKind,
    "fact": Fact,
    "date": Day,
    "reverses": ReversedId,
    "group": OptionalGroup,
    "reverses_group": OptionalGroup,
    "period_start": Day,
    "period_end": Day,
    "amount_ore": Integer,
    "atp_ore": OptionalInteger,
    "pension_ore": Integer,
    "paying_municipality": OptionalText,
    "financing_municipality": OptionalText,
    "channel": Channel,
    "outside_act": OptionalFlag,
    "reported_at": Time,
    "cpr": str,
    "schema": Schema,
}


_FORMS_IN_2: Final[Mapping[str, Any]] = {
    **_FORMS,
    "reverses": OptionalReversedId,
    "schema": NewestSchema,
}
"""The forms of schema 2, where a reversal names a report or a group."""
NEW_IN_2: Final = ("group", "reverses_group")
"""Fields that schema 2 has brought; in the journal they stand only where they say something."""


def fields_of(report: type[Report]) -> list[str]:
    """List the names on the wire of the fields that a type of report has in the domain.

    >>> fields_of(Reversal)
    ['reporter', 'report_id', 'reverses', 'reported_at', 'group', 'reverses_group']
    """
    return [WIRE_NAMES.get(name, name) for name in get_type_hints(report)]


def fields_in_1(report: type[Report]) -> list[str]:
    """List those that schema 1 has."""
    return [field for field in fields_of(report) if field not in NEW_IN_2]


def _shape(name: str, report: type[Report], schema: int) -> Any:
    """Make the named tuple of exact forms for a type of report."""
    forms, own = (_FORMS, fields_in_1) if schema == 1 else (_FORMS_IN_2, fields_of)
    fields = [(field, forms[field]) for field in (*own(report), "cpr", "schema")]
    fields.append(("type", Literal[name]))
    at_end = "" if schema == 1 else str(schema)
    shape: Any = NamedTuple(f"{report.__name__}Shape{at_end}", fields)  # type: ignore[misc]
    shape.__doc__ = (
        f"`{name}` on the wire; up to `reported_at` as `{report.__module__}.{report.__name__}`."
    )
    return shape


def _struct(name: str, fields: list[Any], tag: str | None = None, **options: Any) -> Any:
    """Make a msgspec struct; with a tag its `type` decides which struct a record is decoded to."""
    if tag is not None:
        options |= {"tag_field": "type", "tag": tag, "kw_only": True}
    return msgspec.defstruct(name, fields, gc=False, **options)


def _quick(name: str, report: type[Report]) -> Any:
    """Make the struct of plain forms for a type of report; fields left out are UNSET."""
    fields: list[Any] = []
    for field in (*fields_of(report), "cpr", "schema"):
        exact = _FORMS_IN_2[field] if field == "reverses" else _FORMS[field]
        form = _QUICK_FORMS.get(exact, exact)
        fields.append((field, form, UNSET) if UnsetType in get_args(form) else (field, form))
    return _struct(f"Quick{report.__name__}", fields, name, forbid_unknown_fields=True)


_ALL_STORED: Final = (("cpr_sealed", str), ("schema", KnownSchema, 1))


def journal_structs(name: str, report: type[Report]) -> tuple[Any, Any, Any, Any]:
    """Make the structs that a report in the journal is written from and read to.

    There are one for writing schema 1, one for writing schema 2, one for reading what anybody may
    have written, and one for reading what is proved to be ours. Written, the fields that all
    reports have come first; read, the order is the domain's.
    """
    fields = fields_in_1(report)
    common = ["schema", "type", "report_id", "reporter", "reported_at", "cpr_sealed"]
    written = [(field, object) for field in (*common, *fields[2:-1])]
    new = [field for field in fields_of(report) if field in NEW_IN_2]
    in_2: list[Any] = [
        (name, object, "") if name == "reverses" else (name, form) for name, form in written
    ]
    in_2 += [(field, object, "") for field in new]
    optional = ("reverses", *new)

    def read(forms: Mapping[object, object]) -> list[Any]:
        """List the fields of the domain in these forms, and what all records have behind them."""
        formed = [(field, forms.get(_FORMS[field], _FORMS[field])) for field in (*fields, *new)]
        own = [(field, form, "") if field in optional else (field, form) for field, form in formed]
        return [*own, *_ALL_STORED]

    return (
        _struct(f"Written{report.__name__}", written),
        _struct(f"Written{report.__name__}In2", in_2, omit_defaults=True),
        _struct(f"Read{report.__name__}", read(_STORED_FORMS), name),
        _struct(f"Own{report.__name__}", read(_OWN_FORMS), name),
    )


def day_fields(report: type[Report]) -> list[int]:
    """List the places of a report's days, `reported` aside.

    >>> day_fields(CaseFact)
    [3]
    """
    return [place for place, field in enumerate(fields_of(report)) if _FORMS[field] is Day]


PaymentShape, IncomeShape, CaseFactShape, ReversalShape = [
    _shape(name, report, 1) for name, report in REPORT_TYPES.items()
]
PaymentShape2, IncomeShape2, CaseFactShape2, ReversalShape2 = [
    _shape(name, report, 2) for name, report in REPORT_TYPES.items()
]
QuickPayment, QuickIncome, QuickCaseFact, QuickReversal = [
    _quick(name, report) for name, report in REPORT_TYPES.items()
]

# --- what to send -------------------------------------------------------------------------------

FORMS: Final[Mapping[str, str]] = {
    "schema": "1 or 2",
    "type": "benefit_payment, income, case_fact or reversal",
    "report_id": "a string of 1-100 printable characters of ISO 8859-1, no blank at either end",
    "reporter": "a string of eight digits (CVR or SE)",
    "reported_at": "a time in UTC that exists, like 2024-03-01T10:00:00Z",
    "cpr": "the CPR number, as a string of ten digits",
    "benefit": "a code of the catalogue, as a string",
    "kind": "one of " + ", ".join(get_args(IncomeKind)),
    "fact": "one of " + ", ".join(get_args(Fact)),
    "date": "a date YYYY-MM-DD that exists",
    "reverses": "the report_id of a report, as a string of 1-100 printable characters",
    "group": "a string of 1-100 printable characters of ISO 8859-1, no blank at either end, or"
    " leave it out",
    "reverses_group": "the group of reports, as they have it, and no reverses beside it",
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
    "citizen": "the citizen's pseudonym, 32 hexadecimal digits",
    "reason": "why, in words",
    "scope": 'all, {"municipality": its three digits} or {"citizen": 32 hexadecimal digits}',
    "written_at": "a time in UTC that exists, like 2024-03-01T10:00:00Z",
    "pseudonym_key": "the id of a key: p and eight hexadecimal digits",
    "seal_keys": "a list of ids of keys: k and eight hexadecimal digits each",
    "journal_keys": "a list of ids of keys: m and eight hexadecimal digits each",
    "demo": "true or false",
}
"""Sentences that tell what to send in each field, in the contract's order of the fields.

The order decides between findings with the same reason.
"""
FIELD_ORDER: Final[Mapping[str, int]] = {name: place for place, name in enumerate(FORMS)}
