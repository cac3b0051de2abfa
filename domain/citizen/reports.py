"""Reports, control records and opening rows in the domain's own types, and the lines kept of them.

Source: contract section 2. Days are ordinals (`domain.basics.weeks.day`), money is øre.
`reported` is the day of `reported_at`. It is no part of the content: it is left out when two
deliveries are compared. Behind it stand the fields that schema 2 has brought: `group` names the
reporter's own report that this one is a part of, or is "".

This is the one place that lists the fields of a payment.
"""

from hashlib import blake2b
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import astuple

from domain.basics.weeks import month_text, week_text
from domain.law.staircase import money_code
from domain.ruledata.ruleset import Mechanism


class Payment(NamedTuple):
    """One line of eIndkomst or DFDG (`benefit_payment`)."""

    reporter: str
    report_id: str
    benefit: str
    start: int
    end: int
    amount_ore: int
    atp_ore: int
    paying: str | None
    financing: str | None
    channel: str
    outside_act: bool
    reported: int
    group: str = ""


class Income(NamedTuple):
    """Wages or income from self-employment (`income`)."""

    reporter: str
    report_id: str
    kind: str
    start: int
    end: int
    amount_ore: int
    pension_ore: int
    reported: int
    group: str = ""


class CaseFact(NamedTuple):
    """A dated fact of the case (`case_fact`), such as a referral to fleksjob or a death."""

    reporter: str
    report_id: str
    fact: str
    date: int
    reported: int
    group: str = ""


class Reversal(NamedTuple):
    """A reversal says that what it names never counted (`reversal`).

    It names the report `reverses` of the same citizen and reporter, or all their reports of the
    group `reverses_group`; the other is "".
    """

    reporter: str
    report_id: str
    reverses: str
    reported: int
    group: str = ""
    reverses_group: str = ""


Report = Payment | Income | CaseFact | Reversal


class Line(Struct, array_like=True, gc=False):
    """A payment as the state keeps it.

    `code` is its money code, `reversed` is 1 where a reversal took it back, else 0.
    """

    reporter: str
    report_id: str
    code: str
    start: int
    end: int
    amount_ore: int
    atp_ore: int
    paying: str | None
    financing: str | None
    channel: str
    reversed: int


class IncomeLine(Struct, array_like=True, gc=False):
    """An income as the state keeps it; `reversed` as in `Line`."""

    reporter: str
    report_id: str
    kind: str
    start: int
    end: int
    amount_ore: int
    pension_ore: int
    reversed: int


def line_of(payment: Payment, is_reversed: bool) -> Line:
    """Make the line of a payment."""
    (
        reporter, report_id, benefit, start, end, amount_ore, atp_ore, paying, financing, channel,
        outside_act, _, _,
    ) = payment  # fmt: skip
    code = money_code(benefit, outside_act) if outside_act else benefit
    return Line(
        reporter, report_id, code, start, end, amount_ore, atp_ore, paying, financing, channel,
        int(is_reversed),
    )  # fmt: skip


def income_line_of(income: Income, is_reversed: bool) -> IncomeLine:
    """Make the line of an income."""
    reporter, report_id, kind, start, end, amount_ore, pension_ore, _, _ = income
    return IncomeLine(
        reporter, report_id, kind, start, end, amount_ore, pension_ore, int(is_reversed)
    )


class RunMarker(NamedTuple):
    """A control record that cuts the month's run here (contract sections 1 and 3).

    `accepted` are the doubts about completeness in spite of which it was cut.
    """

    run: int
    closed_at: str
    data_month: int
    accepted: tuple[str, ...] = ()


class RulesRecord(NamedTuple):
    """A control record that makes a rule set valid from here on.

    `digest` is the digest of the rule set's content; "" fits any.
    """

    id: str
    rules: str
    digest: str


class Scope(NamedTuple):
    """The citizens of a recalculation: of a municipality, one, or all where both fields are ""."""

    municipality: str = ""
    citizen: str = ""


class Recalculation(NamedTuple):
    """A control record that settles the citizens in scope anew from their reports."""

    id: str
    scope: Scope


class KeysRecord(NamedTuple):
    """A control record that states the keys of the journal; nothing is settled by it.

    From here on a record counts only if it has a MAC. Keys are named by their ids; `demo` tells
    whether everybody knows them.
    """

    id: str
    pseudonym_key: str
    seal_keys: tuple[str, ...]
    journal_keys: tuple[str, ...]
    demo: bool


class Freeing(NamedTuple):
    """A control record that frees a citizen's report id for a new report.

    What came under the id before counts no more, nor does a reversal of it.
    """

    id: str
    citizen: str
    reporter: str
    report_id: str

    @property
    def name(self) -> str:
        """Give the name of the report whose id is freed."""
        return f"{self.reporter}/{self.report_id}"


ControlRecord = RunMarker | RulesRecord | Recalculation | KeysRecord | Freeing
"""Records that are in every partition of the journal, for all of its citizens."""


class Move(NamedTuple):
    """A record of one citizen: what was reported until here is another's, or comes again.

    With it a merge with the `other` citizen begins, or the one that it `undoes` ends; then both
    have such a record.
    """

    id: str
    other: str
    other_sealed: str
    undoes: str = ""

    @property
    def to(self) -> str:
        """Give the citizen to whom later reports go; "" where they stay."""
        return "" if self.undoes else self.other


class Join(NamedTuple):
    """A record of one citizen: from here on copies of the `other` citizen's reports count."""

    id: str
    other: str
    other_sealed: str


class Opening(NamedTuple):
    """A row of one citizen that an earlier system settled (`domain.citizen.openings`)."""

    month: int
    week: int
    benefit: str
    paying: str | None
    financing: str | None
    amount_ore: int
    atp_ore: int
    mechanism: Mechanism
    rate: int
    result_ore: int
    reported: int


class Copy(NamedTuple):
    """A report or an opening row of a former number; it counts while the merge `move` does."""

    report: Report | Opening
    move: str


CitizenRecord = Report | Opening | Move | Join | Copy
"""Records that are in the partition of the citizen that they are about."""


class ConflictingDuplicateError(Exception):
    """A report has the name of an earlier one with other content; nothing was changed."""


def cause(report: Report | Opening) -> str:
    """Give the name of a report in postings and notices.

    It is `reporter/report_id`; for an opening row `opening/` and its cell.

    >>> cause(Reversal("12345678", "r-2", "r-1", 738000))
    '12345678/r-2'
    """
    if isinstance(report, Opening):
        month, week = month_text(report.month), week_text(report.week)
        place = f"{report.benefit}/{report.paying or '-'}/{report.financing or '-'}"
        return f"opening/{month}/{week}/{place}"
    return f"{report.reporter}/{report.report_id}"


def line_digest(line: Line | IncomeLine) -> str:
    """Give a mark and a digest of a line's content, whether it is reversed or not."""
    *content, _reversed = astuple(line)
    return "!" + blake2b(repr((*content,)).encode(), digest_size=8).hexdigest()


def content_digest(report: Report | Opening) -> str:
    """Give a mark and a digest of a report's content, to compare two deliveries.

    Its group is compared by itself: the digests of former versions have none.
    """
    content = report[: report._fields.index("reported")]
    return "!" + blake2b(repr(content).encode(), digest_size=8).hexdigest()


def says_the_same(report: Report, other: Report) -> bool:
    """Tell if two deliveries are the same report: all but the day of reporting is equal."""
    return type(report) is type(other) and report._replace(reported=0) == other._replace(reported=0)
