"""The routes of the half-yearly review of access: who of a municipality has used the site.

The municipality's controller (role `economy`) looks through its persons, ends what should end at
its own access management, and notes here that it was done. An auditor reads any municipality's.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request
from fastapi.responses import Response

from streams.acts.access_review import (
    REVIEWED,
    AccessReview,
    Half,
    PersonUse,
    ReviewQuestion,
)
from streams.acts.acts import ReasonError, checked_reason
from streams.kit.csv_table import csv_table
from streams.web.access import Look
from streams.web.desk.answers import UNKEPT, moved, trouble_of
from streams.web.lis_figures import Speaker
from streams.web.lis_told import speaker_of
from streams.web.pages import language_of
from streams.web.parts import page, parts_of
from streams.web.rights import REVIEW, REVIEW_DATA, REVIEW_NOTE, scope
from streams.web.visitors import Role, Visitor
from streams.web.words import catalogue

REVIEW_PAGE: Final = "/adgang/gennemgang"
LOOK: Final = "site access review"
SHOWN_HALVES: Final = 4
MOST_ACTS: Final = 6
HALF: Final = r"^20[0-9]{2}-[12]$"
CODE: Final = r"^[0-9]{3}$"
HEADS: Final = ("person", "roles", "last", "log_ons", "looks", "citizens", "acts")
NUMBERS: Final = frozenset({"log_ons", "looks", "citizens"})
Municipality = Annotated[str | None, Query(pattern=CODE)]
HalfName = Annotated[str | None, Query(pattern=HALF)]
router = APIRouter()


@router.get(REVIEW_PAGE, include_in_schema=False)
async def review_page(
    request: Request,
    visitor: Annotated[Visitor, Depends(REVIEW)],
    municipality: Municipality = None,
    halvaar: HalfName = None,
) -> Response:
    """Show who of a municipality has used the site in a half-year."""
    return await _page(request, visitor, municipality, halvaar)


@router.get(f"{REVIEW_PAGE}.csv", include_in_schema=False)
async def review_table(
    request: Request,
    visitor: Annotated[Visitor, Depends(REVIEW_DATA)],
    municipality: Municipality = None,
    halvaar: HalfName = None,
) -> Response:
    """Give the same as a table."""
    question, review = await _asked(request, visitor, municipality, halvaar, "csv")
    speaker = speaker_of(request)
    heads = [speaker.word(f"review.{name}") for name in HEADS]
    made = csv_table(heads, [_cells(person, speaker) for person in review.persons])
    return _sent(made, "text/csv; charset=utf-8", question, "csv")


@router.get(f"{REVIEW_PAGE}.pdf", include_in_schema=False)
async def review_paper(
    request: Request,
    visitor: Annotated[Visitor, Depends(REVIEW_DATA)],
    municipality: Municipality = None,
    halvaar: HalfName = None,
) -> Response:
    """Give the same on paper, with the notes that were made about it."""
    question, review = await _asked(request, visitor, municipality, halvaar, "pdf")
    parts = parts_of(request)
    values = _on_paper(request, question, review)
    made = await parts.lanes.paper.run(parts.typesetter.pdf, values)
    return _sent(made, "application/pdf", question, "pdf")


@router.post(REVIEW_PAGE, include_in_schema=False)
async def note_review(
    request: Request,
    visitor: Annotated[Visitor, Depends(REVIEW_NOTE)],
    halvaar: Annotated[str, Form(pattern=HALF)],
    note: Annotated[str, Form(max_length=500)] = "",
    digest: Annotated[str, Form(pattern=r"^[a-z]{16}$")] = "",
) -> Response:
    """Note that the review of a half-year was made, of the lines that were shown."""
    try:
        why = checked_reason("note", note)
    except ReasonError:
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        return await _page(request, visitor, None, halvaar, status, is_bad=True)
    about = {"half": halvaar, "digest": digest}
    await parts_of(request).access.record(request, visitor, Look(REVIEWED, (), why, about))
    return moved(request, f"{REVIEW_PAGE}?halvaar={halvaar}#noter")


# --- what all of them ask -------------------------------------------------------------------------


def _question(
    visitor: Visitor, municipality: str | None, half: str | None
) -> ReviewQuestion | None:
    """Return what is asked; None where who sees all has named no municipality."""
    place = scope(visitor.only(REVIEW.roles), municipality)
    chosen = Half.named(half) if half else Half.of(datetime.now(UTC))
    return ReviewQuestion(place, chosen) if place else None


async def _asked(
    request: Request, visitor: Visitor, municipality: str | None, half: str | None, form: str
) -> tuple[ReviewQuestion, AccessReview]:
    """Record that a review is looked at, and make it. Raises HTTPException where it cannot be."""
    question = _question(visitor, municipality, half)
    if question is None:
        raise HTTPException(HTTPStatus.BAD_REQUEST)
    review, _ = await _looked_at(request, visitor, question, form)
    if review is None:
        raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE)
    return question, review


async def _looked_at(
    request: Request, visitor: Visitor, question: ReviewQuestion, form: str
) -> tuple[AccessReview | None, str]:
    """Record that a review is looked at, and make it, or say why there is none."""
    parts = parts_of(request)
    about = {"of": question.municipality, "half": question.half.name, "form": form}
    await parts.access.record(request, visitor, Look(LOOK, about=about))
    return await trouble_of(parts.lanes.desk, parts.works.review, question)


async def _page(
    request: Request,
    visitor: Visitor,
    municipality: str | None,
    half: str | None,
    status: int = HTTPStatus.OK,
    *,
    is_bad: bool = False,
) -> Response:
    question = _question(visitor, municipality, half)
    review, trouble, speaker = None, "", speaker_of(request)
    if question is not None:
        review, trouble = await _looked_at(request, visitor, question, "page")
    sees_all = visitor.only(REVIEW.roles).sees_all
    now = Half.of(datetime.now(UTC))
    halves = [now]
    while len(halves) < SHOWN_HALVES:
        halves.append(halves[-1].before)
    answer = page(
        request,
        "desk/review.html",
        status,
        question=question,
        review=review,
        trouble=trouble,
        lines=[(each, _cells(each, speaker)) for each in review.persons] if review else [],
        heads=HEADS,
        numbers=NUMBERS,
        halves=halves,
        is_running=question is not None and question.half == now,
        places={code: speaker.municipality(code) for code in sorted(speaker.law.municipalities)}
        if sees_all
        else {},
        may_note=Role.ECONOMY in visitor.roles and not sees_all,
        is_bad=is_bad,
        speaker=speaker,
    )
    answer.headers.update(UNKEPT)
    return answer


def _cells(person: PersonUse, speaker: Speaker) -> list[str]:
    """Write a person's line; the acts that were done most, with their numbers."""
    roles = ", ".join(sorted(_said("review.role", role, speaker) for role in person.roles))
    acts = ", ".join(
        f"{_said('review.act', act.replace(' ', '_').replace('-', '_'), speaker)} ({count})"
        for act, count in person.acts.most_common(MOST_ACTS)
    )
    numbers = (person.log_ons, person.looks, person.citizens)
    counts = [speaker.number("count", number) for number in numbers]
    return [person.subject, roles, person.last[:10], *counts, acts]


def _said(start: str, name: str, speaker: Speaker) -> str:
    """Say a role or an act in words; one without words by its name."""
    key = f"{start}_{name}"
    return speaker.word(key) if key in catalogue() else name.replace("_", " ")


def _sent(content: bytes, media: str, question: ReviewQuestion, ending: str) -> Response:
    name = f"adgang-{question.municipality}-{question.half.name}.{ending}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'} | UNKEPT
    return Response(content, media_type=media, headers=headers)


def _on_paper(request: Request, question: ReviewQuestion, review: AccessReview) -> dict[str, Any]:
    """Return the values of the template of a view: the persons are its rows."""
    speaker = speaker_of(request)
    word = speaker.word
    heads = [
        {
            "title": word(f"review.{name}"),
            "is_number": name in NUMBERS,
            "meaning": word(f"review.{name}_text"),
        }
        for name in HEADS
    ]
    half = word(f"review.half_{question.half.number}", year=question.half.year)
    notes = [f"{each.at[:10]} {each.who}: {each.note}" for each in review.confirmations]
    return {
        "title": word("review.title"),
        "language": language_of(request),
        "heads": heads,
        "rows": [{"cells": _cells(each, speaker), "is_sum": False} for each in review.persons],
        "finding": _finding(review, speaker),
        "place": speaker.municipality(question.municipality),
        "as_of": half,
        "picture": "",
        "picture_text": "",
        "words": {
            "figures": word("review.persons"),
            "no_rows": word("review.none"),
            "meaning": word("review.meaning"),
        },
        "cut": "",
        "counts": word("review.over_all_text"),
        "law": f"{word('review.notes')}: {'; '.join(notes) or word('review.no_notes')}",
    }


def _finding(review: AccessReview, speaker: Speaker) -> str:
    unused = _unused(review.persons)
    return speaker.word("review.finding", number=len(review.persons), unused=unused)


def _unused(persons: Sequence[PersonUse]) -> int:
    return sum(person.is_unused for person in persons)
