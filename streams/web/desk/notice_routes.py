"""The route of notices: a municipality's doubtful reports, with what to do, for a purpose."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import Response

from projections.runs.files import MEANINGS
from streams.kit.catalogue import Catalogue
from streams.operations.notice_shelf import NoticeLine
from streams.web.access import Look
from streams.web.citizen_looks import purpose_in, session_of
from streams.web.citizen_tokens import CitizenTokens, tokens_of
from streams.web.desk.answers import moved, trouble_of
from streams.web.doorway import came_from_elsewhere
from streams.web.lis_looks import PURPOSE
from streams.web.lis_told import speaker_of
from streams.web.pages import language_of
from streams.web.parts import page, parts_of
from streams.web.rights import CITIZENS, scope
from streams.web.visitors import Visitor

NOTICES: Final = "/adviser"
ACT: Final = "site notices"
DAYS: Final = (7, 30, 90)
OF_PAGE: Final = 100
REPEAT: Final = ".repeat"
router = APIRouter()


@dataclass(frozen=True)
class ShownNotice:
    """A notice on a page: the citizen's token in this session, and what to look at."""

    token: str
    benefit: str
    period: str
    cause: str
    other: str
    at: str


@dataclass(frozen=True)
class NoticeGroup:
    """The notices of one kind: what they mean, what to do, and those of the page.

    A code that this version does not know is its own meaning, and has no action.
    """

    meaning: str
    action: str
    count: int
    lines: Sequence[ShownNotice]


@router.get(NOTICES, include_in_schema=False)
async def notices_page(
    request: Request,
    visitor: Annotated[Visitor, Depends(CITIZENS)],
    municipality: Annotated[str, Query(pattern=r"^([0-9]{3})?$")] = "",
    dage: Annotated[int, Query(ge=1, le=90)] = 30,
    advis: Annotated[str, Query(pattern=r"^[a-z_]{0,40}$")] = "",
    side: Annotated[int, Query(ge=1, le=9999)] = 1,
) -> Response:
    """Show the notices of a municipality; whoever has not said why is asked."""
    of_citizens, parts = visitor.only(CITIZENS.roles), parts_of(request)
    place = scope(of_citizens, municipality or None)
    session = session_of(request)
    purpose = "" if came_from_elsewhere(request) else str(session.kept.get(PURPOSE, ""))
    if not purpose:
        return _asks(request, place)
    found, trouble = await trouble_of(parts.lanes.desk, parts.works.notices, dage, place, advis)
    lines = found.lines if found else []
    shown = lines[(side - 1) * OF_PAGE : side * OF_PAGE]
    if shown:
        citizens = sorted({line.citizen for line in shown})
        about = {"municipality": place, "days": dage, "notice": advis, "page": side}
        await parts.access.record(request, visitor, Look(ACT, citizens, purpose, about))
    words = Catalogue(language_of(request), "notices")
    asked = {"municipality": place or "", "dage": dage, "advis": advis}
    answer = _page(
        request,
        place,
        groups=_groups(lines, shown, tokens_of(session), words),
        count=len(lines),
        is_cut=bool(found and found.is_cut),
        days=DAYS,
        meanings={code: _meaning(code, words)[0] for code in MEANINGS},
        asked=asked | {"side": side},
        query=urlencode({name: value for name, value in asked.items() if value}),
        pages=-(-len(lines) // OF_PAGE),
        municipalities=sorted(parts.lis.law.municipalities),
        sees_all=of_citizens.sees_all,
        purpose=purpose,
        trouble=trouble,
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer


@router.post(NOTICES, include_in_schema=False)
async def keep_purpose(
    request: Request,
    visitor: Annotated[Visitor, Depends(CITIZENS)],
    purpose: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """Keep why the visitor looks at citizens, for this session."""
    session, why = session_of(request), purpose_in(purpose)
    if why is None:
        place = scope(visitor.only(CITIZENS.roles), None)
        return _asks(request, place, HTTPStatus.UNPROCESSABLE_ENTITY, is_bad=True)
    session.kept[PURPOSE] = why
    return moved(request, NOTICES)


def _asks(
    request: Request, place: str | None, status: int = HTTPStatus.OK, *, is_bad: bool = False
) -> Response:
    return _page(request, place, status, wants_purpose=True, is_bad=is_bad)


def _page(
    request: Request, place: str | None, status: int = HTTPStatus.OK, **values: Any
) -> Response:
    shared = {"wants_purpose": False, "speaker": speaker_of(request), "place": place}
    return page(request, "desk/notices.html", status, **shared | values)


def _groups(
    lines: Sequence[NoticeLine],
    shown: Sequence[NoticeLine],
    tokens: CitizenTokens,
    words: Catalogue,
) -> list[tuple[str, NoticeGroup]]:
    """Put the notices of a page together by what they mean."""
    groups: dict[str, list[ShownNotice]] = {}
    for line in shown:
        token = tokens.token(line.citizen)
        told = ShownNotice(token, line.benefit, line.period, line.cause, line.other, line.at)
        groups.setdefault(_key(line), []).append(told)
    return [
        (key, NoticeGroup(*_meaning(key, words), sum(_key(line) == key for line in lines), told))
        for key, told in groups.items()
    ]


def _key(line: NoticeLine) -> str:
    return f"{line.code}{REPEAT}" if line.is_repeat else line.code


def _meaning(key: str, words: Catalogue) -> tuple[str, str]:
    """Say what a kind of notice means and what to do, in the visitor's language."""
    code = key.removesuffix(REPEAT)
    meaning, advice = f"meaning.{code}", f"advice.{code}"
    if not words.knows(meaning):
        return code, ""
    if key != code:
        meaning, advice = f"meaning_repeat.{code}", f"advice_one_reporter.{code}"
    return words.text(meaning), words.text(advice)
