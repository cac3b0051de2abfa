"""The routes of rules: every value with its history, searched, and rule set against rule set."""

from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import Response

from streams.citizens.rule_sets import DEFAULT, LawBook
from streams.privacy.cpr import may_hold_cpr
from streams.settings import Settings
from streams.web.desk.answers import trouble_of
from streams.web.desk.difference_pages import AskedQuestion, questions
from streams.web.desk.rule_book import law_cases, rule_book
from streams.web.desk.run_routes import SEES_ALL, place_of
from streams.web.lis_desk import LisRun
from streams.web.lis_told import speaker_of
from streams.web.parts import Parts, page, parts_of
from streams.web.rights import ANY_ROLE
from streams.web.visitors import Visitor

Name = Annotated[str, Query(max_length=60, pattern=r"^[A-Za-z0-9ÆØÅæøå._-]*$")]
router = APIRouter()


@router.get("/regler", include_in_schema=False)
async def rules_page(
    request: Request,
    visitor: Annotated[Visitor, Depends(ANY_ROLE)],
    soeg: Annotated[str, Query(max_length=100)] = "",
    regelsaet: Name = DEFAULT,
    mod: Name = "",
) -> Response:
    """Show the rules of a rule set, those with some words, or what another one changes."""
    parts = parts_of(request)
    names = LawBook(parts.settings.rules).names()
    chosen = regelsaet or DEFAULT
    if chosen not in names or (mod and mod not in names):
        raise HTTPException(HTTPStatus.NOT_FOUND)
    if may_hold_cpr(soeg):
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY)
    against = mod if mod != chosen else ""
    work = partial(rule_book, parts.settings.rules, chosen, against)
    book, trouble = await trouble_of(parts.lanes.desk, work)
    asked = None
    if book and not soeg and not against:
        asked, trouble = await _asked(parts, visitor, chosen)
    used = await _first_runs(parts)
    words = soeg.casefold().split()
    chapters = (book.found(words) if words else book.chapters) if book else []
    return page(
        request,
        "desk/rules.html",
        book=book,
        chapters=chapters,
        count=sum(len(chapter.sections) for chapter in chapters),
        searched=" ".join(soeg.split()),
        names=names,
        chosen=chosen,
        against=mod,
        used=used,
        speaker=speaker_of(request),
        asked=asked,
        place=None if visitor.roles & SEES_ALL else visitor.municipality,
        valid=_valid(used),
        trouble=trouble,
    )


@router.get("/regler/sager/{name}", include_in_schema=False, dependencies=[Depends(ANY_ROLE)])
def case_page(request: Request, name: str) -> Response:
    """Show a worked case."""
    case = law_cases().get(name)
    if case is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return page(request, "desk/case.html", case=case)


async def _asked(
    parts: Parts, visitor: Visitor, name: str
) -> tuple[list[AskedQuestion] | None, str]:
    """Return the open questions with what other answers cost; None for who may see no amounts."""
    if not visitor.roles & SEES_ALL and visitor.municipality is None:
        return None, ""
    work = partial(_questions_of, parts.settings, name, place_of(visitor))
    return await trouble_of(parts.lanes.desk, work)


def _questions_of(settings: Settings, name: str, place: str | None) -> list[AskedQuestion]:
    """Read a rule set, which may be a file, and what its questions' answers cost."""
    return questions(settings.operations_dir, LawBook(settings.rules).law(name).rules, place)


def _valid(used: Mapping[str, LisRun]) -> str:
    """Return the rule set that the newest run was first to use: the one that is valid."""
    return max(used, key=lambda name: used[name].run, default=DEFAULT)


async def _first_runs(parts: Parts) -> dict[str, LisRun]:
    """Return the first run of each rule set, as far as the tables of LIS have it."""
    return await parts.lanes.answers.run(_runs_by_rules, parts)


def _runs_by_rules(parts: Parts) -> dict[str, LisRun]:
    found: dict[str, LisRun] = {}
    for run in parts.lis.closed_runs():
        for name in run.rules.split():
            found.setdefault(name, run)
    return found
