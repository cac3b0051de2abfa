"""Contact persons, and the form for enquiries, which go by mail."""

import logging
import re
from functools import partial
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from streams.citizens.rule_sets import load_rule_set
from streams.privacy.cpr import may_hold_cpr
from streams.web.limits import network_of_visitor, too_many
from streams.web.mail import ONE_ADDRESS, Enquiry, MailError, send_enquiry
from streams.web.pages import language_of, link
from streams.web.parts import page, parts_of
from streams.web.public import folder_of
from streams.web.rights import PUBLIC
from streams.web.words import words_in

CATEGORIES: Final = ("lis", "amounts", "background", "log_on", "fault", "other")
"""Categories of enquiries, by the keys of their words."""
LONGEST: Final = {"name": 100, "phone": 30, "mail": 200, "text": 4_000}
_FORMS: Final = {
    "mail": re.compile(ONE_ADDRESS),
    "phone": re.compile(r"\+?[0-9 ]{8,30}"),
}
log = logging.getLogger("refusion")
router = APIRouter(dependencies=[Depends(PUBLIC)])
Field = Annotated[str, Form()]


@router.get("/kontakt", include_in_schema=False)
def contact_page(request: Request, sendt: Annotated[str, Query()] = "") -> HTMLResponse:
    """Show whom to ask, and the form."""
    return _page(request, sent=bool(sendt))


@router.post("/kontakt", include_in_schema=False)
async def take_enquiry(
    request: Request,
    category: Field = "",
    name: Field = "",
    phone: Field = "",
    mail: Field = "",
    text: Field = "",
) -> Response:
    """Send an enquiry on, or show the form again with what is to be mended."""
    parts = parts_of(request)
    place = parts.settings.web.mail
    if place is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    filled = {"name": name, "phone": phone, "mail": mail, "text": text}
    again = partial(_again, request, filled | {"category": category})
    if problems := _problems(category, filled):
        return await again(422, problems)
    if not parts.limits.enquiries.passes(network_of_visitor(request)):
        raise too_many()
    enquiry = Enquiry(words_in("da")(f"contact.category_{category}"), **filled)
    try:
        await parts.lanes.mail.run(send_enquiry, place, enquiry, request.state.request_id)
    except MailError as error:
        log.warning("an enquiry could not be sent by mail: %s", error)
        return await again(503, {"mail_server": "contact.not_sent"})
    return RedirectResponse(link(language_of(request), "/kontakt?sendt=1"), HTTPStatus.SEE_OTHER)


def _problems(category: str, filled: dict[str, str]) -> dict[str, str]:
    """Return the key of a sentence for each field that has no good value."""
    problems = {} if category in CATEGORIES else {"category": "contact.choose"}
    for field, value in filled.items():
        form = _FORMS.get(field)
        one_line = field == "text" or value.isprintable()
        if (
            not value.strip()
            or len(value) > LONGEST[field]
            or not one_line
            or (form and not form.fullmatch(value.strip()))
        ):
            problems[field] = f"contact.fill_{field}"
        elif field != "phone" and may_hold_cpr(value):
            problems[field] = "contact.no_cpr"
    return problems


async def _again(
    request: Request, filled: dict[str, str], status: int, problems: dict[str, str]
) -> Response:
    """Show the form again with what is to be mended."""
    return await run_in_threadpool(_page, request, status, filled=filled, problems=problems)


def _page(request: Request, status: int = 200, **values: object) -> HTMLResponse:
    names = load_rule_set().municipalities
    contacts = {
        names.get(code, code): persons for code, persons in folder_of(request).contacts().items()
    }
    shown: dict[str, object] = {"filled": {}, "problems": {}, "sent": False} | values
    return page(
        request,
        "contact.html",
        status,
        contacts=contacts,
        categories=CATEGORIES,
        longest=LONGEST,
        has_mail=parts_of(request).settings.web.mail is not None,
        **shown,
    )
