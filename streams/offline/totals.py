"""The counts of a settlement without Kafka, and what they say to the person who started it."""

import re
from dataclasses import dataclass, field

NO_OBJECT = b'"reason":"not_json"'
LARGE_NO_OBJECT = re.compile(rb'"reason":"too_large","field":null,"detail":"[^"]*","record":"[^ {]')
"""Rejects of lines that are no JSON object; a line that is too large may be one if it begins so."""


@dataclass
class Totals:
    """The counts of a settlement, for the person who started it."""

    lines: int = 0
    rejected: int = 0
    noticed: int = 0
    posted: int = 0
    _not_objects: int = field(default=0, compare=False)

    def add(self, lines: int, postings: bytes, rejects: bytes, notices: bytes) -> None:
        """Count a block and its outputs, which are whole lines; a rejected line has one."""
        self.lines += lines
        self.posted += postings.count(b"\n")
        self.rejected += rejects.count(b"\n")
        self.noticed += notices.count(b"\n")
        self._not_objects += rejects.count(NO_OBJECT) + len(LARGE_NO_OBJECT.findall(rejects))

    @property
    def holds_nothing(self) -> bool:
        """True if there were lines, and none of them was a JSON object."""
        return 0 < self.lines == self._not_objects

    def sentence(self, *, rejects_kept: bool) -> str:
        """Say what was done, and what is lost unless the reader acts."""
        text = (
            f"{self.lines:,} lines: {self.posted:,} messages, {self.noticed:,} notices,"
            f" {self.rejected:,} rejected"
        )
        return (
            text
            if rejects_kept or not self.rejected
            else text + " (give --rejects FILE to keep them with reasons)"
        )
