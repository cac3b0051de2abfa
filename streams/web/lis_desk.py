"""Answers the questions of pages about LIS: one question to one build of the marts.

Whatever cannot be answered becomes a `LisRefusedError` with a status and words; none of them
repeats what a visitor has typed.
"""

import secrets
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property, partial
from http import HTTPStatus
from typing import Final, NamedTuple

from domain.ruledata.ruleset import RuleSet
from projections.lis.answers import Answer
from projections.lis.citizen_lists import list_of
from projections.lis.highlights import months_with_rows
from projections.lis.money_lines import LINES, MoneyKeys, figures_without, line_rows
from projections.lis.questions import LisQuestion
from projections.lis.scopes import ViewScope
from projections.lis.views import VIEWS
from streams.citizens.rule_sets import LawBook
from streams.ledger.kept_open import KeptOpen
from streams.ledger.table import LedgerError
from streams.lis.engine import TooLargeError
from streams.lis.inquiry import InquiryError, MartsReader, ask, budgets_in, inhabitants_in
from streams.lis.ledger_sums import KeptLedgerSums
from streams.lis.list_reader import ListReader
from streams.lis.marts import Marts, TooManyRowsError
from streams.lis.store import Build, LisError, NoMartsError
from streams.settings import Settings
from streams.web.lis_shelf import MartsShelf

RUN: Final = "run"
LIVE: Final = frozenset({"kontrol", "forventet"})
"""Views that ask the ledger itself, which may be newer than the marts."""
MOST_ROWS: Final = 100_000
"""Rows that an answer may be made of, some 100 MB.

All months of all municipalities have more, which nobody reads; a month of a large municipality has
fewer citizens.
"""


class LisRefusedError(Exception):
    """A question is not answered; `key` names the sentence that says why."""

    def __init__(self, status: HTTPStatus, key: str) -> None:
        super().__init__(key)
        self.status = status
        self.key = key


class LisRun(NamedTuple):
    """A closed run that the marts have."""

    run: int
    data_month: str
    closed_at: str
    rules: str


class Answered(NamedTuple):
    """An answer, and what a page says of it: the runs, the months that there are, the version."""

    answer: Answer
    runs: Sequence[LisRun]
    months: Sequence[str]
    ledger_version: int

    @property
    def last(self) -> LisRun | None:
        """The last closed run that is in the answer."""
        return next((run for run in self.runs if run.run == self.answer.run), None)

    @property
    def has_files(self) -> bool:
        """True if a file may have all rows."""
        return self.answer.count <= MOST_ROWS


class LisDesk:
    """The marts, the law and the tables that answers are made of."""

    def __init__(self, settings: Settings, opened: KeptOpen) -> None:
        self._settings = settings
        self.shelf = MartsShelf(settings.lis)
        self._sums = KeptLedgerSums(opened)
        # Read at once, so that a site does not start with a table that has a mistake.
        self.inhabitants = inhabitants_in(settings.inhabitants)
        self.budgets = budgets_in(settings.budgets)
        self.salt = secrets.token_hex(8)
        """A part of the ETags of this process.

        Program, rules and the table of inhabitants are those that it has read: with others there is
        another process.
        """

    def state(self) -> Build | None:
        """Return the build that answers are made of, if any."""
        try:
            with self.shelf.marts():
                return self.shelf.build
        except LisError:
            return None

    @cached_property
    def law(self) -> RuleSet:
        """The rule set whose benefits and steps are meant, as when it was first asked for.

        Raises UnworkableError where a rule set file has a mistake: a site does not start then.
        """
        return LawBook(self._settings.rules).catalogue()

    def ledger_state(self) -> tuple[str, int] | None:
        """Return the version of the ledger, some seconds old at most; None where there is none."""
        try:
            return self._sums.state()
        except LedgerError:
            return None

    def answered(
        self, question: LisQuestion, *, persons: bool = False, shown: range | None = None
    ) -> Answered:
        """Answer a question, if the rows that it reads are no more than a page may have.

        Of a list of citizens, those rows are read that are to be shown; None: all of them. Raises
        LisRefusedError.
        """
        with self._marts() as marts:
            runs = _runs(marts)
            self._check(question, runs, has_runs=_has_runs(question, persons=persons))
            citizens = list_of(question.view, persons=persons)
            if citizens is not None and shown is not None:
                listed = ListReader(marts, citizens, shown)
                answer = self._asked(listed, question, persons=persons)
                answer = replace(answer, listed=listed.totals)
            else:
                answer = self._all_rows(marts, question, persons=persons)
            return Answered(
                answer,
                runs,
                months_with_rows(marts.remembered, question.municipality),
                marts.ledger_version,
            )

    def _all_rows(self, marts: Marts, question: LisQuestion, *, persons: bool) -> Answer:
        asked = partial(self._asked, marts.bounded(MOST_ROWS), question, persons=persons)
        if may_keep(question, persons=persons):
            return marts.kept(("answer", question), asked, _cells)
        return asked()

    def _asked(self, reader: MartsReader, question: LisQuestion, *, persons: bool) -> Answer:
        given = (self._settings.ledger, self.inhabitants, self.budgets)
        return ask(reader, self.law, question, *given, persons=persons, sums_of=self._sums.sums)

    def lines(
        self, question: LisQuestion, keys: MoneyKeys, hidden: Collection[str] = ()
    ) -> Answered:
        """List the lines behind a figure of money, without columns. Raises LisRefusedError."""
        with self.scope(question) as (marts, scope, runs):
            rows, figures = line_rows(scope, keys, hidden), figures_without(hidden)
            rules = " ".join(dict.fromkeys(part for run in runs for part in run.rules.split()))
            closed_at = next((run.closed_at for run in runs if run.run == scope.last_run), None)
            answer = Answer(
                question.view, LINES, question.based_on, scope.last_run, rules, figures, rows,
                closed_at=closed_at, ledger_version=marts.ledger_version,
            )  # fmt: skip
            return Answered(
                answer,
                runs,
                months_with_rows(marts.remembered, question.municipality),
                marts.ledger_version,
            )

    @contextmanager
    def scope(self, question: LisQuestion) -> Iterator[tuple[Marts, ViewScope, list[LisRun]]]:
        """Lend the marts under a question's conditions. Raises LisRefusedError."""
        with self._marts() as marts:
            runs = _runs(marts)
            self._check(question, runs, has_runs=True)
            months = {run.run: run.data_month for run in runs}
            rows = marts.bounded(MOST_ROWS).remembered
            yield (
                marts,
                ViewScope(question, months, self.law, rows, list, self.inhabitants),
                runs,
            )

    def closed_runs(self) -> list[LisRun]:
        """Return the closed runs that the marts have; none where there are no marts."""
        try:
            with self.shelf.marts() as marts:
                return _runs(marts)
        except LisError:
            return []

    def close(self) -> None:
        """Close the marts."""
        self.shelf.close()

    @contextmanager
    def _marts(self) -> Iterator[Marts]:
        """Lend the marts; what they cannot do is refused in words."""
        try:
            with self.shelf.marts() as marts:
                yield marts
        except NoMartsError:
            raise LisRefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "no_marts") from None
        except TooManyRowsError:
            raise LisRefusedError(HTTPStatus.BAD_REQUEST, "too_many_rows") from None
        except TooLargeError:
            raise LisRefusedError(HTTPStatus.BAD_REQUEST, "too_large") from None
        except LisError:
            raise LisRefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "marts_fail") from None
        except InquiryError:  # the sum by such columns, or a month that the view is not about
            raise LisRefusedError(HTTPStatus.BAD_REQUEST, "cannot") from None

    def _check(self, question: LisQuestion, runs: Sequence[LisRun], *, has_runs: bool) -> None:
        """Raise LisRefusedError for what is known to have no answer."""
        places = [code for code in (question.municipality, *question.others) if code]
        if any(code not in self.law.municipalities for code in places):
            raise LisRefusedError(HTTPStatus.BAD_REQUEST, "no_municipality")
        if question.benefit is not None and question.benefit not in self.law.benefits:
            raise LisRefusedError(HTTPStatus.BAD_REQUEST, "no_benefit")
        if question.based_on != "known" and question.run is None:
            raise LisRefusedError(HTTPStatus.BAD_REQUEST, "needs_run")
        if question.run is not None and question.run not in {run.run for run in runs}:
            raise LisRefusedError(HTTPStatus.NOT_FOUND, "no_run")
        if question.run is not None and question.based_on == "known" and not has_runs:
            raise LisRefusedError(HTTPStatus.BAD_REQUEST, "run_needs_as")
        view = VIEWS.get(question.view)
        if view and any(getattr(question, option) is not None for option in view.not_by):
            raise LisRefusedError(HTTPStatus.BAD_REQUEST, "not_by")


def may_keep(question: LisQuestion, *, persons: bool) -> bool:
    """Tell whether an answer may be kept: it names no citizens, and is made of the tables alone."""
    view = VIEWS.get(question.view)
    names_citizens = view is None or view.names_citizens or persons
    return not names_citizens and question.view not in LIVE and not question.books


def _cells(answer: Answer) -> int:
    return len(answer.figures) * (len(answer.rows) + len(answer.areas))


def _has_runs(question: LisQuestion, *, persons: bool) -> bool:
    view = VIEWS.get(question.view)
    figures = view.behind[0] if view and persons and view.behind else view.figures if view else ()
    return any(figure.name == RUN for figure in figures)


def _runs(marts: Marts) -> list[LisRun]:
    return [
        LisRun(*row)
        for row in marts.remembered(
            "SELECT run, data_month, closed_at, rules FROM runs WHERE run IS NOT NULL ORDER BY run"
        )
    ]
