"""The scope of a question in the marts: the runs that it sees, as conditions in SQL."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from domain.basics.weeks import month_number
from domain.ruledata.ruleset import RuleSet
from projections.lis.budgets import BudgetTable
from projections.lis.columns import Mart
from projections.lis.inhabitants import InhabitantTable
from projections.lis.questions import LisQuestion, ViewError
from projections.lis.tables import MARTS, OF_ROWS, rows_of

ReadRows = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]
"""Runs a statement with its values on the marts."""


NO_MONTHS: Final[Mapping[int, "RunMonths"]] = MappingProxyType({})


class RunMonths(NamedTuple):
    """The first and the last month that a run has rows of; None where it has none."""

    first: str | None
    last: str | None

    def may_have(self, months: Sequence[str]) -> bool:
        """Return whether the run may have rows of one of some months."""
        return (
            self.first is not None
            and self.last is not None
            and self.first <= max(months)
            and min(months) <= self.last
        )


NO_BUDGETS: Final[BudgetTable] = MappingProxyType({})


class Condition(NamedTuple):
    """A condition in SQL, and its values in the order of their numbers ($1, $2 …)."""

    sql: str
    values: list[Any]


class ViewScope(NamedTuple):
    """The runs, the law and the sources that a question sees.

    `data_months` are those of the closed runs in the marts; `law` is the rule set whose benefits
    and steps are meant. `ledger_sums` asks the ledger itself for the sums of amounts and results by
    municipality and month; `kept_expected` reads the table of expected payments beside it. `months`
    are those that are asked for where the question has none of its own, and nothing for all;
    `months_of_runs` are those of the closed runs' rows, where they are known. `read_once` reads as
    `read` does, and gives the rows again to whoever asks the same; none of them tells of a citizen.
    """

    question: LisQuestion
    data_months: Mapping[int, str]
    law: RuleSet
    read: ReadRows
    ledger_sums: Callable[[], list[tuple[Any, ...]]]
    inhabitants: InhabitantTable
    budgets: BudgetTable = NO_BUDGETS
    kept_expected: Callable[[], list[tuple[Any, ...]]] = list
    months: tuple[str, ...] = ()
    months_of_runs: Mapping[int, RunMonths] = NO_MONTHS
    read_once: ReadRows | None = None

    def of_months(self, months: Iterable[str]) -> "ViewScope":
        """Return the scope of the same question for other months."""
        question = replace(self.question, month=None)
        return self._replace(question=question, months=tuple(sorted(months)))

    @property
    def of_country(self) -> "ViewScope":
        """The scope of the same question for all municipalities together, for sums and counts.

        Each municipality asks for the same rows of them, so they are read once.
        """
        question = replace(self.question, municipality=None)
        return self._replace(question=question, read=self.read_once or self.read)

    @property
    def last_run(self) -> int | None:
        """The last closed run that is in the answer; None before the first."""
        if self.question.based_on == "known":
            return max(self.data_months, default=None)
        return self.question.run

    @property
    def closed_run(self) -> int:
        """The last closed run that is in the answer; raises ViewError before the first."""
        if self.last_run is None:
            raise ViewError(
                "no run is closed yet, and this view is about the data month of the last one"
            )
        return self.last_run

    @property
    def data_month(self) -> str:
        """The data month of the last closed run; raises ViewError before the first."""
        return self.data_months[self.closed_run]

    def runs(self, mart: Mart) -> str:
        """Write the condition for the runs that the question adds up."""
        return rows_of(mart, self.question.based_on, self.question.run)

    def where(self, mart: Mart, *leave_out: str) -> Condition:
        """Write the conditions of the question's options, as far as a mart has their columns."""
        names = {column.name for column in mart.columns} - {*leave_out}
        parts, values = [self.runs(mart)], []
        for name in ("municipality", "month", "benefit"):
            value = getattr(self.question, name)
            if name in names and value is not None:
                values.append(value)
                parts.append(f"{name} = ${len(values)}")
        if "month" in names and self.months:
            parts.append(_among(self.months))
        if "month" in names and mart in OF_ROWS and self.question.based_on != "settled":
            parts += self._runs_with_months()
        return Condition(" AND ".join(parts), values)

    def _runs_with_months(self) -> list[str]:
        """Write the condition for the runs that may have rows of the months, where others are.

        It takes away no row; but an engine opens the files of all other runs in vain.
        """
        month = self.question.month
        months = self.months if month is None else (month,)
        found = [run for run, of in self.months_of_runs.items() if months and of.may_have(months)]
        if not months or len(found) == len(self.months_of_runs):
            return []
        return [f"(run IS NULL OR run IN ({', '.join(map(str, found)) or 'NULL'}))"]

    def rows(self, mart: str, columns: str, ending: str, *leave_out: str) -> list[tuple[Any, ...]]:
        """Read columns of a mart under the question's conditions."""
        return self.ask(
            mart,
            lambda condition: f"SELECT {columns} FROM {mart} WHERE {condition} {ending}",
            *leave_out,
        )

    def ask(
        self, mart: str, statement: Callable[[str], str], *leave_out: str
    ) -> list[tuple[Any, ...]]:
        """Read what a statement asks of a mart, given the question's conditions in SQL."""
        where = self.where(MARTS[mart], *leave_out)
        return self.read(statement(where.sql), where.values)

    def on_staircase(self) -> dict[str, list[int]]:
        """The rates of each benefit on the staircase, from the first step to the last."""
        return rates_by_step(self.law)


def _among(months: Sequence[str]) -> str:
    """Write the condition for months in order; an engine compares with two sooner than with many.

    >>> _among(["2023-12", "2024-01"]), _among(["2023-01", "2024-01"])
    ("month BETWEEN '2023-12' AND '2024-01'", "month IN ('2023-01', '2024-01')")
    """
    first, last = months[0], months[-1]
    if month_number(last) - month_number(first) == len(months) - 1:
        return f"month BETWEEN '{first}' AND '{last}'"
    return f"month IN ({', '.join(map(repr, months))})"


def rates_by_step(rules: RuleSet) -> dict[str, list[int]]:
    """Give the rates of each benefit on the staircase, from the first step to the last."""
    bands = max(rules.staircases, key=lambda stairs: stairs.valid_from).bands
    return {
        code: [benefit.share(band) for band in bands]
        for code, benefit in rules.benefits.items()
        if benefit.rate == "staircase" and benefit.mechanism is not None
    }
