"""Looks at LIS by one visitor: whose rows, which citizens, for which purpose, on which record.

No answer with a citizen in it, and no file, leaves here before the look is on record; then tokens
of the session stand in the place of pseudonyms.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import Request
from pydantic import Field

from projections.lis.answers import Answer, without_columns
from projections.lis.books import BookLine
from projections.lis.money_lines import LINES, NO_ACCOUNT, MoneyKeys
from projections.lis.questions import LisQuestion
from projections.lis.views import VIEWS
from streams.acts.acts import ReasonError, checked_reason
from streams.lis.citizens import CITIZEN, acts_about, citizens_in
from streams.web.access import Look
from streams.web.citizen_tokens import CitizenTokens, tokens_of
from streams.web.doorway import came_from_elsewhere
from streams.web.lis_desk import LIVE, Answered, LisRefusedError
from streams.web.lis_options import Code, LisOptions
from streams.web.lis_typesetter import MOST_ROWS as MOST_ON_PAPER
from streams.web.parts import parts_of
from streams.web.rights import CITIZENS, hidden_columns, refused, scope, view_right
from streams.web.sessions import COOKIE, WebSession
from streams.web.visitors import Visitor

ACCOUNT: Final = r"^(?:[0-9]{1,3}(?:\.[0-9]{1,3}){2,7}|" + NO_ACCOUNT + r")$"
"""An account of the State, such as 5.57.71.2.010, or the word for none."""
BOOKS_VIEW: Final = "afstemning"
"""The view that is asked with an uploaded file."""

EVERY: Final = range(sys.maxsize)
"""All rows, however many there are."""
PURPOSE: Final = "purpose"
"""Where a session keeps why its visitor looks at citizens."""


class LineOptions(LisOptions):
    """The options of the lines behind a figure of money."""

    mechanism: Annotated[str, Field(pattern=r"^[a-z_]{1,30}$")] | None = None
    rate: Annotated[int, Field(ge=0, le=100)] | None = None
    account: Annotated[str, Field(pattern=ACCOUNT)] | None = None
    reason: Annotated[str, Field(pattern=r"^[a-z_]{1,30}$")] | None = None
    paying: Code | None = None
    financing: Code | None = None

    @property
    def keys(self) -> MoneyKeys:
        """The keys of the figure whose lines are asked for."""
        return MoneyKeys(*(getattr(self, name) for name in MoneyKeys._fields))

    def given(self) -> dict[str, Any]:
        """Return what was given, so that a link from the page leads to the same lines."""
        return super().given() | self.keys._asdict()


@dataclass(frozen=True)
class LisLook:
    """A look at a view by a visitor who may see it.

    `shown` are the rows that are given, of those that there are. An export is a file that somebody
    takes away: it is recorded also where it names nobody. `session` is that of the visitor, None
    for programs; `purpose` is "" as long as nothing was said. Both are as when the look began: who
    logs off or says something else meanwhile gets the answer that is on record.
    """

    request: Request
    visitor: Visitor
    view: str
    options: LisOptions
    place: str | None
    shown: range
    session: WebSession | None
    purpose: str
    is_export: bool = False

    @property
    def seer(self) -> Visitor:
        """The visitor with the roles alone that may see the answer."""
        return _seer(self.visitor, self.view, self.options)

    @property
    def hidden(self) -> frozenset[str]:
        """The columns of the view that the visitor may not see."""
        return hidden_columns(self.visitor, self.view)

    @property
    def names_citizens(self) -> bool:
        """True if the answer has single citizens in it."""
        return _names_citizens(self.view, self.options)

    def question(self, books: tuple[BookLine, ...] = ()) -> LisQuestion:
        """Make the question; a token becomes the citizen. Raises LisRefusedError."""
        citizen = None
        if self.view == "borger":
            session, token = self.session, self.options.citizen
            citizen = tokens_of(session).citizen(token) if session and token else None
            if citizen is None:
                raise LisRefusedError(HTTPStatus.BAD_REQUEST, "citizen")
        return self.options.question(self.view, self.place, citizen, books)


def look_of(
    request: Request, visitor: Visitor, view: str, options: LisOptions, form: str = "page"
) -> LisLook:
    """Make a look of a visitor. Raises HTTPException where the visitor may not look."""
    # What was uploaded is not kept, so there is no second page of it.
    of_page = EVERY if view == BOOKS_VIEW else options.rows_of_page
    shown = {"page": of_page, "pdf": range(MOST_ON_PAPER)}.get(form, EVERY)
    place, is_export = scope(_seer(visitor, view, options), options.municipality), form != "page"
    session = parts_of(request).sessions.get(request.cookies.get(COOKIE, ""))
    purpose = _purpose_said(request, session, options)
    look = LisLook(request, visitor, view, options, place, shown, session, purpose, is_export)
    if isinstance(options, LineOptions) and options.reason and "reason" in look.hidden:
        raise refused()
    return look


def _names_citizens(name: str, options: LisOptions) -> bool:
    view = VIEWS.get(name)
    return view is not None and (view.names_citizens or options.persons)


def _seer(visitor: Visitor, view: str, options: LisOptions) -> Visitor:
    """Return a visitor with the roles alone that may see the citizens, or else the view.

    Who sees the sums of others beside a role of their own does not see the citizens of others.
    """
    right = CITIZENS if _names_citizens(view, options) else view_right(view)
    return visitor.only(right.roles)


def _purpose_said(request: Request, session: WebSession | None, options: LisOptions) -> str:
    """Return why a visitor looks at citizens; "" where nothing was said.

    Who follows a link of another site has not said why: the record would have that site's word.
    """
    if came_from_elsewhere(request):
        return ""
    return options.purpose or str(session.kept.get(PURPOSE, "") if session else "")


def question_of(look: LisLook, books: tuple[BookLine, ...] = ()) -> LisQuestion:
    """Make the question of a look that may be answered: citizens are looked at for a purpose.

    Raises LisRefusedError, and HTTPException where no session names the citizens.
    """
    if look.options.rules is not None:
        raise LisRefusedError(HTTPStatus.BAD_REQUEST, "rules")
    question = look.question(books)
    if look.names_citizens and not look.purpose:
        raise LisRefusedError(HTTPStatus.BAD_REQUEST, "purpose")
    if look.names_citizens or look.options.purpose:
        purpose_of(look.purpose)
    if look.names_citizens and look.session is None:
        raise refused()
    return question


async def answered(look: LisLook, question: LisQuestion) -> Answered:
    """Answer the question of a look, which is not on record yet. Raises LisRefusedError."""
    parts = parts_of(look.request)
    desk = parts.lis
    run = (parts.lanes.ledger if look.view in LIVE else parts.lanes.answers).run
    if isinstance(look.options, LineOptions):
        found = await run(desk.lines, question, look.options.keys, look.hidden)
    else:
        shown = None if look.shown == EVERY else look.shown
        found = await run(desk.answered, question, persons=look.options.persons, shown=shown)
    if look.shown.start and look.shown.start >= found.answer.count:
        raise LisRefusedError(HTTPStatus.NOT_FOUND, "no_page")
    if look.hidden:
        found = found._replace(answer=without_columns(found.answer, look.hidden))
    return found


async def taken_away(look: LisLook, question: LisQuestion) -> Answered:
    """Answer a look for a file: on record, and with tokens in the place of pseudonyms.

    Raises LisRefusedError, and HTTPException where it cannot be recorded.
    """
    if (session := look.session) is None and look.names_citizens:
        raise refused()
    found = await answered(look, question)
    answer = found.answer
    seen = citizens_in(replace(answer, rows=answer.rows_in(look.shown)))
    await record(look, question, seen, found.ledger_version)
    if session is None or not look.names_citizens:
        return found
    run = parts_of(look.request).lanes.answers.run
    return found._replace(answer=await run(_with_tokens, answer, look.shown, tokens_of(session)))


def purpose_of(text: str) -> str:
    """Check a purpose. Raises LisRefusedError where it must not be kept."""
    try:
        return checked_reason(PURPOSE, text)
    except ReasonError:
        raise LisRefusedError(HTTPStatus.BAD_REQUEST, "purpose") from None


async def record(look: LisLook, question: LisQuestion, seen: list[str], version: int) -> None:
    """Put a look on record: the citizens that it shows, and what was asked of which version.

    Raises HTTPException where it cannot be recorded.
    """
    book = parts_of(look.request).access
    purpose = look.purpose if look.names_citizens else ""
    for act in acts_about(question, seen, purpose, names_cpr=False, ledger_version=version):
        about = dict(act.scope) | _keys_of_lines(look.options)
        seen_by_act = Look(act.name, about.pop("citizens"), act.reason, about)
        await book.record(look.request, look.visitor, seen_by_act)


def _keys_of_lines(options: LisOptions) -> dict[str, object]:
    """Give what a question about the lines behind a figure asks for, beside the common options."""
    if not isinstance(options, LineOptions):
        return {}
    return {name: value for name, value in options.keys._asdict().items() if value is not None}


def _with_tokens(answer: Answer, shown: range, tokens: CitizenTokens) -> Answer:
    """Put tokens in the place of pseudonyms; rows that are not shown name nobody."""
    return named_by(answer, shown, tokens.token)


def named_by(answer: Answer, shown: range, name_of: Callable[[str], str]) -> Answer:
    """Name the citizens of an answer otherwise; rows that are not shown name nobody."""
    if CITIZEN not in answer.names:
        return answer
    at = answer.names.index(CITIZEN)
    is_shown = EVERY if answer.listed else shown
    rows = [
        (*row[:at], name_of(row[at]) if number in is_shown else "", *row[at + 1 :])
        for number, row in enumerate(answer.rows)
    ]
    return replace(answer, rows=rows)


def may_see(visitor: Visitor, view: str) -> bool:
    """Tell whether a visitor may see a view."""
    return view == LINES or bool(view_right(view).roles & visitor.roles)
