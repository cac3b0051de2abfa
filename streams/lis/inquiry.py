"""Asks a view of the marts: one question, one answer. The command and the pages call it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from domain.ruledata.ruleset import RuleSet
from projections.lis.answers import Answer, AnswerRow, Figure
from projections.lis.inhabitants import InhabitantsError, InhabitantTable, read_inhabitants
from projections.lis.questions import LisQuestion, ViewError
from projections.lis.scopes import ViewScope
from projections.lis.views import View, check_options, summed_by, view_of
from streams.kit.errors import UserError
from streams.ledger.table import LedgerTable
from streams.lis.ledger_sums import ledger_sums

RUN: Final = "run"


class InquiryError(UserError):
    """A question cannot be answered; the message says why, and what to ask instead."""


class MartsReader(Protocol):
    """One snapshot of the marts."""

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
    *,
    persons: bool = False,
) -> Answer:
    """Answer a question; with `persons`, by the citizens behind the figures.

    `ledger` is the address of the ledger that the marts were made of, `inhabitants` the table that
    the operator gave, empty where none was.

    Raises InquiryError, and the error of the marts where a run is not there.
    """
    try:
        view = view_of(question.view)
        question.check()
        _check_known(question, law)
        if question.run is not None:
            marts.need_run(question.run)
        months = marts.remembered(
            "SELECT run, data_month FROM runs WHERE run IS NOT NULL ORDER BY run"
        )
        scope = ViewScope(
            question,
            dict(months),
            law,
            marts.rows,
            lambda: ledger_sums(LedgerTable.open(ledger), question),
            inhabitants,
        )
        check_options(view, scope)
        figures, rows = _rows(view, scope, persons=persons)
    except ViewError as error:
        raise InquiryError(str(error)) from None
    rules = _rules(marts, scope)
    areas = []
    if view.figures_of is not None:
        rows, areas = ([row for row in rows if (row[0] is None) == is_area] for is_area in (0, 1))
    common = (view.name, view.title, question.based_on, scope.last_run, rules)
    return Answer(*common, figures, rows, view.total, areas)


def inhabitants_in(path: Path | None) -> InhabitantTable:
    """Read the table of inhabitants; empty where there is none. Raises InquiryError."""
    if path is None:
        return {}
    try:
        return read_inhabitants(path.read_text(encoding="utf-8-sig").splitlines())
    except UnicodeDecodeError:
        raise InquiryError(
            f"{path} (REFUSION_INHABITANTS) is no text in UTF-8; save it as CSV UTF-8"
        ) from None
    except InhabitantsError as error:
        raise InquiryError(f"{path} (REFUSION_INHABITANTS): {error}") from None


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
    rows = view.rows(scope)
    question = scope.question
    if question.based_on == "known" and question.run is not None:
        names = [figure.name for figure in view.figures]
        if RUN not in names:
            raise ViewError(
                f"--run {question.run} needs --as of (what was true when it was closed) or"
                f" --as settled (what it booked); {view.name} has no rows of single runs"
            )
        rows = [row for row in rows if row[names.index(RUN)] == question.run]
    if view.figures_of is not None and not question.by:
        return view.figures_of(scope), rows
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


def _rules(marts: MartsReader, scope: ViewScope) -> str:
    """Name the rule sets of the postings that an answer is made of."""
    question = scope.question
    is_known = question.based_on == "known"
    found = marts.remembered(
        "SELECT run, rules FROM runs WHERE rules <> '' ORDER BY run NULLS LAST"
    )
    names = [
        name
        for run, rules in found
        for name in str(rules).split()
        if is_known or (run is not None and run <= (question.run or 0))
        if question.based_on != "settled" or run == question.run
    ]
    return " ".join(dict.fromkeys(names))
