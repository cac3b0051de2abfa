"""Checks the format and the arithmetic of a posting row by itself."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any, Final

from domain.law.old_cases import TRANSITIONAL
from domain.ruledata.ruleset import Benefit, RuleSet
from projections.audit.accounts import Figures, RowCell, RowTerms
from projections.audit.violations import BadRecordError, Violations

RulesNamed = Callable[[str], RuleSet | None]
"""Returns the rule set of a name, None for one that this program does not know."""

OPENING: Final = "opening"
"""Kind of a row that an earlier system settled."""
_FIELDS: Final = 14
"""Number of fields of a row, without `reverses` and `atp_ore`, which not every row has."""


class RowCheck:
    """Reads rows. Cells, terms and rates that many rows share are checked once."""

    def __init__(self, catalogue: RuleSet, rules_named: RulesNamed, violations: Violations) -> None:
        self._catalogue = catalogue
        self._rules_named = rules_named
        self._violations = violations
        self._cells: dict[tuple[Any, ...], RowCell] = {}
        self._terms: dict[tuple[Any, ...], RowTerms] = {}
        self._rates: dict[tuple[str, str, RowTerms, int], bool] = {}

    def read(self, row: dict[str, Any], rules: str) -> tuple[RowCell, Figures, str]:
        """Return cell and figures of a row, and what is wrong with them; `rules` is its rule set.

        Raises the errors that `as_bad` takes for a row that cannot be read.
        """
        atp_ore = row.get("atp_ore", 0)
        if len(row) != _FIELDS + ("reverses" in row) + ("atp_ore" in row):
            raise BadRecordError("format", "a row has other fields than a row has")
        place = (row["month"], row["week"], row["benefit"], row["paying"], row["financing"])
        cell = self._cells.get(place) or self._new_cell(RowCell(*place))
        amount_ore, ordinal, rate = row["amount_ore"], row["ordinal"], row["rate"]
        given_terms = (row["mechanism"], rate, row["account"])
        terms = self._terms.get(given_terms) or self._new_terms(RowTerms(*given_terms))
        if not (
            type(amount_ore) is int
            and type(atp_ore) is int
            and type(ordinal) is int
            and type(rate) is int
        ):
            raise BadRecordError("format", "an amount, a rate or an ordinal is not a whole number")
        refusion_ore, medfinansiering_ore = row["refusion_ore"], row["medfinansiering_ore"]
        figures = Figures(amount_ore, atp_ore, ordinal, terms, refusion_ore + medfinansiering_ore)
        # A reversing row repeats another, and an opening row was not settled by this system.
        is_ours = "reverses" not in row and row["kind"] != OPENING
        wrong = ""
        if is_ours:
            wrong = _wrong_result(amount_ore, terms, refusion_ore, medfinansiering_ore)
            wrong = wrong or self._wrong_rate(rules, cell.benefit, terms, ordinal)
        return cell, figures, wrong

    def _new_terms(self, terms: RowTerms) -> RowTerms:
        self._terms[terms] = terms
        return terms

    def _new_cell(self, cell: RowCell) -> RowCell:
        """Check a cell that was not met before, and keep it, so that all rows share it."""
        monday, benefit = date.fromisoformat(cell.week), self._catalogue.benefits[cell.benefit]
        months = {f"{day:%Y-%m}" for day in (monday, monday + timedelta(days=6))}
        is_week = not monday.weekday() and monday.isoformat() == cell.week and cell.month in months
        if not is_week or benefit.mechanism is None:
            raise BadRecordError(
                "format", "a row's week is no Monday of its month, or its benefit is not financed"
            )
        for municipality in (cell.paying, cell.financing):
            if municipality is not None and municipality not in self._catalogue.municipalities:
                raise BadRecordError("format", "a row names a municipality that does not exist")
        self._cells[cell] = cell
        return cell

    def _wrong_rate(self, rules: str, code: str, terms: RowTerms, ordinal: int) -> str:
        """Say that a benefit has not these terms in a benefit week of this number; "" if it has."""
        rated = rules, code, terms, ordinal
        if not (self._rates[rated] if rated in self._rates else self._has_rate(*rated)):
            of_account = f"{terms.mechanism} {terms.rate} % on this account"
            return f"{code} has not {of_account} in benefit week {ordinal}"
        return ""

    def _has_rate(self, name: str, code: str, terms: RowTerms, ordinal: int) -> bool:
        """Tell whether a rule set gives a benefit these terms in a benefit week of this number."""
        rules = self._rules_named(name)
        if rules is None:
            unknown = f"the rule set {name}, which this program does not know"
            self._violations.notes[f"rows by {unknown}: rates not checked"] += 1
            return True
        benefit = rules.benefits.get(code)
        if benefit is None:
            return False
        mechanism, rate, account = terms
        rates = _rates(rules, benefit, ordinal)
        if code in TRANSITIONAL:
            rates.add(rules.legacy.flex_refusion)
        right_account = benefit.mechanism and rules.accounts.get((code, benefit.mechanism, rate))
        holds = (
            rate in rates
            and mechanism == benefit.mechanism
            and account == right_account
            and ordinal >= 0
        )
        self._rates[name, code, terms, ordinal] = holds
        return holds


def _wrong_result(
    amount_ore: int, terms: RowTerms, refusion_ore: int, medfinansiering_ore: int
) -> str:
    """Say that a result is not the rate of the amount, half away from zero; "" if it is."""
    mechanism, rate, _ = terms
    result_ore, other_ore = refusion_ore, medfinansiering_ore
    if mechanism != "refusion":
        result_ore, other_ore = other_ore, result_ore
    half_away = (abs(amount_ore) * rate + 50) // 100
    if result_ore != (-half_away if amount_ore < 0 else half_away) or other_ore:
        results = f"{refusion_ore} + {medfinansiering_ore}"
        return f"{mechanism} {rate} % of {amount_ore} øre is not {results} øre"
    return ""


def _rates(rules: RuleSet, benefit: Benefit, ordinal: int) -> set[int]:
    """The rates that a benefit can have in a benefit week of this number, whatever the year."""
    if isinstance(benefit.rate, int):
        return {benefit.rate}
    if benefit.rate == "computed":
        return {100}
    bands = [band for stairs in rules.staircases for band in stairs.bands]
    number = max(ordinal, 1)
    return {
        benefit.share(band)
        for band in bands
        if band.from_week <= number and (band.to_week is None or number <= band.to_week)
    }
