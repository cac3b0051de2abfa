"""Sets a view of LIS as a PDF that can be read aloud (PDF/UA-1), with typst.

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
TEMPLATE: Final = HERE / "templates" / "lis" / "view.typ"
FONTS: Final = HERE / "fonts"
MOST_ROWS: Final = 2_000
"""Rows on paper, some forty pages; the files have all."""
_FONT: Final = re.compile(r'font-family="[^"]*"')
_ONE_AT_A_TIME: Final = threading.Lock()


def pdf(values: Mapping[str, Any]) -> bytes:
    """Set the page of a view; `values` are what the template names."""
    given = dict(values) | {"picture": _in_our_font(str(values["picture"]))}
    with _ONE_AT_A_TIME:  # typst keeps what it read between two documents, for one thread
        made = _typesetter().compile(
            format="pdf",
            sys_inputs={"data": json.dumps(given, ensure_ascii=False)},
            pdf_standards=["ua-1"],
            timestamp=0,
        )
    assert isinstance(made, bytes)
    return made


@cache
def _typesetter() -> typst.Compiler:
    return typst.Compiler(
        str(TEMPLATE), root=str(TEMPLATE.parent), font_paths=[str(FONTS)], ignore_system_fonts=True
    )


def _in_our_font(picture: str) -> str:
    return _FONT.sub('font-family="IBM Plex Sans"', picture)
