"""Asks a view of the marts: one question, one answer. The command and the pages call it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from domain.ruledata.ruleset import RuleSet
from projections.lis.answers import Answer, AnswerRow, Figure
from projections.lis.budgets import BudgetError, BudgetTable, read_budgets
from projections.lis.inhabitants import InhabitantsError, InhabitantTable, read_inhabitants
from projections.lis.questions import LisQuestion, ViewError
from projections.lis.scopes import NO_BUDGETS, RunMonths, ViewScope
from projections.lis.views import View, check_options, summed_by, view_of
from streams.kit.errors import UserError
from streams.lis.expected import KEPT_EXPECTED
from streams.lis.ledger_sums import sums_at

RUN: Final = "run"
SumsOf = Callable[[str, LisQuestion], list[tuple[Any, ...]]]
"""Sums the ledger of an address by municipality and month, as a question sees it."""
Table = TypeVar("Table")


class InquiryError(UserError):
    """A question cannot be answered; the message says why, and what to ask instead."""


class MartsReader(Protocol):
    """One snapshot of the marts."""

    @property
    def ledger_version(self) -> int:
        """The version of the ledger that they were made from."""

    def need_run(self, run: int) -> object:
        """Raise an error where a run is not in the marts yet."""

    def rows(self, sql: str, values: Sequence[Any] = (), /) -> list[tuple[Any, ...]]:
        """Run a statement."""

    def remembered(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a statement once, and give its rows again."""


def ask(
    marts: MartsReader,
    law: RuleSet,
    question: LisQuestion,
    ledger: str,
    inhabitants: InhabitantTable,
    budgets: BudgetTable = NO_BUDGETS,
    *,
    persons: bool = False,
    sums_of: SumsOf = sums_at,
) -> Answer:
    """Answer a question; with `persons`, by the citizens behind the figures.

    `ledger` is the address of the ledger that the marts were made of, `inhabitants` the table that
    the operator gave, empty where none was, and `budgets` that of the municipalities' budgets.

    Raises InquiryError, and the error of the marts where a run is not there.
    """
    try:
        view = view_of(question.view)
        question.check()
        _check_known(question, law)
        if question.run is not None:
            marts.need_run(question.run)
        runs = marts.remembered(
            "SELECT run, rules, data_month, first_month, last_month, closed_at FROM runs"
            " ORDER BY run NULLS LAST"
        )
        closed = [row for row in runs if row[0] is not None]
        scope = ViewScope(
            question,
            {run: data_month for run, _, data_month, *_ in closed},
            law,
            marts.rows,
            lambda: sums_of(ledger, question),
            inhabitants,
            budgets,
            lambda: KEPT_EXPECTED.rows(ledger),
            months_of_runs={run: RunMonths(*months) for run, _, _, *months, _ in closed},
            read_once=marts.remembered,
        )
        check_options(view, scope)
        figures, rows = _rows(view, scope, persons=persons)
    except ViewError as error:
        raise InquiryError(str(error)) from None
    rules = _rules([(run, rules) for run, rules, *_ in runs if rules], scope)
    areas = []
    if view.has_areas:
        rows, areas = ([row for row in rows if (row[0] is None) == is_area] for is_area in (0, 1))
    common = (view.name, view.title, question.based_on, scope.last_run, rules)
    closed_at = next((row[-1] for row in closed if row[0] == scope.last_run), None)
    return Answer(
        *common, figures, rows, view.total, areas,
        closed_at=closed_at, ledger_version=marts.ledger_version,
    )  # fmt: skip


def inhabitants_in(path: Path | None) -> InhabitantTable:
    """Read the table of inhabitants; empty where there is none. Raises InquiryError."""
    return {} if path is None else _table(path, "REFUSION_INHABITANTS", read_inhabitants)


def budgets_in(path: Path | None) -> BudgetTable:
    """Read the table of budgets; empty where there is none. Raises InquiryError."""
    return NO_BUDGETS if path is None else _table(path, "REFUSION_BUDGETS", read_budgets)


def _table(path: Path, setting: str, read: Callable[[list[str]], Table]) -> Table:
    """Read a table that was given. Raises InquiryError."""
    try:
        return read(path.read_text(encoding="utf-8-sig").splitlines())
    except UnicodeDecodeError:
        raise InquiryError(
            f"{path} ({setting}) is no text in UTF-8; save it as CSV UTF-8"
        ) from None
    except (InhabitantsError, BudgetError) as error:
        raise InquiryError(f"{path} ({setting}): {error}") from None


def _rows(
    view: View, scope: ViewScope, *, persons: bool
) -> tuple[tuple[Figure, ...], list[AnswerRow]]:
    if persons:
        if view.behind is None:
            raise ViewError(
                f"{view.name} has no counts of persons, so --persons has nobody to list"
            )
        figures, rows_of = view.behind
        return figures, rows_of(scope)
    question = scope.question
    if question.reporters and view.of_reporters is not None:
        figures, rows_of = view.of_reporters
        view = replace(view, figures=figures, rows=rows_of)
    rows = view.rows(scope)
    if question.based_on == "known" and question.run is not None:
        names = [figure.name for figure in view.figures]
        if RUN not in names:
            raise ViewError(
                f"--run {question.run} needs --as of (what was true when it was closed) or"
                f" --as settled (what it booked); {view.name} has no rows of single runs"
            )
        rows = [row for row in rows if row[names.index(RUN)] == question.run]
    if view.figures_of is not None:
        view = replace(view, figures=view.figures_of(scope))
    if view.sums_itself:
        return view.figures, rows
    return summed_by(view, question, rows)


def _check_known(question: LisQuestion, law: RuleSet) -> None:
    """Raise ViewError for a municipality or a benefit that nobody knows."""
    for code in (question.municipality, *question.others):
        if code is not None and code not in law.municipalities:
            raise ViewError(f"there is no municipality {code}; 730 is Randers, for example")
    if question.benefit is not None and question.benefit not in law.benefits:
        raise ViewError(
            f"there is no benefit {question.benefit!r}; KTH is kontanthjælp, for example"
        )


def _rules(found: Sequence[tuple[int | None, str]], scope: ViewScope) -> str:
    """Name the rule sets of the postings that an answer is made of, given those of the runs."""
    question = scope.question
    is_known = question.based_on == "known"
    names = [
        name
        for run, rules in found
        for name in rules.split()
        if is_known or (run is not None and run <= (question.run or 0))
        if question.based_on != "settled" or run == question.run
    ]
    return " ".join(dict.fromkeys(names))
