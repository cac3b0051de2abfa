"""Says how what is done each night ended last on this machine, in the words of a visitor."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from streams.kit.last_outcomes import last_outcome
from streams.operations.duty import CHECKS
from streams.web.lis_figures import Speaker

RESULTS: Final = ("whole", "broken", "unsigned")
"""The results of proving a backup; all else is fine or not."""


class LastCheck(NamedTuple):
    """A check: what it is, its result in words, when and of what place; None where not known."""

    what: str
    result: str | None
    at: str
    place: str
    violations: int


def checks_told(operations_dir: Path, speaker: Speaker) -> Iterator[LastCheck]:
    """Tell the last verify, the last backup, and the last backup that was verified."""
    for name in CHECKS:
        outcome, what = last_outcome(operations_dir, name), speaker.word(check_word(name))
        if outcome is None:
            yield LastCheck(what, None, "", "", 0)
            continue
        result = outcome.get("result")
        if result not in RESULTS:
            result = "fine" if outcome.get("fine") else "not_fine"
        place = outcome.get("to") or outcome.get("from") or ""
        violations = outcome.get("violations", 0)
        yield LastCheck(what, speaker.word(f"audit.{result}"), outcome["at"], place, violations)


def check_word(name: str) -> str:
    """Return the key of the words for a check."""
    return f"audit.last_{name.replace('-', '_')}"
