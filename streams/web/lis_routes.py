"""The routes of LIS: each view as a page and as files, each with a right of its own.

A page is a plain GET whose address is its whole state. What it shows of a run never changes, so it
has an ETag, and a link that lasts.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, File, Form, Query, Request, UploadFile
from fastapi.responses import JSONResponse, RedirectResponse, Response

from projections.lis.books import BookLine, BooksError, read_books
from projections.lis.money_lines import LINES
from projections.lis.views import VIEWS
from streams.lis.store import Build
from streams.web.doorway import LARGEST_BODY
from streams.web.lis_desk import LIVE, LisRefusedError
from streams.web.lis_files import MEDIA, file_bytes
from streams.web.lis_looks import (
    BOOKS_VIEW,
    PURPOSE,
    LineOptions,
    LisLook,
    look_of,
    may_see,
    purpose_of,
    question_of,
    taken_away,
)
from streams.web.lis_options import LisOptions
from streams.web.lis_pages import paper
from streams.web.lis_start import start_page
from streams.web.lis_told import (
    answers,
    build_of,
    digest,
    page_on_paper,
    speaker_of,
    told_page,
    turn,
)
from streams.web.pages import language_of, link
from streams.web.parts import page as site_page
from streams.web.parts import parts_of
from streams.web.rights import VIEWS as VIEWS_RIGHT
from streams.web.rights import RouteRight, refused, scope, view_right
from streams.web.visitors import OF_ALL, Visitor
from streams.web.words import words_in

MOST_BOOKS_BYTES: Final = LARGEST_BODY
OF_ANOTHER_PAGE: Final = frozenset({"borger", LINES})
"""Views that other pages lead to, with what they are about."""
OF_TABLES: Final = frozenset({"no_marts", "marts_fail"})
"""Refusals of all views alike, the start page among them."""
TOO_MUCH: Final = frozenset({"too_many_rows", "too_large"})
"""Refusals of which a view without choices has more."""
TO_FRONT: Final = ("refusals.to_front", "/")
router = APIRouter()


# --- answers --------------------------------------------------------------------------------------


async def show_page(look: LisLook, books: tuple[BookLine, ...] = ()) -> Response:
    """Show a view as a page."""
    build = await build_of(look)
    tag = _tag(look, "page", build)
    if (unchanged := _unchanged(look.request, tag)) is not None:
        return unchanged
    if look.view == BOOKS_VIEW and not books:
        return _page(look, "lis/books.html", HTTPStatus.OK)
    try:
        told = await told_page(look, build, books)
        return _tagged(_page(look, "lis/view.html", HTTPStatus.OK, told=told), tag)
    except LisRefusedError as refusal:
        return _refused_page(look, refusal)


async def show_file(look: LisLook, form: str, books: tuple[BookLine, ...] = ()) -> Response:
    """Give a view as a file."""
    build = await build_of(look)
    tag = _tag(look, form, build)
    if (unchanged := _unchanged(look.request, tag)) is not None:
        return unchanged
    try:
        content = await _file(look, form, books)
    except LisRefusedError as refusal:
        return _refused_file(look.request, refusal)
    name = _file_name(look, build)
    headers = {"Content-Disposition": f'attachment; filename="{name}.{form}"'}
    return _tagged(Response(content, media_type=MEDIA[form], headers=headers), tag)


def _refused_file(request: Request, refusal: LisRefusedError) -> Response:
    """Say to a program why there is no file."""
    told = words_in(language_of(request))(f"lis_refusals.{refusal.key}")
    status = int(refusal.status)
    return JSONResponse({"status": status, "error": told, "fields": []}, status, _UNKEPT)


def _file_name(look: LisLook, build: Build | None) -> str:
    """Name a file by what is in it, and by the run that it is as of: CSV does not say it inside."""
    asked = look.options
    prefix = {"known": "efter-koersel", "of": "koersel", "settled": "afregnet-i-koersel"}
    of_run = asked.based_on != "known" or asked.run is None
    run = asked.run or (build.last_run if build else None)
    as_of = f"{prefix[asked.based_on] if of_run else 'koersel'}-{run}" if run else None
    return "-".join(filter(None, (look.view, look.place, asked.month, as_of)))


async def _file(look: LisLook, form: str, books: tuple[BookLine, ...]) -> bytes:
    if look.view == BOOKS_VIEW and not books:
        raise LisRefusedError(HTTPStatus.BAD_REQUEST, "books")
    if look.options.page != 1:
        raise LisRefusedError(HTTPStatus.BAD_REQUEST, "no_page")
    if form != "pdf":
        async with turn(look):
            found = await taken_away(look, question_of(look, books))
            return await answers(look).run(file_bytes, found.answer, form)
    typesetter = parts_of(look.request).typesetter
    set_on_paper = paper(await page_on_paper(look, books), speaker_of(look.request))
    pdf = typesetter.pdf if look.names_citizens or books else typesetter.kept_pdf
    return await parts_of(look.request).lanes.paper.run(pdf, set_on_paper)


def _page(look: LisLook, template: str, status: int, **values: Any) -> Response:
    here = {"view": look.view, "title": speaker_of(look.request).title(look.view)}
    query = look.options.query_of_page()
    return site_page(
        look.request, template, status, **here, query=query, place=look.place, **values
    )


def _refused_page(look: LisLook, refusal: LisRefusedError) -> Response:
    """Say why there is no answer; where a purpose is wanted, ask for it."""
    if refusal.key == "purpose":
        is_bad = bool(look.purpose)
        status = refusal.status if is_bad else HTTPStatus.OK
        answer = _page(look, "lis/purpose.html", status, is_bad=is_bad)
    else:
        way_on = _way_on(look, refusal.key)
        answer = _page(look, "lis/refused.html", refusal.status, why=refusal.key, way_on=way_on)
    answer.headers.update(_UNKEPT)
    return answer


def _way_on(look: LisLook, why: str) -> tuple[str, str]:
    """Return the word and the address of a page that is not refused for the same reason."""
    if why in OF_TABLES:
        return TO_FRONT
    is_refused_bare = look.view in OF_ANOTHER_PAGE or not look.options.query_of_page()
    if is_refused_bare or (why in TOO_MUCH and not look.options.persons):
        return "lis.refused_to_start", "/lis"
    return "lis.refused_again", f"/lis/{look.view}"


# --- what a browser may keep ----------------------------------------------------------------------

_UNKEPT: Final = {"Cache-Control": "no-store"}


def _tag(look: LisLook, form: str, build: Build | None) -> str:
    """Return the ETag of an answer; "" for one that nobody may keep."""
    is_unkept = look.names_citizens or look.view in LIVE or look.view == BOOKS_VIEW
    return "" if build is None or is_unkept else f'"{digest(look, form, look.visitor, build)}"'


def _unchanged(request: Request, tag: str) -> Response | None:
    known = [part.strip() for part in request.headers.get("if-none-match", "").split(",")]
    if tag and tag in known:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=_kept(tag))
    return None


def _tagged(answer: Response, tag: str) -> Response:
    answer.headers.update(_kept(tag) if tag else _UNKEPT)
    return answer


def _kept(tag: str) -> dict[str, str]:
    return {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Cookie, Authorization"}


# --- routes ---------------------------------------------------------------------------------------

Handler = Callable[..., Awaitable[Response]]


def _page_of(view: str, right: RouteRight) -> Handler:
    async def page(
        request: Request,
        visitor: Annotated[Visitor, Depends(right)],
        options: Annotated[LisOptions, Query()],
    ) -> Response:
        return await show_page(look_of(request, visitor, view, options))

    return page


def _file_of(view: str, form: str, right: RouteRight) -> Handler:
    async def file(
        request: Request,
        visitor: Annotated[Visitor, Depends(right)],
        options: Annotated[LisOptions, Query()],
    ) -> Response:
        return await show_file(look_of(request, visitor, view, options, form), form)

    return file


def _line_page(right: RouteRight) -> Handler:
    async def page(
        request: Request,
        visitor: Annotated[Visitor, Depends(right)],
        options: Annotated[LineOptions, Query()],
    ) -> Response:
        return await show_page(look_of(request, visitor, LINES, options))

    return page


def _line_file(form: str, right: RouteRight) -> Handler:
    async def file(
        request: Request,
        visitor: Annotated[Visitor, Depends(right)],
        options: Annotated[LineOptions, Query()],
    ) -> Response:
        return await show_file(look_of(request, visitor, LINES, options, form), form)

    return file


def _purpose_of(view: str, right: RouteRight) -> Handler:
    async def keep(
        request: Request,
        visitor: Annotated[Visitor, Depends(right)],
        options: Annotated[LisOptions, Query()],
        purpose: Annotated[str, Form(max_length=500)] = "",
    ) -> Response:
        look = look_of(request, visitor, view, options.but(purpose=None))
        session = look.session
        if session is None or not look.names_citizens:
            raise refused()
        try:
            session.kept[PURPOSE] = purpose_of(purpose)
        except LisRefusedError as refusal:
            return _page(look, "lis/purpose.html", refusal.status, is_bad=True)
        address = link(language_of(request), f"/lis/{view}{look.options.query_of_page()}")
        return RedirectResponse(address, HTTPStatus.SEE_OTHER, _UNKEPT)

    return keep


def _compare_books(right: RouteRight) -> Handler:
    async def compare(
        request: Request,
        visitor: Annotated[Visitor, Depends(right)],
        options: Annotated[LisOptions, Query()],
        books: Annotated[UploadFile, File()],
    ) -> Response:
        look = look_of(request, visitor, BOOKS_VIEW, options)
        try:
            lines = _books_in(await books.read(MOST_BOOKS_BYTES + 1))
        except (BooksError, UnicodeDecodeError):
            return _page(look, "lis/books.html", HTTPStatus.BAD_REQUEST, is_bad=True)
        return await show_page(look, lines)

    return compare


def _file_of_books(form: str, right: RouteRight) -> Handler:
    async def file(
        request: Request,
        visitor: Annotated[Visitor, Depends(right)],
        options: Annotated[LisOptions, Query()],
        table: Annotated[str, Form(max_length=MOST_BOOKS_BYTES)],
    ) -> Response:
        look = look_of(request, visitor, BOOKS_VIEW, options, form)
        try:
            lines = _books_in(table.encode())
        except BooksError:
            return _refused_file(request, LisRefusedError(HTTPStatus.BAD_REQUEST, "books_bad"))
        return await show_file(look, form, lines)

    return file


def _books_in(content: bytes) -> tuple[BookLine, ...]:
    if len(content) > MOST_BOOKS_BYTES:
        raise BooksError("too long")
    return tuple(read_books(content.decode("utf-8-sig").splitlines()))


async def _start(
    request: Request,
    visitor: Annotated[Visitor, Depends(VIEWS_RIGHT)],
) -> Response:
    """Show what was settled, what needs attention and what comes, to this role."""
    desk, speaker = parts_of(request).lis, speaker_of(request)
    place = scope(visitor, None)
    may = partial(may_see, visitor)
    counts = partial(may_see, visitor.only(OF_ALL) if place is None else visitor)
    make = partial(start_page, desk, speaker, place, may, counts)
    try:
        page = await parts_of(request).lanes.answers.run(make)
    except LisRefusedError as refusal:
        return site_page(
            request, "lis/refused.html", refusal.status, title=speaker.word("lis.lis"),
            why=refusal.key, way_on=TO_FRONT, view="", query="", place=place,
        )  # fmt: skip
    answer = site_page(request, "lis/start.html", page=page)
    answer.headers.update(_UNKEPT)
    return answer


def _add_routes() -> None:
    router.add_api_route("/lis", _start, include_in_schema=False)
    for view, known in VIEWS.items():
        right, of_data = view_right(view), view_right(view, of_data=True)
        router.add_api_route(f"/lis/{view}", _page_of(view, right), include_in_schema=False)
        for form in MEDIA:
            router.add_api_route(f"/lis/{view}.{form}", _file_of(view, form, of_data))
        if known.names_citizens or known.behind:
            router.add_api_route(
                f"/lis/{view}", _purpose_of(view, right), methods=["POST"], include_in_schema=False
            )
    books = view_right(BOOKS_VIEW)
    router.add_api_route(
        f"/lis/{BOOKS_VIEW}", _compare_books(books), methods=["POST"],
        include_in_schema=False,
    )  # fmt: skip
    for form in MEDIA:
        router.add_api_route(
            f"/lis/{BOOKS_VIEW}.{form}",
            _file_of_books(form, view_right(BOOKS_VIEW, of_data=True)),
            methods=["POST"],
            include_in_schema=False,
        )
    router.add_api_route(f"/lis/{LINES}", _line_page(VIEWS_RIGHT), include_in_schema=False)
    of_lines = view_right(LINES, of_data=True)
    for form in MEDIA:
        router.add_api_route(f"/lis/{LINES}.{form}", _line_file(form, of_lines))


_add_routes()
