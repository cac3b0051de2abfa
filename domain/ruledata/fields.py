"""Reads the entries of rule files: fields, sources and dates. Errors name the place."""

import re
import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeVar

from domain.ruledata.ruleset import Absence, DatedValue, Evidence, LegalSource, NotCoded, RuleError

Choice = TypeVar("Choice")

PERCENT = "percent of the amount"
SOURCE_FIELDS = ("valid_from", "valid_to", "reference", "evidence")
"""The fields that every entry has."""

REMARK_FIELDS = ("note", "evidence_of", "before_first", "after_last")
"""The fields that an entry may have too."""

ABSENCES: Mapping[str, Absence] = {
    "not_in_force": "not_in_force",
    "ceased": "ceased",
    "rate_missing": "rate_missing",
}

EVIDENCE: Mapping[str, Evidence] = {
    "verified": "verified",
    "inferred": "inferred",
    "expert": "expert",
    "assumed": "assumed",
}
"""The evidence marks, the strongest first."""


LONGEST_PLACE = 80
"""Characters of a name that an error tells; a file may have any."""
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 80


def shown(value: object) -> str:
    """Show a value of a file in an error; of a long one or a large structure only the beginning.

    >>> shown("ja"), shown([[1, 2]] * 1000)[:9]
    ("'ja'", '[[1, 2], ')
    """
    return _SHORT.repr(value)


def _in_a_line(name: str) -> str:
    """Give a name that stands in a file as a place: on one line, and not longer than a line."""
    line = " ".join(name.split())
    return line if len(line) <= LONGEST_PLACE else f"{line[:LONGEST_PLACE]}..."


@dataclass(frozen=True, slots=True)
class RuleEntry:
    """One entry of a rule file and the place that errors name."""

    file: str
    name: str
    fields: Mapping[str, object]

    def error(self, field: str, problem: str) -> RuleError:
        """The error that says what is wrong with a field of this entry."""
        place = f"entry {_in_a_line(self.name)}: field {_in_a_line(field)}"
        return RuleError(f"{self.file}: {place}: {problem}")

    def text(self, field: str, pattern: str = r"\S(.*\S)?") -> str:
        """A text without white space around it that matches the pattern in whole."""
        value = self.fields[field]
        if not isinstance(value, str):
            raise self.error(field, f"{shown(value)} is not a text (put it in quotation marks)")
        if not re.fullmatch(pattern, value, re.DOTALL):
            raise self.error(field, f"{shown(value)} does not have the form {pattern}")
        return value

    def whole(self, field: str, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        value = self.fields[field]
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.error(field, f"{shown(value)} is not a whole number")
        if not low <= value <= high:
            raise self.error(field, f"{value} does not lie in {low}..{high}")
        return value

    def flag(self, field: str, *, default: bool) -> bool:
        """Yes or no; the default where the field is left out."""
        value = self.fields.get(field, default)
        if not isinstance(value, bool):
            raise self.error(field, f"{shown(value)} is neither yes nor no")
        return value

    def day(self, field: str) -> date:
        """A date, written YYYY-MM-DD without quotation marks."""
        value = self.fields[field]
        if not isinstance(value, date) or isinstance(value, datetime):
            raise self.error(
                field, f"{shown(value)} is not a date (write YYYY-MM-DD, without quotation marks)"
            )
        return value

    def choice(self, field: str, choices: Mapping[str, Choice]) -> Choice:
        """The value that the field's word means."""
        value = self.fields[field]
        if not isinstance(value, str) or value not in choices:
            raise self.error(field, f"{shown(value)} is none of {', '.join(choices)}")
        return choices[value]

    def items(self, field: str) -> list[object]:
        """A list of at least one item."""
        value = self.fields[field]
        if not isinstance(value, list) or not value:
            raise self.error(field, "is not a list of at least one item")
        return value

    def period(self) -> tuple[date, date | None]:
        """`valid_from` and `valid_to`, both inclusive; None is open."""
        start = self.day("valid_from")
        if self.fields["valid_to"] is None:
            return start, None
        end = self.day("valid_to")
        if end < start:
            raise self.error("valid_to", f"{end} lies before valid_from, {start}")
        return start, end


def entry(
    file: str, name: str, value: object, required: Iterable[str], optional: Iterable[str] = ()
) -> RuleEntry:
    """The entry that a parsed value holds, with all required and no unknown fields."""
    if not isinstance(value, dict):
        raise RuleError(f"{file}: entry {_in_a_line(name)}: is not a mapping of fields to values")
    read = RuleEntry(file, name, value)
    known = [*required, *optional]
    for field in value:
        if field not in known:
            raise read.error(str(field), f"unknown; known are {', '.join(known)}")
    for field in required:
        if field not in value:
            raise read.error(field, "missing")
    return read


def document(
    documents: Mapping[str, object],
    file: str,
    fields: Iterable[str],
    optional: Iterable[str] = ("not_coded",),
) -> RuleEntry:
    """The whole of one rule file; any may say what it leaves out."""
    if file not in documents:
        raise RuleError(f"{file}: missing from the rule files")
    return entry(file, "(whole file)", documents[file], fields, optional)


def read_not_coded(documents: Mapping[str, object], file: str) -> list[NotCoded]:
    """The rules that a rule file leaves out on purpose."""
    held = documents[file]
    if not isinstance(held, dict) or "not_coded" not in held:
        return []
    entries = [
        entry(file, f"not_coded {number}", value, ("rule", "reason", "reference"))
        for number, value in enumerate(RuleEntry(file, "(whole file)", held).items("not_coded"), 1)
    ]
    return [
        NotCoded(file, read.text("rule"), read.text("reason"), read.text("reference"))
        for read in entries
    ]


def refuse_second(read: RuleEntry, field: str, key: object, known: Iterable[object]) -> None:
    """Refuse a key that an earlier entry has."""
    if key in known:
        raise read.error(field, f"{shown(key)} stands in an earlier entry too")


def source_of(read: RuleEntry) -> LegalSource:
    """The source of an entry."""
    note = read.text("note") if "note" in read.fields else ""
    return LegalSource(
        read.text("reference"), read.choice("evidence", EVIDENCE), note, _evidence_of(read)
    )


def _evidence_of(read: RuleEntry) -> tuple[tuple[str, Evidence], ...]:
    """The marks of single fields, which must be fields of the entry."""
    if "evidence_of" not in read.fields:
        return ()
    marks = entry(
        read.file, f"{read.name}, evidence_of", read.fields["evidence_of"], (), read.fields
    )
    return tuple((field, marks.choice(field, EVIDENCE)) for field in marks.fields)


def dated_value(read: RuleEntry, name: str, value: object) -> DatedValue:
    """A value of an entry with the entry's unit, dates and source."""
    start, end = read.period()
    before, after = (
        read.choice(field, ABSENCES) if field in read.fields else None
        for field in ("before_first", "after_last")
    )
    unit = read.text("unit") if "unit" in read.fields else ""
    return DatedValue(read.file, name, value, unit, start, end, source_of(read), before, after)


def combined_source(entries: Mapping[str, RuleEntry]) -> LegalSource:
    """The source of several values together: all references, and the weakest of the marks."""
    sources = {name: source_of(read) for name, read in entries.items()}
    strength = list(EVIDENCE)
    return LegalSource(
        reference=" | ".join(dict.fromkeys(source.reference for source in sources.values())),
        evidence=max((source.evidence for source in sources.values()), key=strength.index),
        evidence_of=tuple((name, source.evidence) for name, source in sources.items()),
    )


def named_values(
    top: RuleEntry, group: str, units: Mapping[str, str | None]
) -> dict[str, RuleEntry]:
    """A file's named values, each an entry with `value` and, for a quantity, exactly this unit."""
    named = entry(top.file, group, top.fields[group], units)
    return {name: _value(top.file, name, named.fields[name], unit) for name, unit in units.items()}


def _value(file: str, name: str, value: object, unit: str | None) -> RuleEntry:
    """A value with its source and dates; `unit` None is a value without one, such as a date."""
    unit_field = ("unit",) if unit else ()
    read = entry(file, name, value, ("value", *unit_field, *SOURCE_FIELDS), REMARK_FIELDS)
    if unit:
        check_unit(read, unit)
    read.period()
    return read


def check_unit(read: RuleEntry, unit: str) -> None:
    """Refuse an entry in another unit: nothing is converted."""
    if read.text("unit") != unit:
        raise read.error("unit", f"is not {shown(unit)}, the only unit this value is read in")
