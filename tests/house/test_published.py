"""The published contract: made from the program, real messages fit it, nothing is taken away."""

import json
import re
from copy import deepcopy
from io import BytesIO

import orjson
import pytest
import yaml
from jsonschema import Draft202012Validator

from domain.basics.weeks import month_number
from streams.devtools.asyncapi import CHANNELS, document, schemas, text
from streams.offline.settle import settle
from streams.settings import Settings
from streams.simulation import FAULTS, SimulationOptions, simulate
from streams.wire import journal
from streams.wire.outcomes import Accepted
from tests.domain.test_openings import ALL as OPENINGS
from tests.support import product
from tests.support.frozen_contract import broken, facts_of
from tests.support.lines import CASE_FACT, INCOME, PAYMENT, REVERSAL
from tests.support.places import ROOT

SCHEMAS = schemas()
FROZEN = json.loads((ROOT / "tests" / "contract.json").read_text())
KIND = {
    "notice": lambda value: "missing_reporter" if value["code"] == "missing_reporter" else "notice"
}


def schema_of(value, sealed):
    """The name of a message's schema."""
    kind = value["type"]
    name = KIND[kind](value) if kind in KIND else kind
    return f"accepted_{name}" if sealed and f"accepted_{name}" in SCHEMAS else name


def faults(value, *, sealed=False):
    """List what is wrong with a message by its schema; a field that it does not know is wrong."""
    schema = SCHEMAS[schema_of(value, sealed)]
    wrong = [
        f"{error.json_path}: {error.message}"
        for error in Draft202012Validator(schema).iter_errors(value)
    ]
    return wrong + [f"{path} is not published" for path in unknown(value, schema)]


def unknown(value, schema):
    for name, content in value.items():
        known = schema["properties"].get(name)
        if known is None:
            yield name
        elif isinstance(content, dict) and "properties" in known:
            yield from unknown(content, known)
        elif isinstance(content, list) and "properties" in known.get("items", {}):
            for item in content:
                yield from unknown(item, known["items"])


@pytest.fixture(scope="module")
def settled():
    """A population with all faults, opening rows and runs: lines in, messages and notices out."""
    written, postings, notices = BytesIO(), BytesIO(), BytesIO()
    months = month_number("2024-01"), month_number("2024-06")
    simulate(
        SimulationOptions(60, *months, seed=3, late=None, faults=FAULTS, jobs=1),
        written,
        lambda _: None,
    )
    run = {
        "schema": 1,
        "type": "run",
        "run": 52,
        "closed_at": "2024-05-10T08:00:00Z",
        "data_month": "2024-04",
    }
    lines = written.getvalue().splitlines()
    lines[len(lines) // 2 : len(lines) // 2] = map(orjson.dumps, [*OPENINGS, run])
    settle(
        lines,
        Settings.load({"REFUSION_DEMO": "1", "REFUSION_DEMO_ANYWHERE": "1"}),
        1,
        postings,
        None,
        notices,
    )
    return lines, [
        *map(orjson.loads, postings.getvalue().splitlines() + notices.getvalue().splitlines())
    ]


def test_the_document_is_made_from_the_program():
    assert (ROOT / "docs" / "asyncapi.yaml").read_text() == text(), "make contract"


def test_the_document_hangs_together():
    whole = document()
    assert whole == yaml.safe_load(text())
    assert whole["asyncapi"] == "3.0.0"
    for reference in re.findall(r"\$ref: '?#/([^'\n]+)", text()):
        at = whole
        for step in reference.split("/"):
            at = at[step]
    for name, schema in SCHEMAS.items():
        Draft202012Validator.check_schema(schema)
        assert name in set().union(*map(set, CHANNELS.values()))


def test_every_message_of_a_population_fits_its_schema(settled):
    _, messages = settled
    seen = set()
    for message in messages:
        assert faults(message) == []
        seen |= {
            message["type"],
            message.get("reason"),
            *(row["kind"] for row in message.get("rows", ())),
        }
    assert {"postings", "run", "notice", "opening", "late_report", "result", "correction"} <= seen


def test_every_report_that_is_accepted_fits_its_schema_before_and_after(settled):
    lines, _ = settled
    accepted = 0
    for line in [*lines[:300], *map(orjson.dumps, (PAYMENT, INCOME, CASE_FACT, REVERSAL))]:
        parsed = product.validator().parse(line)
        if isinstance(parsed, Accepted):
            accepted += 1
            value = orjson.loads(line)
            assert faults(value) == []
            written = journal.encode(
                parsed.report, product.IDENTITY.of(parsed.cpr)[1], value["reported_at"]
            )
            assert faults(orjson.loads(written), sealed=True) == []
    assert accepted > 150


@pytest.mark.parametrize("document_name", ["README.md", "docs/contract.md"])
def test_examples_in_documents_fit_their_schemas(document_name):
    blocks = re.findall(r"```json\n(.*?)```", (ROOT / document_name).read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        value = json.loads(block.replace("9f…", "9f" * 16).replace("k1.…", "k01234567." + "a" * 35))
        assert faults(value) == []


# --- what was published stays -------------------------------------------------------------------


def test_what_was_published_once_holds():
    """A change that is meant is a new `schema` version with an upcaster, never an edit."""
    assert broken(FROZEN, facts_of(SCHEMAS)) == []


def test_what_is_published_is_frozen():
    assert facts_of(SCHEMAS).keys() <= FROZEN.keys(), "make contract"


def change(name, edit):
    return pytest.param(edit, id=name)


def _rename(schemas):
    fields = schemas["postings"]["properties"]["rows"]["items"]["properties"]
    fields["amount"] = fields.pop("amount_ore")


def _take_a_value_away(schemas):
    schemas["benefit_payment"]["properties"]["channel"]["enum"].remove("dfdg")


@pytest.mark.parametrize(
    "edit",
    [
        change("a-field-is-gone", _rename),
        change("a-type", lambda schemas: schemas["run"]["properties"]["run"].update(type="string")),
        change(
            "a-meaning",
            lambda schemas: schemas["postings"]["properties"]["rules"].update(description="Kroner"),
        ),
        change(
            "no-longer-there-always",
            lambda schemas: schemas["postings"]["required"].remove("cause"),
        ),
        change(
            "demanded-now",
            lambda schemas: schemas["benefit_payment"]["required"].append("outside_act"),
        ),
        change("a-value-is-gone", _take_a_value_away),
        change("a-message-is-gone", lambda schemas: schemas.pop("notice")),
    ],
)
def test_a_change_of_what_was_published_is_found(edit):
    changed = deepcopy(SCHEMAS)
    edit(changed)
    assert broken(FROZEN, facts_of(changed)) != []


def test_a_value_more_is_no_breach():
    changed = deepcopy(SCHEMAS)
    changed["postings"]["properties"]["reason"]["enum"].append("another")
    assert broken(FROZEN, facts_of(changed)) == []
