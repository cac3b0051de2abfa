"""The contract as a document: AsyncAPI 3.0 with JSON Schemas.

`python -m streams.devtools.asyncapi docs/asyncapi.yaml` writes it (`make contract`). The schemas of
reports and of control records are those of validation itself (`streams.wire.shapes`). The schemas
of what the stages write are the types below; tests compare them with every message of a settled
population.
"""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NotRequired, get_type_hints

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, create_model
from typing_extensions import TypedDict  # pydantic's wish on Python 3.11

from streams.kafka.topics import TOPICS
from streams.wire import cloudevents
from streams.wire.shapes import (
    FORMS,
    CaseFactShape,
    FreeShape,
    IncomeShape,
    KeysShape,
    OpeningShape,
    PaymentShape,
    RecalculateShape,
    ReversalShape,
    RulesShape,
)

VERSION: Final = "1.1.0"
"""The version of the contract: an addition raises the second number, a new `schema` the first."""
Object = dict[str, Any]

# --- what the stages write ------------------------------------------------------------------------

One = Literal[1]
Week = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$", description="The Monday of a week.")]
Month = Annotated[str, Field(pattern=r"^\d{4}-\d{2}$", description="A month.")]
Ore = Annotated[int, Field(description="Whole øre.")]
Citizen = Annotated[str, Field(pattern="^[0-9a-f]{32}$", description="The pseudonym of a person.")]
Sealed = Annotated[
    str, Field(pattern=r"^k[0-9a-f]{8}\.[\w-]+$", description="The CPR number, AES-SIV.")
]
Municipality = Annotated[str, Field(pattern="^[0-9]{3}$", description="A municipality's code.")]
Runs = Annotated[
    list[tuple[Week, int]], Field(description="Runs of weeks as [first week, count], oldest first.")
]


AfterTransfer = TypedDict("AfterTransfer", {"from": Week, "seniority": int, "earned": Runs})
"""The counters from the transfer of a legacy flex citizen on."""


class PostedCounters(TypedDict):
    """Both counters at the end of the citizen's latest week in state B or O."""

    week: Week | None
    seniority: int
    earned: Runs
    after_transfer: NotRequired[AfterTransfer]


class PostingRow(TypedDict):
    """A posting row."""

    id: Annotated[str, Field(description="A digest of citizen, revision and position.")]
    kind: Literal["result", "correction", "opening"]
    reverses: NotRequired[
        Annotated[str, Field(description="The id of the row that this one reverses.")]
    ]
    month: Month
    week: Week
    benefit: Annotated[str, Field(description="A code of the catalogue.")]
    paying: Municipality | None
    financing: Municipality | None
    amount_ore: Ore
    atp_ore: NotRequired[
        Annotated[int, Field(description="ATP deducted to get the amount, in øre.")]
    ]
    ordinal: Annotated[
        int, Field(description="The number of the week on the staircase, as of posting.")
    ]
    mechanism: Literal["refusion", "medfinansiering"]
    rate: Annotated[int, Field(ge=0, le=100, description="A whole percentage.")]
    refusion_ore: Ore
    medfinansiering_ore: Ore
    account: Annotated[
        str | None, Field(description="function.dranst.gruppering, where it is verified.")
    ]


Reason = Literal[
    "opening", "rule_change", "recalculation", "late_report", "reversal", "adjustment", "report"
]


class Postings(TypedDict):
    """The results and corrections that follow from one record of the journal."""

    schema: One
    type: Literal["postings"]
    citizen: Citizen
    revision: Annotated[
        int, Field(ge=1, description="Grows by one with each message of the citizen.")
    ]
    cause: Annotated[str, Field(description="reporter/report_id, or the control record.")]
    reason: Reason
    rules: Annotated[str, Field(description="The rule set.")]
    cpr_sealed: Sealed
    counters: PostedCounters
    rows: list[PostingRow]


class RunCut(TypedDict):
    """A run's marker: it cuts the partition where it stands."""

    schema: One
    type: Literal["run"]
    run: Annotated[int, Field(ge=1, description="Months from 2020-01 to the data month, plus 1.")]
    closed_at: Annotated[str, Field(description="RFC 3339, UTC.")]
    data_month: Month
    accepted: NotRequired[
        Annotated[list[str], Field(description="Why it was cut although it was held.")]
    ]


class NoticeMessage(TypedDict):
    """A report that was applied, but is doubtful."""

    schema: One
    type: Literal["notice"]
    code: Literal[
        "possible_duplicate", "after_death", "pension_award", "flex_referral", "negative_net",
        "rate_missing", "validity_partial", "future_period", "closed_to_new",
        "reversed_before", "reversed_before_reported",
    ]  # fmt: skip
    citizen: Citizen
    cause: str
    detail: dict[str, Any]


class MissingReporter(TypedDict):
    """A reporter whose money for a benefit is missing in a month that was to be closed."""

    schema: One
    type: Literal["notice"]
    code: Literal["missing_reporter"]
    reporter: Annotated[str, Field(pattern="^[0-9]{8}$")]
    cause: str
    detail: dict[str, Any]


Head = Annotated[tuple[str, int, str], Field(description="A record: writer, number and hash.")]


class ActMessage(TypedDict):
    """An act, or its request, approval or refusal: who does it, written before it is done."""

    schema: One
    type: Literal["act", "request", "approval", "refusal"]
    id: str
    at: Annotated[str, Field(description="RFC 3339, UTC.")]
    act: Annotated[str, Field(description="The act, as `export` or `replay --apply`.")]
    user: Annotated[str, Field(description="The operating system's user.")]
    uid: int
    host: str
    login_user: Annotated[str, Field(description="Who logged on before a change of user.")]
    sudo_user: Annotated[str, Field(description="What sudo says of who called it.")]
    scope: NotRequired[dict[str, Any]]
    reason: NotRequired[str]
    four_eyes: NotRequired[Literal["approved", "off"]]
    request: NotRequired[Annotated[str, Field(description="The id of a request.")]]
    command: NotRequired[Annotated[list[str], Field(description="The arguments of `refusion`.")]]
    files: NotRequired[Annotated[dict[str, str], Field(description="SHA-256 by file.")]]
    about: NotRequired[dict[str, Any]]
    person: NotRequired[Annotated[str, Field(description="The person who approves.")]]
    writer: str
    number: Annotated[int, Field(ge=1, description="Counts the records of the writer.")]
    before: Annotated[str, Field(description="The hash of the writer's record before.")]
    seen: NotRequired[Head | None]
    former: NotRequired[Head | None]


# --- schemas --------------------------------------------------------------------------------------

REPORTS: Final[Mapping[str, type]] = {
    "benefit_payment": PaymentShape,
    "income": IncomeShape,
    "case_fact": CaseFactShape,
    "reversal": ReversalShape,
}
WRITTEN: Final[Mapping[str, Any]] = {
    "postings": Postings,
    "run": RunCut,
    "notice": NoticeMessage,
    "missing_reporter": MissingReporter,
    "act": ActMessage,
}
CONTROL: Final[Mapping[str, type]] = {
    "rules": RulesShape,
    "recalculate": RecalculateShape,
    "keys": KeysShape,
    "free": FreeShape,
}
SEALED: Final[Object] = {
    "type": "string",
    "description": "The CPR number, AES-SIV with the citizen.",
}
SCOPE: Final[Object] = {
    "anyOf": [
        {"type": "string", "const": "all"},
        {
            "type": "object",
            "properties": {"municipality": {"type": "string"}, "citizen": {"type": "string"}},
            "additionalProperties": False,
            "minProperties": 1,
            "maxProperties": 1,
        },
    ],
    "description": "Whom it is about: all, the citizens of a municipality, or one citizen.",
}


def schemas() -> dict[str, Object]:
    """Return the JSON Schema of every kind of message, by name."""
    found = {name: _of_line(line) for name, line in REPORTS.items()}
    found |= {f"accepted_{name}": _sealed(_of_line(line)) for name, line in REPORTS.items()}
    found["opening"] = _sealed(_of_line(OpeningShape))
    found |= {name: _of_line(line) for name, line in CONTROL.items()}
    found |= {name: _plain(TypeAdapter(kind).json_schema()) for name, kind in WRITTEN.items()}
    return found


def _of_line(line: type) -> Object:
    """Return the schema of a line on the wire, with its fields as validation reads them."""
    hints = get_type_hints(line, include_extras=True)
    if "scope" in hints:
        hints["scope"] = Annotated[Any, Field(json_schema_extra=SCOPE)]
    fields: Any = {
        f"{name}_": hint for name, hint in hints.items()
    }  # `schema` is a name of pydantic's own
    config = ConfigDict(extra="forbid", alias_generator=lambda name: name.removesuffix("_"))
    model = create_model(line.__name__, __config__=config, **fields)
    schema = _plain(model.model_json_schema())
    schema["description"] = (line.__doc__ or "").splitlines()[0]
    for name, each in schema["properties"].items():
        each.setdefault("description", FORMS.get(name, ""))
        if not each["description"]:
            del each["description"]
    return schema


def _sealed(schema: Object) -> Object:
    """Return the schema of a report in the journal.

    The CPR number is sealed, and every default is filled in.
    """
    properties = {
        ("cpr_sealed" if name == "cpr" else name): each
        for name, each in schema["properties"].items()
    }
    return schema | {"properties": properties | {"cpr_sealed": SEALED}, "required": [*properties]}


def _plain(schema: Object) -> Object:
    """Remove pydantic's titles, and put its definitions where they are used."""
    definitions = schema.pop("$defs", {})

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            if "$ref" in value:
                return plain(definitions[value["$ref"].rpartition("/")[2]])
            return {
                name: plain(each)
                for name, each in value.items()
                if name != "title" or isinstance(each, dict)
            }
        return [plain(each) for each in value] if isinstance(value, list) else value

    cleaned: Object = plain(schema)
    return cleaned


# --- the document ---------------------------------------------------------------------------------

CHANNELS: Final[Mapping[str, tuple[str, ...]]] = {
    "reports.raw": tuple(REPORTS),
    "reports": (*(f"accepted_{name}" for name in REPORTS), "opening", *CONTROL, "run"),
    "postings": ("postings", "run"),
    "notices": ("notice", "missing_reporter"),
    "access": ("act",),
}
"""The topics that others read or write, with their messages.

`citizens` is internal, and `dead-letters` holds sealed bytes.
"""
SENT_TO: Final = {
    "reports.raw": "receive",
    "reports": "send",
    "postings": "send",
    "notices": "send",
    "access": "send",
}
KEYS: Final = {
    "reports.raw": "any",
    "reports": "the citizen; none for records that stand in every partition",
    "postings": "the citizen; none for run markers",
    "notices": "the citizen or the reporter",
    "access": "the writer",
}
HEADERS: Final[Object] = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in cloudevents.NAMES},
}


def document() -> Object:
    """Return the whole document."""
    kept = {topic.name: topic.settings for topic in TOPICS}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Ydelsesrefusion",
            "version": VERSION,
            "description": "Reports in, postings and notices out."
            " Topics begin with REFUSION_PREFIX. Read committed.",
        },
        "defaultContentType": "application/json",
        "channels": {
            name: {
                "address": f"refusion.{name}",
                "description": f"Key: {KEYS[name]}.",
                "messages": {each: {"$ref": f"#/components/messages/{each}"} for each in messages},
                "bindings": {"kafka": {"topicConfiguration": _kept(kept[name])}},
            }
            for name, messages in CHANNELS.items()
        },
        "operations": {
            f"{action}_{name.replace('.', '_')}": {
                "action": action,
                "channel": {"$ref": f"#/channels/{name}"},
            }
            for name, action in SENT_TO.items()
        },
        "components": {"messages": _messages(), "schemas": schemas()},
    }


def _kept(settings: Mapping[str, str]) -> Object:
    return {
        "cleanup.policy": [settings["cleanup.policy"]],
        "retention.ms": int(settings["retention.ms"]),
    }


def _messages() -> Object:
    raw = set(REPORTS)
    return {
        name: {
            "payload": {"$ref": f"#/components/schemas/{name}"},
            **({} if name in raw else {"headers": HEADERS}),
        }
        for name in dict.fromkeys(_all(CHANNELS.values()))
    }


def _all(groups: Iterable[tuple[str, ...]]) -> Iterable[str]:
    return (each for group in groups for each in group)


def text() -> str:
    """Write the document as YAML."""
    head = (
        "# Made by `make contract` from the program;"
        " what was published once is frozen in tests/contract.json.\n"
    )
    plain: str = yaml.dump(
        document(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=140
    )
    return head + plain


class _Dumper(yaml.SafeDumper):
    """A dumper without anchors: each schema is readable by itself."""

    def ignore_aliases(self, _data: Any) -> bool:
        """Ignore that two values are the same object."""
        return True


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text(), encoding="utf-8")
