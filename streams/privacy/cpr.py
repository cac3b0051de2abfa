"""The form of a CPR number: what is one, what looks like one, and how a text is masked.

No other module of the product has a pattern for ten digits. A CPR number is written as ten digits,
or as six and four with one hyphen or blank between them: 0101801234, 010180-1234, 010180 1234. No
other digit may touch it. In a text it is found in the digits of any script, so that more is masked
rather than less; a valid number has ASCII digits alone.
"""

import re
from collections.abc import Iterator
from datetime import date
from functools import partial
from typing import Final
from unicodedata import normalize

from domain.basics.cache import Memo

DIGITS: Final = 10
MASK: Final = "*" * DIGITS
FICTIVE_DAYS: Final = 60
"""Number that is added to the day in a fictive CPR number, and in a replacement number."""
FIRST_FICTIVE: Final = str(FICTIVE_DAYS)
"""A text after which all fictive numbers come in order, and before which all others do."""

_WRITTEN: Final = r"(?<!\d)(\d{6})[- ]?(\d{4})(?!\d)"
_IN_TEXT: Final = re.compile(_WRITTEN)
_IN_BYTES: Final = re.compile(_WRITTEN.encode())
_FIELD: Final = re.compile(rb'"cpr"\s*:\s*"([0-9]{10})"')
_SIGNS: Final = re.compile(r"[\W_]+")
_TEN_OR_MORE: Final = re.compile(r"\d(?:[\W_]*\d){9,}")

# --- a number ---------------------------------------------------------------------------------


def is_ten_digits(text: str) -> bool:
    """Tell whether a text is ten ASCII digits, whatever they mean.

    >>> is_ten_digits("0101801234"), is_ten_digits("010180-1234")
    (True, False)
    """
    return len(text) == DIGITS and text.isascii() and text.isdigit()


def is_cpr(text: str, demo: bool) -> bool:
    """Tell whether a text is ten digits that begin with a possible date (contract section 2).

    Modulus 11 is not applied. With `demo` a number with 60 added to the day is one too: it is
    fictive, or a replacement number (erstatningspersonnummer) where the settings say so.

    >>> is_cpr("2902004234", demo=False), is_cpr("6101801234", demo=False)
    (True, False)
    """
    birthdays = _FICTIVE_TOO if demo else _REAL
    return len(text) == DIGITS and text.isascii() and text.isdigit() and birthdays[text[:7]]


def is_fictive(cpr: str) -> bool:
    """Tell whether a CPR number is a fictive person's, which nobody has.

    >>> is_fictive("6101801234"), is_fictive("0101801234")
    (True, False)
    """
    return cpr >= FIRST_FICTIVE


def _is_birthday(demo: bool, digits: str) -> bool:
    """Tell whether DDMMYY and the seventh digit are a date.

    The seventh digit decides the century (CPR-kontoret, "Personnummeret i CPR"):
    0-3 19xx; 4 and 9 20xx up to 36, else 19xx; 5-8 20xx up to 57, else 18xx.
    """
    day, month, year, seventh = int(digits[:2]), int(digits[2:4]), int(digits[4:6]), int(digits[6])
    if seventh <= 3:
        century = 1900
    elif seventh in {4, 9}:
        century = 2000 if year <= 36 else 1900
    else:
        century = 2000 if year <= 57 else 1800
    if demo and day > FICTIVE_DAYS:
        day -= FICTIVE_DAYS
    try:
        date(century + year, month, day)
    except ValueError:
        return False
    return True


_REMEMBERED: Final = 1 << 17
_REAL: Final = Memo(partial(_is_birthday, False), _REMEMBERED)
_FICTIVE_TOO: Final = Memo(partial(_is_birthday, True), _REMEMBERED)

# --- in a text --------------------------------------------------------------------------------


def looks_like_cpr(text: str) -> bool:
    """Tell whether a whole text is written as a CPR number, whatever date it begins with.

    >>> looks_like_cpr("010180-1234"), looks_like_cpr("9999999999"), looks_like_cpr("82")
    (True, True, False)
    """
    return _IN_TEXT.fullmatch(text) is not None


def spells(text: str, digits: str) -> bool:
    """Tell whether a text has the digits in order, with nothing but signs or blanks between them.

    Digits of other forms (fullwidth, superscript) count as what they are.

    >>> spells("KTH 010180/1234", "0101801234"), spells("010180a1234", "0101801234")
    (True, False)
    """
    bare = text.replace("-", "")
    if not (bare.isascii() and bare.isalnum()):
        bare = _SIGNS.sub("", normalize("NFKC", text))
    return digits in bare


def holds_cpr(text: str) -> bool:
    """Tell whether a text holds what is written as a CPR number."""
    return _IN_TEXT.search(text) is not None


def may_hold_cpr(text: str) -> bool:
    """Tell whether a free text holds ten digits in a row with only signs and blanks between them.

    Digits of any script and form count. A text with a longer row of digits holds a CPR too: for
    what is kept for ever, better one text too many is refused.

    >>> may_hold_cpr("see 01 01 80/1234"), may_hold_cpr("12 of 45 reports in 2024")
    (True, False)
    """
    return _TEN_OR_MORE.search(normalize("NFKC", text)) is not None


def without_cpr(text: str) -> str:
    """Put ten stars for every row of ten digits or more with only signs and blanks between them.

    >>> without_cpr("born 01.01.80/1234, paid 12345678")
    'born **********, paid 12345678'
    """
    return _TEN_OR_MORE.sub(MASK, text)


def without_birthdays(text: str) -> str:
    """Put ten stars for such a row of digits where some ten of them begin with a date.

    >>> without_birthdays("2024-02-0001 of 01.01.80/1234")
    '2024-02-0001 of **********'
    """
    return _TEN_OR_MORE.sub(lambda row: MASK if _has_birthday(row[0]) else row[0], text)


def _has_birthday(row: str) -> bool:
    digits = _SIGNS.sub("", normalize("NFKC", row))
    starts = range(len(digits) - DIGITS + 1)
    return any(is_cpr(digits[at : at + DIGITS], demo=True) for at in starts)


_DIGITS_AS_ZERO: Final = bytes(ord("0") if byte in b"123456789" else byte for byte in range(256))
_TEN_ZEROS: Final = (b"0000000000", b"000000-0000", b"000000 0000")


def digits_in(text: bytes) -> Iterator[str]:
    """Yield the ten digits of everything in a text that is written as a CPR number.

    Nearly no text has any. Looking for ten zeros first is ten times as fast as the pattern.
    """
    alike = text.translate(_DIGITS_AS_ZERO)
    if any(zeros in alike for zeros in _TEN_ZEROS):
        for match in _IN_BYTES.finditer(text):
            yield (match[1] + match[2]).decode()


def cpr_of_line(line: bytes) -> bytes | None:
    """Return the field `cpr` of a report, found without decoding it; None if it is not plain.

    >>> cpr_of_line(b'{"type":"reversal","cpr":"0101801234"}')
    b'0101801234'
    """
    found = _FIELD.search(line)
    return found[1] if found else None
