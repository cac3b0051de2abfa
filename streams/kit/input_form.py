"""Says what a file is that is no JSON Lines, by its first bytes."""

import re
from typing import Final, NamedTuple

HEAD_BYTES: Final = 4096
"""Bytes of a file's beginning that are looked at."""
GZIP: Final = b"\x1f\x8b"

_CONTAINERS: Final = {
    b"PK\x03\x04": "a ZIP archive (or a file of Excel or Word); unpack it",
    b"\x28\xb5\x2f\xfd": "packed with zstd; unpack it, or pack it with gzip, which is read",
    b"BZh": "packed with bzip2; unpack it, or pack it with gzip, which is read",
    b"\xfd7zXZ\x00": "packed with xz; unpack it, or pack it with gzip, which is read",
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive; unpack it",
    b"PAR1": "a Parquet file; write it as JSON Lines",
    b"%PDF": "a PDF",
    b"SQLite format 3\x00": "an SQLite database; write it as JSON Lines",
    b"\xd0\xcf\x11\xe0": "a file of Excel or Word; write it as JSON Lines",
}
_UTF_16: Final = "in UTF-16; write it in UTF-8, without a byte order mark"
_UTF_32: Final = "in UTF-32; write it in UTF-8, without a byte order mark"
TABLE: Final = rb"(?:\xef\xbb\xbf)?[\"A-Za-z_][^\n{}]*[;,\t][^\n{}]*\r?\n"
_MARK: Final = b"\xef\xbb\xbf"


class OddForm(NamedTuple):
    """The form of a file that is no JSON Lines.

    `is_hopeless`: no line of it can be read. `is_guess`: it may be JSON Lines with a bad first one.
    """

    words: str
    is_hopeless: bool = True
    is_guess: bool = False


def odd_form(head: bytes) -> OddForm | None:
    r"""Say what begins so; None for what may be JSON Lines.

    >>> odd_form(b'{"a": 1}\n') is None
    True
    >>> odd_form(b'[\n  {"a": 1}').words
    'a JSON array; write one object a line, without brackets and commas around them'
    """
    for magic, words in _CONTAINERS.items():
        if head.startswith(magic):
            return OddForm(words)
    if encoding := _encoding(head):
        return OddForm(encoding)
    has_mark = head.startswith(_MARK)
    if form := _text_form(head.removeprefix(_MARK)):
        return OddForm(form)
    if re.match(TABLE, head):
        return OddForm("a table (CSV), and no JSON", is_hopeless=False, is_guess=True)
    if has_mark:
        words = (
            "begun by a byte order mark, so that its first line is no JSON; write it without one"
        )
        return OddForm(words, is_hopeless=False)
    return None


def _encoding(head: bytes) -> str | None:
    if head.startswith((b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")):
        return _UTF_32
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _UTF_16
    if re.match(rb"(?:[\t\r\n -~]\x00\x00\x00){2}|(?:\x00\x00\x00[\t\r\n -~]){2}", head):
        return _UTF_32
    if re.match(rb"(?:[\t\r\n -~]\x00){3}|(?:\x00[\t\r\n -~]){3}", head):
        return _UTF_16
    return None


def _text_form(head: bytes) -> str | None:
    text = head.lstrip(b" \t\r\n")
    if re.match(rb"\[\s*(\{|\]|$)", text):
        return "a JSON array; write one object a line, without brackets and commas around them"
    if re.match(rb"\{[ \t]*\r?\n", text):
        return "JSON that is broken over lines (pretty-printed); write each object on one line"
    if re.match(rb"<(\?xml|[A-Za-z!])", text):
        return "XML or HTML, and no JSON"
    if re.match(rb"[^\n{]*\r[^\n]*\{|\{[^\n]*\}\r[^\n]", text):
        return "in lines that end with a carriage return alone; end each with a line feed"
    return None
