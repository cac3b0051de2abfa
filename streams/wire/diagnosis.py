"""Reads a record check by check in the contract's order, and names the first reason it meets.

    too_large, not_json, wrong_type (a key twice)     the bytes: `streams.wire.json_edge`
    unsupported_schema .. unknown_field, wrong_type   the shape: a pydantic type for each `type`
    bad_cpr .. bad_amount                             the content: `streams.wire.content`

A record that meets none is accepted here too: the quick way may have left it over.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

from pydantic import ConfigDict, TypeAdapter, ValidationError

from domain.basics.weeks import day
from domain.citizen.reports import CaseFact, Income, Payment, Report, Reversal
from streams.wire.content import (
    Content,
    both_municipalities,
    refuse_amounts,
    refuse_period,
    refuse_sign,
)
from streams.wire.json_edge import decode_object
from streams.wire.outcomes import Accepted, Outcome
from streams.wire.rejections import (
    REASONS,
    UNSUPPORTED_SCHEMA,
    Rejection,
    missing,
    unknown_field,
    unknown_type,
    wrong_type,
)
from streams.wire.shapes import (
    DATE_LENGTH,
    FIELD_ORDER,
    FORMS,
    NEW_IN_2,
    CaseFactShape,
    CaseFactShape2,
    IncomeShape,
    IncomeShape2,
    PaymentShape,
    PaymentShape2,
    ReversalShape,
    ReversalShape2,
)

SCHEMAS: Final = (1, 2)
"""The versions of a report."""
ID_FIELDS: Final = ("report_id", "reverses", "group", "reverses_group")


class RecordCheck(NamedTuple):
    """The two steps of checking one `type`: the shape, then the content.

    `read` makes the line of an object, or raises ValidationError; `check` takes the line.
    """

    read: Callable[[object], Any]
    check: Callable[[Any], Outcome]


def record_check(line: Any, check: Callable[[Any], Outcome]) -> RecordCheck:
    """Make the checks of one `type` from its line in `streams.wire.shapes`."""
    read = TypeAdapter(line, config=ConfigDict(strict=True)).validator.validate_python
    return RecordCheck(read, check)


class Diagnosis:
    """The diagnosis of reports, and of the other kinds of records that it is given."""

    def __init__(self, content: Content, others: Mapping[str, RecordCheck]) -> None:
        self._content = content
        self._checks = {
            "benefit_payment": record_check(PaymentShape, self._payment),
            "income": record_check(IncomeShape, self._income),
            "case_fact": record_check(CaseFactShape, self._case_fact),
            "reversal": record_check(ReversalShape, self._reversal),
            **others,
        }
        self._checks_in_2 = {
            "benefit_payment": record_check(PaymentShape2, self._payment),
            "income": record_check(IncomeShape2, self._income),
            "case_fact": record_check(CaseFactShape2, self._case_fact),
            "reversal": record_check(ReversalShape2, self._reversal_in_2),
        }

    def diagnose(self, record: bytes) -> Outcome:
        """Return the first reason for which a record is rejected, or what it holds."""
        fields = decode_object(record)
        if isinstance(fields, Rejection):
            return fields
        if refused := self._refuse_head(fields):
            return refused
        read, check = (self._checks if fields["schema"] == 1 else self._checks_in_2)[fields["type"]]
        try:
            line = read(fields)
        except ValidationError as error:
            found = [*_findings(error), *self._missing_municipality(fields)]
            if fields["schema"] != 1 and (refused := _refuse_reversed(fields)):
                found.append(refused)
            return min(found, key=_rank)
        return check(line)

    def _refuse_head(self, fields: Mapping[str, Any]) -> Rejection | None:
        """Check `schema` and `type`, which decide how the other fields are read."""
        schema, name = fields.get("schema", 1), fields.get("type")
        if type(schema) is not int or schema not in SCHEMAS:
            return UNSUPPORTED_SCHEMA
        if "type" in fields and not (isinstance(name, str) and name in self._checks):
            return unknown_type(", ".join(self._checks))
        for field in ("schema", "type"):
            if field not in fields:
                return missing(field, FORMS[field])
        if schema != 1 and name not in self._checks_in_2:  # control records have schema 1 alone
            return UNSUPPORTED_SCHEMA
        return None

    def _missing_municipality(self, fields: Mapping[str, Any]) -> Iterable[Rejection]:
        """Find the municipality missing that a payment of the wrong shape must have."""
        given = fields.get("paying_municipality"), fields.get("financing_municipality")
        if fields["type"] == "benefit_payment" and self._content.lacks_municipality(
            fields.get("benefit"), *given
        ):
            yield missing("financing_municipality", FORMS["financing_municipality"])

    def _payment(self, line: Any) -> Accepted | Rejection:
        content = self._content
        place = line.benefit, line.period_start, line.period_end
        given = line.paying_municipality, line.financing_municipality
        if content.lacks_municipality(line.benefit, *given):
            return missing("financing_municipality", FORMS["financing_municipality"])
        refused = (
            content.refuse_number(line.cpr, **_ids(line))
            or content.refuse_place(*place, *given)
            or refuse_amounts(line.amount_ore, "atp_ore", line.atp_ore)
            or refuse_sign(line.amount_ore, line.atp_ore)
        )
        if refused:
            return refused
        paying, financing = both_municipalities(content.benefits[line.benefit].mechanism, *given)
        line = line._replace(paying_municipality=paying, financing_municipality=financing)
        return _accepted(Payment, line)

    def _income(self, line: Any) -> Accepted | Rejection:
        return (
            self._content.refuse_number(line.cpr, **_ids(line))
            or refuse_period(line.period_start, line.period_end)
            or refuse_amounts(line.amount_ore, "pension_ore", line.pension_ore)
            or _accepted(Income, line)
        )

    def _case_fact(self, line: Any) -> Accepted | Rejection:
        return self._content.refuse_number(line.cpr, **_ids(line)) or _accepted(CaseFact, line)

    def _reversal(self, line: Any) -> Accepted | Rejection:
        return self._content.refuse_number(line.cpr, **_ids(line)) or _accepted(Reversal, line)

    def _reversal_in_2(self, line: Any) -> Accepted | Rejection:
        return _refuse_reversed(line._asdict()) or self._reversal(
            line._replace(reverses=line.reverses or "")
        )


def _ids(line: Any) -> dict[str, str]:
    """Return the ids of a line by their fields, in the contract's order."""
    given = {name: getattr(line, name, None) for name in ID_FIELDS}
    return {name: text for name, text in given.items() if text}


def _refuse_reversed(fields: Mapping[str, Any]) -> Rejection | None:
    """Check that a reversal of schema 2 names either a report or a group."""
    named = [name for name in ("reverses", "reverses_group") if fields.get(name) is not None]
    if fields["type"] != "reversal" or len(named) == 1:
        return None
    if named:
        return wrong_type("reverses_group", FORMS["reverses_group"])
    return missing("reverses", FORMS["reverses"] + ", or reverses_group")


def _accepted(report: Callable[..., Report], line: Any) -> Accepted:
    """Make the report of a line; of `reported_at` it has the day."""
    *content, reported_at = line[: line._fields.index("reported_at") + 1]
    new = {name: getattr(line, name, None) or "" for name in NEW_IN_2 if hasattr(line, name)}
    made = report(*content, day(reported_at[:DATE_LENGTH]), **new)
    return Accepted(made, line.cpr, reported_at)


def _findings(error: ValidationError) -> Iterable[Rejection]:
    """Yield what pydantic found wrong with the shape of a record, a rejection for each field."""
    for finding in error.errors(include_url=False, include_context=False, include_input=False):
        field = str(finding["loc"][0])
        match finding["type"]:
            case "missing":
                yield missing(field, FORMS[field])
            case "extra_forbidden":
                yield unknown_field(field)
            case _:
                yield wrong_type(field, FORMS[field])


def _rank(rejection: Rejection) -> tuple[int, int]:
    """Order findings by reason, then by field as in the contract."""
    field = FIELD_ORDER.get(rejection.field or "", len(FIELD_ORDER))
    return REASONS.index(rejection.reason), field
