"""Writes pages: templates with the words of the visitor's language.

A template gets `word` (sentences of `words.py`), `link` (an address in the same language),
`visitor`, `language`, `here` (the path without the language) and `other_language`.
"""

from collections.abc import Sequence
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import BaseModel

from streams.privacy.cpr import may_hold_cpr
from streams.web.dates import day_text, moment_text, month_words
from streams.web.desk.refusal_words import said
from streams.web.lag_words import lag_text
from streams.web.visitors import NOBODY, READERS, Role, Visitor
from streams.web.words import Language, words_in

TEMPLATES: Final = Path(__file__).parent / "templates"
ENGLISH: Final = "/en"
"""The beginning of a path whose page is wanted in English."""


LIS: Final = "/lis"
OF_CITIZENS: Final = ("/borger", "frame.citizen")
MENU: Final[Sequence[tuple[str, str]]] = (
    ("/", "frame.front"),
    (LIS, "frame.lis"),
    ("/drift", "frame.operation"),
    ("/nyheder", "frame.news"),
    ("/kontakt", "frame.contact"),
)
"""The menu that everybody has: paths, and the keys of their words."""
MENU_OF_ROLES: Final[Sequence[tuple[str, str, frozenset[Role]]]] = (
    (
        "/koersler", "frame.runs",
        frozenset({Role.ECONOMY, Role.STATE, Role.AUDITOR, Role.OPERATOR}),
    ),
    ("/drift/vagt", "frame.duty", frozenset({Role.OPERATOR, Role.AUDITOR})),
    ("/godkendelser", "frame.approvals", frozenset({Role.OPERATOR, Role.AUDITOR})),
    ("/drift/doede-breve", "frame.letters", frozenset({Role.OPERATOR, Role.AUDITOR})),
    ("/adviser", "frame.notices", frozenset({Role.CASEWORKER, Role.AUDITOR})),
    ("/regler", "frame.rules", frozenset(Role)),
    ("/revision", "frame.audit", frozenset({Role.AUDITOR})),
    ("/adgang", "frame.access", frozenset({Role.AUDITOR})),
    ("/adgang/gennemgang", "frame.review", frozenset({Role.ECONOMY, Role.AUDITOR})),
)  # fmt: skip
"""The entries of the menu that some roles have: those that may see the page."""
FOOT: Final = (
    ("/vejledning", "frame.guides"),
    ("/dokumenter", "documents.title"),
    ("/tilgaengelighed", "frame.accessibility"),
    ("/behandling", "frame.processing"),
    ("/kontakt", "frame.contact"),
)
"""The links at the foot of every page."""


def _menu_of(visitor: Visitor) -> list[tuple[str, str]]:
    """Give the menu, without LIS for who is logged on and may not see any of it.

    Who may see citizens finds them there.
    """
    is_shut_out = visitor.is_logged_on and not visitor.roles & READERS
    menu = [entry for entry in MENU if entry[0] != LIS or not is_shut_out]
    if visitor.roles & {Role.CASEWORKER, Role.AUDITOR}:
        menu.insert(2, OF_CITIZENS)
    return menu + [(path, key) for path, key, roles in MENU_OF_ROLES if visitor.roles & roles]


def _current(menu: Sequence[tuple[str, str]], path: str) -> str:
    """Return the entry of the menu that a page is under: the longest beginning of its path."""
    above = [entry for entry, _ in menu if path == entry or path.startswith(f"{entry}/")]
    return max(above, key=len, default="")


def language_of(request: Request) -> Language:
    """Return the language that the address asks for."""
    language: Language = request.scope.get("language", "da")
    return language


def link(language: Language, path: str) -> str:
    """Return the address of a path of this site in a language."""
    return ENGLISH + path if language == "en" else path


def _in_other_language(request: Request, status: int) -> str:
    """Return the address of the page in the other language.

    Only what the route knows is repeated, and nothing that looks like a CPR number: an unknown
    path, or a query without a meaning, is not.
    """
    other: Language = "da" if language_of(request) == "en" else "en"
    if status >= HTTPStatus.BAD_REQUEST:
        return link(other, "/")
    asked = [
        (name, value)
        for name, value in request.query_params.multi_items()
        if name in _known_names(request.scope.get("route")) and not may_hold_cpr(value)
    ]
    return link(other, request.scope["path"]) + (f"?{urlencode(asked)}" if asked else "")


def _known_names(route: object) -> set[str]:
    """Return the names of a route's query, those of models among them."""
    names: set[str] = set()
    for field in route.dependant.query_params if isinstance(route, APIRoute) else ():
        kind = field.field_info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            names |= {each.alias or name for name, each in kind.model_fields.items()}
        else:
            names.add(field.alias)
    return names


class Pages:
    """The templates of the site."""

    def __init__(self) -> None:
        self.environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.environment.globals["said"] = said

    def page(
        self, request: Request, template: str, status: int = 200, **values: Any
    ) -> HTMLResponse:
        """Make the page of a template."""
        visitor: Visitor = getattr(request.state, "visitor", NOBODY)
        menu = _menu_of(visitor)
        text = self.part(
            language_of(request),
            template,
            visitor=visitor,
            menu=menu,
            current=_current(menu, request.scope["path"]),
            foot=FOOT,
            here=request.scope["path"],
            other_language=_in_other_language(request, status),
            **values,
        )
        return HTMLResponse(text, status)

    def part(self, language: Language, template: str, **values: Any) -> str:
        """Write a template that knows the language alone, beside its values."""
        word = words_in(language)
        return self.environment.get_template(template).render(
            word=word,
            lag=partial(lag_text, word),
            link=partial(link, language),
            language=language,
            day=partial(day_text, language=language),
            moment=partial(moment_text, language=language),
            month=partial(month_words, language=language),
            **values,
        )
