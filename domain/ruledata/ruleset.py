"""The rules of one rule set, in the form that the domain computes with.

`domain.ruledata.reading` makes a `RuleSet` of parsed rule files.
"""

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from datetime import date
from hashlib import blake2b
from typing import Literal

Evidence = Literal["verified", "inferred", "expert", "assumed"]
Mechanism = Literal["refusion", "medfinansiering"]

Absence = Literal["not_in_force", "ceased", "rate_missing"]
"""The reason why a rule has no value on a day: not yet law, run out, or its value is unknown."""


class RuleError(ValueError):
    """Rule data cannot be used. The message names file, entry and field, and what is wrong."""


@dataclass(frozen=True, slots=True)
class LegalSource:
    """The source of a value: legal reference, evidence mark, and a remark (or "").

    `evidence_of` has the marks of single fields where they differ: ((field, mark), ...).
    """

    reference: str
    evidence: Evidence
    note: str = ""
    evidence_of: tuple[tuple[str, Evidence], ...] = ()


@dataclass(frozen=True, slots=True)
class DatedValue:
    """One value of a rule and the days it holds, both inclusive; None is open.

    Values of one `name` follow each other in time (`domain.ruledata.coverage` checks it).
    `before_first` and `after_last` say why there is none before the first of them and after the
    last.
    """

    file: str
    name: str
    value: object
    unit: str
    valid_from: date
    valid_to: date | None
    source: LegalSource
    before_first: Absence | None = None
    after_last: Absence | None = None


@dataclass(frozen=True, slots=True)
class NotCoded:
    """A rule that is left out on purpose: what it says, why it is left out, and its reference."""

    file: str
    rule: str
    reason: str
    reference: str


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another answer to an open question; `not_coded`: why no rule set may choose it, or ""."""

    value: str
    meaning: str
    not_coded: str


@dataclass(frozen=True, slots=True)
class Question:
    """A point that the sources leave open (rules section 11), with this rule set's answer."""

    id: str
    switch: str
    question: str
    value: str
    meaning: str
    alternatives: tuple[Alternative, ...]
    valid_from: date
    valid_to: date | None
    source: LegalSource


@dataclass(frozen=True, slots=True)
class Band:
    """One step (trin) of the staircase; `to_week` None is open. Percent of the amount.

    `reference` is the number of § 5 that sets this step.
    """

    from_week: int
    to_week: int | None
    refusion: int
    medfinansiering: int
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Staircase:
    """The bands that apply to money of weeks from `valid_from` (a Monday) to `valid_to`."""

    valid_from: date
    valid_to: date | None
    bands: tuple[Band, ...]
    source: LegalSource


@dataclass(frozen=True, slots=True)
class Benefit:
    """One entry of the catalogue (rules appendix C).

    `rate` is a fixed percentage, "staircase", "computed" (FB) or None (not financed).
    `last_new_case`: the last day on which a case may begin; None where new cases are open.
    `state_points`: percentage points that are added to the State's share on every step.
    `atp_deducted`: the base is the amount less ATP (ADP and AMY, rules 4.2 item 2).
    `turn_of_year_weekly`: financed for the whole week of 28 December 2015 (sygedagpenge, item 11).
    """

    code: str
    name: str
    mechanism: Mechanism | None
    rate: int | Literal["staircase", "computed"] | None
    counts: bool
    blocks: bool
    valid_from: date
    valid_to: date | None
    atp_deducted: bool
    turn_of_year_weekly: bool
    reportable: bool
    source: LegalSource
    last_new_case: date | None = None
    state_points: int = 0

    def share(self, band: Band) -> int:
        """The percentage of its mechanism that the benefit has on a step of the staircase."""
        if self.mechanism == "refusion":
            return band.refusion + self.state_points
        return band.medfinansiering - self.state_points


@dataclass(frozen=True, slots=True)
class Reset:
    """A new start of the staircase (§ 6): whole self-support weeks within the last years."""

    self_support_weeks: int
    within_years: int
    source: LegalSource


@dataclass(frozen=True, slots=True)
class Dates:
    """The days on which counting and rates begin (§§ 29 and 30)."""

    counting_from: date
    rates_from_month: str
    turn_of_year_week: date
    turn_of_year_rate_from: date
    source: LegalSource


@dataclass(frozen=True, slots=True)
class Fleksbidrag:
    """The monthly amount of the State beside fleksløntilskud on the 20 % step.

    LBK 221/2021 § 7; rules 1.4.

    B is the year's `FlexBasis`, R the month's refusion, W its wages without pension.
    """

    only_at_refusion: int
    share_percent: int
    cap_2015_kroner: int
    cap_percent: int
    wage_reduction_percent: int
    basis_percent: int
    source: LegalSource


@dataclass(frozen=True, slots=True)
class FlexBasis:
    """B of one year, and the highest unemployment benefit it is a share of; kroner a month."""

    kroner: int
    highest_benefit_kroner: int
    source: LegalSource


@dataclass(frozen=True, slots=True)
class Legacy:
    """The dates that part old cases from the staircase (§ 30, stk. 2-4), and their known rate.

    `flex_refusion` is percent of the amount.
    """

    flex_referred_from: date
    flex_transition_from: date
    flex_transition_to: date
    disability_pension_awarded_from: date
    flex_refusion: int
    source: LegalSource


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Everything the settlement needs to know about the law; immutable.

    `benefits` is by code, `municipalities` code to name, `accounts` by code, mechanism and
    percentage, `flex_basis` by year. `switches` has the chosen value by the switch's name, and
    `questions` what people read about it. `dated` has every value of the rule files once more,
    with its dates.
    """

    name: str
    benefits: Mapping[str, Benefit]
    municipalities: Mapping[str, str]
    staircases: tuple[Staircase, ...]
    reset: Reset
    dates: Dates
    accounts: Mapping[tuple[str, Mechanism, int], str]
    switches: Mapping[str, str]
    questions: Mapping[str, Question]
    fleksbidrag: Fleksbidrag
    flex_basis: Mapping[int, FlexBasis]
    legacy: Legacy
    dated: tuple[DatedValue, ...]
    not_coded: tuple[NotCoded, ...]

    def digest(self, usual: Mapping[str, str]) -> str:
        """Digest of every rule that affects settlement, as 32 hexadecimal digits.

        The name of the rule set and the sources are no part of it. A switch counts only where its
        answer is not the usual one, and a field of a benefit that came later only where it is
        given: so rule sets from before have the digest that they always had.
        """
        content = (
            sorted(_settled_by(benefit) for benefit in self.benefits.values()),
            [
                (
                    stairs.valid_from.isoformat(),
                    [
                        (band.from_week, band.refusion, band.medfinansiering)
                        for band in stairs.bands
                    ],
                )
                for stairs in self.staircases
            ],
            sorted(
                (code, mechanism, rate, account)
                for (code, mechanism, rate), account in self.accounts.items()
            ),
            sorted(
                (switch, value) for switch, value in self.switches.items() if value != usual[switch]
            ),
            sorted((year, basis.kroner) for year, basis in self.flex_basis.items()),
            [
                str(value)
                for each in (self.reset, self.dates, self.fleksbidrag, self.legacy)
                for value in _values(each)
            ],
        )
        return blake2b(repr(content).encode(), digest_size=16).hexdigest()


def _settled_by(benefit: Benefit) -> tuple[str, ...]:
    names = (
        "code", "mechanism", "rate", "counts", "blocks", "valid_from", "valid_to",
        "atp_deducted", "turn_of_year_weekly",
    )  # fmt: skip
    later = [
        f"{name}={value}"
        for name in ("last_new_case", "state_points")
        if (value := getattr(benefit, name))
    ]
    return (*(str(getattr(benefit, name)) for name in names), *later)


def _values(entry: Reset | Dates | Fleksbidrag | Legacy) -> tuple[object, ...]:
    """All fields but the source, which is the last."""
    return astuple(entry)[:-1]
