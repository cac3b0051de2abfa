"""Freezes what was published.

`python -m tests.support.frozen_contract tests/contract.json` adds what is new and edits nothing.
"""

import json
import sys
from pathlib import Path

from streams.devtools.asyncapi import schemas

FACTS = (
    "type",
    "const",
    "pattern",
    "description",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "additionalProperties",
)


def facts_of(found):
    """Give the facts about each field of each message, by its path.

    To change any of them is to break somebody.
    """
    return {
        f"{name}{path}": _without_docstring(path, fact)
        for name, schema in found.items()
        for path, fact in _facts(schema, "")
    }


def _facts(schema, path):
    yield path, {name: schema[name] for name in FACTS if not isinstance(schema.get(name, {}), dict)}
    if "enum" in schema:
        yield from ((f"{path}={value}", {}) for value in schema["enum"])
    for name, each in schema.get("properties", {}).items():
        is_required = {"required": name in schema.get("required", ())}
        for inner, fact in _facts(each, f"{path}.{name}"):
            yield inner, fact | (is_required if inner == f"{path}.{name}" else {})
    for number, each in enumerate(schema.get("anyOf", ())):
        yield from _facts(each, f"{path}|{number}")
    if "items" in schema:
        yield from _facts(schema["items"], f"{path}[]")
    for number, each in enumerate(schema.get("prefixItems", ())):
        yield from _facts(each, f"{path}[{number}]")


def broken(frozen, found):
    """Frozen facts that no longer hold."""
    return [path for path, fact in frozen.items() if found.get(path) != fact]


def _without_docstring(path, fact):
    """A message's own description is the docstring of a class of ours: words, not contract."""
    return {name: value for name, value in fact.items() if name != "description" or "." in path}


if __name__ == "__main__":
    file = Path(sys.argv[1])
    kept = json.loads(file.read_text()) if file.exists() else {}
    lines = ",\n".join(
        f"{json.dumps(path)}: {json.dumps(fact)}"
        for path, fact in (facts_of(schemas()) | kept).items()
    )
    file.write_text(f"{{\n{lines}\n}}\n")
