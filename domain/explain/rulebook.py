"""The rules that an explanation uses, each with its content, its reference and its evidence."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from domain.basics.sentences import Sentence, sentence
from domain.basics.weeks import monday
from domain.explain.reasons import BandReason, Rule
from domain.law.rates import staircase_in
from domain.law.staircase import OUTSIDE
from domain.ruledata.coverage import series
from domain.ruledata.ruleset import Benefit, DatedValue, LegalSource, RuleSet

OUTSIDE_ACT = "outside_act"


class Rulebook:
    """The rules of a rule set by their names in the rule files; `used` are those looked up."""

    def __init__(self, rules: RuleSet) -> None:
        self.used: dict[str, Rule] = {}
        self._rules = rules
        self._dated = series(rules.dated)

    def switch(self, switch: str) -> str:
        """Cite the answer to an open question."""
        question = self._rules.questions[switch]
        says = sentence("rule.switch", answer=question.value, meaning=question.meaning)
        return self._use(f"switches.{switch}", says, question.source)

    def benefit(self, code: str) -> str:
        """Cite the catalogue's entry of a money code; money outside the Act has its own rule."""
        if code.endswith(OUTSIDE):
            source = LegalSource(
                "lov 994/2015 § 3, stk. 2; S-§3", "verified", "Reported with outside_act."
            )
            return self._use(OUTSIDE_ACT, sentence("rule.outside_act"), source)
        benefit = self._rules.benefits[code]
        return self._use(f"catalogue.{code}", _benefit_says(benefit), benefit.source)

    def account(self, account: str) -> str:
        """Cite an account."""
        return self.value(f"accounts.{account}", sentence("rule.account", account=account))

    def value(self, name: str, says: Sentence, week: int | None = None) -> str:
        """Cite a rule with one value at a time; its source is that of the week's value."""
        return self._use(name, says, _holding(self._dated[name], week).source)

    def band(self, week: int, number: int) -> BandReason:
        """Cite the step of an ordinal in a week.

        Money before the first benefit week takes the first step.
        """
        staircase = staircase_in(self._rules, week)
        at = max(at for at, band in enumerate(staircase.bands) if band.from_week <= max(number, 1))
        band, step = staircase.bands[at], at + 1
        says = sentence(
            "rule.step" if band.to_week else "rule.last_step",
            first=band.from_week,
            last=band.to_week or 0,
            refusion=band.refusion,
            medfinansiering=band.medfinansiering,
        )
        source = staircase.source
        rule = self._use(f"staircase.{step}", says, replace(source, reference=band.reference))
        return BandReason(
            step, band.from_week, band.to_week, band.refusion, band.medfinansiering, rule
        )

    def has_rates(self, week: int) -> bool:
        """Return True if money of a week may have a rate: from the week of 28 December 2015 on."""
        return monday(week) >= self._rules.dates.turn_of_year_week.toordinal()

    def _use(self, name: str, says: Sentence, source: LegalSource) -> str:
        self.used[name] = Rule(
            says, source.reference, source.evidence, dict(source.evidence_of), source.note
        )
        return name


def _holding(values: Sequence[DatedValue], week: int | None) -> DatedValue:
    """Return the value of a week, or the last value."""
    if week is not None:
        first, last = date.fromordinal(monday(week)), date.fromordinal(monday(week) + 6)
        for value in values:
            if value.valid_from <= last and (value.valid_to is None or first <= value.valid_to):
                return value
    return values[-1]


def _benefit_says(benefit: Benefit) -> Sentence:
    counts = "rule.counts" if benefit.counts else "rule.counts_not"
    blocks = "rule.blocks" if benefit.blocks else "rule.blocks_not"
    return sentence(
        "rule.benefit",
        name=benefit.name,
        financed=_financed(benefit),
        counts=sentence(counts),
        blocks=sentence(blocks),
    )


def _financed(benefit: Benefit) -> Sentence:
    mechanism, rate = benefit.mechanism, benefit.rate
    if mechanism is None:
        return sentence("financed.not")
    if rate == "staircase":
        if points := benefit.state_points:
            return sentence("financed.points", mechanism=mechanism, points=f"{points:+}")
        return sentence("financed.staircase", mechanism=mechanism)
    if rate is None or rate == "computed":
        return sentence("financed.computed")
    return sentence("financed.fixed", mechanism=mechanism, rate=rate)
