"""What an explanation consists of: plain values under names that programs may rely on (`refusion explain --json`).

WeekSpan are their Mondays, months `YYYY-MM`, money is øre. A `rule` is a name in the explanation's
`rules`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from domain.explain.fates import Fate
from domain.ruledata.ruleset import Evidence, Mechanism

State = Literal["B", "O", "S"]
ReportType = Literal["benefit_payment", "income", "case_fact", "reversal"]
Role = Literal["counts", "blocks", "neither", "outside_act", "old_case"]
"""What a positive net of a benefit makes of its week: B, O, or nothing; `outside_act` and `old_case` make it O."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that was used: what it says in the rule set at hand, where that is from, and how sure it is.

    `evidence_of` has the fields of the rule that are less or more sure than the rest of it.
    """

    says: str
    reference: str
    evidence: Evidence
    evidence_of: Mapping[str, Evidence]
    note: str


@dataclass(frozen=True, slots=True)
class WeekSpan:
    """Weeks that follow each other."""

    first: str
    number: int


@dataclass(frozen=True, slots=True)
class ReportReason:
    """A report and what became of it.

    `what` is the benefit's code, the kind of income, the fact or the report that is reversed;
    `until` is null for what has one day or none. `by` is the report that made the fate so.
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
    """A benefit's net in the week, over all reports, months and municipalities, and whether it touches the week."""

    benefit: str
    role: Role
    net_ore: int
    touches: bool
    rule: str


@dataclass(frozen=True, slots=True)
class CountReason:
    """The refusionstæller: how many benefit weeks were reached in the week since the start or the latest new start."""

    reached: int
    weeks: list[WeekSpan]


@dataclass(frozen=True, slots=True)
class Earned:
    """The genoptjeningstæller at the end of the week: whole self-support weeks since the first benefit week."""

    earned: int
    needed: int
    window_from: str
    weeks: list[WeekSpan]


@dataclass(frozen=True, slots=True)
class NewStartReason:
    """The week at whose end both counters began anew, and the self-support weeks that made it so."""

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
    """What a report has in a cell: its share of the base by the split, of which `atp_ore` was deducted before.

    `split` is the answer to the switch; days are calendar days, which only CALENDAR_DAYS shares by.
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
    """A cell and what is due for it; `why_none` says why it gives no row.

    `unrounded` is the result in øre before it was rounded. `ordinal` is what the money took its
    rate from.
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
    why_none: str


@dataclass(frozen=True, slots=True)
class BidragReason:
    """A month's fleksbidrag (§ 7): F = (min(share, cap) − reduction) × due, in whole kroner, not below 0.

    `basis_ore` is B, `refusion_ore` R, `wages_ore` W; null is not known. `due` is the part of the
    month that is due, from `days` with fleksløntilskud and those of them on the step. The row
    stands in `week`; `why_none` says why not.
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
    why_none: str
    rules: list[str]


@dataclass(frozen=True, slots=True)
class TurnOfYear:
    """§ 29, stk. 3: money of the week of 28 December 2015 takes the ordinal of the week after, or its own + 1."""

    rate_of_week: str
    week_after_has_benefits: bool
    ordinal: int
    rule: str


@dataclass(frozen=True, slots=True)
class OldCase:
    """Where the case stands by its facts (§ 30).

    `flex` money is on the staircase `always`, `never`, or `from` the week `on_staircase_from`; with
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
    """What changes the counters next, told from the end of a week if nothing but that happens.

    `benefit_weeks` until the next step (null on the last one); `self_support_weeks` until a new
    start, reached at the earliest at the end of `new_start`; `drops_out` is the week in which an
    earned one leaves the window.
    """

    week: str
    benefit_weeks: int | None
    next_refusion: int | None
    next_medfinansiering: int | None
    self_support_weeks: int | None
    new_start: str | None
    drops_out: str | None
    sentences: list[str]


@dataclass(frozen=True, slots=True)
class WeekReason:
    """The complete reason for a citizen's week."""

    citizen: str
    rule_set: str
    week: str
    iso_week: str
    state: State
    because: str
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
    """A week in the strip. `step` is null where the week has no benefits, or no rates apply yet."""

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
