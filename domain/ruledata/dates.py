"""Lists every value of the rule files with the days on which it holds.

`domain.ruledata.coverage` checks the list, and `docs/law.md` shows it.
The files have been read and found good before (`domain.ruledata.reading`).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from domain.ruledata.fields import RuleEntry, dated_value
from domain.ruledata.ruleset import DatedValue

_PARTS = (
    # file, its list, the rule's name by the entry's number and fields, the field that has the value
    ("staircase.yaml", "staircases", "staircase", "bands"),
    ("catalogue.yaml", "benefits", "catalogue.{code}", "rate"),
    ("accounts.yaml", "accounts", "accounts.{account}", "account"),
    ("municipalities.yaml", "municipalities", "municipalities.{number}", "names"),
    ("fleksbidrag.yaml", "flex_basis", "flex_basis", "basis"),
)
_NAMED = (
    ("reset.yaml", "reset"),
    ("dates.yaml", "dates"),
    ("fleksbidrag.yaml", "fleksbidrag"),
    ("legacy.yaml", "legacy"),
)


def dated_values(documents: Mapping[str, object]) -> tuple[DatedValue, ...]:
    """The values of all rule files but the rule set's own."""
    return (*_listed(documents), *_named(documents))


def _listed(documents: Mapping[str, object]) -> Iterator[DatedValue]:
    for file, group, name, field in _PARTS:
        for number, fields in enumerate(_part(documents, file, group), 1):
            read = RuleEntry(file, f"{group} {number}", fields)
            yield dated_value(read, name.format(number=number, **fields), fields[field])


def _named(documents: Mapping[str, object]) -> Iterator[DatedValue]:
    for file, group in _NAMED:
        named = _part(documents, file, group)
        for name, fields in named.items():
            yield dated_value(RuleEntry(file, name, fields), f"{group}.{name}", fields["value"])


def _part(documents: Mapping[str, object], file: str, group: str) -> Any:
    """A part of a rule file, which has been found good."""
    whole: Any = documents[file]
    return whole[group]
