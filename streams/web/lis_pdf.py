"""Sets a view of LIS, or a citizen's course, as a PDF that is read aloud (PDF/UA-1), with typst.

The same answer gives the same bytes: the fonts are our own, and no clock is asked.
"""

import json
import re
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import typst

HERE: Final = Path(__file__).parent
TEMPLATES: Final = {
    "view": HERE / "templates" / "lis" / "view.typ",
    "citizen": HERE / "templates" / "citizen" / "course.typ",
}
"""The templates by their names in the values; a view of LIS where none is named."""
FONTS: Final = HERE / "fonts"
_FONT: Final = re.compile(r'font-family="[^"]*"')
_ONE_AT_A_TIME: Final = threading.Lock()


def pdf(values: Mapping[str, Any]) -> bytes:
    """Set a page; `values` are what its template names, which they name too."""
    given = dict(values) | {"picture": _in_our_font(str(values["picture"]))}
    with _ONE_AT_A_TIME:  # typst keeps what it read between two documents, for one thread
        made = _typesetter(given.get("template", "view")).compile(
            format="pdf",
            sys_inputs={"data": json.dumps(given, ensure_ascii=False)},
            pdf_standards=["ua-1"],
            timestamp=0,
        )
    assert isinstance(made, bytes)
    return made


@cache
def _typesetter(name: str) -> typst.Compiler:
    template = TEMPLATES[name]
    return typst.Compiler(
        str(template), root=str(template.parent), font_paths=[str(FONTS)], ignore_system_fonts=True
    )


def _in_our_font(picture: str) -> str:
    return _FONT.sub('font-family="IBM Plex Sans"', picture)
