"""The pages of the news list: sign up, confirm, sign off.

A link in a mail shows a button and does nothing by itself: programs that look at mail follow links.
Every answer to a sign-up is the same, whoever gets news already.
"""

import logging
import re
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from streams.kit.web_settings import MailPlace
from streams.privacy.cpr import may_hold_cpr
from streams.web.limits import network_of_visitor, too_many
from streams.web.mail import ONE_ADDRESS, MailError
from streams.web.news_mail import CONFIRM, SIGN_OFF, SignUp
from streams.web.pages import language_of, link
from streams.web.parts import page, parts_of
from streams.web.rights import PUBLIC
from streams.web.subscribers import SubscribersError

PATH: Final = "/nyhedsmail"
LONGEST: Final = 200
log = logging.getLogger("refusion")
router = APIRouter(dependencies=[Depends(PUBLIC)])
Code = Annotated[str, Query(max_length=100)]


def _place(request: Request) -> MailPlace:
    """Return the mail server; without one there are no such pages."""
    place = parts_of(request).news_mail.place
    if place is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return place


@router.get(PATH, include_in_schema=False)
def sign_up_page(request: Request, sendt: Annotated[str, Query()] = "") -> HTMLResponse:
    """Show the form."""
    _place(request)
    return _page(request, "asked" if sendt else "form")


@router.post(PATH, include_in_schema=False)
async def sign_up(request: Request, mail: Annotated[str, Form()] = "") -> Response:
    """Ask an address by mail whether it wants news."""
    place, parts = _place(request), parts_of(request)
    mail = mail.strip()
    if not re.fullmatch(ONE_ADDRESS, mail) or not mail.isprintable():
        return _page(request, "form", 422, filled=mail[:LONGEST], problem="contact.fill_mail")
    if may_hold_cpr(mail):
        return _page(request, "form", 422, problem="contact.no_cpr")
    if not parts.limits.sign_ups.passes(network_of_visitor(request)):
        raise too_many()
    if parts.limits.mails.passes(mail.lower()):  # else it has mail enough, and nobody learns that
        try:
            asked = SignUp(mail, language_of(request))
            await parts.lanes.mail.run(parts.news_mail.ask, place, asked)
        except MailError as error:
            log.warning("a sign-up for news could not be sent by mail: %s", error)
            return _page(request, "form", 503, filled=mail, problem="news_mail.not_sent")
    return RedirectResponse(link(language_of(request), f"{PATH}?sendt=1"), HTTPStatus.SEE_OTHER)


@router.get(CONFIRM, include_in_schema=False)
def confirm_page(request: Request, kode: Code = "") -> HTMLResponse:
    """Show the button that confirms."""
    _place(request)
    return _page(request, "confirm", code=kode, path=CONFIRM)


@router.post(CONFIRM, include_in_schema=False)
def confirm(request: Request, kode: Code = "") -> HTMLResponse:
    """Put an address on the list."""
    _place(request)
    try:
        was_there = parts_of(request).news_mail.confirm(kode)
    except SubscribersError as error:
        log.warning("the list of who gets news by mail cannot be used: %s", error)
        raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE) from error
    return _page(request, "confirmed" if was_there else "too_late")


@router.get(SIGN_OFF, include_in_schema=False)
def sign_off_page(request: Request, kode: Code = "") -> HTMLResponse:
    """Show the button that signs off."""
    return _page(request, "leave", code=kode, path=SIGN_OFF)


@router.post(SIGN_OFF, include_in_schema=False)
def sign_off(request: Request, kode: Code = "") -> HTMLResponse:
    """Take an address off the list; a code that is gone has the same answer."""
    try:
        parts_of(request).news_mail.leave(kode)
    except SubscribersError as error:
        log.warning("the list of who gets news by mail cannot be used: %s", error)
        raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE) from error
    return _page(request, "left")


def _page(request: Request, state: str, status: int = 200, **values: str) -> HTMLResponse:
    shown = {"filled": "", "problem": "", "code": "", "path": PATH} | values
    return page(request, "news_mail.html", status, state=state, longest=LONGEST, **shown)
