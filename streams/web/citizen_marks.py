"""Marks in a page that name nobody, in whose place the words for one visitor are put.

A page that is kept for several visitors has a mark where a citizen's token stands, and where the
visitor's purpose does. What people type cannot be taken for a mark: its text is not known to them.
"""

import re
import secrets
from collections.abc import Sequence
from typing import Final

from markupsafe import escape

_SALT: Final = secrets.token_hex(16)
_MARK: Final = re.compile(rf"mark-{_SALT}-(\d+)-")


def mark(number: int) -> str:
    """Return the mark in whose place a word is put, by the word's number."""
    return f"mark-{_SALT}-{number}-"


def filled(text: str, words: Sequence[str]) -> str:
    """Put words in the place of marks in HTML, escaped.

    >>> filled(f"<p>{mark(1)}: {mark(0)}</p>", ["a & b", "c"])
    '<p>c: a &amp; b</p>'
    """
    escaped = [str(escape(word)) for word in words]
    return _MARK.sub(lambda found: escaped[int(found[1])], text)
