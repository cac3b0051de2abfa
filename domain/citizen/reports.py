"""What upstream reports: the four kinds of report, validated and in the domain's own types.

Source: contract section 2. Days are ordinals (`domain.basics.weeks.day`), money is øre.
`reported` is the day of `reported_at`; it tells nothing about the content and
is left out when two deliveries are compared. It stands last in every kind.
"""

from hashlib import blake2b
from typing import NamedTuple

from domain.basics.weeks import month_text, week_text
from domain.ruledata.ruleset import Mechanism

made = tuple.__new__
"""Makes a named tuple of a plain one without the call of its own constructor: for what is made for every report."""


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


class CaseFact(NamedTuple):
    """A date that decides the transitional rules (`case_fact`)."""

    reporter: str
    report_id: str
    fact: str
    date: int
    reported: int


class Reversal(NamedTuple):
    """The report `reverses` of the same citizen and reporter never counted (`reversal`)."""

    reporter: str
    report_id: str
    reverses: str
    reported: int


Report = Payment | Income | CaseFact | Reversal


class RunMarker(NamedTuple):
    """A control record: the month's run is cut here (contract sections 1 and 3).

    `accepted` are the reasons for which it was cut although its completeness was in doubt.
    """

    run: int
    closed_at: str
    data_month: int
    accepted: tuple[str, ...] = ()


class RulesRecord(NamedTuple):
    """A control record: from here on this rule set holds. `digest` is that of its content, "" for any."""

    id: str
    rules: str
    digest: str


class Scope(NamedTuple):
    """Whom a recalculation is about: a municipality, a citizen, or all where both are ""."""

    municipality: str = ""
    citizen: str = ""


class Recalculation(NamedTuple):
    """A control record: here the citizens in scope are settled anew from their reports."""

    id: str
    scope: Scope


ControlRecord = RunMarker | RulesRecord | Recalculation
"""What stands in every partition of the journal, for all of its citizens."""


class Opening(NamedTuple):
    """Control data of one citizen: a row that an earlier system settled stands as posted (`domain.citizen.openings`)."""

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


class ConflictingDuplicateError(Exception):
    """The same name came before with other content; nothing was changed."""


def cause(report: Report | Opening) -> str:
    """How postings and notices name what caused them: `reporter/report_id`, or `opening/` and the cell."""
    if isinstance(report, Opening):
        month, week, benefit, paying, financing, *_ = report
        return f"opening/{month_text(month)}/{week_text(week)}/{benefit}/{paying or '-'}/{financing or '-'}"
    return f"{report[0]}/{report[1]}"


def content_digest(report: Report | Opening) -> str:
    """A mark and a digest that tell whether two deliveries have the same content (contract section 2)."""
    return "!" + blake2b(repr(report[:-1]).encode(), digest_size=8).hexdigest()
