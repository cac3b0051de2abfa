"""The transitional status of a case, with the facts and the rules that decide it (§ 30)."""

from domain.basics.sentences import sentence
from domain.basics.weeks import day_text, week_text
from domain.citizen.state import Citizen
from domain.explain.reasons import OldCase
from domain.explain.rulebook import Rulebook
from domain.law.old_cases import DECIDING_FACTS, NEVER
from domain.law.staircase import Law


def old_case_reason(law: Law, book: Rulebook, citizen: Citizen) -> OldCase | None:
    """Return the transitional status of a case, if it has a fact that may decide it (§ 30)."""
    head, legacy = citizen.head, law.rules.legacy
    deciding = sorted(head.facts.keys() & DECIDING_FACTS)
    facts = {fact: [day_text(day) for day in sorted(head.facts[fact])] for fact in deciding}
    if not facts:
        return None
    rules = []
    if facts.keys() - {"disability_pension_award"}:
        rules.append(
            book.value(
                "legacy.flex_referred_from",
                sentence("rule.flex_referred", day=str(legacy.flex_referred_from)),
            )
        )
    if "disability_pension_award" in facts:
        says = sentence("rule.pension_awarded", day=str(legacy.disability_pension_awarded_from))
        rules.append(book.value("legacy.disability_pension_awarded_from", says))
    status = head.weeks.status
    if status.enters:
        first, last = str(legacy.flex_transition_from), str(legacy.flex_transition_to)
        says = sentence("rule.flex_transition", first=first, last=last)
        rules += [book.value("legacy.flex_transition_from", says), book.switch("LEGACY_COUNT")]
    if status.transfer in (0, NEVER):
        return OldCase(
            facts,
            "never" if status.transfer else "always",
            None,
            False,
            status.old_pension,
            rules,
        )
    return OldCase(
        facts, "from", week_text(status.transfer), status.enters, status.old_pension, rules
    )
