"""R-1 with other answers to the open questions, read as a rule set file is."""

from datetime import date
from functools import cache

from domain.ruledata.reading import rule_set_from
from domain.ruledata.ruleset import RuleSet
from domain.ruledata.switches import IMPLEMENTED
from streams.citizens.rule_sets import DEFAULT, PACKAGED, load_rule_set, read_documents
from tests.support.case_file import Case

FILE = "what-if.yaml"
ALTERNATIVES = {
    f"{switch} {value}": {switch: value}
    for switch, values in IMPLEMENTED.items()
    for value in values[1:]
}
"""Every answer that a rule set may choose instead of the default's, by its name."""


@cache
def _answering(answers: tuple[tuple[str, str], ...]) -> RuleSet:
    if not answers:
        return load_rule_set()
    own = {"name": "what-if", "based_on": DEFAULT, "valid_from": date(2014, 7, 1), "valid_to": None}
    documents = read_documents(DEFAULT, PACKAGED)
    return rule_set_from(
        FILE, documents | {FILE: own | {"note": "Hvad hvis?", "switches": dict(answers)}}
    )


def rules_of(case: Case) -> RuleSet:
    """The rule set of a law case."""
    return answering(**case.answers) if case.answers else load_rule_set(case.rule_set)


def answering(**answers: str) -> RuleSet:
    """R-1 with these answers; R-1 itself where there is none."""
    return _answering(tuple(sorted(answers.items())))
