"""The rules that an explanation uses, each with its content, its reference and its evidence."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

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
        return self._use(
            f"switches.{switch}", f"{question.value}: {question.meaning}", question.source
        )

    def benefit(self, code: str) -> str:
        """Cite the catalogue's entry of a money code; money outside the Act has its own rule."""
        if code.endswith(OUTSIDE):
            source = LegalSource(
                "lov 994/2015 § 3, stk. 2; S-§3", "verified", "Reported with outside_act."
            )
            return self._use(
                OUTSIDE_ACT, "payments outside the Act are not financed and make the week O", source
            )
        benefit = self._rules.benefits[code]
        return self._use(f"catalogue.{code}", _benefit_says(benefit), benefit.source)

    def account(self, account: str) -> str:
        """Cite an account."""
        return self.value(f"accounts.{account}", account)

    def value(self, name: str, says: str, week: int | None = None) -> str:
        """Cite a rule with one value at a time; its source is that of the week's value."""
        return self._use(name, says, _holding(self._dated[name], week).source)

    def band(self, week: int, number: int) -> BandReason:
        """Cite the step of an ordinal in a week.

        Money before the first benefit week takes the first step.
        """
        staircase = staircase_in(self._rules, week)
        at = max(at for at, band in enumerate(staircase.bands) if band.from_week <= max(number, 1))
        band, step = staircase.bands[at], at + 1
        weeks = f"{band.from_week}-{band.to_week}" if band.to_week else f"{band.from_week} and on"
        says = (
            f"benefit weeks {weeks}:"
            f" refusion {band.refusion} %, medfinansiering {band.medfinansiering} %"
        )
        source = staircase.source
        rule = self._use(f"staircase.{step}", says, replace(source, reference=band.reference))
        return BandReason(
            step, band.from_week, band.to_week, band.refusion, band.medfinansiering, rule
        )

    def has_rates(self, week: int) -> bool:
        """Return True if money of a week may have a rate: from the week of 28 December 2015 on."""
        return monday(week) >= self._rules.dates.turn_of_year_week.toordinal()

    def _use(self, name: str, says: str, source: LegalSource) -> str:
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


def _benefit_says(benefit: Benefit) -> str:
    if benefit.mechanism is None:
        financed = "not financed"
    elif benefit.rate == "staircase":
        more = f", {benefit.state_points:+} points for the State" if benefit.state_points else ""
        financed = f"{benefit.mechanism} by the staircase{more}"
    else:
        financed = (
            f"{benefit.mechanism} {benefit.rate} %" if benefit.rate != "computed" else "computed"
        )
    counts = "counts" if benefit.counts else "does not count"
    blocks = "blocks" if benefit.blocks else "does not block"
    return f"{benefit.name}: {financed}; {counts}, {blocks} self-support"
