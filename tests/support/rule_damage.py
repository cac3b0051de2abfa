"""Damaged rule documents: one field of one entry has another value, or is gone."""

import copy
import re
from importlib.resources import files

import pytest

from domain.ruledata.reading import rule_set_from
from domain.ruledata.ruleset import RuleError
from streams.citizens.rule_sets import load_rule_set, read_documents

FOLDER = files("domain") / "rules"
DOCUMENTS = read_documents("R-1", FOLDER)
RULES = load_rule_set()
OWN = "rule-sets/R-1.yaml"

Damage = tuple[str, tuple[str | int, ...], str, object, str]
"""File, path to the entry, field, damaged value (... takes the field away), the error's words."""


def at(document: object, *path: str | int) -> dict[str, object]:
    """The mapping at a path of a parsed document."""
    for step in path:
        assert isinstance(document, dict | list)
        document = document[step]  # type: ignore[index]
    assert isinstance(document, dict)
    return document


def damaged(file: str, path: tuple[str | int, ...], field: str, value: object) -> dict[str, object]:
    """The documents of R-1 with one damage."""
    documents = copy.deepcopy(DOCUMENTS)
    entry = at(documents[file], *path)
    if value is ...:
        del entry[field]
    else:
        entry[field] = value
    return documents


def check_refused(damage: Damage) -> None:
    """The damage is refused, and the error names file, entry and field."""
    file, path, field, value, named = damage
    with pytest.raises(RuleError, match=f"^{re.escape(file)}: .*{named}"):
        rule_set_from(OWN, damaged(file, path, field, value))
