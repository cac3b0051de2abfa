"""The alphabet of ids: the same characters on every machine and in every version of Python.

An id is 1-100 characters of ISO 8859-1 that are printable (0x20-0x7E, and 0xA1-0xFF without the
soft hyphen 0xAD), with no blank at either end (contract section 2). None of them has a second
spelling in Unicode, so that an id is in normal form C. `reverses` may name any id that is in the
journal, which older versions kept with other characters too: there only control characters and
half characters (surrogates) are refused.
"""

import re
from typing import Final

from streams.privacy.cpr import spells

LONGEST: Final = 100
"""Characters of an id."""

_LATIN: Final = re.compile("[\x20-\x7e\xa1-\xac\xae-\xff]{1,100}")
_ANY: Final = re.compile("[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,100}")


def is_id(text: str) -> bool:
    """Tell whether a text can be the id of a report.

    >>> is_id("2024-01-0001"), is_id("Ærø 7"), is_id("a "), is_id("\u212b")
    (True, True, False, False)
    """
    if text.isascii() and text.isprintable() and len(text) <= LONGEST:
        return text == text.strip(" ") != ""
    return _LATIN.fullmatch(text) is not None and text == text.strip(" ")


def is_id_without(cpr: str, text: str) -> bool:
    """Tell whether a text can be the id of a report about a citizen, whose CPR it must not spell.

    Nearly every id has letters, digits and hyphens alone: then two looks decide both.

    >>> is_id_without("0101801234", "KTH-0101801235"), is_id_without("0101801234", "010180-1234")
    (True, False)
    """
    bare = text.replace("-", "")
    if bare.isascii() and bare.isalnum():
        return len(text) <= LONGEST and cpr not in bare
    return is_id(text) and not spells(text, cpr)


def is_id_of_old(text: str) -> bool:
    r"""Tell whether a text can be an id that some version has accepted.

    >>> is_id_of_old("\u212b"), is_id_of_old("a\n")
    (True, False)
    """
    return _ANY.fullmatch(text) is not None
