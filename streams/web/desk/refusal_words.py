"""Says the usual refusals of approvals in the language of the page.

They come as sentences of the command line, which are English; one that is not known here stays so.
"""

import re
from typing import Final, NamedTuple

from streams.web.words import Word

KNOWN: Final = {
    "own": "is your own: another person approves it",
    "no_person": r"is not in the file of persons \(REFUSION_PERSONS\), and may not approve",
    "asker_no_person": r"who is not in the file of persons \(REFUSION_PERSONS\)",
    "done_before": "was carried out before; a request is carried out once",
    "changed": "would be another now than when it was asked for",
    "larger": "is larger now than when it was asked for",
    "refused_meanwhile": "was refused before it was carried out",
    "decided": "is (refused|stale); have it asked for again",
    "unknown": "there is no request",
    "command_line": "it is done on the command line",
    "sent_before": "was sent again before; look with",
    "no_reason": "must be a reason in words, of at most",
    "cpr_in_reason": "has what looks like a CPR number: it would be kept for ever",
    "brokers": "the brokers have not answered within|no Kafka answers at",
}
"""The refusals by name, each with what its sentence holds; the words are `desk.refused_<name>`."""


class SaidRefusal(NamedTuple):
    """A refusal for people."""

    text: str
    is_english: bool


def said(trouble: str, word: Word) -> SaidRefusal:
    """Say why something was not done."""
    for name, pattern in KNOWN.items():
        if re.search(pattern, trouble):
            return SaidRefusal(word(f"desk.refused_{name}"), is_english=False)
    return SaidRefusal(trouble, is_english=True)
