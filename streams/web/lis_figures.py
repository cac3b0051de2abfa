"""Writes the values of a view for people: names beside codes, months in words, numbers by language.

`None` is something else in each column: a total, the open run, a number that is hidden.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from domain.ruledata.ruleset import RuleSet
from projections.lis.amounts import whole_kroner
from projections.lis.answers import Figure, shown_value
from projections.lis.definitions import DEFINITIONS
from streams.web.words import Language, Word, catalogue

MUNICIPALITIES: Final = frozenset({"municipality", "paying", "financing"})
BENEFITS: Final = frozenset({"benefit", "from_benefit", "to_benefit"})
MONTHS: Final = frozenset({"month", "data_month"})
NAMED: Final = frozenset({"mechanism", "reason", "kind", "state"})
"""Columns whose values have words of their own."""
NOTHING: Final[Mapping[str, str]] = {
    "benefit": "lis.all_benefits",
    "from_benefit": "lis.no_benefit",
    "to_benefit": "lis.no_benefit",
    "rate": "lis.all_rates",
    "mechanism": "lis.both_schemes",
    "run": "lis.open_run",
    "account": "lis.no_account",
    "to_week": "lis.no_end",
    "to_weeks": "lis.no_end",
}
"""The words of a column's empty value."""
HIDDEN: Final = frozenset({"persons", "share_at_last_step", "mean_refusion_percent"})
"""Columns of `sammenligning` whose empty value is a number that is not shown."""
DASH: Final = "–"
NO_BREAK: Final = "\u00a0"
SWAPPED: Final = str.maketrans(".,", ",.")


@dataclass(frozen=True)
class Speaker:
    """Somebody who writes values in one language, with the names of one law."""

    word: Word
    language: Language
    law: RuleSet

    def heading(self, view: str, figure: Figure) -> str:
        """Write the heading of a column: that of the view itself where there is no other."""
        key = _key("lis_columns", view, figure.name)
        return self.word(key) if key in catalogue() else figure.heading.capitalize()

    def meaning(self, view: str, name: str) -> str:
        """Say what a column means; else the view's own definition does."""
        key = _key("lis_meanings", view, name)
        if key in catalogue():
            return self.word(key)
        known = DEFINITIONS.get(view)
        return known.figures.get(name, "") if known else ""

    def title(self, view: str) -> str:
        """Write the name of a view."""
        return self.word(f"lis_views.{view}")

    def number(self, kind: Any, value: int | None) -> str:
        """Write a number as the language does."""
        written = shown_value(kind, value)
        return written.translate(SWAPPED) if self.language == "en" else written

    def kroner(self, ore: int) -> str:
        """Write an amount in whole kroner, rounded half away from zero."""
        return self.number("count", whole_kroner(ore))

    def moved(self, ore: int) -> str:
        """Write by how much an amount moves, in whole kroner with its sign."""
        return f"{'+' if ore >= 50 else ''}{self.kroner(ore)}"

    def cause(self, reason: str) -> str:
        """Write what made money move."""
        return self.word(f"lis_values.reason__{reason}")

    def percent(self, hundredths: int) -> str:
        """Write a percentage with one decimal."""
        tenths = (abs(hundredths) + 5) // 10
        written = f"{'-' if hundredths < 0 else ''}{tenths // 10},{tenths % 10}"
        return written.translate(SWAPPED) if self.language == "en" else written

    def month(self, month: str) -> str:
        """Write a month in words: januar 2024."""
        year, number = month.split("-")
        return f"{self.word('lis.months').split()[int(number) - 1]} {year}"

    def municipality(self, code: str) -> str:
        """Write a municipality with its name."""
        return f"{code} {self.law.municipalities.get(code, '')}".strip()

    def benefit(self, code: str) -> str:
        """Write a benefit with its name."""
        known = self.law.benefits.get(code)
        return f"{code} {known.name}" if known else code

    def value(self, view: str, figure: Figure, value: Any) -> str:
        """Write a value of a view's column."""
        name = figure.name
        if value is None or value == "":
            return self._nothing(view, name)
        if figure.kind != "text":
            is_plain = name in ("run", "rate", "step")
            return str(value) if is_plain else self.number(figure.kind, value)
        if name in MUNICIPALITIES:
            return self.municipality(value)
        if name in BENEFITS:
            return self.benefit(value)
        if name in MONTHS:
            return self.month(value).replace(" ", NO_BREAK)
        if name == "hold":
            return ", ".join(self.named("hold", part) for part in str(value).split())
        return self.named(name, value) if name in NAMED else str(value)

    def _nothing(self, view: str, name: str) -> str:
        if view == "sammenligning" and name in HIDDEN:
            return self.word("lis.hidden")
        return self.word(NOTHING[name]) if name in NOTHING else DASH

    def named(self, name: str, value: str) -> str:
        """Write a value that has words of its own, such as a reason."""
        key = f"lis_values.{name}__{value}"
        return self.word(key) if key in catalogue() else value


def _key(part: str, view: str, name: str) -> str:
    of_view = f"{part}.{view}__{name}"
    return of_view if of_view in catalogue() else f"{part}.{name}"
