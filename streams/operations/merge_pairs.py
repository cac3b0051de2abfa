"""The pairs of one call of `refusion merge`: how they are given, and what became of each."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from streams.explain.find import PSEUDONYM
from streams.operations.merge_past import MergeError
from streams.privacy.cpr import is_cpr
from streams.settings import Settings

MOST_PAIRS: Final = 1_000
"""Pairs of one call: their request is one record, which a second person looks at."""
MOST_LINES_NAMED: Final = 10
_BETWEEN: Final = re.compile(rb"[\s;,]+")


class MergePair(NamedTuple):
    """The former citizen and the new one."""

    former: str
    to: str


class Merged(NamedTuple):
    """A merge, or the end of one, and the number of records that count again."""

    id: str
    former: str
    to: str
    undone: bool
    records: int

    def sentence(self) -> str:
        """Say it to people."""
        done = "are two persons again" if self.undone else "are one person, under the new number"
        return f"the two numbers {done} (moved/{self.id}, {self.records:,} records)"


class PairNotDone(NamedTuple):
    """A pair that is not known to be done, and why."""

    former: str
    to: str
    why: str


class MergedPairs(NamedTuple):
    """Each pair is in one of three lists.

    Of those that were not done nothing was written. Of the unknown ones all was written or nothing:
    Kafka has not confirmed it.
    """

    merged: list[Merged]
    not_done: list[PairNotDone]
    unknown: list[PairNotDone]

    @property
    def is_whole(self) -> bool:
        """True where every pair was merged."""
        return not self.not_done and not self.unknown

    def as_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "fine": self.is_whole,
            "merged": [each._asdict() for each in self.merged],
            "not_done": [each._asdict() for each in self.not_done],
            "unknown": [each._asdict() for each in self.unknown],
        }

    def sentences(self) -> list[str]:
        """Say it to people: a sentence for each pair, and how many there are of each kind."""
        unknown = f", unknown: {len(self.unknown):,}" if self.unknown else ""
        return [
            *(f"{each.former} {each.to}: {each.sentence()}" for each in self.merged),
            *(f"{each.former} {each.to}: not done: {each.why}" for each in self.not_done),
            *(f"{each.former} {each.to}: unknown: {each.why}" for each in self.unknown),
            f"pairs done: {len(self.merged):,}, not done: {len(self.not_done):,}{unknown}",
        ]


def pairs_of(names: Sequence[str]) -> list[MergePair]:
    """Put names two and two together, the former one first. Raises MergeError."""
    if len(names) % 2:
        raise MergeError("name both numbers, or none: then the command asks for them")
    return [MergePair(*names[at : at + 2]) for at in range(0, len(names), 2)]


def read_pairs(lines: Iterable[bytes], settings: Settings) -> list[MergePair]:
    """Read a pair from each line that is not empty: two CPRs or pseudonyms.

    Raises MergeError, which names lines by their numbers: they hold CPRs.
    """
    pairs: list[MergePair] = []
    wrong: list[int] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        names = [_named(name, settings) for name in _BETWEEN.split(line.strip())]
        if len(names) == len(MergePair._fields) and all(names):
            pairs.append(MergePair(*names))
        else:
            wrong.append(number)
    if wrong:
        more = f" and {len(wrong) - MOST_LINES_NAMED:,} more" * (len(wrong) > MOST_LINES_NAMED)
        named = ", ".join(map(str, wrong[:MOST_LINES_NAMED]))
        raise MergeError(
            f"nothing was done: {len(wrong):,} lines are no pair of numbers (line {named}{more}):"
            " write on each line the former CPR, a space and the new one, or two pseudonyms; CPRs"
            " with 60 added to the day count as `refusion settings` says"
        )
    return pairs


def _named(name: bytes, settings: Settings) -> str:
    """Return the citizen that a CPR or pseudonym names; "" for neither."""
    text = name.decode(errors="replace")
    if PSEUDONYM.fullmatch(text):
        return text
    cpr = text.replace("-", "", 1)
    return settings.identity().of(cpr)[0] if is_cpr(cpr, settings.accepts_sixty) else ""


def check_pairs(pairs: Sequence[MergePair]) -> None:
    """Raise MergeError where pairs cannot be asked for."""
    if not pairs:
        raise MergeError("there is no pair on standard input: write one on each line")
    if len(pairs) > MOST_PAIRS:
        raise MergeError(
            f"{len(pairs):,} pairs are more than one request may have ({MOST_PAIRS:,}): give them"
            " in several calls"
        )
    if any(pair.former == pair.to for pair in pairs):
        raise MergeError("the former number and the new one are the same: give two numbers")
    if len(set(pairs)) < len(pairs):
        raise MergeError("a pair is given twice: give each once")
