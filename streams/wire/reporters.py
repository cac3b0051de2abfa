"""The register of reporters: who may report, from which source, and which benefits.

Source: contract section 8. A reporter is held against its entry on the day of `reported_at`. A
source publishes to a raw topic of its own, which is what binds it to its reporters: Kafka tells its
consumers nobody's name. Without a register there are no such checks.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final, Literal, NamedTuple, get_args

from domain.basics.cache import Memo
from domain.basics.weeks import day
from domain.citizen.reports import Payment
from streams.wire.json_edge import decode_object
from streams.wire.outcomes import Accepted, Outcome
from streams.wire.rejections import (
    FOREIGN_REPORTER,
    NOT_ALLOWED,
    REASONS,
    UNKNOWN_REPORTER,
    Rejection,
)
from streams.wire.shapes import DATE_LENGTH

ReporterKind = Literal["municipality", "a_kasse", "udbetaling_danmark", "other"]
KINDS: Final[tuple[ReporterKind, ...]] = get_args(ReporterKind)

NO_SOURCE: Final = ""
"""The source of `reports.raw`, whose reporters have none of their own."""

A_SOURCE: Final = "1-64 of the characters A-Z a-z 0-9 _ -"
"""The form of a source: it is a part of a topic's name."""

_CACHED: Final = 1 << 14
"""Reporters and days that are remembered."""
_AFTER_THE_FORM: Final = REASONS.index("unknown_reporter")


def is_source(text: str) -> bool:
    """Tell whether a text can be the name of a source.

    >>> is_source("kmd"), is_source("kmd.2")
    (True, False)
    """
    return re.fullmatch("[A-Za-z0-9_-]{1,64}", text) is not None


class RegisteredReporter(NamedTuple):
    """An entry of the register; `benefits` None means all. The days are inclusive."""

    cvr: str
    name: str
    kind: ReporterKind
    municipality: str | None
    source: str
    benefits: frozenset[str] | None
    contact: str
    valid_from: int
    valid_to: int


class ReporterRegister:
    """The entries by CVR number; those of one number do not overlap in time."""

    def __init__(self, reporters: Iterable[RegisteredReporter]) -> None:
        self._entries: dict[str, list[RegisteredReporter]] = {}
        for reporter in reporters:
            self._entries.setdefault(reporter.cvr, []).append(reporter)
        self._on = Memo(self._entry_on, _CACHED)

    @property
    def sources(self) -> Sequence[str]:
        """The sources, in alphabetical order; each has a raw topic of its own."""
        entries = (entry for entries in self._entries.values() for entry in entries)
        return sorted({entry.source for entry in entries} - {NO_SOURCE})

    def knows(self, cvr: str) -> bool:
        """Tell whether a CVR number has an entry, of any time."""
        return cvr in self._entries

    def names(self) -> dict[str, str]:
        """The names of all reporters by CVR number, as of their last entries."""
        return {
            cvr: max(entries, key=lambda entry: entry.valid_from).name
            for cvr, entries in self._entries.items()
        }

    def checked(self, outcome: Outcome, record: bytes, source: str | None) -> Outcome:
        """Return the outcome of reading a record, or why the register refuses its reporter.

        Of two reasons the one that comes first in the contract's order of checks holds. `source` is
        that of the topic which the record came from, or None where it came from no topic.
        """
        if isinstance(outcome, Accepted):
            report = outcome.report
            benefit = report.benefit if isinstance(report, Payment) else None
            return self.refuse(report.reporter, report.reported, benefit, source) or outcome
        if not isinstance(outcome, Rejection) or REASONS.index(outcome.reason) < _AFTER_THE_FORM:
            return outcome
        fields = decode_object(record)
        if isinstance(fields, Rejection) or "reporter" not in fields:
            return outcome  # a control record or an opening row
        reported = day(fields["reported_at"][:DATE_LENGTH])
        refused = self.refuse(fields["reporter"], reported, fields.get("benefit"), source)
        if refused is None:
            return outcome
        return min(refused, outcome, key=lambda rejection: REASONS.index(rejection.reason))

    def refuse(
        self, reporter: str, reported: int, benefit: str | None, source: str | None
    ) -> Rejection | None:
        """Check that a reporter is known on a day, speaks from its source, and has the benefit."""
        entry = self._on[reporter, reported]
        if entry is None:
            return UNKNOWN_REPORTER
        if source is not None and source != entry.source:
            return FOREIGN_REPORTER
        if benefit is None or entry.benefits is None or benefit in entry.benefits:
            return None
        return NOT_ALLOWED

    def _entry_on(self, place: tuple[str, int]) -> RegisteredReporter | None:
        reporter, at = place
        for entry in self._entries.get(reporter, ()):
            if entry.valid_from <= at <= entry.valid_to:
                return entry
        return None
