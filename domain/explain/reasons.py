"""The values that make up an explanation.

Programs may rely on their names (`refusion explain --json`). Weeks are their Mondays, months are
`YYYY-MM`, money is in øre. A `rule` is a name in the explanation's `rules`. What is
said in words is a `Sentence`; JSON has it as text.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from domain.basics.sentences import Sentence
from domain.explain.fates import Fate
from domain.ruledata.ruleset import Evidence, Mechanism

State = Literal["B", "O", "S"]
ReportType = Literal["benefit_payment", "income", "case_fact", "reversal"]
Role = Literal["counts", "blocks", "neither", "outside_act", "old_case"]
"""The effect of a benefit with a positive net on its week: B, O, or none.

`outside_act` and `old_case` make the week O.
"""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that was used: its content in the rule set, its source, and its evidence.

    `evidence_of` has the fields of the rule whose evidence differs from the rest.
    """

    says: Sentence
    reference: str
    evidence: Evidence
    evidence_of: Mapping[str, Evidence]
    note: str


@dataclass(frozen=True, slots=True)
class WeekSpan:
    """Consecutive weeks."""

    first: str
    number: int


@dataclass(frozen=True, slots=True)
class ReportReason:
    """A report and its fate.

    `what` is the benefit's code, the kind of income, the fact, or the report that is reversed.
    `until` is null if it has one day or none. `by` is the report that decided the fate.
    """

    cause: str
    type: ReportType
    what: str
    since: str | None
    until: str | None
    amount_ore: int | None
    outside_act: bool
    channel: str | None
    reported_on: str
    fate: Fate
    by: str


@dataclass(frozen=True, slots=True)
class Touch:
    """A benefit's net in the week, over all reports, months and municipalities.

    `touches` is true if it touches the week.
    """

    benefit: str
    role: Role
    net_ore: int
    touches: bool
    rule: str


@dataclass(frozen=True, slots=True)
class CountReason:
    """The refusionstæller: benefit weeks since the start or latest new start, up to the week."""

    reached: int
    weeks: list[WeekSpan]


@dataclass(frozen=True, slots=True)
class Earned:
    """The genoptjeningstæller at the end of the week.

    It counts whole self-support weeks since the first benefit week.
    """

    earned: int
    needed: int
    window_from: str
    weeks: list[WeekSpan]


@dataclass(frozen=True, slots=True)
class NewStartReason:
    """A new start: the week at whose end both counters began again, and the weeks that made it."""

    at_end_of: str
    weeks: list[WeekSpan]


@dataclass(frozen=True, slots=True)
class BandReason:
    """A step of the staircase. Percent of the amount; the last step has no last week."""

    step: int
    from_week: int
    to_week: int | None
    refusion: int
    medfinansiering: int
    rule: str


@dataclass(frozen=True, slots=True)
class ShareReason:
    """A report's share of a cell: its base, divided by the split.

    `atp_ore` was deducted before. `split` is the answer to the switch; days are calendar days, by
    which only CALENDAR_DAYS divides.
    """

    cause: str
    split: str
    amount_ore: int
    base_ore: int
    days: int
    days_of_period: int
    share_ore: int
    atp_ore: int


@dataclass(frozen=True, slots=True)
class RowReason:
    """A cell and the money that is due for it; `why_none` says why it gives no row.

    `unrounded` is the result in øre before it was rounded. `ordinal` is the number that decided the
    rate.
    """

    month: str
    benefit: str
    paying: str | None
    financing: str | None
    shares: list[ShareReason]
    amount_ore: int
    atp_ore: int
    ordinal: int | None
    mechanism: Mechanism | None
    rate: int | None
    unrounded: str | None
    result_ore: int | None
    account: str | None
    rule: str
    why_none: Sentence


@dataclass(frozen=True, slots=True)
class BidragReason:
    """A month's fleksbidrag (§ 7).

        F = (min(share, cap) − reduction) × due, in whole kroner, not below 0

    `basis_ore` is B, `refusion_ore` R, `wages_ore` W; null means not known. `due` is the part of
    the month that is due: of `days` with fleksløntilskud, those on the step. The row is in `week`;
    `why_none` says why there is none.
    """

    month: str
    basis_ore: int | None
    refusion_ore: int
    share_ore: str
    cap_ore: int
    wages_ore: int | None
    reduction_ore: str
    days: int
    entitling_days: int
    due: str
    amount_ore: int
    week: str
    paying: str
    financing: str
    why_none: Sentence
    rules: list[str]


@dataclass(frozen=True, slots=True)
class TurnOfYear:
    """The rule for the turn of the year (§ 29, stk. 3).

    Money of the week of 28 December 2015 takes the ordinal of the week after, or its own + 1.
    """

    rate_of_week: str
    week_after_has_benefits: bool
    ordinal: int
    rule: str


@dataclass(frozen=True, slots=True)
class OldCase:
    """The transitional status of a case, by its facts (§ 30).

    `flex` money is on the staircase `always`, `never`, or `from` the week `on_staircase_from`. With
    `old_weeks_enter` the old weeks are in the count from that week on.
    """

    facts: Mapping[str, list[str]]
    flex: Literal["always", "from", "never"]
    on_staircase_from: str | None
    old_weeks_enter: bool
    old_pension: bool
    rules: list[str]


@dataclass(frozen=True, slots=True)
class Ahead:
    """The next changes of the counters, from the end of a week.

    `benefit_weeks` is the number until the next step (null on the last one). `self_support_weeks`
    is the number until a new start, which comes at the end of `new_start` at the earliest.
    `drops_out` is the week in which an earned week leaves the window.
    """

    week: str
    benefit_weeks: int | None
    next_refusion: int | None
    next_medfinansiering: int | None
    self_support_weeks: int | None
    new_start: str | None
    drops_out: str | None
    sentences: list[Sentence]


@dataclass(frozen=True, slots=True)
class WeekReason:
    """The complete reason for a citizen's week."""

    citizen: str
    rule_set: str
    week: str
    iso_week: str
    state: State
    because: Sentence
    touches: list[Touch]
    count: CountReason
    earned: Earned
    last_new_start: NewStartReason | None
    new_start_here: NewStartReason | None
    band: BandReason | None
    turn_of_year: TurnOfYear | None
    old_case: OldCase | None
    reports: list[ReportReason]
    rows: list[RowReason]
    fleksbidrag: list[BidragReason]
    ahead: Ahead
    rules: Mapping[str, Rule]


@dataclass(frozen=True, slots=True)
class WeekOfLife:
    """A week of a life.

    `step` is null if the week has no benefits, or no rates apply yet.
    """

    week: str
    state: State
    reached: int
    step: int | None
    earned_now: bool
    new_start: bool


@dataclass(frozen=True, slots=True)
class LifeReason:
    """A citizen's life on the staircase, from the first week with support to the last."""

    citizen: str
    rule_set: str
    weeks: list[WeekOfLife]
    count: CountReason
    earned: Earned
    band: BandReason | None
    new_starts: list[NewStartReason]
    old_case: OldCase | None
    reports: list[ReportReason]
    ahead: Ahead | None
    rules: Mapping[str, Rule]
