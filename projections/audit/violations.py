"""The violations that an audit finds: what is wrong, and at which topic, partition and offset."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from projections.audit.cpr import CprSearch

Code = Literal[
    "format",
    "key",
    "partition",
    "header",
    "cpr",
    "revision",
    "id",
    "link",
    "figures",
    "cause",
    "order",
    "reason",
    "not_reflected",
    "sum",
    "marker",
    "control",
    "beginning",
    "raw",
    "setting",
    "dead_letter",
    "truth",
    "counters",
    "fold",
    "files",
    "access",
    "marts",
]
"""Kinds of violations; docs/operations.md says what to do about each."""

Headers = Sequence[tuple[str, bytes]]

KEPT: Final = 20
"""Violations of one kind that are named for each partition; the others are counted."""
MISSHAPEN: Final = "a field is missing or is not what it must be"
_UNREADABLE: Final = (KeyError, TypeError, ValueError, AttributeError)
"""Errors of reading a record that is not as it must be."""


class Violation(NamedTuple):
    """One thing that must not be, and its place. `text` holds no value that could be a CPR number.

    In a violation of a run file, `topic` is the file and `offset` the line.
    """

    code: Code
    topic: str
    partition: int
    offset: int
    text: str

    def sentence(self) -> str:
        """Make a line for people: `sum: postings/2/117: citizen ..., KTH: 1 øre more are ...`."""
        if self.partition < 0:  # of a whole topic
            return f"{self.code}: {self.text}"
        return f"{self.code}: {self.topic}/{self.partition}/{self.offset}: {self.text}"


class BadRecordError(Exception):
    """A record is not as it must be: a code and a sentence."""

    def __init__(self, code: Code, text: str) -> None:
        super().__init__(text)
        self.code: Code = code
        self.text = text


def as_bad(error: Exception) -> BadRecordError:
    """Take an error met in reading a record as what is wrong with the record.

    Any other error is a defect of this program and is raised again.
    """
    if isinstance(error, BadRecordError):
        return error
    if isinstance(error, _UNREADABLE):
        return BadRecordError("format", MISSHAPEN)
    raise error


@dataclass
class Violations:
    """The first `KEPT` violations of each kind, and how many there are of each.

    `notes` count what is only worth a remark.
    """

    named: list[Violation] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)

    @property
    def total(self) -> int:
        """The number of all violations, also of those that are not named."""
        return self.counts.total()

    def add(self, violation: Violation) -> None:
        """Count a violation, and name it if it is among the first of its kind."""
        self.counts[violation.code] += 1
        if self.counts[violation.code] <= KEPT:
            self.named.append(violation)

    def add_record(
        self,
        place: tuple[str, int, int],
        bad: BadRecordError,
        record: tuple[bytes | None, bytes | None, Headers],
        cprs: CprSearch,
    ) -> None:
        """Add a record that is not as it must be: it may hold anything, a CPR number too.

        `place` is its topic, partition and offset, `record` its key, value and headers.
        """
        self.add(Violation(bad.code, *place, bad.text))
        key, value, headers = record
        header_texts = [name.encode() + b" " + (text or b"") for name, text in headers]
        if bad.code != "cpr" and cprs.finds(key or b"", value or b"", *header_texts):
            self.add(Violation("cpr", *place, "the record holds what looks like a CPR number"))

    def merge(self, other: "Violations") -> None:
        """Add what another part of the audit has found."""
        self.named += other.named
        self.counts += other.counts
        self.notes += other.notes

    def sort(self) -> None:
        """Sort what is named by its place."""
        self.named.sort(key=lambda each: (each.topic, each.partition, each.offset))
