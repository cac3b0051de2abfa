"""Looks up the rules that an explanation uses: what each says in the rule set at hand, its reference and its mark."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from domain.basics.weeks import monday, week_of
from domain.explain.reasons import BandReason, Rule
from domain.law.staircase import OUTSIDE
from domain.ruledata.coverage import series
from domain.ruledata.ruleset import Benefit, DatedValue, LegalSource, RuleSet, Staircase

OUTSIDE_ACT = "outside_act"


class Rulebook:
    """The rules of a rule set by the names that the rule files give them; `used` are those that were looked up."""

    def __init__(self, rules: RuleSet) -> None:
        self.used: dict[str, Rule] = {}
        self._rules = rules
        self._dated = series(rules.dated)

    def switch(self, switch: str) -> str:
        """The answer to an open question."""
        question = self._rules.questions[switch]
        return self._use(
            f"switches.{switch}", f"{question.value}: {question.meaning}", question.source
        )

    def benefit(self, code: str) -> str:
        """The catalogue's entry of a money code; what is outside the Act has a rule of its own."""
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
        """An account."""
        return self.value(f"accounts.{account}", account)

    def value(self, name: str, says: str, week: int | None = None) -> str:
        """A rule that has one value at a time; its source is that of the value which holds in the week."""
        return self._use(name, says, _holding(self._dated[name], week).source)

    def band(self, week: int, number: int) -> BandReason:
        """The step of an ordinal in a week; money before the first benefit week takes the first."""
        staircase = self._staircase(week)
        at = max(at for at, band in enumerate(staircase.bands) if band.from_week <= max(number, 1))
        band, step = staircase.bands[at], at + 1
        weeks = f"{band.from_week}-{band.to_week}" if band.to_week else f"{band.from_week} and on"
        says = f"benefit weeks {weeks}: refusion {band.refusion} %, medfinansiering {band.medfinansiering} %"
        source = staircase.source
        rule = self._use(f"staircase.{step}", says, replace(source, reference=band.reference))
        return BandReason(
            step, band.from_week, band.to_week, band.refusion, band.medfinansiering, rule
        )

    def has_rates(self, week: int) -> bool:
        """Whether money of a week may have a rate: from the week of 28 December 2015 on."""
        return monday(week) >= self._rules.dates.turn_of_year_week.toordinal()

    def _staircase(self, week: int) -> Staircase:
        """That of the week; the week of 28 December 2015 has that of the week after."""
        latest = max(week, week_of(self._rules.dates.turn_of_year_rate_from.toordinal()))
        begun = (
            stairs
            for stairs in self._rules.staircases
            if week_of(stairs.valid_from.toordinal()) <= latest
        )
        return max(begun, key=lambda stairs: stairs.valid_from)

    def _use(self, name: str, says: str, source: LegalSource) -> str:
        self.used[name] = Rule(
            says, source.reference, source.evidence, dict(source.evidence_of), source.note
        )
        return name


def _holding(values: Sequence[DatedValue], week: int | None) -> DatedValue:
    """The value that holds in a week, else the last."""
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
        financed = f"{benefit.mechanism} by the staircase"
    else:
        financed = (
            f"{benefit.mechanism} {benefit.rate} %" if benefit.rate != "computed" else "computed"
        )
    counts = "counts" if benefit.counts else "does not count"
    return f"{benefit.name}: {financed}; {counts}, {'blocks' if benefit.blocks else 'does not block'} self-support"
