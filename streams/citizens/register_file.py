"""Reads the register of reporters from its file, and checks it as rule data are checked.

The file is YAML: a list of entries. Each error names the file, the entry and the field, and repeats
no value, which might be a CPR number in the wrong place.
"""

import re
from collections.abc import Iterable
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Final

from domain.ruledata.ruleset import RuleError, RuleSet
from streams.citizens.rule_sets import LawBook, read_document
from streams.kit.errors import UserError
from streams.privacy.cpr import holds_cpr
from streams.settings import Settings
from streams.settings_table import REPORTERS
from streams.wire.reporters import (
    A_SOURCE,
    KINDS,
    NO_SOURCE,
    RegisteredReporter,
    ReporterKind,
    ReporterRegister,
    is_source,
)
from streams.wire.validator import Validator

MOST_BYTES: Final = 4 << 20
"""Bytes of the largest file: some 20,000 entries. Upstream has some 130 reporters."""
LONGEST_TEXT: Final = 200
FIELDS: Final = (
    "cvr", "name", "kind", "municipality", "source", "benefits", "contact", "valid_from",
    "valid_to",
)  # fmt: skip
NEEDED: Final = ("cvr", "name", "kind")


class RegisterError(UserError):
    """The register cannot be used; the message says where, why and what to do."""


def make_validator(settings: Settings, catalogue: RuleSet, *, markers: bool = False) -> Validator:
    """Make the validator of these settings, with the register where there is one."""
    return Validator(
        catalogue,
        demo=settings.accepts_sixty,
        markers=markers,
        register=load_register(settings),
        only_fictive=settings.only_fictive,
    )


def load_register(settings: Settings) -> ReporterRegister | None:
    """Read the register that is set; None where none is. Raises RegisterError."""
    if settings.reporters is None:
        return None
    catalogue = LawBook(settings.rules).catalogue()
    return ReporterRegister(read_register(settings.reporters, catalogue))


def sources_of(settings: Settings) -> list[str]:
    """The sources of the register, which have raw topics of their own. Raises RegisterError."""
    register = load_register(settings)
    return [] if register is None else [*register.sources]


def check_publisher(settings: Settings, source: str) -> None:
    """Refuse a source that no topic can be named after, or that the register here does not have.

    Who publishes may have no register. Raises RegisterError.
    """
    if source and not is_source(source):
        raise RegisterError(f"--source must be {A_SOURCE}, as the register has it")
    if source and settings.reporters is not None:
        check_source(settings, source)


def check_source(settings: Settings, source: str | None) -> None:
    """Read the register, and refuse a source that it does not have. Raises RegisterError."""
    register = load_register(settings)
    if source is None or (register is not None and source in register.sources):
        return
    known = ", ".join(register.sources) if register else ""
    raise RegisterError(
        f"--source names no source of the register; known are {known or 'none'}"
        f" ({REPORTERS.name} is {'set' if register else 'not set'})"
    )


def read_register(path: Path, catalogue: RuleSet) -> list[RegisteredReporter]:
    """Read a file. Raises RegisterError."""
    _check_bounds(path)
    try:
        document = read_document(path.parent, path.name)
    except RuleError as error:
        raise RegisterError(f"{REPORTERS.name}: {error}") from error
    if not isinstance(document, list) or not document:
        raise RegisterError(
            f"{REPORTERS.name}: {path.name}: is not a list of at least one reporter; begin each"
            " with `- cvr:`"
        )
    reporters = [
        _Entry(path.name, number, value).reporter(catalogue)
        for number, value in enumerate(document, 1)
    ]
    _check_overlaps(path.name, reporters)
    return reporters


def _check_bounds(path: Path) -> None:
    """Refuse a file that is too large."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise RegisterError(
                f"{REPORTERS.name}: {path.name}: has more than {MOST_BYTES:,} bytes; a register has"
                " one entry for each reporter"
            )
    except OSError as error:
        raise RegisterError(f"{REPORTERS.name}: {path.name}: cannot be read: {error}") from error


def _check_overlaps(file: str, reporters: Iterable[RegisteredReporter]) -> None:
    """Refuse two entries of one reporter that are valid on one day."""
    in_order = sorted(reporters, key=lambda reporter: (reporter.cvr, reporter.valid_from))
    for one, other in pairwise(in_order):
        if one.cvr == other.cvr and other.valid_from <= one.valid_to:
            raise RegisterError(
                f"{REPORTERS.name}: {file}: reporter {one.cvr} has two entries that are valid on"
                " one day; end the first with valid_to before the second begins"
            )


class _Entry:
    """One entry of the file while it is read."""

    def __init__(self, file: str, number: int, value: object) -> None:
        self._place = f"{REPORTERS.name}: {file}: entry {number}"
        if not isinstance(value, dict):
            raise RegisterError(f"{self._place}: is not a mapping of fields to values")
        self._fields: dict[object, object] = {
            name: content for name, content in value.items() if content is not None
        }
        known = ", ".join(FIELDS)
        for at, name in enumerate(value, 1):
            if name not in FIELDS:
                raise RegisterError(f"{self._place}: field {at} is unknown; known are {known}")
        for name in NEEDED:
            if name not in self._fields:
                raise self._error(name, "is missing")

    def reporter(self, catalogue: RuleSet) -> RegisteredReporter:
        """Give the reporter that the entry describes."""
        first, last = self._day("valid_from", date.min), self._day("valid_to", date.max)
        if last < first:
            raise self._error("valid_to", "lies before valid_from")
        return RegisteredReporter(
            self._digits("cvr", 8) or "",
            self._text("name"),
            self._kind(),
            self._municipality(catalogue),
            self._source(),
            self._benefits(catalogue),
            self._text("contact"),
            first,
            last,
        )

    def _error(self, field: str, problem: str) -> RegisterError:
        return RegisterError(f"{self._place}: field {field}: {problem}")

    def _text(self, field: str) -> str:
        value = self._fields.get(field, "")
        if not isinstance(value, str) or len(value) > LONGEST_TEXT or not value.isprintable():
            raise self._error(
                field, f"is not a text in one line of at most {LONGEST_TEXT} characters"
            )
        if holds_cpr(value):
            raise self._error(field, "has what looks like a CPR number; leave it out")
        return value

    def _digits(self, field: str, number: int) -> str | None:
        value = self._fields.get(field)
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if text is None:
            return None
        if not isinstance(text, str) or not re.fullmatch(f"[0-9]{{{number}}}", text):
            raise self._error(field, f"is not {number} digits in quotation marks")
        return text

    def _kind(self) -> ReporterKind:
        for kind in KINDS:
            if self._fields["kind"] == kind:
                return kind
        raise self._error("kind", f"is none of {', '.join(KINDS)}")

    def _municipality(self, catalogue: RuleSet) -> str | None:
        code = self._digits("municipality", 3)
        if code is not None and code not in catalogue.municipalities:
            raise self._error("municipality", "is not the code of a municipality")
        return code

    def _source(self) -> str:
        source = self._fields.get("source", NO_SOURCE)
        if not isinstance(source, str) or not (source == NO_SOURCE or is_source(source)):
            raise self._error("source", f"is not {A_SOURCE}; leave it out for none")
        return source

    def _benefits(self, catalogue: RuleSet) -> frozenset[str] | None:
        codes = self._fields.get("benefits")
        if codes is None:
            return None
        if not isinstance(codes, list) or not all(isinstance(code, str) for code in codes):
            raise self._error("benefits", "is not a list of codes; leave it out for all benefits")
        for at, code in enumerate(codes, 1):
            if code not in catalogue.benefits:
                raise self._error("benefits", f"item {at} is in no rule set on file")
        return frozenset(codes)

    def _day(self, field: str, absent: date) -> int:
        value = self._fields.get(field, absent)
        if isinstance(value, str):
            try:
                value = date.fromisoformat(value)
            except ValueError:
                value = None
        if not isinstance(value, date) or isinstance(value, datetime):
            raise self._error(field, "is not a date YYYY-MM-DD that exists")
        return value.toordinal()
