"""The contract as a document: AsyncAPI 3.0 with JSON Schemas.

`python -m streams.devtools.asyncapi docs/asyncapi.yaml` writes it (`make contract`). The schemas of
reports and of control records are those of validation itself (`streams.wire.shapes`). The schemas
of what the stages write are the types of `streams.devtools.written_messages`; tests compare them
with every message of a settled population.
"""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, get_type_hints

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, create_model

from streams.devtools.written_messages import (
    ActMessage,
    CopiedRecord,
    JoinedRecord,
    MissingReporter,
    MovedRecord,
    NoticeMessage,
    Postings,
    ReceiptMessage,
    RunCut,
)
from streams.kafka.topics import RECEIPTS, TOPICS
from streams.wire import cloudevents
from streams.wire.control_shapes import (
    FreeShape,
    KeysShape,
    OpeningShape,
    RecalculateShape,
    RulesShape,
)
from streams.wire.shapes import (
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

VERSION: Final = "1.4.0"
"""The version of the contract: an addition raises the second number, a new `schema` the first."""
Object = dict[str, Any]

# --- schemas --------------------------------------------------------------------------------------

REPORTS: Final[Mapping[str, type]] = {
    "benefit_payment": PaymentShape,
    "income": IncomeShape,
    "case_fact": CaseFactShape,
    "reversal": ReversalShape,
    "benefit_payment_2": PaymentShape2,
    "income_2": IncomeShape2,
    "case_fact_2": CaseFactShape2,
    "reversal_2": ReversalShape2,
}
"""Reports of schema 1, and of schema 2."""
WRITTEN: Final[Mapping[str, Any]] = {
    "postings": Postings,
    "run": RunCut,
    "notice": NoticeMessage,
    "missing_reporter": MissingReporter,
    "act": ActMessage,
    "moved": MovedRecord,
    "joined": JoinedRecord,
    "copied": CopiedRecord,
    "receipt": ReceiptMessage,
}
CONTROL: Final[Mapping[str, type]] = {
    "rules": RulesShape,
    "recalculate": RecalculateShape,
    "keys": KeysShape,
    "free": FreeShape,
}
MERGES: Final = ("moved", "joined", "copied")
"""Records of merges, in the journal."""
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
    forms = {**FORMS, "schema": "2" if "group" in hints else "1"}
    for name, each in schema["properties"].items():
        each.setdefault("description", forms.get(name, ""))
        if not each["description"]:
            del each["description"]
    return schema


def _sealed(schema: Object) -> Object:
    """Return the schema of a report in the journal.

    The CPR number is sealed, and every default is filled in. What schema 2 has brought is left out
    where it says nothing.
    """
    properties = {
        ("cpr_sealed" if name == "cpr" else name): each
        for name, each in schema["properties"].items()
    }
    optional = {*NEW_IN_2, "reverses"} if "group" in properties else set()
    required = [name for name in properties if name not in optional]
    return schema | {"properties": properties | {"cpr_sealed": SEALED}, "required": required}


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
    "reports": (*(f"accepted_{name}" for name in REPORTS), "opening", *CONTROL, "run", *MERGES),
    "postings": ("postings", "run"),
    "notices": ("notice", "missing_reporter"),
    "access": ("act",),
    "receipts": ("receipt",),
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
    "receipts": "send",
}
KEYS: Final = {
    "reports.raw": "any",
    "reports": "the citizen; none for records that stand in every partition",
    "postings": "the citizen; none for run markers",
    "notices": "the citizen or the reporter",
    "access": "the writer",
    "receipts": "the reporter",
}
HEADERS: Final[Object] = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in cloudevents.NAMES},
}


def document() -> Object:
    """Return the whole document."""
    kept = {topic.name: topic.settings for topic in (*TOPICS, RECEIPTS)}
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
