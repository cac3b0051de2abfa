"""Checks control records and opening rows, in the input of `refusion settle` and `opening load`.

A control record is made by this program (contract section 1): `run`, `rules`, `recalculate`,
`keys` and `opening`. It is rare, and is always read by the diagnosis.
"""

from typing import Final

from domain.basics.weeks import day, first_day, monday, month_number, sunday, week_of
from domain.citizen.reports import (
    Freeing,
    KeysRecord,
    Opening,
    Recalculation,
    RulesRecord,
    RunMarker,
)
from domain.ruledata.ruleset import RuleSet
from streams.wire.content import Content, both_municipalities
from streams.wire.control_shapes import (
    FreeShape,
    KeysShape,
    OpeningShape,
    RecalculateShape,
    RulesShape,
    RunShape,
)
from streams.wire.diagnosis import RecordCheck, record_check
from streams.wire.outcomes import AcceptedOpening
from streams.wire.rejections import (
    BEFORE_RATES,
    NO_MONEY,
    NOT_A_PART,
    NOT_FINANCED,
    TWO_MECHANISMS,
    UNKNOWN_BENEFIT,
    Rejection,
    missing,
    wrong_type,
)
from streams.wire.shapes import (
    DATE_LENGTH,
    FORMS,
)

FIRST_RUN_MONTH: Final = month_number("2020-01")
"""Data month of run 1 (contract section 3)."""


def run_of(month: int) -> int:
    """Return the number of a data month's run.

    >>> run_of(month_number("2020-03"))
    3
    """
    return month - FIRST_RUN_MONTH + 1


class ControlRecords:
    """The checks of control records and opening rows by one rule set."""

    def __init__(self, rules: RuleSet, content: Content) -> None:
        self._content = content
        self._rates_from_month = month_number(rules.dates.rates_from_month)
        self._turn_week = rules.dates.turn_of_year_week.toordinal()

    def checks(self) -> dict[str, RecordCheck]:
        """Return the checks by `type`."""
        return {
            "run": record_check(RunShape, _run_marker),
            "rules": record_check(RulesShape, _rules_record),
            "free": record_check(FreeShape, _freeing),
            "recalculate": record_check(RecalculateShape, self._recalculation),
            "keys": record_check(KeysShape, _keys_record),
            "opening": record_check(OpeningShape, self._opening),
        }

    def _recalculation(self, line: RecalculateShape) -> Recalculation | Rejection:
        municipality = line.scope.municipality
        if municipality and municipality not in self._content.municipalities:
            return wrong_type("scope", FORMS["scope"])
        return Recalculation(line.id, line.scope)

    def _opening(self, line: OpeningShape) -> AcceptedOpening | Rejection:
        paying, financing = both_municipalities(line.mechanism, line.paying, line.financing)
        result_ore, other_ore = line.refusion_ore, line.medfinansiering_ore
        if line.mechanism == "medfinansiering":
            result_ore, other_ore = other_ore, result_ore
        refused = (
            (missing("financing", FORMS["financing"]) if financing is None else None)
            or self._content.refuse_cpr(line.cpr)
            or self._refuse_cell(line.month, line.week)
            or self._refuse_benefit(line.benefit)
            or self._content.refuse_municipality("paying", paying)
            or self._content.refuse_municipality("financing", financing)
            or _refuse_money(line, result_ore, other_ore)
        )
        if refused:
            return refused
        opening = Opening(
            line.month,
            week_of(line.week),
            line.benefit,
            paying,
            financing,
            line.amount_ore,
            line.atp_ore,
            line.mechanism,
            line.rate,
            result_ore,
            day(line.reported_at[:DATE_LENGTH]),
        )
        return AcceptedOpening(opening, line.cpr)

    def _refuse_cell(self, month: int, monday_of: int) -> Rejection | None:
        """Check that a week begins on a Monday, has days in its month, and that rates hold then."""
        week = week_of(monday_of)
        is_outside = sunday(week) < first_day(month) or monday_of >= first_day(month + 1)
        if is_outside or monday_of != monday(week):
            return wrong_type("week", FORMS["week"])
        is_early = month < self._rates_from_month and monday_of != self._turn_week
        return BEFORE_RATES if is_early else None

    def _refuse_benefit(self, code: str) -> Rejection | None:
        known = self._content.benefits.get(code)
        if known is None:
            return UNKNOWN_BENEFIT
        return NOT_FINANCED if known.mechanism is None else None


def _refuse_money(line: OpeningShape, result_ore: int, other_ore: int) -> Rejection | None:
    """Check that a row's result is a part of its amount, and that the other mechanism has none.

    A cell may hold more than one report may, so that its amount has no bound.
    """
    if other_ore:
        return TWO_MECHANISMS
    if not (line.amount_ore or line.atp_ore or result_ore):
        return NO_MONEY
    is_part = abs(result_ore) <= abs(line.amount_ore) and line.amount_ore * result_ore >= 0
    return None if is_part else NOT_A_PART


def _run_marker(line: RunShape) -> RunMarker | Rejection:
    if line.run != run_of(line.data_month):
        return wrong_type("run", FORMS["run"])
    return RunMarker(line.run, line.closed_at, line.data_month)


def _freeing(line: FreeShape) -> Freeing:
    return Freeing(line.id, line.citizen, line.reporter, line.report_id)


def _rules_record(line: RulesShape) -> RulesRecord:
    return RulesRecord(line.id, line.rules, line.digest)


def _keys_record(line: KeysShape) -> KeysRecord:
    return KeysRecord(
        line.id, line.pseudonym_key, tuple(line.seal_keys), tuple(line.journal_keys), line.demo
    )
