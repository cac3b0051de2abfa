"""The parts that all routes of a site share, and how a route comes to them."""

from dataclasses import dataclass, field
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse

from streams.settings import Settings
from streams.web.pages import Pages
from streams.web.sessions import Sessions


@dataclass
class Parts:
    """The parts of one site."""

    settings: Settings
    pages: Pages = field(default_factory=Pages)
    sessions: Sessions = field(default_factory=Sessions)
    has_log_on: bool = False


def parts_of(request: Request) -> Parts:
    """Return the parts of the site that a request came to."""
    parts: Parts = request.app.state.parts
    return parts


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Make the page of a template."""
    parts = parts_of(request)
    shared = {"demo": parts.settings.demo, "has_log_on": parts.has_log_on}
    return parts.pages.page(request, template, status, **shared, **values)
