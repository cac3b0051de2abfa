"""The routes for programs as a document: OpenAPI 3.1, made from the routes themselves.

`python -m streams.web.openapi docs/openapi.yaml` writes it (`make contract`). It has what client
credentials may ask for: the views of the role `lis`, without options that name citizens.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from projections.lis.answers import ColumnKind, Figure
from projections.lis.definitions import DEFINITIONS
from projections.lis.views import VIEWS
from streams.web.app import right_of, routes_of
from streams.web.lis_files import MEDIA
from streams.web.rights import hidden_columns
from streams.web.visitors import Role, Visitor

VERSION: Final = "1.0.0"
PROGRAM: Final = Visitor("program", frozenset({Role.LIS}))
NOT_FOR_PROGRAMS: Final = frozenset({"citizen", "page", "persons", "purpose", "rules"})
"""Options that need a session, are of pages alone, or are refused."""
HEAD: Final = "# Made by `make contract` from the routes.\n"
Object = dict[str, Any]
_KINDS: Final[Mapping[ColumnKind, str]] = {
    "text": "string", "count": "integer", "ore": "integer", "percent": "number",
}  # fmt: skip
_REFUSALS: Final = {
    "401": "No token, or one that is not believed.",
    "403": "Not the program's: another municipality, or citizens.",
    "422": "An option is unknown or has no good value; `fields` names it.",
    "503": "The figures cannot be read now, or many wait: ask again later.",
}
_ABOUT: Final = (
    "What a municipality's own LIS or FLIS asks for with client credentials (docs/web.md, Log-on)."
    " The rows are those of the program's municipality. Columns may be added."
)


def routes_for_programs() -> list[APIRoute]:
    """Return the routes that client credentials may use."""
    return [
        route
        for route in routes_of()
        if (right := right_of(route)).of_data
        and Role.LIS in right.roles
        and route.include_in_schema
    ]


def document() -> Object:
    """Make the document."""
    routes = routes_for_programs()
    made = get_openapi(title="-", version="-", routes=routes)["paths"]
    shared: Object = {}
    paths = {route.path: {"get": _operation(route, made[route.path], shared)} for route in routes}
    refusals = {status: _refusal(told) for status, told in _REFUSALS.items()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Ydelsesrefusion: LIS", "version": VERSION, "description": _ABOUT},
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "parameters": shared,
            "responses": refusals,
        },
    }


def _operation(route: APIRoute, made: Object, shared: Object) -> Object:
    """Describe a route; options that several routes have are put into `shared`."""
    view, _, form = route.path.removeprefix("/lis/").rpartition(".")
    known = VIEWS.get(view)
    names = []
    for option in made["get"]["parameters"]:
        if option["name"] not in NOT_FOR_PROGRAMS:
            names.append(option["name"])
            if shared.setdefault(option["name"], option) != option:
                raise ValueError(f"{route.path}: {option['name']} is another one elsewhere")
    content = {MEDIA[form]: {"schema": _answer(view)} if form == "json" else {}}
    refusals = {status: {"$ref": f"#/components/responses/{status}"} for status in _REFUSALS}
    described = {"description": DEFINITIONS[view].counts} if view in DEFINITIONS else {}
    return {
        "operationId": f"{view}_{form}".replace("-", "_"),
        "summary": known.title if known else "Linjer bag et beløb",
        **described,
        "parameters": [{"$ref": f"#/components/parameters/{name}"} for name in names],
        "responses": {"200": {"description": "The rows.", "content": content}, **refusals},
    }


def _answer(view: str) -> Object:
    """Describe the JSON of a view; a column may be lacking where `by` sums without it."""
    text = {"type": "string"}
    known = VIEWS.get(view)
    hidden = hidden_columns(PROGRAM, view)
    columns = [each for each in known.figures if each.name not in hidden] if known else []
    row: Object = {"type": "object"}
    if columns:
        row["properties"] = {each.name: _column(each) for each in columns}
    about = {"view": text, "as": text, "run": {"type": ["integer", "null"]}, "rules": text}
    fields = about | {"rows": {"type": "array", "items": row}}
    return {"type": "object", "required": [*fields], "properties": fields}


def _column(figure: Figure) -> Object:
    return {"type": [_KINDS[figure.kind], "null"], "description": figure.heading}


def _refusal(told: str) -> Object:
    texts = {"type": "array", "items": {"type": "string"}}
    fields = {"status": {"type": "integer"}, "error": {"type": "string"}, "fields": texts}
    schema = {"type": "object", "required": [*fields], "properties": fields}
    return {"description": told, "content": {"application/json": {"schema": schema}}}


def text() -> str:
    """Write the document as YAML; each part is readable by itself, without anchors."""
    parts = json.loads(json.dumps(document()))
    plain: str = yaml.safe_dump(parts, sort_keys=False, allow_unicode=True, width=90)
    return HEAD + plain


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(text(), encoding="utf-8")
