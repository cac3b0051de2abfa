"""Makes what pages show of the differences that are kept: replays, and answers to questions."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from domain.ruledata.ruleset import Question, RuleSet
from streams.operations.kept_differences import REPLAY, KeptDifference, kept_differences

MOST_SHOWN = 20
"""Replays that the page of runs lists, the newest ones."""


class OtherAnswer(NamedTuple):
    """Another answer to an open question; `cost` is None where it was not computed yet."""

    value: str
    meaning: str
    answer: str
    cost: KeptDifference | None


class AskedQuestion(NamedTuple):
    """An open question that the program can answer otherwise, with the other answers."""

    question: Question
    others: Sequence[OtherAnswer]


def is_for(kept: KeptDifference, place: str | None) -> bool:
    """Tell whether a difference is about a municipality, or with None about any."""
    return place is None or kept.municipality in {"", place}


def recalculations(operations_dir: Path, place: str | None) -> list[KeptDifference]:
    """Return the replays that are kept, the part of a municipality or all, the newest first."""
    kept = kept_differences(operations_dir)
    shown = [each for each in kept if each.source == REPLAY and is_for(each, place)]
    return [each.of(place) for each in shown[:MOST_SHOWN]]


def questions(operations_dir: Path, rules: RuleSet, place: str | None) -> list[AskedQuestion]:
    """Return the open questions of a rule set, with what each other answer would cost.

    The newest replay counts that all municipalities are in. A comparison of files, which may be of
    anything, counts where there is none.
    """
    newest: dict[str, KeptDifference] = {}
    replays_first = sorted(kept_differences(operations_dir), key=lambda kept: kept.source != REPLAY)
    for kept in replays_first:
        if kept.holding == rules.name and kept.answer and not kept.municipality:
            newest.setdefault(kept.answer, kept.of(place))
    asked = []
    for switch, question in rules.questions.items():
        others = [
            OtherAnswer(other.value, other.meaning, f"{switch}={other.value}",
                        newest.get(f"{switch}={other.value}"))
            for other in question.alternatives
            if not other.not_coded
        ]  # fmt: skip
        if others:
            asked.append(AskedQuestion(question, others))
    return asked
