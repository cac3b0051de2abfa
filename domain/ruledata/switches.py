"""A rule set file answers the questions that the law as read leaves open (rules section 11).

There are two forms. A whole one has every question with its answer, as `rule-sets/R-1.yaml`. One
that is based on another rule set has only what differs from it:

    name: weekdays-35                # stands in every posting made with it
    based_on: R-1
    valid_from: 2014-07-01
    valid_to: null
    note: "Hvad hvis beløb kun fordeles på hverdage, og tredje trin er 35 pct.?"
    switches: {SPLIT: WEEKDAYS}      # other answers
    overrides:                       # other values, under the names that the rule files give them
      reset.yaml:
        reset:
          self_support_weeks: {value: 39, unit: whole calendar weeks, ...}
    questions: [...]                 # questions stated anew, as a whole file has them
    not_coded: [...]                 # rules that are left out, as any rule file may say

Its changes to the catalogue are in `domain.ruledata.amendments`.

An override replaces whole entries and whole lists, so that no other value ever stands beside the
reference and the evidence mark of the one in force.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from domain.ruledata import amendments
from domain.ruledata.fields import (
    REMARK_FIELDS,
    SOURCE_FIELDS,
    RuleEntry,
    document,
    entry,
    refuse_second,
    shown,
    source_of,
)
from domain.ruledata.ruleset import Alternative, DatedValue, LegalSource, Question

IMPLEMENTED: Mapping[str, tuple[str, ...]] = {
    "SPLIT": ("CALENDAR_DAYS", "EQUAL_PER_TOUCHED_WEEK", "WEEKDAYS"),
    "TOUCH": ("NET_POSITIVE", "ANY_REPORT"),
    "WINDOW": ("DATES_AT_SUNDAY",),
    "RESET_AT": ("WHEN_REACHED", "AT_NEXT_BENEFIT"),
    "WEEK_MONTH": ("SUNDAY",),
    "ADP_WEEKS": ("WHOLE_PERIOD",),
    "OTHER_LIST": ("CATALOGUE",),
    "ABROAD_PRISON": ("SELF_SUPPORT",),
    "UFB": ("OTHER", "BENEFIT"),
    "ROUND": ("ROW_ORE", "ROW_KRONE"),
    "FB_READING": ("B", "A"),
    "FB_PRORATION": ("BY_DAYS", "WHOLE_MONTH", "NONE"),
    "RECALC": ("ALL",),
    "NO15": ("CHILD_GRANT_WITHOUT_TOUCH",),
    "RESIDENCE": ("BY_DAYS",),
    "LEGACY_COUNT": ("ON_TRANSFER", "NEVER", "ALWAYS"),
    "FP6": ("EXPLICIT_INPUT",),
    "LEGACY_RATES": ("TABLE",),
}
"""The values of each switch that the calculation follows, the usual one first.

Any other value is refused, with the reason that the data gives.
"""

OVERRIDABLE = ("staircase.yaml", "reset.yaml", "fleksbidrag.yaml", "legacy.yaml")
"""The rule files whose values a rule set may replace.

Benefits and accounts are not replaced but added and closed (`domain.ruledata.amendments`).
"""

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}"
"""The form of a rule set's name, which is in every posting made with it."""

_WHOLE = ("name", "valid_from", "valid_to", "switches")
_BASED = ("name", "based_on", "valid_from", "valid_to", "note")
MAY_DIFFER = ("switches", "overrides", "questions", "not_coded", *amendments.FIELDS)
"""The fields in which a rule set file may differ from the one that it is based on."""


class RuleSetFile(NamedTuple):
    """One rule set file as read, with the questions of those that it builds on.

    `overrides` has the changed part of each rule file by name. `top` has all fields of the file.
    """

    file: str
    name: str
    questions: dict[str, Question]
    dated: tuple[DatedValue, ...]
    overrides: Mapping[str, object]
    top: RuleEntry

    @property
    def amends(self) -> bool:
        """True where the file changes the catalogue or the accounts."""
        return any(field in self.top.fields for field in amendments.FIELDS)


def base_file_of(own: object) -> str | None:
    """The rule set file that another is based on; None for a whole one or a damaged one."""
    base = own.get("based_on") if isinstance(own, dict) else None
    return f"rule-sets/{base}.yaml" if isinstance(base, str) else None


def read_rule_set_files(
    documents: Mapping[str, object], own_file: str, above: tuple[str, ...] = ()
) -> list[RuleSetFile]:
    """A rule set file and all that it builds on, the whole one first.

    Raises:
        RuleError: file, entry and field are named; an answer that is not coded with the reason.
    """
    base_file = base_file_of(documents.get(own_file))
    if base_file is None:
        top = document(documents, own_file, _WHOLE, ("not_coded", "note"))
        return [_rule_set_file(top, _read_questions(top, "switches"), {}, own_file)]
    top = document(documents, own_file, _BASED, MAY_DIFFER)
    if base_file in (own_file, *above):
        raise top.error("based_on", "builds on itself")
    chain = read_rule_set_files(documents, base_file, (*above, own_file))
    questions = chain[-1].questions | _restated(top)
    for switch, value in _mapping(top, "switches").items():
        if switch not in questions:
            raise top.error(
                "switches", f"{shown(switch)} is no switch; they are {', '.join(questions)}"
            )
        questions[switch] = _chosen(top, questions[switch], value)
    overrides = _mapping(top, "overrides")
    for file in overrides:
        if file not in OVERRIDABLE:
            raise top.error(
                "overrides",
                f"{shown(file)} is not a file that may be overridden: {', '.join(OVERRIDABLE)}",
            )
    return [*chain, _rule_set_file(top, questions, overrides, chain[0].file)]


def _restated(top: RuleEntry) -> dict[str, Question]:
    return _read_questions(top, "questions") if "questions" in top.fields else {}


def _rule_set_file(
    top: RuleEntry, questions: dict[str, Question], overrides: Mapping[str, object], whole_file: str
) -> RuleSetFile:
    name, (start, end) = top.text("name", NAME), top.period()
    note = top.text("note") if "note" in top.fields else ""
    source = LegalSource("", "assumed", note)
    validity = DatedValue(top.file, "validity", name, "", start, end, source)
    answers = [
        DatedValue(
            whole_file,
            f"switches.{asked.switch}",
            asked.value,
            "",
            asked.valid_from,
            asked.valid_to,
            asked.source,
        )
        for asked in questions.values()
    ]
    return RuleSetFile(top.file, name, questions, (validity, *answers), overrides, top)


def _mapping(top: RuleEntry, field: str) -> Mapping[str, object]:
    """The mapping of an optional field; empty where it is left out."""
    held = top.fields.get(field, {})
    if not isinstance(held, dict) or not all(isinstance(key, str) for key in held):
        raise top.error(field, "is not a mapping of names")
    return held


# Questions


def _read_questions(top: RuleEntry, field: str) -> dict[str, Question]:
    """Every question of a list with its answer, by its switch; a whole file has all of them."""
    questions: dict[str, Question] = {}
    fields = ("id", "name", "question", "value", "meaning", "alternatives", *SOURCE_FIELDS)
    for number, value in enumerate(top.items(field), 1):
        entry_name = (
            str(value["name"])
            if isinstance(value, dict) and "name" in value
            else f"number {number}"
        )
        read = entry(top.file, entry_name, value, fields, REMARK_FIELDS)
        question = _question(read)
        refuse_second(read, "name", question.switch, questions)
        questions[question.switch] = question
    missing = [switch for switch in IMPLEMENTED if switch not in questions]
    if missing and field == "switches":
        raise top.error(field, f"no entry for {', '.join(missing)}")
    return questions


def _question(read: RuleEntry) -> Question:
    switch, value = read.text("name"), read.text("value")
    if switch not in IMPLEMENTED:
        raise read.error("name", f"{shown(switch)} is no switch; they are {', '.join(IMPLEMENTED)}")
    if value not in IMPLEMENTED[switch]:
        raise read.error("value", f"{shown(value)} is not coded; {_coded(switch)}")
    alternatives = _alternatives(read, switch)
    known = [value, *(alternative.value for alternative in alternatives)]
    if len(known) != len(set(known)):
        raise read.error(
            "alternatives", f"{', '.join(known)}: one of them, or the value, stands twice"
        )
    if untold := [coded for coded in IMPLEMENTED[switch] if coded not in known]:
        raise read.error("alternatives", f"says nothing of {', '.join(untold)}, which is coded")
    id_, question, meaning = (
        read.text("id", r"Q[0-9]+"),
        read.text("question"),
        read.text("meaning"),
    )
    return Question(
        id_, switch, question, value, meaning, alternatives, *read.period(), source_of(read)
    )


def _alternatives(read: RuleEntry, switch: str) -> tuple[Alternative, ...]:
    """The other answers, coded or not; one that is not coded has a reason."""
    held = read.fields["alternatives"]
    if not isinstance(held, list):
        raise read.error("alternatives", "is not a list")
    found = []
    for number, value in enumerate(held, 1):
        name = f"{switch}, alternative {number}"
        other = entry(read.file, name, value, ("value", "meaning"), ("not_coded",))
        reason = other.text("not_coded") if "not_coded" in other.fields else ""
        alternative = Alternative(other.text("value"), other.text("meaning"), reason)
        if (alternative.value in IMPLEMENTED[switch]) == bool(reason):
            raise other.error("not_coded", f"does not agree with the program: {_coded(switch)}")
        found.append(alternative)
    return tuple(found)


def _coded(switch: str) -> str:
    return f"the program follows {', '.join(IMPLEMENTED[switch])}"


# The answers of a file that is based on another


def _chosen(top: RuleEntry, question: Question, value: object) -> Question:
    """The question with another answer, which is never more than assumed."""
    if value == question.value:
        return question
    for alternative in question.alternatives:
        if alternative.value == value:
            if alternative.not_coded:
                raise top.error(
                    "switches", f"{question.switch} {value} is not coded: {alternative.not_coded}"
                )
            return _with_answer(question, alternative, top.text("name"))
    known = ", ".join(
        (question.value, *(alternative.value for alternative in question.alternatives))
    )
    raise top.error("switches", f"{question.switch} has no value {shown(value)}; known are {known}")


def _with_answer(question: Question, chosen: Alternative, rule_set: str) -> Question:
    left = Alternative(question.value, question.meaning, "")
    others = tuple(left if other is chosen else other for other in question.alternatives)
    source = LegalSource(question.source.reference, "assumed", f"Valgt i regelsæt {rule_set}.")
    return replace(
        question, value=chosen.value, meaning=chosen.meaning, alternatives=others, source=source
    )


# Overrides


def merged(base: object, change: object) -> object:
    """`base` with the lists and entries (these have an evidence mark) that `change` replaces."""
    if not isinstance(base, dict) or not isinstance(change, dict) or "evidence" in base:
        return change
    return base | {key: merged(base.get(key), value) for key, value in change.items()}
