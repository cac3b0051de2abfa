"""The reasons for which a record is rejected, with the sentence for each (contract section 2).

A rejection repeats no value of the record. It names a field of the record only where that name
cannot be a CPR number.
"""

import re
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, get_args

Reason = Literal[
    "too_large",
    "not_json",
    "unsupported_schema",
    "unknown_type",
    "missing_field",
    "unknown_field",
    "wrong_type",
    "unknown_reporter",
    "foreign_reporter",
    "bad_cpr",
    "cpr_in_id",
    "bad_period",
    "not_reportable",
    "unknown_benefit",
    "not_allowed",
    "not_valid_in_period",
    "unknown_municipality",
    "bad_amount",
    "conflicting_duplicate",
    "too_many",
    "foreign_record",
    "internal_error",
]
"""Reason codes, in the order of the checks."""

REASONS: Final[tuple[Reason, ...]] = get_args(Reason)


class Rejection(NamedTuple):
    """A rejection has a reason, the field (or None) and a sentence that tells what to do."""

    reason: Reason
    field: str | None
    detail: str


TOO_LARGE: Final = Rejection(
    "too_large", None, "the record is over 64 KiB; send one report a record"
)
NOT_JSON: Final = Rejection(
    "not_json",
    None,
    "the record is not one JSON object in UTF-8 (no byte order mark, no NaN, at most 100 levels);"
    " correct the encoder",
)
CONFLICTING_DUPLICATE: Final = Rejection(
    "conflicting_duplicate",
    "report_id",
    "a report with this reporter and report_id and other content came before and stands; send it"
    " under a new report_id",
)
CONFLICTING_OPENING: Final = Rejection(
    "conflicting_duplicate",
    None,
    "the cell has an opening row with other figures that came before and stands; what is due is"
    " settled from the reports, so correct them where they are wrong",
)
INTERNAL_ERROR: Final = Rejection(
    "internal_error",
    None,
    "this program failed, not the record, which is kept; run `refusion dead-letters retry` after"
    " the repair",
)
FOREIGN_RECORD: Final = Rejection(
    "foreign_record",
    None,
    "nobody of ours wrote the record here: find who may write to the journal, and take that right"
    " away",
)
REFUSED: Final[Mapping[str, Rejection]] = {
    "conflicting_duplicate": CONFLICTING_DUPLICATE,
    "conflicting_opening": CONFLICTING_OPENING,
    "internal_error": INTERNAL_ERROR,
    "foreign_record": FOREIGN_RECORD,
    "too_large": Rejection(
        "too_large",
        None,
        "the record, the batch that it came in or what follows from it is larger than is taken;"
        " find out who sent it, and let it be sent in parts",
    ),
    "too_many": Rejection(
        "too_many",
        "period_start",
        "the citizen has as many reports of the month as a month may have; find out what sends"
        " them, and reverse those that are wrong",
    ),
    "unknown_benefit": Rejection(
        "unknown_benefit",
        "benefit",
        "no rule set that is valid at this place of the journal has the benefit; use the code of"
        " the benefit that was paid, or send the report again once the rule set is valid",
    ),
    "not_valid_in_period": Rejection(
        "not_valid_in_period",
        "benefit",
        "under the rule set that is valid here the benefit exists on no day of the period; check"
        " the code and the dates",
    ),
}
"""Rejections of valid records at settling, by `streams.citizens.outcomes.Outcome.refused`."""

UNSUPPORTED_SCHEMA: Final = Rejection(
    "unsupported_schema",
    "schema",
    "schema is neither 1 nor 2, the versions that there are; send one of them",
)
UNKNOWN_REPORTER: Final = Rejection(
    "unknown_reporter",
    "reporter",
    "the reporter is not in the register on the day of reported_at; correct it, or have it entered"
    " in the register (REFUSION_REPORTERS)",
)
FOREIGN_REPORTER: Final = Rejection(
    "foreign_reporter",
    "reporter",
    "the reporter speaks from another source than its own; publish to the topic of the source that"
    " the register has for it",
)
NOT_ALLOWED: Final = Rejection(
    "not_allowed",
    "benefit",
    "the benefit is not among those that the register has for this reporter; correct its code, or"
    " have the register changed",
)
BAD_CPR: Final = Rejection(
    "bad_cpr",
    "cpr",
    "cpr is not ten digits that begin with a possible date; send the CPR number of the person",
)
SIXTY_ADDED: Final = Rejection(
    "bad_cpr",
    "cpr",
    "cpr has 60 added to its day: such a replacement number (erstatningspersonnummer) is accepted"
    " with REFUSION_REPLACEMENT_NUMBERS=1 alone, and a fictive one in demo mode",
)
NOT_FICTIVE: Final = Rejection(
    "bad_cpr",
    "cpr",
    "cpr is not a fictive number (60 added to the day), and the demo keys, which everybody knows,"
    " are good for fictive persons alone; set keys of your own",
)
BEFORE_2014: Final = Rejection(
    "bad_period",
    "period_start",
    "the period starts before 2014-01-01, which is not settled here; leave it out",
)
ENDS_BEFORE_START: Final = Rejection(
    "bad_period", "period_end", "the period ends before it starts; correct the date that is wrong"
)
TOO_LONG: Final = Rejection(
    "bad_period", "period_end", "the period is longer than 366 days; report it in parts"
)
AFTER_2099: Final = Rejection(
    "bad_period", "period_end", "the period ends after 2099-12-31; correct the date"
)
NOT_REPORTABLE: Final = Rejection(
    "not_reportable", "benefit", "this benefit is computed here and never reported; leave it out"
)
UNKNOWN_BENEFIT: Final = Rejection(
    "unknown_benefit",
    "benefit",
    "the benefit is not a code of the catalogue; use the code of the benefit that was paid",
)
NOT_VALID: Final = Rejection(
    "not_valid_in_period",
    "benefit",
    "the benefit exists on no day of the period; check the code and the dates",
)
OTHER_SIGN: Final = Rejection(
    "bad_amount", "atp_ore", "atp_ore and amount_ore have different signs; give both the same"
)

# Rejections of opening rows.

BEFORE_RATES: Final = Rejection(
    "bad_period",
    "month",
    "the month is before the rates of the Act, and is not settled by it; leave it out",
)
NOT_FINANCED: Final = Rejection(
    "unknown_benefit",
    "benefit",
    "the benefit is neither refunded nor co-financed, so that no row can stand for it",
)
TWO_MECHANISMS: Final = Rejection(
    "bad_amount",
    "mechanism",
    "the row has money of the other mechanism; give each mechanism a row of its own",
)
NO_MONEY: Final = Rejection(
    "bad_amount", "amount_ore", "the row has no money, so that nothing stands; leave it out"
)
NOT_A_PART: Final = Rejection(
    "bad_amount",
    "amount_ore",
    "the result is more than the amount, or has another sign; give what was settled",
)


def unknown_type(known: str) -> Rejection:
    """Reject a `type` that is none of the known ones, which are given as a list in words."""
    return Rejection("unknown_type", "type", f"type is none of {known}; correct it")


def missing(field: str, form: str) -> Rejection:
    """Reject a record that lacks a field; `form` tells what to send in it."""
    return Rejection("missing_field", field, f"{field} is missing; send {form}")


def wrong_type(field: str, form: str) -> Rejection:
    """Reject a field of another type or form than `form` tells."""
    return Rejection("wrong_type", field, f"{field} has the wrong type or form; send {form}")


def unknown_field(name: str) -> Rejection:
    """Reject a field that records of this type do not have."""
    detail = "the field is not one of this type of report; check its spelling or leave it out"
    return Rejection("unknown_field", _shown(name), detail)


def doubled_key(name: str) -> Rejection:
    """Reject an object that has the same key twice."""
    return Rejection(
        "wrong_type", _shown(name), "the same key stands twice in one object; send it once"
    )


def cpr_in_id(field: str) -> Rejection:
    """Reject an id that has the CPR number of its report in it."""
    detail = f"{field} has the CPR number of the report in it; send an id that is made without it"
    return Rejection("cpr_in_id", field, detail)


def too_much(field: str) -> Rejection:
    """Reject an amount over 10^9 øre."""
    detail = f"{field} is over 10^9 øre; check that its unit is øre and correct it"
    return Rejection("bad_amount", field, detail)


def unknown_municipality(field: str) -> Rejection:
    """Reject a code that no municipality has."""
    detail = f"{field} is not one of the 98 codes; use a code in force"
    return Rejection("unknown_municipality", field, detail)


_SHORT_WORD = re.compile(r"[\w.\- ]{1,64}")
_FEW_DIGITS: Final = 5
"""A name with more digits could hold a part of a CPR number, whose first six are a birthday."""


def _shown(name: str) -> str | None:
    """Return a name from the record if it is safe to repeat it, else None."""
    digits = sum(map(str.isdigit, name))
    return name if digits <= _FEW_DIGITS and _SHORT_WORD.fullmatch(name) else None
