"""Tells what the page of a view says: as it was told before of the same build, or made anew.

Who has the same rights is told the same. A page that names citizens is told with marks in the place
of their tokens, and each look at it is on record before the marks are filled.
"""

from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from functools import partial
from hashlib import blake2b
from typing import Any, Final

from fastapi import Request

from projections.lis.books import BookLine
from projections.lis.questions import LisQuestion
from streams.lis.citizens import citizens_in
from streams.lis.store import Build
from streams.web.citizen_marks import filled, mark
from streams.web.citizen_tokens import CitizenTokens, tokens_of
from streams.web.kept_pages import ToldPage
from streams.web.lanes import Lane
from streams.web.lis_desk import LIVE, Answered
from streams.web.lis_figures import Speaker
from streams.web.lis_links import Paths
from streams.web.lis_looks import (
    BOOKS_VIEW,
    LisLook,
    answered,
    may_see,
    named_by,
    question_of,
    record,
    taken_away,
)
from streams.web.lis_pages import BESIDE, BesidePart, ViewPage, beside_part, view_page
from streams.web.pages import language_of
from streams.web.parts import parts_of
from streams.web.rights import CITIZENS, refused
from streams.web.visitors import Visitor
from streams.web.words import words_in

OF_LEDGER: Final = "kontrol"
"""The view that is made of a version of the ledger, beside a build of the marts."""
MADE_ANEW: Final = frozenset({BOOKS_VIEW, "borger", *LIVE}) - {OF_LEDGER}
"""Views whose pages are made anew each time.

They show what was uploaded, a citizen by the token of a session, or a table that has no version.
"""


def speaker_of(request: Request) -> Speaker:
    """Return who writes values for a request: its language, and the law."""
    language = language_of(request)
    return Speaker(words_in(language), language, parts_of(request).lis.law)


def answers(look: LisLook) -> Lane:
    """Return the threads that answer questions."""
    return parts_of(look.request).lanes.answers


def turn(look: LisLook) -> AbstractAsyncContextManager[None]:
    """Return the turn of a list of citizens, which any other view does without."""
    return parts_of(look.request).lanes.citizens.taken() if look.names_citizens else nullcontext()


async def build_of(look: LisLook) -> Build | None:
    """Return the build that answers are made of, if any."""
    return await answers(look).run(parts_of(look.request).lis.state)


def digest(look: LisLook, form: str, whose: Visitor, *made_of: Any) -> str:
    """Write all that an answer to somebody is made of, in short."""
    of = (parts_of(look.request).lis.salt, whose, language_of(look.request))
    content = repr((look.view, form, look.place, look.options, *made_of, of))
    return blake2b(content.encode(), digest_size=16).hexdigest()


# --- telling --------------------------------------------------------------------------------------


async def told_page(
    look: LisLook, build: Build | None, books: tuple[BookLine, ...] = ()
) -> ToldPage:
    """Return what a page tells this visitor, on record where it names citizens.

    Raises LisRefusedError, and HTTPException where the look cannot be recorded.
    """
    question, parts = question_of(look, books), parts_of(look.request)
    if build is not None:
        for pages in (parts.kept_citizens, parts.kept_pages):  # whatever is asked of it
            pages.forget_others(build)
    key = await _key(look, build)
    kept = parts.kept_citizens if look.names_citizens else parts.kept_pages
    async with turn(look):  # to the end of its record, for each page that waits takes memory
        told = kept.find(build, key) if build is not None and key else None
        if told is None:
            told = await _made(look, question)
            if build is not None and key:
                kept.keep(build, key, told)
        return await _recorded(look, question, told) if look.names_citizens else told


async def _key(look: LisLook, build: Build | None) -> str:
    """Return the key of a page among those that are kept; "" where it may not be kept.

    No words of a visitor are.
    """
    if build is None or look.view in MADE_ANEW or look.options.purpose is not None:
        return ""
    ledger = None
    if look.view == OF_LEDGER:
        ledger = await answers(look).run(parts_of(look.request).lis.ledger_state)
        if ledger is None:
            return ""
    return digest(look, "page", look.visitor.rights, build, ledger)


async def _made(look: LisLook, question: LisQuestion) -> ToldPage:
    """Make a page; citizens, and why they are looked at, are marks in it."""
    found = await answered(look, question)
    answer = found.answer
    seen = citizens_in(replace(answer, rows=answer.rows_in(look.shown)))
    if look.names_citizens:
        marks = {citizen: mark(number) for number, citizen in enumerate(seen, 1)}
        found = found._replace(answer=named_by(answer, look.shown, marks.__getitem__))
    page = await _view_page(look, question, found)
    main = parts_of(look.request).pages.part(
        language_of(look.request),
        "lis/view_main.html",
        page=page,
        is_of_citizens=look.names_citizens,
        citizen=look.options.citizen if look.view == "borger" else None,
        purpose=mark(0),
    )
    return ToldPage(f"{page.title}, {page.place}", main, tuple(seen), found.ledger_version)


async def _recorded(look: LisLook, question: LisQuestion, told: ToldPage) -> ToldPage:
    """Put a look at a page on record, and then name its citizens by tokens of the session.

    Raises HTTPException where it cannot be recorded.
    """
    if look.session is None:
        raise refused()
    await record(look, question, [*told.citizens], told.ledger_version)
    return await answers(look).run(_named, told, look.purpose, tokens_of(look.session))


def _named(told: ToldPage, purpose: str, tokens: CitizenTokens) -> ToldPage:
    words = [purpose, *map(tokens.token, told.citizens)]
    return told._replace(main=filled(told.main, words), citizens=())


async def page_on_paper(look: LisLook, books: tuple[BookLine, ...] = ()) -> ViewPage:
    """Make a page that is taken away, on record. Raises as `told_page` does."""
    question = question_of(look, books)
    async with turn(look):
        return await _view_page(look, question, await taken_away(look, question))


async def _view_page(look: LisLook, question: LisQuestion, found: Answered) -> ViewPage:
    page = await answers(look).run(
        view_page,
        found,
        question,
        look.options,
        speaker_of(look.request),
        _paths(look, look.view),
        sees_all=look.seer.sees_all,
        shown=look.shown,
    )
    other = BESIDE.get(look.view)
    if other is None or not may_see(look.visitor, other):
        return page
    return replace(page, beside=await answers(look).run(_beside, look, question, other))


def _beside(look: LisLook, question: LisQuestion, other: str) -> BesidePart:
    """Answer the same question by another view."""
    asked = replace(question, view=other, month=None, benefit=None, by=())
    found = parts_of(look.request).lis.answered(asked)
    speaker = speaker_of(look.request)
    return beside_part(found, asked, look.options, speaker, _paths(look, other))


def _paths(look: LisLook, view: str) -> Paths:
    return Paths(
        view,
        look.options,
        partial(may_see, look.visitor),
        sees_citizens=bool(look.visitor.roles & CITIZENS.roles),
        only=None if look.seer.sees_all else look.place,
    )
