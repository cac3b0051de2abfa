"""The shapes of control records and opening rows, in the input of `refusion settle`."""

from typing import Annotated, Literal, NamedTuple

from pydantic import Field, PlainValidator

from domain.citizen.reports import Scope
from domain.ruledata.ruleset import Mechanism
from domain.ruledata.switches import NAME as RULE_SET_NAME
from streams.wire.shapes import (
    ControlId,
    Day,
    Integer,
    KeyId,
    Month,
    OptionalInteger,
    OptionalText,
    Reporter,
    ReversedId,
    Schema,
    Time,
    scope_of,
)


class OpeningShape(NamedTuple):
    """The control record `opening` is read by `refusion settle` and `refusion opening load`."""

    month: Month
    week: Day
    benefit: str
    paying: OptionalText
    financing: OptionalText
    amount_ore: Integer
    atp_ore: OptionalInteger
    mechanism: Mechanism
    rate: Annotated[int, Field(ge=0, le=100)]
    refusion_ore: OptionalInteger
    medfinansiering_ore: OptionalInteger
    reported_at: Time
    cpr: str
    schema: Schema
    type: Literal["opening"]


class RunShape(NamedTuple):
    """The control record `run`: `RunMarker`."""

    run: Integer
    closed_at: Time
    data_month: Month
    schema: Schema
    type: Literal["run"]


class RulesShape(NamedTuple):
    """The control record `rules`: `RulesRecord`."""

    id: ControlId
    rules: Annotated[str, Field(pattern=f"^{RULE_SET_NAME}$")]
    digest: Annotated[str, Field(default="", pattern="^[0-9a-f]*$")]
    written_at: Time
    schema: Schema
    type: Literal["rules"]


class RecalculateShape(NamedTuple):
    """The control record `recalculate`: `Recalculation`."""

    id: ControlId
    scope: Annotated[Scope, PlainValidator(scope_of)]
    written_at: Time
    schema: Schema
    type: Literal["recalculate"]


class KeysShape(NamedTuple):
    """The control record `keys`: `KeysRecord`."""

    id: ControlId
    pseudonym_key: KeyId
    seal_keys: list[KeyId]
    journal_keys: list[KeyId]
    demo: bool
    written_at: Time
    schema: Schema
    type: Literal["keys"]


class FreeShape(NamedTuple):
    """The control record `free`: `Freeing`."""

    id: ControlId
    citizen: Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
    reporter: Reporter
    report_id: ReversedId
    reason: Annotated[str, Field(default="", max_length=500)]
    written_at: Time
    schema: Schema
    type: Literal["free"]
